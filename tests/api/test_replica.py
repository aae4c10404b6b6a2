"""The read replica: what is read from it, what from the primary, and what is said when it is not there."""

import asyncio
import logging
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
import psycopg
import pytest
import sqlalchemy
from graphql import parse

from lineage_api.api.databases import Databases
from lineage_api.api.schema import executable
from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.errors import Unsuitable
from lineage_api.graph.identity import encoded
from lineage_api.migrations import recording
from lineage_api.store import replica
from lineage_api.store.opening import head_revision, prepared
from lineage_api.store.reading import database_of
from tests.asking import in_process, without_cost
from tests.changing import Changer
from tests.stores import POSTGRESQL, Store

SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
SILENT = "The read replica does not answer; try again."


@pytest.fixture
def copy(store, templates, tmp_path):
    """What stands in for a replica of `store`: another store, so that it shows which of them was read."""
    (tmp_path / "replica").mkdir()
    made = Store(templates.copy(store.kind, tmp_path / "replica"), tmp_path / "artifacts")
    yield made
    made.close()
    templates.drop(made.uri)


@pytest.fixture
def both(store, copy):
    """The same registered model in both, each with the name of its database for a description."""
    for each, name in ((store, "primary"), (copy, "replica")):
        each.registered_model("m", description=name)
        run = each.run(each.experiment("flights"))
        for _ in range(2):
            each.version("m", run_id=run, description=name)
        each.alias("m", "champion", 1)
        each.stage("m", 1, "Production")
    return store, copy


def asking(store, copy, observe=None, **more):
    """Asks a server for a store and its replica over HTTP, in the process."""
    return in_process(store.uri, observe, read_replica_backend_store_uri=copy.uri, **more)


async def asked(http, query, **more):
    """The whole answer to a query."""
    return without_cost((await http.post("/graphql", json={"query": query, **more})).json())


def everything(uri):
    """All rows of all tables."""
    engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        names = sqlalchemy.inspect(connection).get_table_names()
        rows = {name: connection.execute(sqlalchemy.text(f'SELECT * FROM "{name}"')).all() for name in names}
    return {name: sorted(map(repr, found)) for name, found in rows.items()}


# What reads which

READ = 'read: registeredModel(name: "m") { description }'
FROM_THE_REPLICA = {
    "columns": 'registeredModel(name: "m") { createdAt tags { key } }',
    "its type": 'registeredModel(name: "m") { __typename }',
    "aliases": 'registeredModel(name: "m") { aliases { name modelVersion { version } } }',
    "versions": 'registeredModel(name: "m") { versions { totalCount nodes { stage status run { name } } } }',
    "a stage": 'registeredModel(name: "m") { inStage(stage: PRODUCTION) { version aliases } }',
    "packages": 'modelVersions(filterBy: {package: {name: "numpy"}}) { totalCount }',
    "lineage": 'registeredModel(name: "m") { version(number: 1) { lineage { nodes { label } } } }',
    "comparison": 'compareModelVersions(base: {model: "m", version: 1}, head: {model: "m", version: 2}) { unknown }',
    "completeness": 'registeredModel(name: "m") { version(number: 1) { completeness { __typename } } }',
    "runs": "runs { nodes { name modelVersions { nodes { version } } } }",
    "a node of another type": 'node(id: "x") { ... on Run { name } }',
    "the schema": "__schema { types { name fields { name } } }",
}
FROM_THE_PRIMARY = {
    "history": 'registeredModel(name: "m") { history { nodes { kind } } }',
    "how much history": 'registeredModel(name: "m") { history { totalCount } }',
    "history of a version": 'registeredModel(name: "m") { version(number: 1) { history { edges { cursor } } } }',
    "events": "registryEvents { nodes { kind } }",
    "the registry at a moment": 'registryAt(at: "2026-01-01T00:00:00Z") { isTruncated }',
    "aliases at a moment": 'registeredModel(name: "m") { aliases(at: "2026-01-01T00:00:00Z") { name } }',
    "in a stage at a moment": 'registeredModel(name: "m") { inStage(stage: STAGING, at: $at) { version } }',
    "a stage at a moment": "modelVersions { nodes { stage(at: $at) } }",
    "since when an alias": 'registeredModel(name: "m") { aliases { since } }',
    "since when a stage": "modelVersions { nodes { stageSince } }",
    "who registered": "modelVersions { nodes { registeredBy } }",
    "a plan": 'registeredModel(name: "m") { rollbackPlan(stage: PRODUCTION) { isSafe } }',
    "a node of any type": 'node(id: "x") { id }',
    "nodes": 'nodes(ids: ["x"]) { id }',
    "the type of a node": 'node(id: "x") { __typename }',
    "an event": 'node(id: "x") { ... on RegistryEvent { kind } }',
    "in a fragment": "...Told",
    "what is left out": 'registeredModel(name: "m") { history @include(if: false) { totalCount } }',
}


