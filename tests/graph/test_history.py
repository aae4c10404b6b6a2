"""What has happened to registered models and versions, since when they stand where they do, and where they stood."""

import pytest

from tests.graph.test_event import moment, numbered

HISTORY = """query ($name: String!, $kinds: [RegistryEventKind!], $since: DateTime, $until: DateTime,
    $orderBy: EventOrder! = OLDEST_FIRST, $first: Int! = 100, $after: String
) { registeredModel(name: $name) { history(
    kinds: $kinds, since: $since, until: $until, orderBy: $orderBy, first: $first, after: $after
) { totalCount nodes { id kind } pageInfo { hasNextPage endCursor } } } }"""
SINCE = '{ registeredModel(name: "m") { versions(orderBy: [{field: VERSION, direction: ASC}]) { nodes { %s } } } }'
AT = """query ($at: DateTime) { registeredModel(name: "m") {
    none: inStage(stage: NONE, at: $at) { version }
    staging: inStage(stage: STAGING, at: $at) { version }
    production: inStage(stage: PRODUCTION, at: $at) { version }
    archived: inStage(stage: ARCHIVED, at: $at) { version }
    aliases(at: $at) { name since modelVersion { version isDeleted } }
    versions { nodes { version stage(at: $at) } }
} }"""
SOURCE = "s3://b/model"


async def kinds(client, name="m", **asked):
    """The kinds of the events of a model, which are counted too."""
    found = (await client.ask(HISTORY, name=name, **asked))["registeredModel"]["history"]
    assert found["totalCount"] == len(found["nodes"])
    return [node["kind"] for node in found["nodes"]]


async def stood(client, at):
    """What AT says of a moment, in short: versions by stage, and aliases."""
    model = (await client.ask(AT, at=at))["registeredModel"]
    stages = {
        stage: [version["version"] for version in model[stage]]
        for stage in ("none", "staging", "production", "archived")
    }
    each = {version["version"]: version["stage"].lower() for version in model["versions"]["nodes"]}
    assert all(each[version] == stage for stage, versions in stages.items() for version in versions if version in each)
    aliases = {alias["name"]: alias["modelVersion"]["version"] for alias in model["aliases"]}
    return {stage: versions for stage, versions in stages.items() if versions}, aliases


def move(store):
    """Moves versions of a model about, an event a second."""
    store.registered_model("m")  # 1
    store.version("m", source=SOURCE)  # 2
    store.stage("m", 1, "Production")  # 3
    store.alias("m", "champion", 1)  # 4
    store.version("m", source=SOURCE)  # 5
    store.stage("m", 2, "Production", archive=True)  # 6 and 7
    store.alias("m", "champion", 2)  # 8
    store.client.delete_model_version("m", 1)  # 9
    store.client.delete_registered_model_alias("m", "champion")  # 10
    store.tick()


@pytest.fixture
def moved(store, templates):
    """A model whose versions were moved about."""
    templates.filled(store, move)
    return store


async def test_the_history_of_a_model(moved, client):
    """All that has happened to it and its versions, and nothing of other models."""
    moved.registered_model("n")

    assert await kinds(client) == [
        *("MODEL_CREATED", "VERSION_REGISTERED", "STAGE_CHANGED", "ALIAS_SET", "VERSION_REGISTERED"),
        *("STAGE_CHANGED", "STAGE_CHANGED", "ALIAS_SET", "VERSION_DELETED", "ALIAS_REMOVED"),
    ]
    assert await kinds(client, "n") == ["MODEL_CREATED"]


async def test_the_history_of_a_version(moved, client):
    """What was about it: its stages, its tags, and the aliases that were pointed at it; also when it was deleted."""
    moved.client.set_model_version_tag("m", "2", "a", "1")

    query = """{ registeredModel(name: "m") { history(kinds: [VERSION_REGISTERED], orderBy: OLDEST_FIRST) { nodes {
        modelVersion { version history(orderBy: OLDEST_FIRST) { totalCount nodes { kind version } } }
    } } } }"""
    answer = await client.ask(query)

    first = ["VERSION_REGISTERED", "STAGE_CHANGED", "ALIAS_SET", "STAGE_CHANGED", "VERSION_DELETED"]
    second = ["VERSION_REGISTERED", "STAGE_CHANGED", "ALIAS_SET", "ALIAS_REMOVED", "TAG_SET"]
    assert [node["modelVersion"] for node in answer["registeredModel"]["history"]["nodes"]] == [
        {"version": n, "history": {"totalCount": 5, "nodes": [{"kind": kind, "version": n} for kind in found]}}
        for n, found in ((1, first), (2, second))
    ]


async def test_a_model_that_is_renamed(moved, client):
    """It keeps its history, and where it stood."""
    moved.client.rename_registered_model("m", "x")
    moved.client.rename_registered_model("x", "m")

    assert (await kinds(client))[-2:] == ["MODEL_RENAMED", "MODEL_RENAMED"]
    assert len(await kinds(client)) == 12
    assert await stood(client, moment(4)) == ({"production": [1]}, {"champion": 1})


