"""Each limit has a last value that passes and a first that does not, by whichever way one asks."""

from dataclasses import replace

import pytest
from graphql import get_introspection_query, parse

from lineage_api.api import documents
from lineage_api.api.input_sizes import Inputs
from lineage_api.api.limits import Limits, limits_of, require_within
from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.errors import TooMuch
from lineage_api.graph.identity import encoded
from tests.asking import in_process
from tests.following import streaming, talking
from tests.serving import served

GRAPHQL = "application/graphql-response+json"
LOW = {
    "max_document_bytes": 1_000,
    "max_document_tokens": 150,
    "max_comments": 3,
    "max_operations": 3,
    "max_variables": 3,
    "max_list_items": 3,
    "max_input_objects": 6,
    "max_input_depth": 4,
    "max_depth": 5,
    "max_root_fields": 4,
    "max_aliases": 3,
    "max_fields": 8,
    "max_directives": 3,
    "max_cost": 50,
}
"""Limits of a server that can be reached one by one."""


def nested(depth):
    """A document of a depth."""
    return '{ run(runId: "a")' + "{ parent" * (depth - 2) + "{ id }" + "}" * (depth - 1)


def with_variables(count):
    """A document with so many variables, all of them used by one list."""
    declared = ", ".join(f"$v{n}: ID!" for n in range(count))
    lists = " ".join(f"{{ id }} a{n}: nodes(ids: [$v{n}])" for n in range(count))
    return f"query ({declared}) {{ {lists.removeprefix('{ id } ')} {{ id }} }}"


def filtered(depth, alias=""):
    """A field with so many filters in each other."""
    return alias + "runs(filterBy: " + "{not: " * (depth - 1) + "{}" + "}" * (depth - 1) + ") { totalCount }"


EACH = {  # by what it is called in the refusal: a document of so many, and the limit
    "operations": (lambda n: " ".join(f"query O{i} {{ __typename }}" for i in range(n)), 3),
    "variables": (with_variables, 3),
    "items of a list": (lambda n: '{ nodes(ids: ["a"%s]) { id } }' % (', "a"' * (n - 1)), 3),
    "input objects": (lambda n: "{" + filtered(3) + filtered(n - 3, " a: ") + "}", 6),
    "depth of an input": (lambda n: "{" + filtered(n) + "}", 4),
    "depth": (nested, 5),
    "root fields": (lambda n: "{ %s }" % ("__typename " * n), 4),
    "aliases": (lambda n: "{ runs { totalCount " + "".join(f"a{i}: __typename " for i in range(n)) + "} }", 3),
    "fields": (lambda n: "{ runs { %s } }" % ("totalCount " * (n - 1)), 8),
    "directives": (lambda n: "{ runs { totalCount %s } }" % ("... @include(if: true) { totalCount } " * n), 3),
    "cost": (lambda n: f"{{ runs(first: {n}) {{ nodes {{ id }} }} }}", 50),
}
PARSED = {  # what parsing refuses, with how it says so
    "bytes": ("{ __typename }".ljust, 1_000, "The document has 1001 bytes, at most 1000 are answered."),
    "tokens": (lambda n: "{ %s }" % ("a " * (n - 2)), 150, "Syntax Error: Document contains more than 150"),
    "comments": (lambda n: "#\n" * n + "{ __typename }", 3, "Syntax Error: Document contains more than 3 comments."),
}


@pytest.fixture
async def low(small):
    """Asks a server with low limits."""
    async with in_process(small.uri, **LOW) as client:
        yield client


async def answered(client, query, **more):
    """The status and the body of an answer as GraphQL over HTTP has it."""
    answer = await client.post("/graphql", json={"query": query, **more}, headers={"accept": GRAPHQL})
    return answer.status_code, answer.json()


def sent(query):
    """Values for the variables that a document declares."""
    return {f"v{n}": "x" for n in range(query.count("ID!"))}


@pytest.mark.parametrize("what", EACH)
async def test_the_last_that_passes_and_the_first_that_does_not(low, what):
    """The refusal names both numbers, nothing is executed, and the code says that it was too much."""
    make, most = EACH[what]
    chosen = {"operationName": "O0"} if what == "operations" else {}
    status, body = await answered(low, make(most), variables=sent(make(most)), **chosen)
    assert (status, body.get("errors")) == (200, None)

    status, body = await answered(low, make(most + 1), variables=sent(make(most + 1)))
    message = f"Too much is asked for at once: {what} {most + 1}, at most {most} are answered."
    assert (status, body) == (400, {"errors": [{"message": message, "extensions": {"code": "TOO_COMPLEX"}}]})


