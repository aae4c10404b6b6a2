"""What the specification of October 2021 says of execution, a sentence a test, with ordinary resolvers."""

import asyncio
import functools
import inspect
from ast import literal_eval
from collections.abc import AsyncIterator
from typing import Any

import graphql
import pytest
from graphql import (
    DirectiveLocation,
    ExecutionResult,
    GraphQLArgument,
    GraphQLDirective,
    GraphQLError,
    GraphQLSchema,
    build_schema,
    execute,
    execute_sync,
    get_introspection_query,
    parse,
    validate,
)

from lineage_api.engine import subscribe
from tests.engine.context import OURS

SCHEMA = """
    scalar JSON
    type Query {
      model(name: String = "churn"): Model
      models: [Model]
      strict: [Model!]
      things: [Thing]
      found: [Found]
      echo(number: Int = 7, numbers: [Int!], grid: [[Int]], where: Filter, stage: Stage): String
      must(number: Int!): String
      never: Int!
      later: String
      sooner: String
      values: [Int!]
    }
    type Mutation { set(to: Int!): Int, fail: Int!, get: Int, model: Model }
    type Subscription { ticks(from: Int = 0): Tick!, words: String, nothing: Int }
    interface Thing { name: String! }
    type Model implements Thing {
      name: String!
      stage: Stage
      owner: Person
      parent: Model
      size: Int
      only: Int!
      echo(where: Filter): String
    }
    type Person implements Thing { name: String!, models: [Model!] }
    type Tick { number: Int!, odd: Int }
    union Found = Model | Person
    enum Stage { STAGING PRODUCTION }
    input Filter { stage: Stage = STAGING, words: [String!], deep: Filter }
"""

ada = {"__typename": "Person", "name": "ada"}
base = {"__typename": "Model", "name": "base", "stage": "STAGING", "size": 1, "only": 1}
churn = {"__typename": "Model", "name": "churn", "stage": "PRODUCTION", "owner": ada, "parent": base, "size": 2}
ada["models"] = [base, churn]  # type: ignore[assignment]


kept = functools.cache(parse)
"""Parsed documents: whoever asks again asks with the same document, as a server does that keeps them."""


@pytest.fixture
def schema() -> GraphQLSchema:
    """Models and people; `only` is null for the model `churn`, where that is not allowed."""
    made = build_schema(SCHEMA)
    made.query_type.fields["echo"].resolve = lambda _, __, **arguments: str(arguments)
    return made


@pytest.fixture
def tell(schema):
    """Asks, and tells the data and the errors, each as its message and its path."""

    def tell(document: str, root: Any = None, name: str | None = None, **variables: Any) -> tuple[Any, list[Any]]:
        parsed = kept(document)
        assert not validate(schema, parsed)
        result = execute_sync(schema, parsed, root, None, variables, name, execution_context_class=OURS)
        return result.data, [(error.message, error.path) for error in result.errors or ()]

    return tell


@pytest.fixture
def ask(tell):
    """Asks what has an answer without errors."""

    def ask(document: str, root: Any = None, name: str | None = None, **variables: Any) -> Any:
        data, errors = tell(document, root, name, **variables)
        assert errors == []
        return data

    return ask


@pytest.fixture
def ask_later(schema):
    """Asks where something must be awaited."""

    async def ask_later(document: str, root: Any) -> Any:
        result = execute(schema, parse(document), root, execution_context_class=OURS)
        assert not isinstance(result, ExecutionResult)
        result = await asyncio.wait_for(result, 5)
        return result.data, [(error.message, error.path) for error in result.errors or ()]

    return ask_later


def test_a_field_stands_under_its_alias(ask):
    """One field can be asked for several times, with other arguments."""
    answer = ask("{ a: echo(number: 1) echo b: echo(number: 2) }")

    assert list(answer.items()) == [("a", "{'number': 1}"), ("echo", "{'number': 7}"), ("b", "{'number': 2}")]