async def test_a_model_that_is_made_again(moved, client):
    """It has the events of its own alone, and did not stand anywhere before."""
    moved.client.delete_registered_model("m")
    moved.registered_model("m")
    moved.version("m", source=SOURCE)
    moved.alias("m", "champion", 1)

    assert await kinds(client) == ["MODEL_CREATED", "VERSION_REGISTERED", "ALIAS_SET"]
    assert await stood(client, moment(4)) == ({}, {})
    assert await stood(client, None) == ({"none": [1]}, {"champion": 1})


async def test_the_filter_of_a_history(moved, client):
    """By kind and by time; an event at just the end is not in it."""
    expected = [
        ({"kinds": ["ALIAS_SET", "ALIAS_REMOVED"]}, ["ALIAS_SET", "ALIAS_SET", "ALIAS_REMOVED"]),
        ({"kinds": []}, []),
        ({"since": moment(9)}, ["VERSION_DELETED", "ALIAS_REMOVED"]),
        ({"since": "1970-01-01T00:00:08.99999Z"}, ["VERSION_DELETED", "ALIAS_REMOVED"]),
        ({"until": moment(3)}, ["MODEL_CREATED", "VERSION_REGISTERED"]),
        ({"since": moment(5), "until": moment(6), "kinds": ["VERSION_REGISTERED"]}, ["VERSION_REGISTERED"]),
        ({"since": moment(6), "until": moment(5)}, []),
    ]
    assert [(asked, await kinds(client, **asked)) for asked, _ in expected] == expected


@pytest.mark.parametrize("order", ["NEWEST_FIRST", "OLDEST_FIRST"])
@pytest.mark.parametrize("size", [1, 3, 10])
async def test_all_pages_of_a_history(moved, client, order, size):
    """Page by page each event is there once, in the order of all."""
    found, after, more = [], None, True
    while more:
        page = (await client.ask(HISTORY, name="m", orderBy=order, first=size, after=after))["registeredModel"][
            "history"
        ]
        found += [node["id"] for node in page["nodes"]]
        more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]

    assert found == list(map(numbered, range(1, 11) if order == "OLDEST_FIRST" else range(10, 0, -1)))


@pytest.mark.parametrize(
    ("at", "stages", "aliases"),
    [
        ("1969-12-31T23:59:59Z", {}, {}),
        ("1970-01-01T00:00:01.999Z", {}, {}),
        (moment(2), {"none": [1]}, {}),
        ("1970-01-01T00:00:02.999Z", {"none": [1]}, {}),
        (moment(3), {"production": [1]}, {}),
        ("1970-01-01T00:00:03.9999Z", {"production": [1]}, {}),
        (moment(4), {"production": [1]}, {"champion": 1}),
        (moment(5), {"none": [2], "production": [1]}, {"champion": 1}),
        (moment(7), {"production": [2], "archived": [1]}, {"champion": 1}),
        (moment(8), {"production": [2], "archived": [1]}, {"champion": 2}),
        (moment(9), {"production": [2]}, {"champion": 2}),
        (moment(10), {"production": [2]}, {}),
        ("9999-12-31T23:59:59Z", {"production": [2]}, {}),
        (None, {"production": [2]}, {}),
    ],
)
async def test_where_versions_stood(moved, client, at, stages, aliases):
    """In the millisecond of a change what came of it counts; deleted versions are in the past where they were."""
    assert await stood(client, at) == (stages, aliases)


async def test_changes_in_one_millisecond(moved, client):
    """The last of them counts."""
    moved.sql("UPDATE lineage_events SET occurred_at = 3000 WHERE id IN (2, 3)")
    moved.sql("UPDATE lineage_events SET ended_at = 3000 WHERE id = 2")

    assert await stood(client, "1970-01-01T00:00:02.999Z") == ({}, {})
    assert await stood(client, moment(3)) == ({"production": [1]}, {})


async def test_the_newest_versions_come_first(store, client):
    """Also of those that were in a stage then."""
    store.registered_model("m")
    for _ in range(3):
        store.version("m", source=SOURCE)
    store.tick()

    assert await stood(client, moment(4)) == ({"none": [3, 2, 1]}, {})


async def test_an_argument_that_is_null(moved, client):
    """Null says no more than leaving it out, as a literal and as a variable."""
    query = """query ($at: DateTime) { registeredModel(name: "m") {
        inStage(stage: PRODUCTION) { version }
        null: inStage(stage: PRODUCTION, at: null) { version }
        variable: inStage(stage: PRODUCTION, at: $at) { version stage stage_: stage(at: $at) null: stage(at: null) }
    } }"""
    version = {"version": 2}
    stages = {"stage": "PRODUCTION", "stage_": "PRODUCTION", "null": "PRODUCTION"}
    assert await client.ask(query) == {
        "registeredModel": {"inStage": [version], "null": [version], "variable": [{**version, **stages}]}
    }
    then = {"version": 1, "stage": "NONE", "stage_": "PRODUCTION", "null": "NONE"}
    assert (await client.ask(query, at=moment(4)))["registeredModel"]["variable"] == [then]


