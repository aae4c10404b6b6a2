"""What operations cost: what they may return at most, which is never less than what they do return."""

import os

import pytest
from graphql import GraphQLObjectType, get_named_type, parse, validate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage_api.api.context import Context
from lineage_api.api.costs import MAX_KNOWN, Costs
from lineage_api.api.schema import executable
from lineage_api.engine import answer
from lineage_api.engine.tally import BOUNDED, FRAME
from lineage_api.graph.identity import encoded
from tests.api.random_operations import operations
from tests.api.test_random_operations import asked, store  # noqa: F401 - fixtures

SCHEMA = executable()
EXAMPLES = os.environ.get("LINEAGE_API_EXAMPLES")


def cost(query, name=None, **variables):
    """What an operation costs where a page has at most 100 items."""
    document = parse(query)
    assert validate(SCHEMA, document) == []
    return Costs(SCHEMA, 100).requested(document, name, variables)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ __typename }", 0),
        ("{ __schema { types { fields { type { name } } } } }", 0),
        ('{ run(runId: "a") { runId experiment { name } parent { code { commit } } } }', 4),
        ("{ runs { totalCount pageInfo { endCursor } } }", 0),
        ("{ runs { nodes { runId } } }", 20),
        ("{ runs(first: 7) { edges { cursor node { runId } } pageInfo { endCursor } } }", 7),
        ("{ runs(first: 7) { nodes { runId } edges { node { runId } } } }", 14),
        ("{ runs(first: 7) { nodes { modelVersions(first: 5) { nodes { version run { runId } } } } } }", 7 + 2 * 35),
        ("{ runs(first: 7) { nodes { experiment { runs(first: 10) { nodes { runId } } } } } }", 7 + 7 + 70),
        ("{ runs(first: 7) { nodes { params { key } metrics { key } tags { key } inputs { context } } } }", 7),
        # Below a list without pages, as if it had one item.
        ("{ runs(first: 7) { nodes { inputs { dataset { runs(first: 3) { nodes { runId } } } } } } }", 7 + 7 + 21),
        ('{ run(runId: "a") { metricHistory(key: "m") { nodes { value } } } }', 1 + 100),
        ('{ run(runId: "a") { lineage { nodes { id } links { kind } } } }', 1 + 1 + 200),
        ('{ run(runId: "a") { lineage(maxNodes: 9) { nodes { ... on Run { experiment { name } } } } } }', 1 + 1 + 18),
        ('{ run(runId: "a") { artifacts(first: 9) { path } } }', 1 + 9),
        ('{ registryAt(at: "2020-01-01T00:00:00Z", first: 9) { stages { stage } aliases { alias } } }', 1 + 18),
        ('{ nodes(ids: ["a", "b", "c"]) { id } }', 3),
        ("{ nodes(ids: []) { id } }", 0),
        # One of several types: the dearest.
        (
            '{ node(id: "a") { ... on Run { experiment {name}} ... on Dataset { runs(first: 5) { nodes { id } } } } }',
            6,
        ),
        ('{ node(id: "a") { ... on Taggable { tags { key } } ... on Node { id } ... { id } } }', 1),
        # What is refused by itself costs nothing.
        ("{ runs(first: 101) { nodes { runId } } }", 0),
        ("{ runs(first: 0) { nodes { runId } } }", 0),
        ("{ runs(first: -5) { nodes { runId } } }", 0),
        ("subscription { registryEvents { modelVersion { version } } }", 2),
        ('mutation { deleteModelVersion(input: {model: "m", version: 1}) { errors { message } } }', 1),
    ],
)
def test_what_an_operation_costs(query, expected):
    """Pages within pages are multiplied; frames, and lists without pages, count nothing."""
    assert cost(query) == expected


RUNS = """query (%s) { runs(first: $n) { nodes {
    a: modelVersions(first: 5) @include(if: $a) { nodes { version } }
    b: modelVersions(first: 3) @skip(if: $b) { nodes { version } }
} } }"""


@pytest.mark.parametrize(
    ("declared", "variables", "expected"),
    [
        ("$n: Int!, $a: Boolean!, $b: Boolean!", {"n": 10, "a": True, "b": False}, 10 + 50 + 30),
        ("$n: Int!, $a: Boolean!, $b: Boolean!", {"n": 2, "a": True, "b": True}, 2 + 10),
        ("$n: Int!, $a: Boolean!, $b: Boolean!", {"n": 2.0, "a": False, "b": False}, 2 + 6),
        ("$n: Int! = 4, $a: Boolean = false, $b: Boolean = true", {}, 4),
        ("$n: Int! = 4, $a: Boolean = false, $b: Boolean = true", {"n": 5, "a": True, "b": False}, 5 + 25 + 15),
        ("$n: Int, $a: Boolean!, $b: Boolean!", {"a": False, "b": True}, 20),
        # What is sent and cannot be meant is refused later.
        ("$n: Int!, $a: Boolean!, $b: Boolean!", {"n": 1e300, "a": True, "b": False}, 0),
        ("$n: Int!, $a: Boolean!, $b: Boolean!", {"n": 10**30, "a": True, "b": False}, 0),
    ],
)
def test_the_values_of_variables(declared, variables, expected):
    """They say how many there may be, and what is left out."""
    assert cost(RUNS % declared, **variables) == expected


