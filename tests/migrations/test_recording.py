"""How the recording of history begins, goes on and ends."""

import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from uuid import uuid4

import pytest
import sqlalchemy
from mlflow.exceptions import MlflowException

from lineage_api.errors import Unsuitable
from lineage_api.migrations import recording
from lineage_api.migrations.recorder import begun
from lineage_api.migrations.recording import Recording
from lineage_api.store.history import VERSION_TABLE
from lineage_api.store.opening import prepared
from lineage_api.store.triggers import TRIGGERS
from tests.histories import KINDS, connected, differs, drop_triggers, event, opened, rows, sql, told
from tests.mariadb import administer
from tests.stores import POSTGRESQL, Store, has_postgresql

ALL = tuple(trigger.name for trigger in TRIGGERS)


@pytest.fixture(params=KINDS)
def store(request, templates, tmp_path):
    """An empty store with nothing of ours."""
    with opened(request.param, templates, tmp_path) as made:
        yield made


def test_from_the_beginning_to_the_end_and_again(store):
    """MLflow's own writes work before, meanwhile and after; each beginning finds what there is."""
    assert recording.looked_at(store.uri) == recording.catch_up(store.uri) == Recording(None)
    store.registered_model("a")
    first = recording.begin(store.uri)
    store.registered_model("b")
    assert (first.is_on, first.missing, first.refusal, first.added) == (True, (), None, 1)
    assert recording.looked_at(store.uri) == recording.begin(store.uri) == Recording(first.since, lacking=frozenset())
    assert [(row["model_name"], row["origin"]) for row in rows(store)] == [("a", "INFERRED"), ("b", "EXTERNAL")]

    recording.end(store.uri)
    recording.end(store.uri)

    assert recording.looked_at(store.uri) == Recording(None)
    store.client.create_model_version("a", "s3://bucket")
    store.client.delete_registered_model("b")
    again = recording.begin(store.uri)
    assert again.added == 2
    assert again.since > first.since
    assert [(row["kind"], row["origin"]) for row in rows(store)] == [
        ("MODEL_CREATED", "INFERRED"),
        ("VERSION_REGISTERED", "INFERRED"),
    ]


def test_triggers_that_are_gone(store):
    """They are named, and made again with what was missed added; one that is of another release is replaced."""
    recording.begin(store.uri)
    drop_triggers(store)
    store.registered_model("m")
    assert recording.looked_at(store.uri).missing == ALL

    state = recording.catch_up(store.uri)
    assert (state.missing, state.refusal, state.added) == ((), None, 1)

    body = {
        "sqlite": "BEGIN SELECT 1; END",
        "postgresql": "FOR EACH ROW EXECUTE FUNCTION lineage_model_versions_delete()",
    }
    place = " ON registered_models" if store.kind == "postgresql" else ""
    sql(store, f"DROP TRIGGER lineage_registered_models_delete{place}")
    other = body.get(store.kind, "FOR EACH ROW SET @nothing = 1")
    sql(store, f"CREATE TRIGGER lineage_registered_models_delete AFTER DELETE ON registered_models {other}")
    assert recording.looked_at(store.uri).missing == ("lineage_registered_models_delete",)
    assert recording.catch_up(store.uri).missing == ()
    store.client.delete_registered_model("m")
    assert told(store) == [event("MODEL_DELETED", "name")]


def test_a_history_of_a_later_release(store):
    """It is refused in one line, which says what helps; and that does."""
    recording.begin(store.uri)
    sql(store, f"UPDATE {VERSION_TABLE} SET version_num = 'zz'")
    said = (
        "the history is at revision zz, of a later release: install that, or take the history out with"
        " `lineage-api db remove`"
    )
    for call in (recording.begin, recording.catch_up, recording.looked_at):
        with pytest.raises(Unsuitable) as refusal:
            call(store.uri)
        assert str(refusal.value) == said

    recording.end(store.uri)
    assert recording.begin(store.uri).missing == ()


@pytest.mark.parametrize(
    ("revision", "lacking"),
    [
        ("a1", {"lineage_model_files", "lineage_packages", "lineage_webhooks", "lineage_deliveries"}),
        ("a2", {"lineage_webhooks", "lineage_deliveries"}),
    ],
)
def test_a_history_of_a_release_before(store, revision, lacking):
    """It goes on as it is until the tables that came after it are made, and nothing of it is lost by that."""
    first = recording.begin(store.uri)
    earlier(store, revision)
    drop_triggers(store)
    store.registered_model("m")

    state = recording.catch_up(store.uri)

    assert (state.added, state.missing) == (1, ())
    assert state.lacking == lacking
    assert recording.begin(store.uri) == Recording(first.since, lacking=frozenset())
    assert recording.looked_at(store.uri).lacking == frozenset()
    assert told(store, "INFERRED") == [event("MODEL_CREATED", "name")]


def earlier(store, revision):
    """Makes the history that of a release before."""
    with connected(store) as connection:
        recording._alembic(connection, "downgrade", revision)