def test_fields_of_one_key_are_merged(ask):
    """They stand where the first of them stands, with the selections of all, at any depth."""
    answer = ask(
        """{ model { name owner { name } } ...More model { size } }
           fragment More on Query { model { owner { models { name } } } }""",
        {"model": churn},
    )

    assert answer == {
        "model": {"name": "churn", "owner": {"name": "ada", "models": [{"name": "base"}, {"name": "churn"}]}, "size": 2}
    }
    assert list(answer["model"]) == ["name", "owner", "size"]


def test_a_fragment_on_an_object_type(ask):
    """It is for the objects of that type."""
    document = "{ things { ... on Person { name } ...Size } } fragment Size on Model { size }"
    answer = ask(document, {"things": [ada, base]})

    assert answer == {"things": [{"name": "ada"}, {"size": 1}]}


def test_a_fragment_on_an_interface(ask):
    """It is for the objects of all types that implement it, whatever it is spread in."""
    document = "{ found { ...Name } model { ...Name } } fragment Name on Thing { name }"
    answer = ask(document, {"found": [ada], "model": base})

    assert answer == {"found": [{"name": "ada"}], "model": {"name": "base"}}


def test_a_fragment_on_a_union(ask):
    """It is for the objects of all types in it, and for interfaces that they implement."""
    answer = ask("{ things { ... on Found { __typename ... on Thing { name } } } }", {"things": [ada, base]})

    assert answer == {"things": [{"__typename": "Person", "name": "ada"}, {"__typename": "Model", "name": "base"}]}


def test_types_of_a_list_stay_in_their_places(ask):
    """Objects of several types, and null between them."""
    answer = ask("{ found { __typename ... on Model { size } } }", {"found": [base, ada, None, churn, ada]})

    model, person = {"__typename": "Model", "size": 1}, {"__typename": "Person"}
    assert answer == {"found": [model, person, None, {"__typename": "Model", "size": 2}, person]}


@pytest.mark.parametrize(
    ("skipped", "included", "is_there"),
    [(False, True, True), (True, True, False), (False, False, False), (True, False, False)],
)
def test_skip_and_include(ask, skipped, included, is_there):
    """A field, a fragment and a spread are there if they are included and not skipped."""
    answer = ask(
        """query ($s: Boolean!, $i: Boolean = true) {
             field: echo @skip(if: $s) @include(if: $i)
             ... @include(if: $i) @skip(if: $s) { inline: echo }
             ...Spread @skip(if: $s) @include(if: $i)
             always: __typename @skip(if: false) @include(if: true)
           } fragment Spread on Query { spread: echo }""",
        s=skipped,
        i=included,
    )

    assert list(answer) == ["field", "inline", "spread", "always"] if is_there else ["always"]


def test_a_skipped_field_leaves_the_other_of_its_key(ask):
    """Only what is there is merged."""
    answer = ask("{ model { name } model @skip(if: true) { size } model { stage } }", {"model": base})

    assert answer == {"model": {"name": "base", "stage": "STAGING"}}


def test_a_document_is_answered_anew_with_other_variables(ask):
    """What is kept from one execution does not show in the next."""
    document = "query ($with: Boolean!, $n: Int) { echo(number: $n) model @include(if: $with) { name } }"

    assert ask(document, {"model": base}, **{"with": True}, n=1) == {"echo": "{'number': 1}", "model": {"name": "base"}}
    assert ask(document, {"model": base}, **{"with": False}, n=2) == {"echo": "{'number': 2}"}
    assert ask(document, {"model": None}, **{"with": True}) == {"echo": "{'number': 7}", "model": None}


def test_typename_of_the_roots(ask):
    """The roots have types too."""
    assert ask("{ __typename model { type: __typename } }", {"model": base}) == {
        "__typename": "Query",
        "model": {"type": "Model"},
    }
    assert ask("mutation { __typename }") == {"__typename": "Mutation"}


def test_defaults_are_for_what_is_absent(ask):
    """For an argument that is not given, and for a variable that is not sent; an explicit null is a value."""
    document = """query ($sent: Int, $own: Int = 5) {
        absent: echo  null: echo(number: null)  not_sent: echo(number: $sent)  own: echo(number: $own) }"""

    assert ask(document) == {
        "absent": "{'number': 7}",
        "null": "{'number': None}",
        "not_sent": "{'number': 7}",
        "own": "{'number': 5}",
    }
    assert ask(document, sent=None, own=None) == {
        "absent": "{'number': 7}",
        "null": "{'number': None}",
        "not_sent": "{'number': None}",
        "own": "{'number': None}",
    }