@pytest.mark.parametrize(("ids", "expected"), [(["a", "b"], 2), ([], 0), ("a", 1)])
def test_lists_of_ids(ids, expected):
    """As many as there are; what is no list is a list of one."""
    assert cost("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids) == expected


def test_numbers_that_nobody_can_read():
    """Python refuses to read a number of so many digits; as an ID it may be sent all the same."""
    assert cost("{ nodes(ids: %s) { id } }" % ("9" * 5_000)) == 0


def test_fragments_that_double():
    """What they cost is multiplied, and not walked."""
    fragments = "".join(
        f"fragment F{n} on Run {{ a: parent {{ ...F{n + 1} }} b: parent {{ ...F{n + 1} }} }} " for n in range(100)
    )
    document = parse(f'{{ run(runId: "a") {{ ...F0 }} }} {fragments} fragment F100 on Run {{ id }}')

    assert Costs(SCHEMA, 100).requested(document, None, {}) == 2**101 - 1


def test_the_operation_that_is_executed():
    """Others of the same document cost what they cost; one that is not there costs nothing."""
    document = "query A { runs(first: 3) { nodes { id } } } query B { runs(first: 5) { nodes { id } } }"

    assert [cost(document, name) for name in ("A", "B", "C", None)] == [3, 5, 0, 0]


def test_values_are_not_kept_for_ever():
    """However many there are."""
    document = parse("query ($n: Int!) { runs(first: $n) { nodes { id } } }")
    costs = Costs(SCHEMA, 1_000)

    assert [costs.requested(document, None, {"n": n}) for n in range(1, 400)] == list(range(1, 400))
    [kept] = vars(document)["lineage_api.costs"].values()
    assert len(kept._known) <= MAX_KNOWN


def test_what_is_bounded_is_bounded_wherever_it_is():
    """No field leads to a list that an argument bounds but one that has the argument."""
    bounded = {
        type_.name
        for type_ in SCHEMA.type_map.values()
        if isinstance(type_, GraphQLObjectType)
        for field in type_.fields.values()
        if BOUNDED in field.extensions and not {"first", "ids"} & set(field.args)
    }
    assert {"RunConnection", "LineageGraph", "RegistrySnapshot", "Tradeoff"} <= bounded
    for type_ in SCHEMA.type_map.values():
        for name, field in getattr(type_, "fields", {}).items():
            if get_named_type(field.type).name in bounded:
                assert {"first", "maxNodes"} & set(field.args), f"{type_.name}.{name}"


def test_the_frames_of_pages():
    """Connections, their edges, and PageInfo; nothing else."""
    frames = {type_.name for type_ in SCHEMA.type_map.values() if FRAME in type_.extensions}

    assert {"RunConnection", "RunEdge", "PageInfo"} <= frames
    assert all(name.endswith(("Connection", "Edge")) for name in frames - {"PageInfo"})


def returned(asking, operation, document):
    """What an operation returns, and how many objects that are."""

    async def asked_for():
        snapshot = asking._database.snapshot()
        context = Context(snapshot, asking._services, 100)
        try:
            schema = executable(read_only=True)
            result = await answer(schema, document, context, operation.variables, operation.name)
            return result, context.tally.objects
        finally:
            await snapshot.close()

    return asking._runner.run(asked_for())


@settings(
    max_examples=int(EXAMPLES or 150),
    derandomize=EXAMPLES is None,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(data=st.data())
def test_random_operations(asked, data):  # noqa: F811
    """None returns more than it asks for."""
    operation = data.draw(operations(executable(read_only=True), asked.known))
    document = parse(operation.document)
    requested = Costs(executable(read_only=True), 100).requested(document, operation.name, operation.variables)
    _, actual = returned(asked, operation, document)

    assert actual <= requested


def in_process(asking, query):
    """The cost and the count of an operation."""
    document = parse(query)
    _, actual = returned(asking, type("Operation", (), {"variables": {}, "name": None}), document)
    return Costs(executable(read_only=True), 100).requested(document, None, {}), actual


def test_what_is_returned(asked):  # noqa: F811
    """Objects of pages, and those that fields lead to; what several share is worked out once, and counts once."""
    assert in_process(asked, '{ experiment(name: "trains") { runs(first: 3) { nodes { experiment { name } } } } }') == (
        7,
        1 + 3 + 1,
    )
    assert in_process(asked, '{ experiment(name: "trains") { runs { edges { node { params { key } } } } } }') == (21, 5)
    ids = [encoded("RegisteredModel", name) for name in ("m", "gone")]
    assert in_process(asked, f'{{ nodes(ids: ["{ids[0]}", "{ids[1]}"]) {{ id }} }}') == (2, 1)