def test_a_database_without_mlflows_tables(tmp_path):
    """There is nothing whose history could be recorded, and nothing is made."""
    (tmp_path / "m.db").touch()
    with pytest.raises(Unsuitable, match="MLflow's tables are not there; start `mlflow server` on it once"):
        recording.begin(f"sqlite:///{tmp_path}/m.db")
    assert recording.looked_at(f"sqlite:///{tmp_path}/m.db") == Recording(None)


def test_a_file_that_cannot_be_written(templates, tmp_path):
    """What is recorded already is looked at; nothing can begin."""
    with opened("sqlite", templates, tmp_path) as store:
        uri = f"sqlite:///file:{tmp_path}/mlflow.db?mode=ro&uri=true"
        with pytest.raises(Unsuitable) as refusal:
            recording.begin(uri)
        said = "history cannot be recorded, since its tables cannot be made: attempt to write a readonly database"
        assert str(refusal.value) == said
        state = recording.begin(store.uri)
        assert recording.begin(uri) == recording.catch_up(uri) == state


def test_neither_mlflow_nor_alembic_is_imported_where_all_is_well(templates, tmp_path):
    """Each takes longer than all the rest of a start."""
    with opened("sqlite", templates, tmp_path) as store:
        recording.begin(store.uri)
        code = f"""
import sys
from lineage_api.migrations import recording
recording.begin({store.uri!r}), recording.catch_up({store.uri!r})
sys.exit(bool({{"mlflow", "alembic"}} & set(sys.modules)))"""
        subprocess.run([sys.executable, "-c", code], check=True)


# Rights


@contextmanager
def a_role(store, *rights):
    """The URI of somebody else, with these rights."""
    name = f"lineage_{uuid4().hex[:8]}"
    if store.kind == "postgresql":
        sql(store, f"CREATE ROLE {name} LOGIN", *(right.format(name) for right in rights))
        leave = [f"DROP OWNED BY {name}", f"DROP ROLE {name}"]
    else:
        database = sqlalchemy.make_url(store.uri).database
        administer(f"CREATE USER {name}", *(right.format(name).replace("*", f"{database}.*") for right in rights))
        leave = [f"DROP USER {name}"]
    try:
        yield store.uri.replace("://postgres@", f"://{name}@").replace("://root@", f"://{name}@")
    finally:
        if store.kind == "postgresql":
            sql(store, *leave)
        else:
            administer(*leave)


@pytest.mark.parametrize(
    ("kind", "rights", "said"),
    [
        (
            "postgresql",
            ["GRANT CREATE ON SCHEMA public TO {0}", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {0}"],
            "permission denied for table registered_models",
        ),
        (
            "mariadb",
            ["GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER ON * TO {0}"],
            "TRIGGER command denied to user",
        ),
    ],
)
def test_where_triggers_are_not_allowed(kind, rights, said, templates, tmp_path):
    """It is said why, and what happens is found when history is compared with the tables."""
    with opened(kind, templates, tmp_path) as store, a_role(store, *rights) as uri:
        try:
            state = recording.begin(uri)
            assert (state.is_on, state.missing) == (True, ALL)
            assert said in state.refusal
            store.registered_model("m")
            store.client.create_model_version("m", "s3://bucket")
            store.alias("m", "champion", 1)

            state = recording.catch_up(uri)

            assert (state.added, state.missing) == (3, ALL)
            assert said in state.refusal
            assert told(store, "INFERRED") == [
                event("MODEL_CREATED", "name"),
                event("VERSION_REGISTERED", "stage/1", to_stage="None"),
                event("ALIAS_SET", "alias/champion", alias="champion", version=1),
            ]
        finally:
            recording.end(uri)


def test_where_tables_are_not_allowed(templates, tmp_path):
    """One line says so."""
    with opened("postgresql", templates, tmp_path) as store, a_role(store) as uri:
        with pytest.raises(Unsuitable) as refusal:
            recording.begin(uri)
        said = "history cannot be recorded, since its tables cannot be made: permission denied for schema public"
        assert str(refusal.value).startswith(said)


def test_where_further_tables_are_not_allowed(templates, tmp_path, caplog):
    """The server starts, the history goes on, and the log says what would help."""
    rights = ["GRANT SELECT ON ALL TABLES IN SCHEMA public TO {0}"]
    with opened("postgresql", templates, tmp_path) as store:
        recording.begin(store.uri)
        earlier(store, "a1")
        with a_role(store, *rights) as uri:
            state = begun(uri, may_make=True)
            said = caplog.text
            assert begun(uri, may_make=False) == state

    assert state.is_on
    assert state.lacking == {"lineage_model_files", "lineage_packages", "lineage_webhooks", "lineage_deliveries"}
    assert "cannot be brought up to date, since its tables cannot be made: permission denied for schema public" in said
    assert "What the files of models say is not indexed: run `lineage-api db upgrade`" in caplog.text


# Several at once

BEGIN = """
import sys
from lineage_api.migrations import recording
from lineage_api.store.opening import prepared
uri = prepared(sys.argv[1], artifact_root=sys.argv[2])
print(recording.begin(uri).missing)"""


@pytest.mark.parametrize("kind", KINDS[:2])
def test_four_start_at_once_on_an_empty_database(kind, tmp_path):
    """All come up, and what was there is found once."""
    name = f"lineage_{uuid4().hex[:12]}"
    uri = f"sqlite:///{tmp_path}/m.db" if kind == "sqlite" else f"{POSTGRESQL}/{name}"
    if kind == "postgresql":
        if not has_postgresql():
            pytest.skip(f"no PostgreSQL answers at {POSTGRESQL}")
        _on_server(f"CREATE DATABASE {name}")
    try:
        command = [sys.executable, "-c", BEGIN, uri, str(tmp_path)]
        started = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)
        ]
        said = [process.communicate() for process in started]
        assert [out for out, _ in said] == ["()\n"] * 4, said
        store = Store(uri, tmp_path)
        with connected(store) as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM lineage_recording").scalar() == 1
        assert not differs(store)
    finally:
        if kind == "postgresql":
            _on_server(f"DROP DATABASE {name} WITH (FORCE)")


