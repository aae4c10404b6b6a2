"""The registry as it stood at a moment."""

import pytest

from tests.graph.test_event import moment, numbered

AT = """query ($at: DateTime!, $stages: [Stage!]! = [STAGING, PRODUCTION], $models: [String!], $first: Int! = 1000) {
    registryAt(at: $at, stages: $stages, models: $models, first: $first) { %s }
}"""
BRIEF = "stages { modelName version stage } aliases { modelName alias version } isTruncated"
SOURCE = "s3://b/model"


async def stood(client, at, **asked):
    """The stages and aliases of a moment, in short."""
    found = (await client.ask(AT % BRIEF, at=at, **asked))["registryAt"]
    stages = [f"{each['modelName']} {each['version']} {each['stage']}" for each in found["stages"]]
    aliases = [f"{each['modelName']} {each['alias']} {each['version']}" for each in found["aliases"]]
    return stages, aliases, found["isTruncated"]


def move(store):
    """Makes two models, of which one is renamed, and both are deleted in the end; an event a second."""
    store.prompt("p")
    store.client.set_prompt_alias("p", "production", 1)
    store.sql("DELETE FROM lineage_events WHERE id > 20")
    first = 30
    if store.kind == "postgresql":
        store.sql(f"ALTER SEQUENCE lineage_event_number RESTART WITH {first}")
    else:
        store.sql(f"UPDATE sqlite_sequence SET seq = {first - 1} WHERE name = 'lineage_events'")
    store.registered_model("b")  # 30
    store.version("b", source=SOURCE)  # 31
    store.stage("b", 1, "Production")  # 32
    store.registered_model("a")  # 33
    store.version("a", source=SOURCE)  # 34
    store.version("a", source=SOURCE)  # 35
    store.stage("a", 2, "Staging")  # 36
    store.alias("b", "champion", 1)  # 37
    store.alias("a", "next", 2)  # 38
    store.alias("a", "best", 1)  # 39
    store.client.rename_registered_model("a", "c")  # 40
    store.stage("b", 1, "Archived")  # 41
    store.client.delete_model_version("c", 2)  # 42, and its alias 43, in either order
    store.tick()


@pytest.fixture
def moved(store, templates):
    """Two models to which all that has happened."""
    templates.filled(store, move)
    return store


@pytest.mark.parametrize(
    ("at", "stages", "aliases"),
    [
        (moment(1), [], []),
        ("1970-01-01T00:00:31.999Z", [], []),
        (moment(32), ["b 1 PRODUCTION"], []),
        ("1970-01-01T00:00:32.00099Z", ["b 1 PRODUCTION"], []),
        (moment(36), ["a 2 STAGING", "b 1 PRODUCTION"], []),
        (moment(39), ["a 2 STAGING", "b 1 PRODUCTION"], ["a best 1", "a next 2", "b champion 1"]),
        (moment(40), ["b 1 PRODUCTION", "c 2 STAGING"], ["b champion 1", "c best 1", "c next 2"]),
        (moment(41), ["c 2 STAGING"], ["b champion 1", "c best 1", "c next 2"]),
        (moment(43), [], ["b champion 1", "c best 1"]),
        ("9999-12-31T23:59:59Z", [], ["b champion 1", "c best 1"]),
    ],
)
async def test_where_versions_stood(moved, client, at, stages, aliases):
    """By the name that their model had then; in the millisecond of a change what came of it counts."""
    assert await stood(client, at) == (stages, aliases, False)


async def test_each_stage_can_be_asked_for(moved, client):
    """Those alone that are named; none without a name."""
    expected = [
        (["NONE"], ["a 1 NONE"]),
        (["ARCHIVED"], []),
        (["PRODUCTION", "NONE"], ["a 1 NONE", "b 1 PRODUCTION"]),
        (["NONE", "STAGING", "PRODUCTION", "ARCHIVED"], ["a 1 NONE", "a 2 STAGING", "b 1 PRODUCTION"]),
        ([], []),
    ]
    assert [(stages, (await stood(client, moment(39), stages=stages))[0]) for stages, _ in expected] == expected
    assert (await stood(client, moment(41), stages=["ARCHIVED"]))[0] == ["b 1 ARCHIVED"]


async def test_some_models(moved, client):
    """By the names that they had then."""
    assert await stood(client, moment(39), models=["a", "x"]) == (["a 2 STAGING"], ["a best 1", "a next 2"], False)
    assert await stood(client, moment(39), models=["c"]) == ([], [], False)
    assert await stood(client, moment(40), models=["c"]) == (["c 2 STAGING"], ["c best 1", "c next 2"], False)
    assert await stood(client, moment(40), models=[]) == ([], [], False)


async def test_a_list_that_is_cut(moved, client):
    """The snapshot says so, whichever of its lists it was, and whether or not that is asked for."""
    everything = (["a 2 STAGING", "b 1 PRODUCTION"], ["a best 1", "a next 2", "b champion 1"], False)
    assert await stood(client, moment(39), first=3) == everything
    assert await stood(client, moment(39), first=2) == (everything[0], everything[1][:2], True)
    assert await stood(client, moment(39), first=1) == (everything[0][:1], everything[1][:1], True)
    alone = await client.ask(AT % "isTruncated stages { version }", at=moment(39), first=2)
    assert alone == {"registryAt": {"isTruncated": True, "stages": [{"version": 2}, {"version": 1}]}}


