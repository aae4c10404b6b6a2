"""The commands that look after the history, and the one that goes back; each run as a person would."""

import getpass
import re
import sqlite3
from contextlib import closing

import httpx
import pytest

from lineage_api.commands.doctor import Finding, findings
from lineage_api.migrations import recording
from lineage_api.store.indexes import INDEXES
from tests.asking import without_cost
from tests.histories import connected
from tests.servers import run, started
from tests.stores import POSTGRESQL, Store, has_postgresql

VERSION = 'mutation { createRegisteredModel(input: {name: "by us"}) { registeredModel { name } } }'


@pytest.fixture
def plain(templates, tmp_path):
    """A store on SQLite that has nothing of ours."""
    uri = templates.copy("sqlite", tmp_path)
    recording.end(uri)
    return Store(uri, tmp_path / "artifacts")


@pytest.fixture
def promoted(templates, tmp_path):
    """A store with two versions, of which the second took the first one's place in Production."""
    store = Store(templates.copy("sqlite", tmp_path), tmp_path / "artifacts")
    experiment = store.experiment("e")
    store.registered_model("m")
    for number in (1, 2):
        run_id = store.run(experiment)
        model = store.artifacts / "e" / run_id / "artifacts" / "model"
        model.mkdir(parents=True)
        (model / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: x\n", encoding="utf-8")
        store.version("m", run_id=run_id, source=str(model))
        store.stage("m", number, "Production", archive=True)
    yield store
    store.close()


def objects(uri):
    """The names of all that is ours in a database of SQLite."""
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as connection:
        rows = connection.execute("SELECT name FROM sqlite_schema WHERE name LIKE '%lineage%'")
        return {name for (name,) in rows if not name.startswith("sqlite_")}


def test_history_is_begun_and_ended_by_commands(plain):
    """`db upgrade` makes all that is ours, a second time finds it there, and `db remove` leaves nothing of it."""
    at = ("--backend-store-uri", plain.uri)
    plain.registered_model("m")
    assert objects(plain.uri) == set()

    first, again = run("db", "upgrade", *at), run("db", "upgrade", *at)
    assert (first[0], again[0]) == (0, 0)
    assert re.fullmatch(r"History is recorded since \S+; 1 events were added.\n", first[1])
    assert again[1] == first[1].replace("; 1 events", "; 0 events")
    assert {"lineage_events", "lineage_models", "alembic_version_lineage"} <= objects(plain.uri)

    assert run("db", "remove", "--yes", *at) == (0, "The history is gone; MLflow's tables are as they were.\n", "")
    assert objects(plain.uri) == set()
    plain.registered_model("still works")


def test_removing_asks_first(plain):
    """Without an answer nothing is removed."""
    run("db", "upgrade", "--backend-store-uri", plain.uri)
    there = objects(plain.uri)

    code, said, _ = run("db", "remove", "--backend-store-uri", plain.uri)

    assert code == 1
    assert "Delete the history in" in said
    assert objects(plain.uri) == there


def test_the_doctor(plain):
    """It says what should be done, with the exit code 1, and that all is well when it was done."""
    at = ("--backend-store-uri", plain.uri)
    code, said, _ = run("doctor", *at)
    assert code == 1
    assert "todo  history is not recorded: run `lineage-api db upgrade`, or `serve`\n" in said

    run("db", "upgrade", *at)
    plain.sql("DROP TRIGGER lineage_registered_models_insert")
    plain.registered_model("missed")
    code, said, _ = run("doctor", *at)
    assert code == 1
    assert "todo  1 triggers are missing (lineage_registered_models_insert)" in said
    assert "todo  1 changes are not in the history yet" in said

    run("db", "upgrade", "--with-indexes", *at)
    code, said, _ = run("doctor", *at)
    assert code == 0
    assert {line.partition("  ")[0].strip() for line in said.splitlines()} == {"ok"}


def test_indexes_are_made_when_somebody_asks_for_it(plain):
    """The doctor prints their statements, which is no reason to fail; `db remove` takes them out with all else."""
    at = ("--backend-store-uri", plain.uri)
    assert run("db", "upgrade", *at)[0] == 0
    assert not objects(plain.uri) & {index.name for index in INDEXES}

    code, said, _ = run("doctor", *at)
    assert code == 0
    why = "indexes are missing that make questions about a large store quicker"
    assert f"hint  {why}: run `lineage-api db upgrade --with-indexes`, or\n" in said
    for index in INDEXES:
        assert f"hint  {index.statement('sqlite')};  -- for {index.helps}\n" in said

    code, said, _ = run("db", "upgrade", "--with-indexes", *at)
    assert code == 0
    named = ", ".join(index.name for index in INDEXES)
    assert said.endswith(f"; 0 events were added.\nIndexes that were made: {named}.\n")
    assert run("db", "upgrade", "--with-indexes", *at)[1].endswith("\nIndexes that were made: none.\n")
    assert "ok    the indexes are there" in run("doctor", *at)[1]

    assert run("db", "remove", "--yes", *at)[0] == 0
    assert objects(plain.uri) == set()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_statements_that_the_doctor_prints_can_be_run(kind, templates, tmp_path):
    """By hand, by somebody who does not let a program do it."""
    if kind == "postgresql" and not has_postgresql():
        pytest.skip(f"no PostgreSQL answers at {POSTGRESQL}")
    store = Store(templates.copy(kind, tmp_path), tmp_path / "artifacts")
    said = [finding.text for finding in findings(store.uri) if finding.text.startswith("CREATE INDEX")]
    assert len(said) == len(INDEXES)

    for statement in said:
        store.sql(statement.replace("CONCURRENTLY ", ""))

    assert Finding(True, "the indexes are there that make questions about a large store quicker") in findings(store.uri)
    templates.drop(store.uri)


def test_the_doctor_looks_at_the_replica(plain, templates, tmp_path):
    """Whether it can be one, and has what the store has; without tables of ours in the store, it needs none."""
    (tmp_path / "replica").mkdir()
    replica = Store(templates.copy("sqlite", tmp_path / "replica"), tmp_path)
    named = {"MLFLOW_READ_REPLICA_BACKEND_STORE_URI": replica.uri}
    at = ("doctor", "--backend-store-uri", plain.uri)
    well, lacking = (
        f"ok    the read replica {replica.uri} is at the same revision",
        f"todo  the read replica {replica.uri} lacks lineage_packages: let it copy them",
    )
    replica.sql("DROP TABLE lineage_packages")
    assert well in run(*at, **named)[1].splitlines()

    recording.begin(plain.uri)
    code, said, _ = run(*at, "--read-replica-backend-store-uri", replica.uri)
    assert (code, lacking in said.splitlines()) == (1, True)

    replica.sql("UPDATE alembic_version SET version_num = 'older'")
    code, _, complained = run(*at, **named)
    assert code == 2
    assert complained.startswith(f"lineage-api: the read replica {replica.uri} is at revision older and the store at ")


def test_the_doctor_looks_at_the_index(promoted):
    """It says how far model files are read, that some cannot be, and what makes an index where there is none."""
    assert Finding(True, "model files: 0 of 2 read") in findings(promoted.uri)

    promoted.sql(
        "INSERT INTO lineage_model_files (location, failures, retry_at)"
        " SELECT storage_location, version - 1, 0 FROM model_versions"
    )
    promoted.sql("UPDATE lineage_model_files SET read_at = 1 WHERE failures = 0")
    assert Finding(False, "model files: 1 of 2 read, 1 cannot be read") in findings(promoted.uri)

    with connected(promoted) as connection:
        recording._alembic(connection, "downgrade", "a1")
    said = "model files are not indexed: run `lineage-api db upgrade`, or `serve`"
    assert Finding(False, said) in findings(promoted.uri)
    recording.begin(promoted.uri)
    assert Finding(True, "model files: 0 of 2 read") in findings(promoted.uri)


def test_a_journal_that_holds_others_up(plain):
    """The doctor says what the other mode would give, and changes nothing."""
    with closing(sqlite3.connect(plain.uri.removeprefix("sqlite:///"))) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")

    _, said, _ = run("doctor", "--backend-store-uri", plain.uri)

    assert "todo  the journal mode is delete" in said


def test_serving_begins_history(plain):
    """A server makes what is missing when it starts; then changes can be made."""
    with started("--backend-store-uri", plain.uri) as server:
        answer = without_cost(httpx.post(f"{server.address}/graphql", json={"query": VERSION}, timeout=30).json())

    assert answer == {"data": {"createRegisteredModel": {"registeredModel": {"name": "by us"}}}}
    assert "lineage_events" in objects(plain.uri)


@pytest.mark.parametrize("option", ["--no-migrate", "--read-only"])
def test_serving_makes_nothing_where_that_is_not_wanted(plain, option):
    """It says which command to run, reads as if nothing had happened, and changes nothing."""
    plain.registered_model("m")
    with started(option, "--backend-store-uri", plain.uri) as server:
        address = f"{server.address}/graphql"
        query = '{ registryAt(at: "2030-01-01T00:00:00Z") { recordedSince } registeredModel(name: "m") { name } }'
        read = without_cost(httpx.post(address, json={"query": query}, timeout=30).json())
        refused = without_cost(httpx.post(address, json={"query": VERSION}, timeout=30).json())
        server.stop()
        complained = server.complaints

    assert read == {"data": {"registryAt": {"recordedSince": None}, "registeredModel": {"name": "m"}}}
    assert complained.count("lineage-api db upgrade") == 1
    assert refused.get("data") in (None, {})
    assert ("db upgrade" in str(refused["errors"])) == (option == "--no-migrate")
    assert objects(plain.uri) == set()


def test_a_history_that_is_there_is_read(promoted):
    """Also where nothing may be changed."""
    with started("--read-only", "--backend-store-uri", promoted.uri) as server:
        query = '{ registeredModel(name: "m") { history(kinds: [STAGE_CHANGED]) { totalCount } } }'
        answer = without_cost(httpx.post(f"{server.address}/graphql", json={"query": query}, timeout=30).json())

    assert answer == {"data": {"registeredModel": {"history": {"totalCount": 3}}}}


def test_a_rollback_is_planned_and_then_made(promoted):
    """The plan is printed and nothing done; with --yes and a reason it is done, and history says by whom and why."""
    at = ("--backend-store-uri", promoted.uri)

    code, said, _ = run("rollback", "m", *at)
    assert code == 0
    assert said.startswith("m: PRODUCTION is held by version 2\ngoing back to version 1 (it held the place before)\n")
    assert "\n  PASS    artifacts are there" in said
    assert said.endswith("\nsafe\n")
    assert stages(promoted) == {1: "Archived", 2: "Production"}

    code, said, _ = run("rollback", "m", "--yes", "--reason", "INC-7", *at)
    assert code == 0
    assert said.endswith("\nDone: version 1 holds PRODUCTION, in place of version 2.\n")
    assert stages(promoted) == {1: "Production", 2: "Archived"}
    assert last_event(promoted) == ("API", getpass.getuser(), "INC-7")


def test_a_rollback_that_is_not_safe(promoted):
    """It is not made, unless that is asked for; the exit code says so."""
    at = ("--backend-store-uri", promoted.uri)
    for file in promoted.artifacts.rglob("MLmodel"):
        file.unlink()

    assert run("rollback", "m", *at)[0] == 1
    code, said, _ = run("rollback", "m", "--yes", "--reason", "now", *at)
    assert code == 1
    assert "\nNot done: Going back is not safe." in said
    assert stages(promoted) == {1: "Archived", 2: "Production"}

    code, _, _ = run("rollback", "m", "--yes", "--reason", "now", "--force", "--actor", "ana", *at)
    assert code == 0
    assert stages(promoted) == {1: "Production", 2: "Archived"}
    assert last_event(promoted) == ("API", "ana", "now")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rollback", "m", "--yes"], "--yes needs --reason"),
        (["rollback", "m", "--stage", "STAGING", "--alias", "a"], "Give one of --stage and --alias."),
        (["rollback", "m", "--stage", "ARCHIVED"], "'ARCHIVED' is not one of"),
        (["rollback", "nobody"], "lineage-api: there is no registered model 'nobody'"),
        (["db", "upgrade", "--backend-store-uri", "http://localhost"], "is a tracking server"),
        (["doctor", "--backend-store-uri", "sqlite:///nowhere.db"], "holds no store"),
        (["db", "upgrade", "--backend-store-uri", "sqlite:///nowhere.db"], "holds no store"),
        (["db", "upgrade", "--with-indexes", "--backend-store-uri", "mysql://host/mlflow"], "mysql"),
    ],
)
def test_what_makes_no_sense(promoted, arguments, said):
    """One line that says what would be right, and the exit code 2."""
    code, printed, complained = run(*arguments, LINEAGE_API_BACKEND_STORE_URI=promoted.uri, folder=promoted.artifacts)

    assert (code, printed) == (2, "")
    assert said in complained
    assert "Traceback" not in complained


