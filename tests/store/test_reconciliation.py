"""What is found that no trigger recorded, and that history and tables are equal afterwards."""

import threading
import time

import pytest

from lineage_api.migrations import recording
from tests.histories import KINDS, connected, differs, drop_triggers, event, identities, opened, rows, sql, told

MODEL = "INSERT INTO registered_models (workspace, name, creation_time, last_updated_time, description) VALUES"
VERSION = """
    INSERT INTO model_versions (workspace, name, version, creation_time, last_updated_time, current_stage, description)
    VALUES"""
TAG = 'INSERT INTO model_version_tags (workspace, name, version, "key", value) VALUES'
ALIAS = "INSERT INTO registered_model_aliases (workspace, name, alias, version) VALUES"


@pytest.fixture(params=KINDS)
def unrecorded(request, templates, tmp_path):
    """An empty store, whose history is not recorded yet."""
    with opened(request.param, templates, tmp_path) as store:
        yield store


@pytest.fixture
def missed(unrecorded):
    """An empty store, whose history is recorded, and whose triggers are gone; they will be back in the end."""
    recording.begin(unrecorded.uri)
    drop_triggers(unrecorded)
    yield unrecorded
    assert recording.looked_at(unrecorded.uri).missing == ()
    assert recording.catch_up(unrecorded.uri).added == 0
    assert not differs(unrecorded)


def added(store):
    """How many events are added when the history is compared with the tables; nothing more is found after that."""
    found = recording.catch_up(store.uri).added
    assert recording.catch_up(store.uri).added == 0
    assert not differs(store)
    return found


def test_what_was_there_before(unrecorded):
    """All that MLflow still knows, each as late as it can have happened: what it has no time of, now."""
    sql(
        unrecorded,
        f"{MODEL} ('default', 'm', 1000, 6000, 'about')",
        f"{VERSION} ('default', 'm', 1, 2000, 5000, 'Production', NULL)",
        f"{VERSION} ('default', 'm', 2, 3000, 4000, 'Deleted_Internal', NULL)",
        f"{VERSION} ('default', 'm', 3, 3000, NULL, NULL, '')",
        f"{VERSION} ('default', 'm', 10, NULL, NULL, 'None', 'ten')",
        f"{TAG} ('default', 'm', 1, 'team/x', NULL)",
        f"{ALIAS} ('default', 'm', 'champion', 1)",
        f"{MODEL} ('team-a', 'other', 1000, 6000, 'about')",
        f"{VERSION} ('team-a', 'other', 1, 2000, 5000, 'Production', NULL)",
    )
    before = time.time_ns() // 1_000_000
    state = recording.begin(unrecorded.uri)

    found = rows(unrecorded)
    assert [min(each["occurred_at"], before) for each in found] == [
        1000,
        2000,
        3000,
        3000,
        4000,
        5000,
        6000,
        *[before] * 4,
    ]
    assert told(unrecorded, "INFERRED") == [
        event("MODEL_CREATED", "name"),
        event("VERSION_REGISTERED", "stage/1", to_stage="None"),
        event("VERSION_REGISTERED", "stage/2", to_stage="None"),
        event("VERSION_REGISTERED", "stage/3", to_stage="None"),
        event("VERSION_DELETED", "stage/2", from_stage="None", to_stage="Deleted_Internal"),
        event("STAGE_CHANGED", "stage/1", from_stage="None", to_stage="Production"),
        event("DESCRIPTION_CHANGED", "description/", value="about"),
        event("VERSION_REGISTERED", "stage/10", to_stage="None"),
        event("DESCRIPTION_CHANGED", "description/10", value="ten"),
        event("TAG_SET", "tag/1/team/x", key="team/x", value=""),
        event("ALIAS_SET", "alias/champion", alias="champion", version=1),
    ]
    assert state.added == len(found)
    assert state.since >= before
    assert added(unrecorded) == 0