@pytest.mark.parametrize("first", [0, -1, 10_001])
async def test_a_size_that_cannot_be(client, first):
    """It is refused, and not cut."""
    error = await client.refused(AT % "isTruncated", at=moment(1), first=first)

    assert error["message"] == f"`first` must be between 1 and 10000, not {first}."
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_all_of_a_snapshot(moved, client, statements):
    """Both kinds of time with all that they say, and what they lead to."""
    moved.sql("UPDATE lineage_recording SET since = 500")
    tenure = "__typename modelName version since until modelVersion { label isDeleted } event { id kind toStage }"
    query = AT % f"at recordedSince stages {{ {tenure} stage }} aliases {{ {tenure} alias }}"

    answer = await client.ask(query, at="1970-01-01T00:00:39.000999Z")

    def told(kind, name, label, event, began, ended, of, **more):
        return {
            "__typename": kind,
            "modelName": name,
            "version": int(label[-1]),
            "since": moment(began),
            "until": ended and moment(ended),
            "modelVersion": {"label": label, "isDeleted": label == "c v2"},
            "event": {"id": numbered(began), "kind": event, "toStage": of},
            **more,
        }

    aliases = answer["registryAt"].pop("aliases")
    assert answer["registryAt"] == {
        "at": moment(39),
        "recordedSince": "1970-01-01T00:00:00.500+00:00",
        "stages": [
            told("StageTenure", "a", "c v2", "STAGE_CHANGED", 36, aliases and 43, "STAGING", stage="STAGING")
            | {"until": answer["registryAt"]["stages"][0]["until"]},
            told("StageTenure", "b", "b v1", "STAGE_CHANGED", 32, 41, "PRODUCTION", stage="PRODUCTION"),
        ],
    }
    assert answer["registryAt"]["stages"][0]["until"] in {moment(42), moment(43)}
    assert aliases[0] == told("AliasTenure", "a", "c v1", "ALIAS_SET", 39, None, None, alias="best")
    assert aliases[2] == told("AliasTenure", "b", "b v1", "ALIAS_SET", 37, None, None, alias="champion")
    assert aliases[1]["until"] in {moment(42), moment(43)}
    assert len(statements) == 7  # since when, two lists, and the versions and events of each


async def test_a_model_that_is_deleted_since(moved, client):
    """It is in the past where it was, without its version; it is not there once it is deleted."""
    moved.client.delete_registered_model("c")
    moved.registered_model("c")
    moved.version("c", source=SOURCE)
    moved.version("c", source=SOURCE)
    moved.tick()

    answer = await client.ask(
        AT % "stages { modelName version modelVersion { label } event { model { name } } }", at=moment(39)
    )

    assert answer["registryAt"]["stages"] == [
        {"modelName": "a", "version": 2, "modelVersion": None, "event": {"model": None}},
        {"modelName": "b", "version": 1, "modelVersion": {"label": "b v1"}, "event": {"model": {"name": "b"}}},
    ]
    assert await stood(client, "9999-12-31T23:59:59Z", stages=["NONE"]) == (
        ["c 1 NONE", "c 2 NONE"],
        ["b champion 1"],
        False,
    )


async def test_changes_in_one_millisecond(moved, client):
    """The last of them counts."""
    moved.sql("UPDATE lineage_events SET occurred_at = 39000 WHERE id IN (40, 41)")
    moved.sql("UPDATE lineage_events SET ended_at = 39000 WHERE id IN (32, 33)")

    assert (await stood(client, moment(39)))[0] == ["c 2 STAGING"]
    assert (await stood(client, "1970-01-01T00:00:38.999Z"))[0] == ["a 2 STAGING", "b 1 PRODUCTION"]


@pytest.mark.parametrize(("since", "is_known"), [(35_999, True), (36_000, False), (99_000, False)])
async def test_what_was_so_before_history_was_recorded(moved, client, since, is_known):
    """Since when, and by what event, is null for what was found when history began."""
    moved.sql("UPDATE lineage_events SET origin = 'INFERRED' WHERE id = 36")
    moved.sql(f"UPDATE lineage_recording SET since = {since}")

    answer = await client.ask(AT % "stages { version since event { origin } }", at=moment(36))

    known = {"since": moment(36), "event": {"origin": "INFERRED"}} if is_known else {"since": None, "event": None}
    other = {"version": 1, "since": moment(32), "event": {"origin": "EXTERNAL"}}
    assert answer["registryAt"]["stages"] == [{"version": 2, **known}, other]


async def test_an_alias_that_pointed_nowhere(moved, client):
    """One that was set on a version that was not there was in no list."""
    moved.sql(
        "INSERT INTO registered_model_aliases (workspace, name, alias, version) VALUES ('default', 'b', 'late', 7)"
    )
    moved.tick()

    assert (await stood(client, "9999-12-31T23:59:59Z"))[1] == ["b champion 1", "c best 1"]


COSTS = [
    ("at", 0),
    ("recordedSince", 1),
    ("stages { version }", 1),
    ("stages { __typename }", 1),
    ("isTruncated", 2),
    ("isTruncated stages { version } aliases { alias }", 2),
    ("stages { modelVersion { label } }", 2),
    ("stages { modelVersion { stageSince } event { kind } }", 3),
    ("aliases { modelVersion { label } event { kind model { name } } }", 4),
]


@pytest.mark.parametrize("settings", [{"backend": "rows"}], ids=["rows"])
@pytest.mark.parametrize(("fields", "cost"), COSTS)
async def test_the_cost_of_a_snapshot(store, client, statements, fields, cost):
    """As many statements for many models as for one."""
    for count in (1, 50):
        for number in range(count):
            name = f"{count} {number}"
            store.registered_model(name)
            store.version(name, source=SOURCE)
            store.stage(name, 1, "Production")
            store.alias(name, "champion", 1)
        await client.ask(AT % fields, at="9999-12-31T23:59:59Z")
        assert len(statements) == cost