def _on_server(statement):
    engine = sqlalchemy.create_engine(f"{POSTGRESQL}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def test_it_begins_while_others_write(templates, tmp_path):
    """Nobody who writes fails because of it, and nothing is lost."""
    with opened("postgresql", templates, tmp_path) as store:
        store.registered_model("m")
        for _ in range(2):
            store.client.create_model_version("m", "s3://bucket")
        until, failed = time.monotonic() + 2, []

        def write(version):
            while time.monotonic() < until:
                try:
                    store.stage("m", version, "Production", archive=True)
                    store.client.create_model_version("m", "s3://bucket")
                except MlflowException as error:
                    failed.append(error)

        threads = [threading.Thread(target=write, args=[1])]
        for thread in threads:
            thread.start()
        while time.monotonic() < until:
            recording.begin(store.uri)
            recording.end(store.uri)
        for thread in threads:
            thread.join()
        recording.begin(store.uri)

        assert failed == []
        assert not differs(store)


# MLflow's own migrations


def test_a_migration_of_mlflows_drops_the_triggers(templates, tmp_path):
    """What is changed until they are back is found, and the chain has no hole."""
    with opened("sqlite", templates, tmp_path) as store:
        recording.begin(store.uri)
        store.registered_model("m")
        store.client.create_model_version("m", "s3://bucket")
        with connected(store) as connection:
            made = "SELECT sql FROM sqlite_schema WHERE name = 'model_versions'"
            table = connection.exec_driver_sql(made).scalar()
            # What Alembic does on SQLite with a table that it alters.
            connection.exec_driver_sql(table.replace("model_versions", "_alembic_tmp_model_versions", 1))
            connection.exec_driver_sql("INSERT INTO _alembic_tmp_model_versions SELECT * FROM model_versions")
            connection.exec_driver_sql("DROP TABLE model_versions")
            connection.exec_driver_sql("ALTER TABLE _alembic_tmp_model_versions RENAME TO model_versions")
        store.stage("m", 1, "Production")

        state = recording.catch_up(store.uri)

        store.stage("m", 1, "Archived")
        assert (state.missing, state.added) == ((), 1)
        stages = [
            {name: row[name] for name in ("kind", "origin", "from_stage", "to_stage")}
            for row in rows(store)
            if row["slot"] == "stage/1"
        ]
        moved = {"kind": "STAGE_CHANGED"}
        assert stages == [
            {"kind": "VERSION_REGISTERED", "origin": "EXTERNAL", "from_stage": None, "to_stage": "None"},
            {**moved, "origin": "INFERRED", "from_stage": "None", "to_stage": "Production"},
            {**moved, "origin": "EXTERNAL", "from_stage": "Production", "to_stage": "Archived"},
        ]


def test_mlflow_migrates_a_store_whose_history_is_recorded(templates, tmp_path):
    """Down to before there were workspaces and up again, by MLflow's own command."""
    with opened("sqlite", templates, tmp_path) as store:
        recording.begin(store.uri)
        store.registered_model("m", tags={"a": "b"})
        store.client.create_model_version("m", "s3://bucket")
        store.close()
        _migrate(store.uri, "downgrade", "1b5f0d9ad7c1-1")
        _migrate(store.uri, "upgrade", "head")
        assert recording.looked_at(store.uri).missing
        sql(store, "UPDATE model_versions SET current_stage = 'Production'")

        state = recording.catch_up(prepared(store.uri))

        assert (state.missing, state.added) == ((), 1)
        assert told(store, "INFERRED") == [event("STAGE_CHANGED", "stage/1", from_stage="None", to_stage="Production")]


def _migrate(uri, command, revision):
    from alembic import command as commands
    from mlflow.store.db.utils import _get_alembic_config

    getattr(commands, command)(_get_alembic_config(uri), revision)