def test_what_happened_to_a_version_and_was_missed(missed):
    """It was moved, deleted or restored, described, tagged, pointed at, and it went altogether."""
    missed.registered_model("m", tags={"a": "b"})
    for _ in range(4):
        missed.client.create_model_version("m", "s3://bucket", tags={"a": "b"}, description="said")
    missed.alias("m", "champion", 1)
    missed.alias("m", "challenger", 1)
    assert added(missed) == 16
    drop_triggers(missed)
    missed.stage("m", 1, "Staging")
    missed.stage("m", 1, "Production")
    missed.client.delete_model_version("m", 2)
    missed.client.update_model_version("m", 3, "")
    missed.client.update_model_version("m", 1, "otherwise")
    missed.client.delete_model_version_tag("m", 3, "a")
    missed.client.set_model_version_tag("m", 1, "a", "B")
    missed.alias("m", "champion", 3)
    missed.client.delete_registered_model_alias("m", "challenger")
    sql(missed, "DELETE FROM model_version_tags WHERE version = 4", "DELETE FROM model_versions WHERE version = 4")

    assert added(missed) == 11
    found = sorted(told(missed, "INFERRED")[16:], key=lambda each: each["slot"])
    assert found == [
        event("ALIAS_REMOVED", "alias/challenger", alias="challenger", version=1, previous_version=1),
        event("ALIAS_SET", "alias/champion", alias="champion", version=3, previous_version=1),
        event("DESCRIPTION_CHANGED", "description/1", value="otherwise", previous_value="said"),
        event("DESCRIPTION_CHANGED", "description/2", previous_value="said"),
        event("DESCRIPTION_CHANGED", "description/3", previous_value="said"),
        event("STAGE_CHANGED", "stage/1", from_stage="None", to_stage="Production"),
        event("VERSION_DELETED", "stage/2", from_stage="None", to_stage="Deleted_Internal"),
        event("VERSION_DELETED", "stage/4", from_stage="None"),
        event("TAG_SET", "tag/1/a", key="a", value="B", previous_value="b"),
        event("TAG_REMOVED", "tag/3/a", key="a", previous_value="b"),
        event("TAG_REMOVED", "tag/4/a", key="a", previous_value="b"),
    ]
    drop_triggers(missed)
    sql(missed, "UPDATE model_versions SET current_stage = 'None' WHERE version = 2")
    sql(missed, f"{VERSION} ('default', 'm', 4, 1, 1, 'Archived', NULL)")
    assert added(missed) == 2
    assert told(missed, "INFERRED")[27:] == [
        event("VERSION_RESTORED", "stage/2", from_stage="Deleted_Internal", to_stage="None"),
        event("VERSION_RESTORED", "stage/4", from_stage="Deleted_Internal", to_stage="Archived"),
    ]


def test_what_happened_to_models_and_was_missed(missed):
    """Some are renamed, be it in a ring, some are gone, and some are made again and are others."""
    sql(missed, *(f"{MODEL} ('default', '{name}', {number}, NULL, NULL)" for number, name in enumerate("abcdef", 1)))
    sql(missed, f"{VERSION} ('default', 'd', 1, 1, 1, 'None', 'said')", f"{TAG} ('default', 'd', 1, 'k', 'v')")
    sql(missed, f"{ALIAS} ('default', 'd', 'champion', 1)")
    assert added(missed) == 10
    before = rows(missed)
    drop_triggers(missed)
    for old, new in (("a", "x"), ("b", "a"), ("x", "b"), ("c", "C")):
        sql(missed, f"UPDATE registered_models SET name = '{new}' WHERE name = '{old}'")
    sql(missed, "DELETE FROM model_version_tags", "DELETE FROM registered_model_aliases", "DELETE FROM model_versions")
    sql(missed, "DELETE FROM registered_models WHERE name IN ('d', 'e')")
    sql(missed, f"{MODEL} ('default', 'e', {before[-1]['occurred_at'] + 1}, NULL, NULL)")

    assert added(missed) == 8
    kinds = {(each["of"], each["kind"], each["model_name"]) for each in told(missed, "INFERRED")[10:]}
    assert kinds == {
        (1, "MODEL_RENAMED", "b"),
        (2, "MODEL_RENAMED", "a"),
        (3, "MODEL_RENAMED", "C"),
        (4, "VERSION_DELETED", "d"),
        (4, "ALIAS_REMOVED", "d"),
        (4, "MODEL_DELETED", "d"),
        (5, "MODEL_DELETED", "e"),
        (7, "MODEL_CREATED", "e"),
    }
    assert identities(missed) == [
        ("b", False, False), ("a", False, False), ("C", False, False), ("d", False, True), ("e", False, True),
        ("f", False, False), ("e", False, False),
    ]  # fmt: skip
    gone = {row["model_id"] for row in rows(missed) if row["model_name"] == "d"}
    assert [row for row in rows(missed) if row["ended_at"] is None and row["model_id"] in gone] == []