@pytest.mark.parametrize("what", PARSED)
async def test_what_is_not_parsed(low, what):
    """It is too long for that."""
    make, most, message = PARSED[what]
    _, body = await answered(low, make(most))
    assert body.get("errors", [{}])[0].get("extensions", {}).get("code") != "GRAPHQL_PARSE_FAILED"

    status, body = await answered(low, make(most + 1))
    [error] = body["errors"]
    assert (status, error["extensions"], "data" in body) == (400, {"code": "GRAPHQL_PARSE_FAILED"}, False)
    assert error["message"].startswith(message)


async def test_bytes_are_counted_and_not_characters(low):
    """A letter may take several."""
    status, body = await answered(low, "{ __typename } #" + "é" * 493)
    assert (status, body["errors"][0]["message"]) == (400, "The document has 1002 bytes, at most 1000 are answered.")
    assert (await answered(low, "{ __typename } #" + "é" * 492))[0] == 200


async def test_lists_in_variables(low):
    """As long as those in documents, however deep they stand."""
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert (await answered(low, query, variables={"ids": ["a"] * 3}))[0] == 200

    status, body = await answered(low, query, variables={"ids": ["a"] * 4})
    assert (status, body["errors"][0]["extensions"]) == (400, {"code": "TOO_COMPLEX"})
    assert "items of a list 4, at most 3" in body["errors"][0]["message"]


def inputs(document, **variables):
    """How many objects the arguments of a document have, and how deep they stand in each other."""
    found = Inputs.of(parse(document), variables)
    return found.objects, found.depth


def test_lists_in_lists():
    """In lists, in objects, and so deep that recursion would end."""
    deep = value = [1, 2, 3]
    for _ in range(5_000):
        deep = [{"a": deep}]
    limits = replace(limits_of(Settings()), max_list_items=3, max_input_depth=10**6, max_input_objects=10**6)
    Inputs.of(parse("{ a }"), {"a": deep, "b": "text", "c": {}}).require_within(limits)
    value.append(4)
    with pytest.raises(TooMuch, match="items of a list 4, at most 3"):
        Inputs.of(parse("{ a }"), {"a": deep}).require_within(limits)


def test_what_arguments_hold():
    """Objects wherever they stand, as often as fragments repeat them; in variables, as often as they are used."""
    assert inputs("{ a(b: 1, c: [2], d: $e) }") == (0, 0)
    assert inputs("{ a(b: {c: {d: [{}, {}]}}) { f(g: {}) } }") == (5, 3)
    twice = "query ($v: V) { ...F ...F } fragment F on Query { ...G ...G } fragment G on Query { a(b: {c: $v}, d: $v) }"
    assert inputs(twice) == (4, 1)
    assert inputs(twice, v=[{"a": {}}, {}]) == (4 + 8 * 3, 2)
    assert inputs(twice, v="text", w={"not": "used"}) == (4, 1)
    assert inputs("query ($v: V = {a: {}}) { a(b: $v) }") == (2, 2)
    assert inputs("query A($v: V) { a(b: {c: $v}) } query B($v: V) { a(b: $v) a(b: $v) }", v={}) == (1 + 2, 1)
    rings = "{ ...F } fragment F on Query { a(b: {}) ...F ...Missing }"
    assert inputs(rings) == (1, 1)


def test_expressions_hold_conditions():
    """So they count as much, wherever they come from."""
    text = "a" * 100
    assert inputs(f'{{ runs(filterBy: {{matching: "{text}"}}) }}') == (11, 1)
    assert inputs(
        "query ($m: String) { runs(filterBy: {matching: $m}) b: runs(filterBy: {matching: $m}) }", m=text
    ) == (
        2 + 20,
        1,
    )
    assert inputs("query ($f: F) { runs(filterBy: $f) }", f={"matching": text, "nameContains": text}) == (11, 1)


async def test_too_many_conditions_in_variables(low):
    """Each would be SQL, for which the server would have to think for seconds."""
    query = "query ($f: RunFilter) { a: runs(filterBy: $f) { totalCount } b: runs(filterBy: $f) { totalCount } }"
    assert (await answered(low, query, variables={"f": {"or": [{}, {}]}}))[0] == 200
    status, body = await answered(low, query, variables={"f": {"or": [{}, {}, {}]}})
    assert (status, body["errors"][0]["extensions"]) == (400, {"code": "TOO_COMPLEX"})
    assert "input objects 8, at most 6" in body["errors"][0]["message"]