def document(selected):
    """A query that also asks where it is read."""
    given = "($at: DateTime)" if "$at" in selected else ""
    fragment = "fragment Told on Query { registryEvents { totalCount } }" if "...Told" in selected else ""
    return f"query {given} {{ {READ} {selected} }} {fragment}"


async def read_from(http, selections):
    """Where each is read."""
    answers = {name: await asked(http, document(selected)) for name, selected in selections.items()}
    assert not [answer["errors"] for answer in answers.values() if "errors" in answer]
    return {name: answer["data"]["read"]["description"] for name, answer in answers.items()}


async def test_what_is_read_from_the_replica(both):
    """All but history, when it is asked again too; no statement there names a table of it."""
    statements = []
    async with asking(*both, observe=statements.append) as http:
        for _ in range(2):
            assert await read_from(http, FROM_THE_REPLICA) == dict.fromkeys(FROM_THE_REPLICA, "replica")

    history = ("lineage_models", "lineage_events", "lineage_recording", "lineage_requests")
    assert not [text for text in statements if any(name in text for name in history)]


async def test_what_is_read_from_the_primary(both):
    """The whole of an operation that asks for history, or that may."""
    async with asking(*both) as http:
        for _ in range(2):
            assert await read_from(http, FROM_THE_PRIMARY) == dict.fromkeys(FROM_THE_PRIMARY, "primary")


async def test_operations_of_one_document(both):
    """One that asks for history takes the others with it, as does a mutation."""
    read = 'query Read { registeredModel(name: "m") { description } }'
    history = "query History { registryEvents { totalCount } }"
    change = 'mutation Change { deleteRegisteredModel(input: {model: "none"}) { errors { message } } }'
    async with asking(*both) as http:
        answers = [await asked(http, f"{read} {other}", operationName="Read") for other in ("", history, change)]

    found = [answer["data"]["registeredModel"]["description"] for answer in answers]
    assert found == ["replica", "primary", "primary"]


async def test_without_a_replica(both):
    """All is read from the primary; so it is where the primary is named as its own replica."""
    store, _ = both
    query = '{ registeredModel(name: "m") { description } }'
    for settings in (
        Settings(backend_store_uri=store.uri),
        Settings(backend_store_uri=store.uri, read_replica_backend_store_uri=replica.prepared(store.uri, store.uri)),
    ):
        app = create_app(settings)
        transport = httpx.ASGITransport(app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport) as http:
            answer = without_cost((await http.post("http://localhost/graphql", json={"query": query})).json())
        assert answer == {"data": {"registeredModel": {"description": "primary"}}}


def test_the_fields_of_history():
    """Those that the schema says are read from our tables; a new one is told here."""
    databases = Databases(executable(), database_of("sqlite:///one.db"), database_of("sqlite:///other.db"))
    found = sorted(databases._of_history)

    whole = ("RegistryEvent", "Webhook", "WebhookDelivery")
    for type_ in whole:
        fields = executable().type_map[type_].fields
        assert [name for of, name in found if of == type_] == sorted(["__typename", *fields])
    assert [".".join(field) for field in found if field[0] not in whole] == [
        "AliasTenure.event",
        "CreateWebhookPayload.webhook",
        "ModelAlias.since",
        "ModelVersion.history",
        "ModelVersion.registeredBy",
        "ModelVersion.stageSince",
        "Query.registryEvents",
        "Query.webhooks",
        "RedeliverEventPayload.delivery",
        "RegisteredModel.history",
        "RegisteredModel.rollbackPlan",
        "StageTenure.event",
        "Subscription.registryEvents",
        "TestWebhookPayload.delivery",
        "UpdateWebhookPayload.webhook",
    ]