def test_a_prompt_that_is_one_no_more(missed):
    """The mark follows the tag, though no event says so."""
    mark = 'INSERT INTO registered_model_tags (workspace, name, "key", value) VALUES'
    sql(missed, *(f"{MODEL} ('default', '{name}', 1, NULL, NULL)" for name in "pq"))
    sql(missed, f"{mark} ('default', 'p', 'mlflow.prompt.is_prompt', 'true')")
    added(missed)
    assert identities(missed) == [("p", True, False), ("q", False, False)]

    sql(missed, "UPDATE registered_model_tags SET name = 'q'")

    added(missed)
    assert identities(missed) == [("p", False, False), ("q", True, False)]


def test_rows_of_a_model_that_is_gone(unrecorded):
    """With foreign keys off they stay, and are nothing, until there is a model of that name again."""
    recording.begin(unrecorded.uri)
    unrecorded.registered_model("m", description="said")
    unrecorded.client.create_model_version("m", "s3://bucket", tags={"a": "b"}, description="said")
    with connected(unrecorded) as connection:
        switch = {
            "sqlite": "PRAGMA foreign_keys = OFF",
            "postgresql": "ALTER TABLE registered_models DISABLE TRIGGER ALL",
        }
        if connection.dialect.name == "sqlite":
            connection.connection.rollback()
        connection.exec_driver_sql(switch.get(connection.dialect.name, "SET foreign_key_checks = 0"))
        connection.exec_driver_sql("DELETE FROM registered_models")

    added(unrecorded)
    assert identities(unrecorded) == [("m", False, True)]
    with connected(unrecorded) as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ALTER TABLE registered_models ENABLE TRIGGER ALL")
    unrecorded.registered_model("m")
    assert added(unrecorded) == 3
    assert [(each["of"], each["slot"]) for each in told(unrecorded, "INFERRED")[-3:]] == [
        (2, "stage/1"),
        (2, "description/1"),
        (2, "tag/1/a"),
    ]


def test_all_is_replaced_or_truncated(unrecorded):
    """What fires no trigger is found afterwards."""
    recording.begin(unrecorded.uri)
    unrecorded.registered_model("m", tags={"a": "b"})
    unrecorded.client.create_model_version("m", "s3://bucket", tags={"a": "b"}, description="said")
    unrecorded.alias("m", "champion", 1)
    match unrecorded.kind:
        case "postgresql":
            sql(unrecorded, "TRUNCATE registered_model_tags, model_version_tags, registered_model_aliases")
            sql(unrecorded, "TRUNCATE model_versions CASCADE")
        case "sqlite":
            sql(unrecorded, "UPDATE OR REPLACE registered_model_aliases SET version = 7")
            sql(
                unrecorded,
                'INSERT OR REPLACE INTO model_version_tags (workspace, name, version, "key", value)'
                " VALUES ('default', 'm', 1, 'a', 'c')",
            )
        case _:
            sql(unrecorded, "TRUNCATE registered_model_tags", "TRUNCATE model_version_tags")

    added(unrecorded)
    recording.catch_up(unrecorded.uri)
    open_ = {row["slot"]: row["value"] or row["version"] for row in rows(unrecorded) if row["ended_at"] is None}
    expected = {
        "postgresql": {"name": None},
        "sqlite": {
            "name": None,
            "stage/1": 1,
            "description/1": "said",
            "alias/champion": 7,
            "tag//a": "b",
            "tag/1/a": "c",
        },
    }
    rest = {"name": None, "stage/1": 1, "description/1": "said", "alias/champion": 1}
    assert open_ == expected.get(unrecorded.kind, rest)


def test_several_compare_at_once(missed):
    """What was missed is added once."""
    missed.registered_model("m")
    found = []
    threads = [threading.Thread(target=lambda: found.append(recording.catch_up(missed.uri).added)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == [0, 0, 0, 1]
    assert told(missed, "INFERRED") == [event("MODEL_CREATED", "name")]
