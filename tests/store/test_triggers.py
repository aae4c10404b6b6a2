"""What triggers record, whoever writes; the same on each database."""

import threading
import time
from contextlib import closing

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import text

from lineage_api.migrations import recording
from tests.histories import KINDS, connected, differs, event, identities, opened, rows, sql, told


@pytest.fixture(params=KINDS)
def recorded(request, templates, tmp_path):
    """An empty store, whose history is recorded from here on."""
    with opened(request.param, templates, tmp_path) as store:
        recording.begin(store.uri)
        yield store
        assert not differs(store)


@pytest.fixture
def on_postgresql(templates, tmp_path):
    """As above, on PostgreSQL."""
    with opened("postgresql", templates, tmp_path) as store:
        recording.begin(store.uri)
        yield store
        assert not differs(store)


def test_what_happens_to_a_model(recorded):
    """All that MLflow's client can do to it, until it is deleted with what is left of it."""
    client = recorded.client
    client.create_registered_model("m", tags={"team": "a"}, description="first")
    client.update_registered_model("m", "second")
    client.update_registered_model("m", "")
    client.update_registered_model("m", "third")
    client.set_registered_model_tag("m", "team", "b")
    client.set_registered_model_tag("m", "team", "b")
    client.rename_registered_model("m", "n")
    client.delete_registered_model_tag("n", "team")
    client.create_model_version("n", "s3://bucket", description="of the version")
    client.set_registered_model_alias("n", "champion", 1)
    client.delete_registered_model("n")

    described, tagged = ("DESCRIPTION_CHANGED", "description/"), ("TAG_SET", "tag//team")
    found = told(recorded)
    # What is left of a model MLflow deletes in any order.
    found[12:14] = sorted(found[12:14], key=lambda each: each["slot"])
    assert found == [
        event("MODEL_CREATED", "name"),
        event(*described, value="first"),
        event(*tagged, key="team", value="a"),
        event(*described, value="second", previous_value="first"),
        event(*described, previous_value="second"),
        event(*described, value="third"),
        event(*tagged, key="team", value="b", previous_value="a"),
        event("MODEL_RENAMED", "name", name="n", previous_name="m"),
        event("TAG_REMOVED", "tag//team", name="n", key="team", previous_value="b"),
        event("VERSION_REGISTERED", "stage/1", name="n", to_stage="None"),
        event("DESCRIPTION_CHANGED", "description/1", name="n", value="of the version"),
        event("ALIAS_SET", "alias/champion", name="n", alias="champion", version=1),
        event("ALIAS_REMOVED", "alias/champion", name="n", alias="champion", version=1, previous_version=1),
        event("VERSION_DELETED", "stage/1", name="n", from_stage="None", source="s3://bucket"),
        event("MODEL_DELETED", "name", name="n"),
    ]
    recording.catch_up(recorded.uri)
    assert [row for row in rows(recorded) if row["ended_at"] is None] == []


def test_what_happens_to_a_version(recorded):
    """All that MLflow's client can do to it; its deletion is what removes its alias and its description."""
    client = recorded.client
    client.create_registered_model("m")
    client.create_model_version("m", "s3://bucket/1", tags={"a": "b"}, description="one", run_link="a link")
    client.create_model_version("m", "s3://bucket/2", run_id="f" * 32)
    recorded.stage("m", 1, "Staging")
    recorded.stage("m", 1, "Production")
    recorded.stage("m", 2, "Production", archive=True)
    client.update_model_version("m", 1, "uno")
    client.set_model_version_tag("m", 1, "a", "c")
    client.delete_model_version_tag("m", 1, "a")
    client.set_registered_model_alias("m", "champion", 1)
    client.delete_model_version("m", 1)

    moved, tag = ("STAGE_CHANGED", "stage/1"), {"key": "a"}
    assert told(recorded) == [
        event("MODEL_CREATED", "name"),
        event("VERSION_REGISTERED", "stage/1", to_stage="None"),
        event("DESCRIPTION_CHANGED", "description/1", value="one"),
        event("TAG_SET", "tag/1/a", **tag, value="b"),
        event("VERSION_REGISTERED", "stage/2", to_stage="None"),
        event(*moved, from_stage="None", to_stage="Staging"),
        event(*moved, from_stage="Staging", to_stage="Production"),
        event(*moved, from_stage="Production", to_stage="Archived"),
        event("STAGE_CHANGED", "stage/2", from_stage="None", to_stage="Production"),
        event("DESCRIPTION_CHANGED", "description/1", value="uno", previous_value="one"),
        event("TAG_SET", "tag/1/a", **tag, value="c", previous_value="b"),
        event("TAG_REMOVED", "tag/1/a", **tag, previous_value="c"),
        event("ALIAS_SET", "alias/champion", alias="champion", version=1),
        event(
            "VERSION_DELETED",
            "stage/1",
            from_stage="Archived",
            to_stage="Deleted_Internal",
            source="s3://bucket/1",
            run_link="a link",
        ),
        event("DESCRIPTION_CHANGED", "description/1", previous_value="uno", cause="VERSION_DELETED"),
        event(
            "ALIAS_REMOVED", "alias/champion", alias="champion", version=1, previous_version=1, cause="VERSION_DELETED"
        ),
    ]