@pytest.mark.parametrize(
    "filter_by",
    [
        {"or": [{"params": [{"key": f"p{n}", "eq": "x"} for n in range(90)]}, {"nameContains": "a"}]},
        {"or": [{"or": [{"nameContains": f"{n}"} for n in range(95)]}, {"or": [{"users": ["x"]} for _ in range(90)]}]},
        {"matching": " and ".join(["tags.a='b'"] * 120)},
    ],
)
async def test_as_many_as_may_be(store, filter_by):
    """Neither database has enough of them before."""
    deep = filter_by
    for _ in range(6):
        deep = {"not": {"or": [deep]}} if deep is filter_by else {"or": [deep]}
    async with in_process(store.uri) as client:
        query = "query ($f: RunFilter) { runs(filterBy: $f) { totalCount } }"
        status, body = await answered(client, query, variables={"f": deep})
    assert (status, body.get("errors"), body["data"]) == (200, None, {"runs": {"totalCount": 0}})


async def test_a_cost_with_variables(low):
    """It is that of the values that are sent."""
    query = "query ($n: Int!) { runs(first: $n) { nodes { id } } }"
    status, body = await answered(low, query, variables={"n": 50})
    assert (status, body["extensions"]) == (200, {"cost": {"requested": 50, "actual": 2}})

    status, body = await answered(low, query, variables={"n": 51})
    assert (status, "cost 51, at most 50" in body["errors"][0]["message"]) == (400, True)


async def test_numbers_with_many_digits(low):
    """They are not told to the last digit."""
    fragments = "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(12))
    _, body = await answered(low, f"{{ ...F0 }} {fragments} fragment F12 on Query {{ __typename }}")
    assert "root fields 4096," in body["errors"][0]["message"]

    with pytest.raises(TooMuch, match="fields over 1000000000, at most 3"):
        require_within("fields", 2**500, 3)


async def test_an_invalid_document_may_be_too_much_as_well(low):
    """That is said first: validation would take long."""
    _, body = await answered(low, "{ %s }" % ("nothing " * 5))
    assert body["errors"][0]["extensions"] == {"code": "TOO_COMPLEX"}


async def test_what_takes_long_to_validate(low, monkeypatch):
    """graphql-core gives up at some point, which is none of the document's errors."""
    monkeypatch.setattr(documents, "MAX_VALIDATION_STEPS", 5)
    status, body = await answered(low, "{ runs { totalCount } %s }" % ("... { runs { totalCount } } " * 2))

    assert (status, body["errors"][0]["extensions"]) == (400, {"code": "TOO_COMPLEX"})
    assert "over 5 steps" in body["errors"][0]["message"]