def test_one_value_is_a_list_of_one(ask):
    """Where a list is wanted, in literals and in variables, and for lists in lists; but null is no list."""
    document = """query ($one: [Int!], $grid: [[Int]]) {
        literal: echo(numbers: 1, grid: 2)  variable: echo(numbers: $one, grid: $grid)  null: echo(numbers: null) }"""

    assert ask(document, one=3, grid=[4, None, [5]]) == {
        "literal": "{'number': 7, 'numbers': [1], 'grid': [[2]]}",
        "variable": "{'number': 7, 'numbers': [3], 'grid': [[4], None, [5]]}",
        "null": "{'number': 7, 'numbers': None}",
    }


def test_input_objects(ask):
    """Their fields have defaults, are coerced, and can be variables, of which the absent are left out."""
    document = """query ($stage: Stage, $word: String!) {
        echo(number: null, where: {words: [$word, "b"], deep: {stage: $stage, words: "c"}}) }"""
    expected = {"number": None, "where": {"stage": "STAGING", "words": ["a", "b"]}}

    expected["where"]["deep"] = {"stage": "STAGING", "words": ["c"]}
    assert literal_eval(ask(document, word="a")["echo"]) == expected
    expected["where"]["deep"] = {"stage": "PRODUCTION", "words": ["c"]}
    assert literal_eval(ask(document, word="a", stage="PRODUCTION")["echo"]) == expected


def test_variables_that_cannot_be_coerced(tell):
    """Nothing is executed then, and all that is wrong is told."""
    data, errors = tell("query ($a: Int!, $b: Stage) { must(number: $a) echo(stage: $b) }", b="GONE")

    assert data is None
    assert errors == [
        ("Variable '$a' of required type 'Int!' was not provided.", None),
        ("Variable '$b' got invalid value 'GONE'; Value 'GONE' does not exist in 'Stage' enum.", None),
    ]


def test_arguments_belong_to_one_call(ask, schema):
    """A resolver may do with them what it likes: they are made anew for the next call."""

    def consume(_source, _info, where=None, **_arguments):
        where["words"].append(where.pop("stage"))
        return str(where)

    schema.type_map["Model"].fields["echo"].resolve = consume
    document = '{ models { echo(where: {words: ["w"]}) } }'

    once = {"echo": "{'words': ['w', 'STAGING']}"}
    assert ask(document, {"models": [base]}) == {"models": [once]}
    assert ask(document, {"models": [base, churn]}) == {"models": [once, once]}


NULL = "Cannot return null for non-nullable field {}."


def test_null_climbs_to_the_nearest_place_that_may_be_null(tell):
    """From a field to its object, and from an item that may not be null to the list."""
    root = {"models": [base, churn], "strict": [base, churn]}
    data, errors = tell("{ models { name only } strict { name only } }", root)

    assert data == {"models": [{"name": "base", "only": 1}, None], "strict": None}
    assert errors == [
        (NULL.format("Model.only"), ["models", 1, "only"]),
        (NULL.format("Model.only"), ["strict", 1, "only"]),
    ]


def test_null_climbs_to_the_root(tell):
    """Where there is no place below that may be null, there are no data."""
    assert tell("{ never echo }", {"never": None}) == (None, [(NULL.format("Query.never"), ["never"])])


def test_null_climbs_through_lists_of_lists(tell):
    """`ada` has a list of models that may be null; the people and things around it stay."""
    data, errors = tell("{ things { name ... on Person { models { only } } } }", {"things": [ada, base, None]})

    assert data == {"things": [{"name": "ada", "models": None}, {"name": "base"}, None]}
    assert errors == [(NULL.format("Model.only"), ["things", 0, "models", 1, "only"])]