def test_what_happens_to_an_alias(recorded):
    """It is set, moved to another version and back, and removed, which nothing but itself brings about."""
    recorded.registered_model("m")
    for _ in range(2):
        recorded.client.create_model_version("m", "s3://bucket")
    for version in (1, 1, 2, 1):
        recorded.alias("m", "champion", version)
    recorded.client.delete_registered_model_alias("m", "champion")

    champion = {"slot": "alias/champion", "alias": "champion"}
    assert told(recorded)[3:] == [
        event("ALIAS_SET", **champion, version=1),
        event("ALIAS_SET", **champion, version=2, previous_version=1),
        event("ALIAS_SET", **champion, version=1, previous_version=2),
        event("ALIAS_REMOVED", **champion, version=1, previous_version=1),
    ]


def test_what_is_done_by_sql(recorded):
    """What MLflow's client does otherwise or not at all, and a tag without a value."""
    recorded.registered_model("m", tags={"old": "x"})
    recorded.client.create_model_version("m", "s3://bucket", description="one")
    recorded.alias("m", "old", 1)
    sql(
        recorded,
        "UPDATE model_versions SET current_stage = 'Deleted_Internal'",
        "UPDATE model_versions SET current_stage = 'Archived'",
        "UPDATE registered_model_aliases SET alias = 'new'",
        """UPDATE registered_model_tags SET "key" = 'new'""",
        "UPDATE registered_model_tags SET value = NULL",
        "UPDATE registered_model_tags SET value = ''",
        "DELETE FROM registered_model_aliases",
        "DELETE FROM model_versions",
    )

    deleted = {"from_stage": "None", "to_stage": "Deleted_Internal", "source": "s3://bucket"}
    assert told(recorded)[5:] == [
        event("VERSION_DELETED", "stage/1", **deleted),
        event("VERSION_RESTORED", "stage/1", from_stage="Deleted_Internal", to_stage="Archived"),
        event("ALIAS_REMOVED", "alias/old", alias="old", version=1, previous_version=1),
        event("ALIAS_SET", "alias/new", alias="new", version=1),
        event("TAG_REMOVED", "tag//old", key="old", previous_value="x"),
        event("TAG_SET", "tag//new", key="new", value="x"),
        event("TAG_SET", "tag//new", key="new", value="", previous_value="x"),
        event("ALIAS_REMOVED", "alias/new", alias="new", version=1, previous_version=1),
        event("VERSION_DELETED", "stage/1", from_stage="Archived", source="s3://bucket"),
    ]
    recording.catch_up(recorded.uri)
    open_ = {row["slot"] for row in rows(recorded) if row["ended_at"] is None}
    assert open_ == {"name", "tag//new"}


def test_each_event_ends_the_one_before_it_in_its_slot(recorded):
    """So that at each moment there is one, and times go on with the order."""
    recorded.registered_model("m", description="a")
    recorded.client.create_model_version("m", "s3://bucket")
    for stage in ("Staging", "Production", "None"):
        recorded.stage("m", 1, stage)
    recorded.client.update_registered_model("m", "b")
    recorded.client.delete_model_version("m", 1)

    recording.catch_up(recorded.uri)  # on MariaDB triggers leave it to that
    found = rows(recorded)
    assert [row["occurred_at"] for row in found] == sorted(row["occurred_at"] for row in found)
    for slot in ("name", "description/", "stage/1"):
        of_slot = [row for row in found if row["slot"] == slot]
        assert [row["ended_at"] for row in of_slot] == [*(row["occurred_at"] for row in of_slot[1:]), None]
    assert abs(found[-1]["occurred_at"] - time.time() * 1_000) < 60_000


def test_a_model_keeps_its_identity_when_it_is_renamed(recorded):
    """And one that is made again under a name that was there is another."""
    recorded.registered_model("m")
    recorded.client.rename_registered_model("m", "n")
    recorded.registered_model("m")
    recorded.client.delete_registered_model("n")
    recorded.registered_model("n")
    recorded.client.rename_registered_model("n", "N")

    assert [(each["of"], each["kind"], each["model_name"]) for each in told(recorded)] == [
        (1, "MODEL_CREATED", "m"),
        (1, "MODEL_RENAMED", "n"),
        (2, "MODEL_CREATED", "m"),
        (1, "MODEL_DELETED", "n"),
        (3, "MODEL_CREATED", "n"),
        (3, "MODEL_RENAMED", "N"),
    ]
    assert identities(recorded) == [("n", False, True), ("m", False, False), ("N", False, False)]