def test_it_is_decided_once_for_a_document():
    """And kept by the document, which is kept as long as it is used."""
    primary, other = database_of("sqlite:///one.db"), database_of("sqlite:///other.db")
    databases, document = Databases(executable(), primary, other), parse("{ registryEvents { totalCount } }")

    assert databases.read_by(document) is primary
    databases._reads_primary = None
    assert databases.read_by(document) is primary


# What changes something


async def test_a_payload_is_read_from_the_primary(both):
    """With what it leads to, and with its events."""
    async with asking(*both) as http:
        payload = await Changer(http).change(
            "setTags",
            "subject { ... on RegisteredModel { description tags { key value } versions { nodes { description } } } }"
            " events { kind model { description } }",
            subjectId=encoded("RegisteredModel", "m"),
            tags=[{"key": "team", "value": "ops"}],
        )
        after = await asked(http, '{ registeredModel(name: "m") { tags { key } } }')

    assert payload["subject"] == {
        "description": "primary",
        "tags": [{"key": "team", "value": "ops"}],
        "versions": {"nodes": [{"description": "primary"}] * 2},
    }
    assert payload["events"] == [{"kind": "TAG_SET", "model": {"description": "primary"}}]
    assert after == {"data": {"registeredModel": {"tags": []}}}  # the replica has not followed


async def test_what_is_expected_is_compared_with_the_primary(both):
    """A replica that is behind refuses nothing, and lets nothing pass."""
    store, copy = both
    copy.stage("m", 1, "Archived")
    copy.alias("m", "champion", 2)
    async with asking(store, copy) as http:
        changer = Changer(http)
        refused = await changer.refused(
            "transitionModelVersion", model="m", version=1, stage="STAGING", expectedStage="ARCHIVED"
        )
        await changer.change("setModelAlias", model="m", alias="champion", version=2, expectedVersion=1)
        await changer.change(
            "transitionModelVersion", model="m", version=1, stage="ARCHIVED", expectedStage="PRODUCTION"
        )

    assert [error["__typename"] for error in refused] == ["ConflictError"]


async def test_a_rollback_is_planned_on_the_primary(both):
    """Where the replica knows of no version to go back to."""
    store, copy = both
    store.stage("m", 2, "Production", archive=True)
    async with asking(store, copy) as http:
        payload = await Changer(http).change(
            "rollBack",
            "modelVersion { version description }",
            model="m",
            stage="PRODUCTION",
            expectedCurrent=2,
            reason="INC-7",
            force=True,
        )

    assert payload == {"modelVersion": {"version": 1, "description": "primary"}}


async def test_nothing_is_written_to_the_replica(both):
    """Neither at the start nor by changes, also where something of ours is missing there."""
    store, copy = both
    copy.sql("DELETE FROM lineage_events")
    if copy.kind == "postgresql":
        copy.sql(f"ALTER DATABASE {copy.uri.rpartition('/')[2]} SET default_transaction_read_only = on")
    before = everything(copy.uri)
    async with asking(store, copy) as http:
        await asked(http, "{ registeredModels { nodes { name } } }")
        await Changer(http).change("updateRegisteredModel", model="m", description="new")

    assert everything(copy.uri) == before


# Whether it can be read


async def readiness(http):
    """Status, and the first line of the text."""
    answer = await http.get("/readyz")
    return answer.status_code, answer.text.partition("\n")[0]