def test_an_error_is_told_once_for_each_place(tell):
    """With keys and indices as they are in the response; one row in two places fails in both."""
    data, errors = tell("{ all: models { me: only } }", {"models": [churn, base, churn]})
    assert data == {"all": [None, {"me": 1}, None]}
    assert errors == [(NULL.format("Model.only"), ["all", 0, "me"]), (NULL.format("Model.only"), ["all", 2, "me"])]


def test_an_error_names_all_its_places_in_the_document(schema):
    """All fields that were merged."""
    document = parse("{\n  later\n  ... on Query {\n    later\n  }\n}")
    result = execute_sync(schema, document, {"later": raises(ValueError("no"))}, execution_context_class=OURS)

    assert [error.formatted for error in result.errors] == [
        {"message": "no", "locations": [{"line": 2, "column": 3}, {"line": 4, "column": 5}], "path": ["later"]}
    ]


def test_a_resolver_that_fails(tell):
    """Whether it raises or returns the error, its field is null and its siblings are as they were."""
    root = {"later": raises(KeyError("lost")), "sooner": ValueError("returned"), "model": base}

    assert tell("{ later sooner model { name } }", root) == (
        {"later": None, "sooner": None, "model": {"name": "base"}},
        [("'lost'", ["later"]), ("returned", ["sooner"])],
    )


def test_an_error_keeps_its_extensions_and_its_cause(schema):
    """Whoever masks errors can tell them apart."""
    error = GraphQLError("no", extensions={"code": "FORBIDDEN"})
    root = {"later": raises(error), "sooner": raises(ValueError("cause"))}
    result = execute_sync(schema, parse("{ later sooner }"), root, execution_context_class=OURS)

    first, second = result.errors
    assert first.extensions == {"code": "FORBIDDEN"}
    assert isinstance(second.original_error, ValueError)


def test_values_of_another_type_than_the_schema_says(tell):
    """They are errors of their fields alone."""
    root = {"models": [{"size": value} for value in (1, "2", 2**31, 2.5, True)], "values": "text"}
    data, errors = tell("{ models { size } values }", root)

    assert data == {"models": [{"size": 1}, {"size": 2}, {"size": None}, {"size": None}, {"size": 1}], "values": None}
    assert errors == [
        ("Int cannot represent non 32-bit signed integer value: 2147483648", ["models", 2, "size"]),
        ("Int cannot represent non-integer value: 2.5", ["models", 3, "size"]),
        ("Expected Iterable, but did not find one for field 'Query.values'.", ["values"]),
    ]


def test_a_type_that_is_none_of_those_it_may_be(tell):
    """Each object that has no possible type is an error of its own."""
    data, errors = tell("{ found { __typename } }", {"found": [ada, {"__typename": "Tick"}, {}, base]})

    assert data == {"found": [{"__typename": "Person"}, None, None, {"__typename": "Model"}]}
    assert errors[0] == ("Runtime Object type 'Tick' is not a possible type for 'Found'.", ["found", 1])
    assert errors[1][0].startswith("Abstract type 'Found' must resolve to an Object type at runtime")
    assert errors[1][1] == ["found", 2]


def test_types_are_proven_only_where_something_is(ask, schema):
    """`is_type_of` is asked about objects: where there is null, or an empty list, there is nothing to ask."""
    schema.type_map["Model"].is_type_of = lambda value, _info: "size" in value

    assert ask("{ model { name } models { name } }", {"model": None, "models": []}) == {"model": None, "models": []}
    assert ask("{ models { name owner { models { name } } } }", {"models": [None, churn]}) == {
        "models": [None, {"name": "churn", "owner": {"models": [{"name": "base"}, {"name": "churn"}]}}]
    }


def test_a_resolver_is_told_where_it_is(ask, schema):
    """The path has the keys of the response, and for each field the type that it is of."""
    places = []

    def noted(_source, info, **_arguments):
        path = info.path
        places.append(path.as_list())
        while path is not None:
            places.append((path.key, path.typename))
            path = path.prev

    schema.type_map["Model"].fields["echo"].resolve = noted
    ask("{ all: models { owner { models { e: echo } } } }", {"models": [None, {"owner": {"models": [base]}}]})

    assert places == [
        ["all", 1, "owner", "models", 0, "e"],
        *[("e", "Model"), (0, None), ("models", "Person"), ("owner", "Model"), (1, None), ("all", "Query")],
    ]