def test_a_row_that_gave_way_without_a_word(recorded):
    """Whoever takes the name of a model whose row was replaced or truncated is another model."""
    recorded.registered_model("m")
    made = "INTO registered_models (workspace, name, creation_time) VALUES ('default', 'm', 5)"
    match recorded.kind:
        case "sqlite":
            sql(recorded, f"INSERT OR REPLACE {made}")
        case "postgresql":
            sql(recorded, "TRUNCATE registered_models CASCADE", f"INSERT {made}")
        case _:
            sql(recorded, f"REPLACE {made}")

    assert told(recorded) == [
        event("MODEL_CREATED", "name"),
        event("MODEL_DELETED", "name"),
        event("MODEL_CREATED", "name", of=2),
    ]
    assert identities(recorded) == [("m", False, True), ("m", False, False)]


def test_prompts_are_marked(recorded):
    """Also when they are gone, with the tag that marked them."""
    for name in ("p", "q", "m"):
        recorded.registered_model(name, tags={"is_prompt": "true"})
    mark = "INSERT INTO registered_model_tags (workspace, name, \"key\", value) VALUES ('default', :name, :key, :value)"
    for name, value in (("p", "true"), ("q", "True"), ("m", "false")):
        sql(recorded, mark, name=name, key="mlflow.prompt.is_prompt", value=value)
    sql(
        recorded, "DELETE FROM registered_model_tags WHERE name = 'p'", "DELETE FROM registered_models WHERE name = 'p'"
    )

    assert identities(recorded) == [("p", True, True), ("q", True, False), ("m", False, False)]


def test_names_and_values_of_any_kind(recorded):
    """Quotes, percent signs, other scripts, slashes in a key, blanks alone, and texts as long as MLflow takes."""
    name, key, value = "it's 100% “ü” \\ $x %s 模", "team/x: y", 'a "b" %(c)s \\ 模'
    long = "ü" * (30_000 if recorded.kind.startswith("mysql") else 100_000)
    recorded.registered_model("m", description="  ")
    sql(recorded, "UPDATE registered_models SET name = :name", name=name)
    recorded.client.create_model_version(name, "s3://bucket", tags={key: value, "long": long})
    sql(recorded, "UPDATE model_version_tags SET value = :value WHERE value = :before", value="A", before=value)
    sql(recorded, "UPDATE model_version_tags SET value = :value WHERE value = :before", value="a", before="A")

    found = told(recorded)
    assert [each["model_name"] for each in found] == ["m", "m", *[name] * 6]
    assert {each["slot"]: each["value"] for each in found if "value" in each} == {
        "description/": "  ",
        f"tag/1/{key}": "a",
        "tag/1/long": long,
    }
    assert [each["key"] for each in found if each["slot"] == f"tag/1/{key}"] == [key, key, key]


def test_what_is_rolled_back_has_not_happened(recorded):
    """Nothing of it is left, neither of the model nor of its events."""
    made = "INSERT INTO registered_models (workspace, name, creation_time) VALUES ('default', '{}', 5)"
    with connected(recorded) as connection:
        connection.execute(text(made.format("m")))
        connection.get_transaction().rollback()
    sql(recorded, made.format("n"))

    assert told(recorded) == [event("MODEL_CREATED", "name", name="n")]
    assert identities(recorded) == [("n", False, False)]


def test_other_workspaces_are_not_recorded(recorded):
    """Nor does what happens in them touch a model of the same name."""
    recorded.registered_model("m")
    sql(
        recorded,
        "INSERT INTO registered_models (workspace, name) VALUES ('team-a', 'm')",
        "INSERT INTO registered_model_tags (workspace, name, \"key\", value) VALUES ('team-a', 'm', 'k', 'v')",
        "DELETE FROM registered_model_tags",
        "UPDATE registered_models SET name = 'n' WHERE workspace = 'team-a'",
        "DELETE FROM registered_models WHERE workspace = 'team-a'",
    )

    assert told(recorded) == [event("MODEL_CREATED", "name")]