def take_away(store):
    """Moves the database of a store to where nobody finds it; gives what brings it back."""
    store.close()
    if store.kind == "sqlite":
        file = Path(store.uri.removeprefix("sqlite:///"))
        away = file.rename(file.with_name("away.db"))
        return lambda: away.rename(file)
    name = store.uri.rpartition("/")[2]
    _administer(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
    _administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    return lambda: _administer(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")


def _administer(statement):
    with psycopg.connect(f"{POSTGRESQL}/postgres", autocommit=True) as connection:
        connection.execute(statement)


@pytest.mark.parametrize("is_replica", [True, False], ids=["the replica", "the primary"])
async def test_one_of_them_is_away(both, is_replica, caplog):
    """What is read from it gets an error that does not say where it is, the other one goes on, and none stands in."""
    store, copy = both
    caplog.set_level(logging.CRITICAL, "psycopg.pool")
    queries = ['{ registeredModel(name: "m") { description } }', "{ registryEvents(first: 1) { nodes { modelName } } }"]
    async with asking(store, copy) as http:
        assert await readiness(http) == (200, "ready")
        bring_back = take_away(copy if is_replica else store)
        answers = [await asked(http, query) for query in queries]
        ready = await readiness(http)
        bring_back()
        assert not [answer for query in queries if "errors" in (answer := await asked(http, query))]
        assert await readiness(http) == (200, "ready")

    assert ready == (503, f"the {'read replica' if is_replica else 'store'} cannot be read")
    assert ["errors" in answer for answer in answers] == [is_replica, not is_replica]
    if is_replica:
        [error] = answers[0]["errors"]
        assert (error["message"], error["extensions"]) == (SILENT, {"code": "TIMEOUT"})


async def test_a_replica_that_is_no_longer_of_this_version(both):
    """The server is not ready when either is at another revision."""
    store, copy = both
    async with asking(store, copy) as http:
        copy.sql("UPDATE alembic_version SET version_num = 'older'")
        assert await readiness(http) == (
            503,
            "the read replica is of another version of MLflow than the one that is installed here",
        )


def refusal(uri, primary):
    """The line by which a replica is refused at the start."""
    with pytest.raises(Unsuitable) as refused:
        replica.prepared(uri, primary)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_replica_at_the_start(store, copy):
    """It is let in at the revision of the store, in the form in which it is opened."""
    assert replica.prepared(None, store.uri) is None
    assert replica.prepared(store.uri, store.uri) is None
    assert replica.prepared(copy.uri, store.uri) == copy.uri
    if copy.kind == "postgresql":
        assert replica.prepared(copy.uri.replace("://", "+psycopg://"), store.uri) == copy.uri

    copy.sql("UPDATE alembic_version SET version_num = 'older'")
    assert refusal(copy.uri, store.uri) == (
        f"the read replica {copy.uri} is at revision older and the store at {head_revision()}: start again when it has"
        " followed, or leave it out"
    )
    copy.sql("DROP TABLE alembic_version")
    assert f"the read replica {copy.uri} is at revision none" in refusal(copy.uri, store.uri)


def test_a_replica_that_cannot_be_one(tmp_path):
    """Another kind of database, one that is not there, and what is none; no password is shown, and no file made."""
    sqlite, elsewhere = f"sqlite:///{tmp_path}/replica.db", "postgresql://ann:secret@127.0.0.1:1/store"

    assert refusal(sqlite, elsewhere) == (
        f"the read replica {sqlite} is of another kind of database than postgresql://ann:***@127.0.0.1:1/store"
    )
    assert refusal(sqlite, "sqlite:///mlflow.db") == (
        f"the read replica {sqlite} cannot be opened: unable to open database file"
    )
    said = refusal(elsewhere, "postgresql://localhost/store")
    assert said.startswith("the read replica postgresql://ann:***@127.0.0.1:1/store cannot be opened: ")
    assert "secret" not in said
    assert refusal("mysql://host/store", elsewhere).startswith("mysql is not supported yet: ")
    assert not list(tmp_path.iterdir())


async def test_tables_that_have_not_come_yet(store, copy, monkeypatch):
    """Ours are waited for, if they were just made in the primary; a replica that gets none of them is refused."""
    made = "CREATE TABLE lineage_packages_away AS SELECT * FROM lineage_packages"
    for statement in (made, "DROP TABLE lineage_packages"):
        copy.sql(statement)
    waiting = asyncio.create_task(replica.followed(copy.uri, frozenset()))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    copy.sql("ALTER TABLE lineage_packages_away RENAME TO lineage_packages")
    await waiting

    copy.sql("DROP TABLE lineage_packages")
    await replica.followed(copy.uri, frozenset({"lineage_packages"}))
    monkeypatch.setattr(replica, "FOLLOW_S", 0)
    with pytest.raises(Unsuitable, match=r"^the read replica lacks lineage_packages, which the store has: "):
        await replica.followed(copy.uri, frozenset())


async def test_without_history(store, copy):
    """Where none is recorded, nothing of ours is asked of the replica, and history is empty."""
    for each in (store, copy):
        each.registered_model("m", description="replica" if each is copy else "primary")
        recording.end(each.uri)
    selected = {"plain": "registeredModels { totalCount }", "history": "registryEvents { totalCount }"}
    async with asking(store, copy, read_only=True) as http:
        assert await read_from(http, selected) == {"plain": "replica", "history": "primary"}


# A replica as PostgreSQL makes it


@pytest.fixture
def streaming():
    """The URIs of a database and of one that follows it, on servers of our own, and how both are spoken to."""
    if not SERVERS:
        pytest.skip("no PostgreSQL is installed")
    folder = Path(tempfile.mkdtemp())
    ports = [_free_port(), _free_port()]

    def run(program, *arguments):
        # It does not run as root.
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        subprocess.run([SERVERS[0] / program, *arguments], check=True, cwd=folder, capture_output=True, **user)

    def started(name, port):
        options = f"-p {port} -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-D", name, "-w", "-l", f"{name}.log", "-o", options, "start")

    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    try:
        run("initdb", "-D", "primary", "-A", "trust", "-U", "postgres", "--no-sync")
        started("primary", ports[0])
        origin = f"postgresql://postgres@127.0.0.1:{ports[0]}"
        run("pg_basebackup", "-d", origin, "-D", "standby", "-R", "-N", "-c", "fast")
        started("standby", ports[1])
        yield [f"postgresql://postgres@127.0.0.1:{port}/postgres" for port in ports], run
    finally:
        for name in ("standby", "primary"):
            if (folder / name / "postmaster.pid").exists():
                run("pg_ctl", "-D", name, "-m", "immediate", "stop")
        shutil.rmtree(folder)


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _wait_until_followed(primary, console):
    with psycopg.connect(primary) as connection:
        [written] = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
    while not console.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [written]).fetchone()[0]:
        time.sleep(0.05)