def test_a_directive_that_is_given_null(tell):
    """A variable with a default may be sent as null, which `if` does not take: an error of each selection with it."""
    document = "query ($b: Boolean = true) { model { name @include(if: $b) } models { name @include(if: $b) } }"
    data, errors = tell(document, {"model": base, "models": [base, None, churn]}, b=None)

    assert data == {"model": None, "models": [None, None, None]}
    message = "Argument 'if' of non-null type 'Boolean!' must not be null."
    assert errors == [(message, ["model"]), (message, ["models", 0]), (message, ["models", 2])]


def test_other_directives(ask, schema):
    """They may be given any values, also by variables, and mean nothing to an executor."""
    on = GraphQLArgument(schema.type_map["JSON"])
    schema.directives += (GraphQLDirective("note", [DirectiveLocation.FIELD], {"on": on}),)
    document = "query ($on: JSON) { model { name @note(on: $on) } }"

    assert ask(document, {"model": base}, on=["a", {"b": 1}]) == {"model": {"name": "base"}}


def test_one_of_several_operations(ask, tell):
    """It is chosen by name; without a name, or with a wrong one, nothing is executed."""
    document = "query A { a: __typename } query B { b: __typename } mutation C { c: __typename }"

    assert ask(document, name="B") == {"b": "Query"}
    assert ask(document, name="C") == {"c": "Mutation"}
    assert tell(document) == (None, [("Must provide operation name if query contains multiple operations.", None)])
    assert tell(document, name="D") == (None, [("Unknown operation named 'D'.", None)])


class Register:
    """A root for mutations that keeps a number, and what was done to it."""

    def __init__(self) -> None:
        self.number = 0
        self.done: list[Any] = []

    def set(self, _info: Any, to: int) -> int:
        self.done.append(to)
        self.number = to
        return to

    def get(self, _info: Any) -> int:
        self.done.append("get")
        return self.number

    def fail(self, _info: Any) -> int:
        self.done.append("fail")
        raise ValueError("failed")


class SlowRegister(Register):
    """The same, with a pause before each change, the shorter the later."""

    async def set(self, _info: Any, to: int) -> int:  # type: ignore[override]
        await asyncio.sleep(0.01 / to)
        return super().set(_info, to)

    async def fail(self, _info: Any) -> int:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().fail(_info)


def test_changes_are_made_one_after_the_other(ask):
    """In the order of the document; each sees what those before it did."""
    root = Register()
    answer = ask("mutation { set(to: 1) a: get ...Two b: get } fragment Two on Mutation { two: set(to: 2) }", root)

    assert list(answer.items()) == [("set", 1), ("a", 1), ("two", 2), ("b", 2)]
    assert root.done == [1, "get", 2, "get"]


def test_changes_stop_when_the_data_are_null(tell):
    """What stands after a field that failed and may not be null is not done."""
    root = Register()

    assert tell("mutation { set(to: 1) fail get }", root) == (None, [("failed", ["fail"])])
    assert root.done == [1, "fail"]


async def test_changes_wait_for_one_another(ask_later):
    """A change begins when the one before it is done, however long that takes; and none after a failure."""
    root = SlowRegister()
    assert await ask_later("mutation { one: set(to: 1) a: get two: set(to: 2) b: get }", root) == (
        {"one": 1, "a": 1, "two": 2, "b": 2},
        [],
    )
    assert root.done == [1, "get", 2, "get"]

    root = SlowRegister()
    assert await ask_later("mutation { set(to: 1) fail get }", root) == (None, [("failed", ["fail"])])
    assert root.done == [1, "fail"]


