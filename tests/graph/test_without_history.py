"""A store without our own tables, which nobody may change: it is answered for as if nothing had been recorded."""

import pytest

from lineage_api.graph.identity import encoded
from lineage_api.migrations import recording
from tests.asking import Client

ARGUMENTS = '(at: "9999-12-31T23:59:59Z")'
IN_STAGE = '(stage: NONE, at: "9999-12-31T23:59:59Z")'
EMPTY = {"totalCount": 0, "nodes": [], "pageInfo": {"endCursor": None}}
PAGE = "{ totalCount nodes { kind } pageInfo { endCursor } }"


@pytest.fixture
async def client(store, statements):
    """Asks a server that may make nothing about a store with two models."""
    recording.end(store.uri)
    for name in ("m", "n"):
        store.registered_model(name)
        store.version(name, source="s3://b/model")
        store.version(name, source="s3://b/model")
        store.stage(name, 2, "Production")
        store.alias(name, "champion", 2)
    async with Client.of(store.uri, statements, read_only=True) as asking:
        yield asking


async def test_what_is_said_of_models_and_versions(client):
    """What is now is told; since when it is so, and what was before, nobody knows."""
    answer = await client.ask(f"""{{ registeredModels {{ nodes {{
        name history {PAGE}
        aliases {{ name since modelVersion {{ version }} }} then: aliases{ARGUMENTS} {{ name }}
        now: inStage(stage: PRODUCTION) {{ version }} inStage{IN_STAGE} {{ version }}
        versions {{ nodes {{ version stage then: stage{ARGUMENTS} stageSince registeredBy history {PAGE} }} }}
    }} }} }}""")

    unknown = {"then": "NONE", "stageSince": None, "registeredBy": None, "history": EMPTY}
    versions = [{"version": 2, "stage": "PRODUCTION", **unknown}, {"version": 1, "stage": "NONE", **unknown}]
    model = {
        "history": EMPTY,
        "aliases": [{"name": "champion", "since": None, "modelVersion": {"version": 2}}],
        "then": [],
        "now": [{"version": 2}],
        "inStage": [],
        "versions": {"nodes": versions},
    }
    assert answer["registeredModels"]["nodes"] == [{"name": name, **model} for name in ("m", "n")]


@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize("order", ["NEWEST_FIRST", "OLDEST_FIRST"])
async def test_pages_of_nothing(client, first, order):
    """For one parent and for several, in both orders."""
    asked = f"history(orderBy: {order}, kinds: [ALIAS_SET]) {PAGE}"
    answer = await client.ask(f"""{{
        registryEvents(orderBy: {order}, models: ["m"], actor: "ann", toStages: [NONE]) {PAGE}
        registeredModels(first: {first}) {{ nodes {{ {asked} }} }}
        modelVersions(first: {first}) {{ nodes {{ {asked} }} }}
    }}""")

    nodes = {"nodes": [{"history": EMPTY}] * first}
    assert answer == {"registryEvents": EMPTY, "registeredModels": nodes, "modelVersions": nodes}


async def test_a_snapshot_of_nothing(client):
    """It is empty, and says that nothing is recorded."""
    query = "{ registryAt%s { recordedSince isTruncated stages { version } aliases { version event { id } } } }"

    empty = {"recordedSince": None, "isTruncated": False, "stages": [], "aliases": []}
    assert await client.ask(query % ARGUMENTS) == {"registryAt": empty}


async def test_an_event_that_is_not_there(client):
    """There is none to any ID."""
    query = "query ($id: ID!) { node(id: $id) { id ... on RegistryEvent { cause { id } model { name } } } }"

    assert await client.ask(query, id=encoded("RegistryEvent", 1)) == {"node": None}


async def test_the_words_of_an_empty_history(store):
    """With a cursor of a server that had a history, each type of value is still fit to be compared."""
    store.registered_model("m")
    query = (
        "query ($after: String) { registryEvents(after: $after, since: %s) { nodes { id } pageInfo { endCursor } } }"
    )
    query %= '"1970-01-01T00:00:00Z"'
    async with Client.of(store.uri, []) as before:
        cursor = (await before.ask(query))["registryEvents"]["pageInfo"]["endCursor"]
    recording.end(store.uri)

    async with Client.of(store.uri, [], read_only=True) as after:
        assert (await after.ask(query, after=cursor))["registryEvents"]["nodes"] == []