@pytest.mark.parametrize(
    "query",
    [
        nested(101),
        "{ a" + "{a" * 400 + "}" * 401,
        "{ nodes(ids: " + "[" * 300 + "]" * 300 + ") { id } }",
        "{ nodes(ids: " + "[" * 900 + "]" * 900 + ") { id } }",
        "query ($a: " + "[" * 400 + "Int" + "]" * 400 + ") { __typename }",
        "{ runs(first: %s) { totalCount } }" % ("9" * 5_000),
        "{ nodes(ids: [%s]) { id } }" % ("9" * 5_000),
        "query ($n: Int! = %s) { runs(first: $n) { totalCount } }" % ("9" * 5_000),
        '{ run(runId: "\\uD800") { id } }',
        "{ " + " ".join(f"...F{n}" for n in range(200)) + " }",
        " ".join(["{ ...F0 }", *(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(240))]),
    ],
)
async def test_what_is_nested_deeply_or_of_great_size(http, caplog, query):
    """It is answered, or refused by an error of the client's; it is no defect of ours."""
    for body in ({"query": query}, {"query": query, "variables": {"a": 10**300, "b": "x" * 10_000}}):
        answer = await http.post("/graphql", json=body, headers={"accept": GRAPHQL})
        assert answer.status_code in (200, 400)
        codes = {error["extensions"]["code"] for error in answer.json().get("errors", ())}
        assert codes <= {"TOO_COMPLEX", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"}
    assert caplog.records == []


async def test_the_introspection_query(http):
    """With all that tools ask for; it costs nothing."""
    query = get_introspection_query(specified_by_url=True, directive_is_repeatable=True, input_value_deprecation=True)
    status, body = await answered(http, query)

    assert (status, body["extensions"]) == (200, {"cost": {"requested": 0, "actual": 0}})


async def test_values_without_pages(store):
    """As many as may be come, in all lists together; where there are more, there is an error in their place."""
    for name in ("flights", "trains"):
        experiment = store.experiment(name)
        store.run(experiment, "a", params={"p": 1, "q": 2}, metrics={"m": 1.0})
    query = "{ runs { nodes { params { key } metrics { key } } } }"
    # What PostgreSQL writes as JSON is not seen before it is an answer, whose length has a limit of its own.
    async with in_process(store.uri, max_rows=6, backend="rows") as client:
        _, body = await answered(client, query)
    assert body["data"] == {
        "runs": {"nodes": [{"params": [{"key": "p"}, {"key": "q"}], "metrics": [{"key": "m"}]}] * 2}
    }

    async with in_process(store.uri, max_rows=5, backend="rows") as client:
        status, body = await answered(client, query)
    assert (status, body["data"]) == (200, None)
    assert {error["extensions"]["code"] for error in body["errors"]} == {"TOO_COMPLEX"}
    assert body["errors"][0]["message"].startswith("6 values of lists without pages, at most 5 are answered")


async def test_lists_of_introspection(small):
    """They have no pages either."""
    async with in_process(small.uri, max_rows=10) as client:
        status, body = await answered(client, "{ __schema { types { name } } }")

    assert (status, body["errors"][0]["extensions"]) == (200, {"code": "TOO_COMPLEX"})


async def test_what_the_database_writes(store):
    """Rows are counted; in JSON that PostgreSQL writes, nothing is seen."""
    store.experiment("flights", runs=["first"])
    async with in_process(store.uri, backend="json" if store.kind == "postgresql" else "rows") as client:
        _, body = await answered(client, "{ runs { nodes { name } } }")

    assert body["extensions"] == {"cost": {"requested": 20, "actual": 1 if store.kind == "sqlite" else None}}


async def test_limits_can_be_read(low):
    """By whoever wants to know them before asking."""
    names = "maxDocumentBytes maxComments maxDepth maxCost maxRows maxPage maxBodyBytes"
    _, body = await answered(low, f"{{ limits {{ {names} }} }}")

    assert body["data"]["limits"] == {
        "maxDocumentBytes": 1_000,
        "maxComments": 3,
        "maxDepth": 5,
        "maxCost": 50,
        "maxRows": 100_000,
        "maxPage": 100,
        "maxBodyBytes": 2**20,
    }


def test_all_limits_are_settings():
    """Of the same name."""
    assert set(Limits.__annotations__) <= set(Settings.__annotations__)


async def test_over_a_websocket_and_as_a_stream(small):
    """They are refused there as well, subscriptions too; each answer says what it cost."""
    app = create_app(Settings(backend_store_uri=small.uri, **LOW))
    follow = "subscription { registryEvents(after: %s) { modelName modelVersion { run { id } } } }"
    forked = "subscription { registryEvents { " + " ".join(f"a{n}: id" for n in range(4)) + " } }"
    small.registered_model("m")
    with served(app) as address:
        async with talking(address) as talk:
            for query in (EACH["depth"][0](6), EACH["cost"][0](51), forked):
                await talk.ask(query)
                assert (await talk.refusal())["extensions"] == {"code": "TOO_COMPLEX"}
            await talk.ask("{ runs { nodes { id } } }")
            assert (await talk.heard())["payload"]["extensions"] == {"cost": {"requested": 20, "actual": 2}}
            assert (await talk.heard())["type"] == "complete"
        with streaming(address, query=forked) as stream:
            assert "TOO_COMPLEX" in str(stream.response.read())
        with streaming(address, query=follow % f'"{encoded("RegistryEvent", 0)}"') as stream:
            assert stream.answer()["extensions"] == {"cost": {"requested": 3, "actual": 1}}


async def test_a_limit_may_be_as_great_as_one_likes(small):
    """Greater than GraphQL's integers."""
    async with in_process(small.uri, max_cost=2**40) as client:
        _, body = await answered(client, "{ limits { maxCost timeLimitS maxRunning maxWaiting } }")
    others = {"timeLimitS": 10.0, "maxRunning": 16, "maxWaiting": 256}
    assert body["data"] == {"limits": {"maxCost": 2**40, **others}}