async def test_awaitables_in_all_places(ask_later):
    """A field, items of a list, a list that is made while it is read, and what they raise."""

    async def one_by_one(_info: Any) -> AsyncIterator[Any]:
        yield ada
        yield eventually(base)

    models = [eventually(churn), base, eventually(ValueError("gone"))]
    root = {"model": lambda _info, **_: eventually(base), "models": lambda _info: models, "things": one_by_one}

    assert await ask_later("{ model { name } models { name owner { name } } things { name } }", root) == (
        {
            "model": {"name": "base"},
            "models": [{"name": "churn", "owner": {"name": "ada"}}, {"name": "base", "owner": None}, None],
            "things": [{"name": "ada"}, {"name": "base"}],
        },
        [("gone", ["models", 2])],
    )


async def test_siblings_are_awaited_together(ask_later):
    """Two fields that wait for each other are both answered, as are the items of a list."""
    event = asyncio.Event()

    async def waits(_info: Any) -> str:
        await event.wait()
        return "waited"

    async def tells(_info: Any) -> str:
        await asyncio.sleep(0)
        event.set()
        return "told"

    assert await ask_later("{ later sooner }", {"later": waits, "sooner": tells}) == (
        {"later": "waited", "sooner": "told"},
        [],
    )


async def test_who_is_cancelled_gives_no_value(ask_later):
    """That something was cancelled while it was awaited is no error of a field, and no value of it."""

    async def cancelled(_info: Any) -> str:
        raise asyncio.CancelledError

    for root in ({"later": cancelled}, {"later": cancelled, "sooner": lambda _info: eventually("told")}):
        with pytest.raises(asyncio.CancelledError):
            await ask_later("{ later sooner }", root)


async def test_an_execution_that_is_cancelled(schema):
    """What it waits for is cancelled with it."""
    left = []

    async def waits(_info: Any) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            left.append(True)

    root = {"model": lambda _info, **_: eventually(base), "later": waits, "sooner": waits}
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(
            execute(schema, parse("{ model { name } later sooner }"), root, execution_context_class=OURS), 0.01
        )
    assert left == [True, True]


async def test_types_that_are_awaited(schema, ask_later):
    """`resolve_type` and `is_type_of` may be asynchronous, and so may the fields below them."""
    schema.type_map["Thing"].resolve_type = lambda value, _info, _type: eventually(value["__typename"])
    schema.type_map["Model"].is_type_of = lambda value, _info: eventually(value is not churn)
    root = {"things": [ada, churn, {**base, "name": lambda _info: eventually("later")}]}

    assert await ask_later("{ things { name } }", root) == (
        {"things": [{"name": "ada"}, None, {"name": "later"}]},
        [(f"Expected value of type 'Model' but got: {graphql.pyutils.inspect(churn)}.", ["things", 1])],
    )


def test_introspection(schema):
    """The schema is told as graphql-core tells it, also where it is a field among others."""
    for query in (get_introspection_query(), '{ __type(name: "Found") { possibleTypes { name } } __typename }'):
        ours = execute_sync(schema, parse(query), execution_context_class=OURS)
        theirs = execute_sync(schema, parse(query))
        assert ours.errors is None
        assert repr(ours.data) == repr(theirs.data)


@pytest.mark.parametrize("depth", [50, 200, 1000, 5000])
@pytest.mark.parametrize("end", ["name", "only"])
def test_a_deep_question_is_answered_or_refused(schema, depth, end):
    """Whatever the depth, there is an answer, with what failed at its end; what is too deep is an error."""
    steps = [f"fragment F{step} on Model {{ parent {{ ...F{step + 1} }} }}" for step in range(depth)]
    document = parse("\n".join(["{ model { ...F0 } }", *steps, f"fragment F{depth} on Model {{ {end} }}"]))
    ring = {"name": "ring"}
    ring["parent"] = ring  # type: ignore[assignment]
    result = execute_sync(schema, document, {"model": ring}, execution_context_class=OURS)

    found = result.data["model"] if result.data else None
    for _ in range(depth):
        found = found and found["parent"]
    assert found == ({"name": "ring"} if end == "name" and not result.errors else None)
    failures = [NULL.format("Model.only")] if end == "only" else []
    assert depth > 50 or [error.message for error in result.errors or ()] == failures


# --- subscriptions