@pytest.mark.parametrize("kind", KINDS[1:])
def test_nobody_waits_for_those_who_change_another_model(kind, templates, tmp_path):
    """What triggers write and read is locked for nobody until the other one commits."""
    with opened(kind, templates, tmp_path) as store:
        recording.begin(store.uri)
        for name in ("a", "b"):
            store.registered_model(name)
            store.client.create_model_version(name, "s3://bucket", description="x")
        of = "WHERE workspace = 'default' AND name = '{}'"  # with no version, MariaDB locks the next row too
        change = f"UPDATE model_versions SET current_stage = 'Archived', description = 'y' {of} AND version = 1"
        describe = f"UPDATE registered_models SET description = 'z' {of}"
        wait = "innodb_lock_wait_timeout = 1" if kind == "mariadb" else "lock_timeout = '1s'"
        with connected(store) as one, connected(store) as other:
            other.execute(text(f"SET SESSION {wait}"))
            for said in (change, describe):
                one.execute(text(said.format("a")))
                other.execute(text(said.format("b")))
            other.get_transaction().commit()

        assert not differs(store)
        described = [each for each in told(store) if each.get("value") == "z"]
        assert {each["model_name"] for each in described} == {"a", "b"}


def test_ids_are_the_order_of_commits(on_postgresql):
    """Not that of writing: whoever has read up to an ID has missed nothing."""
    for name in ("a", "b"):
        on_postgresql.registered_model(name)
    describe = "UPDATE registered_models SET description = 'x' WHERE name = '{}'"
    with connected(on_postgresql) as first, connected(on_postgresql) as second:
        first.execute(text(describe.format("a")))
        second.execute(text(describe.format("b")))
        second.get_transaction().commit()
        time.sleep(0.01)

    described = [row for row in rows(on_postgresql) if row["kind"] == "DESCRIPTION_CHANGED"]
    assert [row["model_name"] for row in described] == ["b", "a"]
    assert described[0]["occurred_at"] < described[1]["occurred_at"]
    assert all(row["id"] > 0 for row in described)


def test_a_reader_misses_nothing(on_postgresql):
    """However the transactions of those who write lie beside each other."""
    on_postgresql.registered_model("m")
    until, done = time.monotonic() + 1.5, threading.Event()
    seen: list[int] = []

    def write(number):
        with closing(psycopg.connect(on_postgresql.uri)) as connection:
            for turn in range(10_000):
                if time.monotonic() > until:
                    return
                for key in range(1 + turn % 3):
                    tag = "INSERT INTO registered_model_tags (workspace, name, key, value) VALUES"
                    connection.execute(f"{tag} ('default', 'm', '{number}/{turn}/{key}', '')")
                connection.commit()

    def read():
        with closing(psycopg.connect(on_postgresql.uri)) as connection:
            last = 0
            while True:
                was_done = done.is_set()
                found = connection.execute("SELECT id FROM lineage_events WHERE id > %s ORDER BY id", [last]).fetchall()
                connection.commit()
                seen.extend(row[0] for row in found)
                last = max([last, *seen[-1:]])
                if was_done:
                    return

    writers = [threading.Thread(target=write, args=[number]) for number in range(4)]
    reader = threading.Thread(target=read)
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()

    assert seen == [row["id"] for row in rows(on_postgresql)]
    assert len(seen) > 100


def test_who_writes_needs_no_rights_on_our_tables(on_postgresql):
    """A role that may only write MLflow's tables is recorded like any other."""
    name = sqlalchemy.make_url(on_postgresql.uri).database
    sql(
        on_postgresql,
        f"CREATE ROLE {name} LOGIN",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}",
        f"REVOKE ALL ON lineage_events, lineage_models, lineage_recording, lineage_requests FROM {name}",
    )
    try:
        with closing(psycopg.connect(on_postgresql.uri, user=name)) as connection:
            connection.execute("INSERT INTO registered_models (workspace, name) VALUES ('default', 'm')")
            connection.execute("UPDATE registered_models SET name = 'n'")
            connection.execute("DELETE FROM registered_models")
            connection.commit()
    finally:
        sql(on_postgresql, f"DROP OWNED BY {name}", f"DROP ROLE {name}")

    assert told(on_postgresql) == [
        event("MODEL_CREATED", "name"),
        event("MODEL_RENAMED", "name", name="n", previous_name="m"),
        event("MODEL_DELETED", "name", name="n"),
    ]


def test_one_transaction_happens_at_one_moment(store):
    """On PostgreSQL, where events get their times as they are committed, nobody finds half of a promotion."""
    if store.kind != "postgresql":
        pytest.skip("elsewhere an event gets its time as it is written")
    store.registered_model("m")
    for _ in range(2):
        store.version("m", source="s3://b/m")
    for turn in range(20):
        store.stage("m", turn % 2 + 1, "Production", archive=True)

    moments = [each["occurred_at"] for each in rows(store) if each["kind"] == "STAGE_CHANGED"]
    assert len(moments) == 39
    assert moments[1::2] == moments[2::2]