async def test_a_standby(streaming, tmp_path):
    """Reads are behind as long as it is; payloads and history never are; when it is down, nobody stands in for it."""
    (primary, standby), run = streaming
    uri = prepared(primary, artifact_root=str(tmp_path))
    settings = Settings(backend_store_uri=uri, read_replica_backend_store_uri=standby)
    app = create_app(settings)
    read, history = "{ registeredModels { nodes { name } } }", "{ registryEvents { nodes { modelName } } }"
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),  # our tables are made in the primary, and waited for
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
    ):
        assert replica.prepared(standby, uri) == standby
        with psycopg.connect(standby, autocommit=True) as console:
            console.execute("SELECT pg_wal_replay_pause()")
            payload = await Changer(http).change(
                "createRegisteredModel", "registeredModel { name } events { kind }", name="m"
            )
            assert payload == {"registeredModel": {"name": "m"}, "events": [{"kind": "MODEL_CREATED"}]}
            assert await asked(http, history) == {"data": {"registryEvents": {"nodes": [{"modelName": "m"}]}}}
            assert await asked(http, read) == {"data": {"registeredModels": {"nodes": []}}}
            console.execute("SELECT pg_wal_replay_resume()")
            _wait_until_followed(uri, console)
        assert await asked(http, read) == {"data": {"registeredModels": {"nodes": [{"name": "m"}]}}}
        assert await readiness(http) == (200, "ready")

        run("pg_ctl", "-D", "standby", "-m", "immediate", "stop")
        [error] = (await asked(http, read))["errors"]
        assert error["message"] == SILENT
        assert await asked(http, history) == {"data": {"registryEvents": {"nodes": [{"modelName": "m"}]}}}
        assert await readiness(http) == (503, "the read replica cannot be read")