@pytest.fixture
def follow(schema):
    """Subscribes, and gives all answers, each as its data and the paths of its errors."""

    async def follow(document: str, root: Any, **options: Any) -> list[Any]:
        answers = await subscribe(schema, parse(document), root, **options)
        assert not isinstance(answers, ExecutionResult)
        return [(answer.data, [error.path for error in answer.errors or ()]) async for answer in answers]

    return follow


async def ticks(_info: Any, **arguments: Any) -> AsyncIterator[Any]:
    for number in range(arguments["from"], arguments["from"] + 3):
        yield {"ticks": {"number": number, "odd": number if number % 2 else ValueError("even")}}


async def test_each_event_is_answered(follow):
    """An error belongs to its event; those after it are answered as if nothing had been."""
    document = "subscription ($from: Int) { t: ticks(from: $from) { number odd } }"

    assert await follow(document, {"ticks": ticks}, variable_values={"from": 1}) == [
        ({"t": {"number": 1, "odd": 1}}, []),
        ({"t": {"number": 2, "odd": None}}, [["t", "odd"]]),
        ({"t": {"number": 3, "odd": 3}}, []),
    ]


async def test_events_are_answered_by_our_engine(follow, monkeypatch):
    """graphql-core's own `subscribe` would answer them by its own."""
    operations = []
    execute_operation = OURS.execute_operation
    monkeypatch.setattr(
        OURS, "execute_operation", lambda *given: operations.append(given[1]) or execute_operation(*given)
    )

    await follow("subscription { ticks { number } }", {"ticks": ticks})
    assert len(operations) == 3


async def test_an_event_with_something_to_await(follow):
    """It is awaited before the next event is asked for."""

    async def words(_info: Any) -> AsyncIterator[Any]:
        yield {"words": lambda _info: eventually("a")}
        yield {"words": eventually(ValueError("b"))}

    assert await follow("subscription { words }", {"words": words}) == [
        ({"words": "a"}, []),
        ({"words": None}, [["words"]]),
    ]


async def test_subscriptions_take_the_arguments_of_graphql_core(follow):
    """In the same order, and with the same effect; behind them stands what may answer an event instead."""
    ours, theirs = inspect.signature(subscribe), inspect.signature(graphql.subscribe)
    assert list(ours.parameters) == [*theirs.parameters, "answered"]

    async def started(_root: Any, _info: Any) -> AsyncIterator[Any]:
        yield {"started": True}

    assert await follow(
        "subscription { words }",
        None,
        field_resolver=lambda source, info: f"{info.field_name} of {source}",
        subscribe_field_resolver=started,
    ) == [({"words": "words of {'started': True}"}, [])]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("subscription { words }", "no words"),
        ("subscription ($n: Int!) { words }", "Variable '$n' of required type 'Int!' was not provided."),
    ],
)
async def test_a_subscription_that_cannot_start(schema, document, message):
    """It has one answer, which says why."""
    answer = await subscribe(schema, parse(document), {"words": raises(ValueError("no words"))})

    assert isinstance(answer, ExecutionResult)
    assert (answer.data, [error.message for error in answer.errors]) == (None, [message])


async def test_a_source_that_is_no_stream(schema):
    """That is a mistake of the programmer, and raised."""
    with pytest.raises(TypeError, match="must return AsyncIterable"):
        await subscribe(schema, parse("subscription { nothing }"), {"nothing": None})


async def test_a_source_is_closed_with_its_subscription(schema):
    """Who leaves leaves nothing running."""
    closed = []

    async def words(_info: Any) -> AsyncIterator[Any]:
        try:
            while True:
                yield {"words": "again"}
        finally:
            closed.append(True)

    answers = await subscribe(schema, parse("subscription { words }"), {"words": words})
    assert (await anext(answers)).data == {"words": "again"}
    await answers.aclose()
    assert closed == [True]


def raises(error: Exception) -> Any:
    """A resolver that raises."""

    def resolve(*_: Any, **__: Any) -> Any:
        raise error

    return resolve


async def eventually(value: Any) -> Any:
    """A value, or an error to raise, a turn later."""
    await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value