@pytest.mark.parametrize("settings", [{"backend": "rows"}], ids=["rows"])
async def test_what_is_now_costs_no_more(moved, client, statements):
    """Without a moment no statement reads the history."""
    await client.ask("""{ registeredModels { nodes {
        inStage(stage: PRODUCTION) { version stage } aliases { name modelVersion { stage } }
    } } }""")

    assert [text for text in statements if "lineage_" in text] == []


async def test_versions_and_aliases_whose_rows_are_gone(moved, client):
    """A version that nothing is left of is in no list, and neither is an alias that pointed at it."""
    moved.sql("DELETE FROM model_versions WHERE version = 1")

    assert await stood(client, moment(4)) == ({}, {})


async def test_an_alias_that_pointed_nowhere(moved, client):
    """One that was set on a version while that was deleted was in no list then, as it is in none now."""
    moved.sql(
        "INSERT INTO registered_model_aliases (workspace, name, alias, version) VALUES ('default', 'm', 'late', 1)"
    )
    moved.tick()

    assert await stood(client, None) == await stood(client, moment(12)) == ({"production": [2]}, {})


async def test_an_alias_at_a_deleted_version(moved, client):
    """It names the version, which says that it was deleted since."""
    answer = await client.ask(AT, at=moment(4))

    alias = {"name": "champion", "since": moment(4), "modelVersion": {"version": 1, "isDeleted": True}}
    assert answer["registeredModel"]["aliases"] == [alias]


async def test_since_when(moved, client):
    """Since when a version is in its stage, and an alias where it is."""
    moved.version("m", source=SOURCE)  # 11
    moved.alias("m", "next", 2)  # 12
    moved.tick()

    answer = await client.ask('{ registeredModel(name: "m") { aliases { name since } } }')
    assert answer["registeredModel"]["aliases"] == [{"name": "next", "since": moment(12)}]
    answer = await client.ask(SINCE % "version stageSince")
    nodes = [{"version": 2, "stageSince": moment(7)}, {"version": 3, "stageSince": moment(11)}]
    assert answer["registeredModel"]["versions"]["nodes"] == nodes


@pytest.mark.parametrize(("since", "is_known"), [(11_999, True), (12_000, False), (99_000, False)])
async def test_what_was_so_before_history_was_recorded(moved, client, since, is_known):
    """What was found when history began is null, and what is inferred of later moments is told."""
    moved.alias("m", "next", 2)  # 11
    moved.stage("m", 2, "Staging")  # 12
    moved.tick()
    moved.sql("UPDATE lineage_events SET origin = 'INFERRED', occurred_at = 12000 WHERE id >= 11")
    moved.sql(f"UPDATE lineage_recording SET since = {since}")

    at = moment(12) if is_known else None
    for argument in ("", f'(at: "{moment(12)}")'):
        answer = await client.ask(f'{{ registeredModel(name: "m") {{ aliases{argument} {{ since }} }} }}')
        assert answer["registeredModel"]["aliases"] == [{"since": at}]
    answer = await client.ask(SINCE % f'stage(at: "{moment(12)}") stageSince')
    assert answer["registeredModel"]["versions"]["nodes"] == [{"stage": "STAGING", "stageSince": at}]


async def test_who_registered_a_version(moved, client):
    """MLflow's own word goes first, then that of the history; nobody's when neither has one."""
    moved.version("m", source=SOURCE)
    moved.version("m", source=SOURCE)
    moved.sql("UPDATE lineage_events SET actor = 'ann' WHERE kind = 'VERSION_REGISTERED' AND version IN (2, 3)")
    moved.sql("UPDATE model_versions SET user_id = CASE version WHEN 3 THEN 'bob' ELSE '' END")

    answer = await client.ask(SINCE % "registeredBy")

    assert [node["registeredBy"] for node in answer["registeredModel"]["versions"]["nodes"]] == ["ann", "bob", None]


async def test_a_history_that_began_late(store, client):
    """What was there before is inferred, and its history goes on from there."""
    from lineage_api.migrations import recording

    recording.end(store.uri)
    store.registered_model("m")
    store.version("m", source=SOURCE)
    store.stage("m", 1, "Production")
    store.alias("m", "champion", 1)
    recording.begin(store.uri)
    store.stage("m", 1, "Archived")

    query = """{ registeredModel(name: "m") {
        aliases { since } history(orderBy: OLDEST_FIRST) { nodes { kind origin } }
    } registryEvents(kinds: [STAGE_CHANGED]) { nodes { occurredAt modelVersion { stageSince } } } }"""
    answer = await client.ask(query)

    begun = ["MODEL_CREATED", "VERSION_REGISTERED", "STAGE_CHANGED", "ALIAS_SET"]
    events = [{"kind": kind, "origin": "INFERRED"} for kind in begun]
    events.append({"kind": "STAGE_CHANGED", "origin": "EXTERNAL"})
    assert answer["registeredModel"] == {"aliases": [{"since": None}], "history": {"nodes": events}}
    last = answer["registryEvents"]["nodes"][0]
    assert last["modelVersion"]["stageSince"] == last["occurredAt"]