def stages(store):
    """The stage of each version of the model."""
    return {int(v.version): v.current_stage for v in store.client.search_model_versions("name = 'm'")}


def last_event(store):
    """Origin, actor and reason of what happened last."""
    with closing(sqlite3.connect(store.uri.removeprefix("sqlite:///"))) as connection:
        last = "SELECT origin, actor, reason FROM lineage_events ORDER BY id DESC LIMIT 1"
        return connection.execute(last).fetchone()


def test_the_doctor_looks_at_webhooks(plain):
    """Those that are taken, that are not, and that are disabled, which may be as somebody wants it."""
    at = ("--backend-store-uri", plain.uri)
    run("db", "upgrade", "--with-indexes", *at)
    add = "INSERT INTO lineage_webhooks (url, secret, created_at, handled_event) VALUES (:url, '', 1, 0)"
    for number in (1, 2):
        plain.sql(add, url=f"https://ci.example/{number}")
    code, said, _ = run("doctor", *at)
    assert (code, "ok    2 webhooks are taken by their receivers\n" in said) == (0, True)

    plain.sql("UPDATE lineage_webhooks SET disabled_at = 1, disabled_reason = 'answered 410' WHERE id = 1")
    code, said, _ = run("doctor", *at)
    assert (code, "hint  the webhook to https://ci.example/1 is disabled: answered 410\n" in said) == (0, True)

    plain.sql("UPDATE lineage_webhooks SET failing_since = 1000 WHERE id = 2")
    code, said, _ = run("doctor", *at)
    found = "todo  the webhook to https://ci.example/2 has not been taken since 1970-01-01T00:00:01+00:00\n"
    assert (code, found in said) == (1, True)
