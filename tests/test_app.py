"""The whole server: whether it is well, what it opens, and what it does when others use its database too."""

import asyncio
import gc
import threading
import time
from pathlib import Path

import httpx
import psycopg
import pytest

from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.store.database import LOCK_WAIT_S
from lineage_api.store.opening import head_revision
from tests.asking import in_process, without_cost
from tests.conftest import Templates
from tests.model_folders import model_folder, own
from tests.processes import locked
from tests.stores import POSTGRESQL, Store, has_postgresql

READY = (200, "ready")
UNREADABLE = (503, "the store cannot be read")
ANOTHER_VERSION = (503, "the store is of another version of MLflow than the one that is installed here")


async def asked(http, query):
    """The answer to a query, but for its cost."""
    return without_cost((await http.post("/graphql", json={"query": query})).json())


async def readiness(http):
    """Status, and the first line of the text."""
    answer = await http.get("/readyz")
    return answer.status_code, answer.text.partition("\n")[0]


@pytest.fixture
def on_sqlite(templates: Templates, tmp_path):
    """A store on SQLite."""
    made = Store(templates.copy("sqlite", tmp_path), tmp_path / "artifacts")
    yield made
    made.close()


@pytest.fixture
def file(on_sqlite, tmp_path):
    """The file of that store, which MLflow has let go of."""
    on_sqlite.experiment("flights", runs=["a run"])
    on_sqlite.close()
    return tmp_path / "mlflow.db"


async def test_the_root_leads_to_the_page(on_sqlite):
    """Who opens the address of the server finds GraphiQL, also behind a proxy with a prefix."""
    app = create_app(Settings(backend_store_uri=on_sqlite.uri))
    for prefix in ("", "/lineage"):
        transport = httpx.ASGITransport(app, root_path=prefix)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            answer = await http.get(f"{prefix}/")
        assert (answer.status_code, answer.headers["location"]) == (307, f"{prefix}/graphql")


async def test_a_healthy_server(store):
    """It is up, and its store can be read."""
    async with in_process(store.uri) as http:
        answer = await http.get("/healthz")
        assert (answer.status_code, answer.text) == (200, "ok")
        assert await readiness(http) == READY


async def test_how_far_model_files_are_read(store, tmp_path):
    """The second line of readiness says so: soon after the start they are all in the index."""
    store.registered_model("m")
    store.version("m", source=model_folder(own(tmp_path) / "m", "numpy==1.0"))
    async with in_process(store.uri) as http:
        said = [await second_line(http)]
        while len(said) < 200 and said[-1] != "model files: 1 of 1 read":
            await asyncio.sleep(0.02)
            said.append(await second_line(http))
        assert said[0] == "model files: not looked at yet"
        assert said[-1] == "model files: 1 of 1 read"
        query = '{ modelVersions(filterBy: {package: {name: "numpy"}}) { totalCount } }'
        found = {"data": {"modelVersions": {"totalCount": 1}}, "extensions": {"packages": {"unread": 0}}}
        assert await asked(http, query) == found


async def second_line(http):
    """What is said of model files."""
    return (await http.get("/readyz")).text.partition("\n")[2]


async def test_a_store_that_is_upgraded_meanwhile(store):
    """Once its tables are those of another MLflow, the server is up but not ready; when they are back, it is."""
    async with in_process(store.uri) as http:
        store.sql("UPDATE alembic_version SET version_num = 'another'")
        assert await readiness(http) == ANOTHER_VERSION
        assert (await http.get("/healthz")).status_code == 200

        store.sql(f"UPDATE alembic_version SET version_num = '{head_revision()}'")
        assert await readiness(http) == READY


@pytest.mark.parametrize("statement", ["DELETE FROM alembic_version", "DROP TABLE alembic_version"])
async def test_a_store_without_revision(store, statement, caplog):
    """It is not ready; why is in the log, and nowhere else."""
    async with in_process(store.uri) as http:
        store.sql(statement)
        assert await readiness(http) == UNREADABLE

    assert [record.getMessage() for record in caplog.records] == ["The store cannot be read"]


async def test_a_file_that_vanishes(file):
    """The server is not ready while the file is away, although it has it open, and tells nobody where it was."""
    async with in_process(f"sqlite:///{file}") as http:
        assert await readiness(http) == READY
        file.rename(file.with_name("away.db"))
        assert await readiness(http) == UNREADABLE
        answer = await asked(http, "{ experiments { totalCount } }")
        [error] = answer["errors"]
        assert (answer["data"], error["extensions"]["code"]) == (None, "INTERNAL")
        assert str(file) not in str(answer)

        file.with_name("away.db").rename(file)
        assert await readiness(http) == READY


async def test_a_database_that_is_dropped(templates, tmp_path):
    """The same on PostgreSQL."""
    if not has_postgresql():
        pytest.skip(f"no PostgreSQL answers at {POSTGRESQL}")
    store = Store(templates.copy("postgresql", tmp_path), tmp_path)
    name = store.uri.rpartition("/")[2]
    async with in_process(store.uri) as http:
        assert await readiness(http) == READY
        with psycopg.connect(f"{POSTGRESQL}/postgres", autocommit=True) as elsewhere:
            elsewhere.execute(f"DROP DATABASE {name} WITH (FORCE)")
        assert await readiness(http) == UNREADABLE
        answer = await asked(http, "{ experiments { totalCount } }")
        [error] = answer["errors"]
        assert (answer["data"], error["extensions"]) == (None, {"code": "TIMEOUT"})
        assert name not in str(answer)


def descriptors():
    """What this process has open, by what it leads to."""
    gc.collect()
    found = []
    for number in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(number.readlink()))
        except FileNotFoundError:  # the one by which they are listed
            continue
    return sorted(found)


async def test_nothing_is_opened_before_it_starts(tmp_path):
    """A server that is put together and never started has touched nothing."""
    before, threads = descriptors(), threading.active_count()
    create_app(Settings(backend_store_uri=f"sqlite:///{tmp_path}/none.db"))
    create_app(Settings(backend_store_uri="postgresql://nobody@192.0.2.1/nothing"))

    assert descriptors() == before
    assert threading.active_count() == threads
    assert list(tmp_path.iterdir()) == []


async def test_nothing_stays_open_after_it_stops(store):
    """Neither a file nor a connection nor a thread is left, and the store can be started with again."""
    run = store.run(store.experiment("flights"), "a run")
    query = f'{{ run(runId: "{run}") {{ name artifacts {{ name }} }} }}'
    store.close()
    before, threads = descriptors(), threading.active_count()
    for _ in range(2):
        async with in_process(store.uri) as http:
            answers = await asyncio.gather(*(asked(http, query) for _ in range(20)))
            assert answers == [{"data": {"run": {"name": "a run", "artifacts": []}}}] * 20
        await asyncio.sleep(0.1)  # threads that were idle end by themselves

        assert descriptors() == before
        assert threading.active_count() == threads


async def test_many_questions_at_once(store):
    """Fifty clients with different questions each get the answer to their own."""
    for number in range(10):
        store.experiment(f"e{number}", runs=[f"r{number}"])
    async with in_process(store.uri) as http:

        async def one(number):
            query = (
                f'{{ experiment(name: "e{number % 10}") {{ name runs {{ nodes {{ name experiment {{ name }} }} }} }} }}'
            )
            return await asked(http, query)

        answers = await asyncio.gather(*map(one, range(50)))

    assert answers == [
        {
            "data": {
                "experiment": {
                    "name": f"e{number % 10}",
                    "runs": {"nodes": [{"name": f"r{number % 10}", "experiment": {"name": f"e{number % 10}"}}]},
                }
            }
        }
        for number in range(50)
    ]


async def test_an_operation_sees_one_state(store):
    """What MLflow writes while an operation runs is not in its answer, not even in the levels that are read later."""
    experiment = store.experiment("flights", runs=["first"])
    told = []

    def write_between(statement):
        told.append(statement)
        if len(told) == 2:
            store.run(experiment, "meanwhile", start=2_000, params={"depth": 5})
            store.client.set_experiment_tag(experiment, "key", "value")

    query = '{ experiment(name: "flights") { tags { key } runs { totalCount nodes { name params { key } } } } }'
    async with in_process(store.uri, observe=write_between) as http:
        during, after = await asked(http, query), await asked(http, query)

    def answer(tags, *runs):
        nodes = [{"name": name, "params": params} for name, params in runs]
        return {"data": {"experiment": {"tags": tags, "runs": {"totalCount": len(nodes), "nodes": nodes}}}}

    assert during == answer([], ("first", []))
    assert after == answer([{"key": "key"}], ("meanwhile", [{"key": "depth"}]), ("first", []))


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
async def test_a_lock_that_ends(file, mode):
    """While another process locks everybody out, questions wait for it and all else is answered at once."""
    async with in_process(f"sqlite:///{file}") as http:
        with locked(file, mode) as release:
            waiting = asyncio.create_task(asked(http, "{ runs { nodes { name } } }"))
            await asyncio.sleep(0.05)
            start = time.monotonic()
            for _ in range(10):
                assert (await http.get("/healthz")).text == "ok"
                assert await asked(http, "{ __typename }") == {"data": {"__typename": "Query"}}
            assert time.monotonic() - start < 0.5
            assert not waiting.done()
            release()
            assert await waiting == {"data": {"runs": {"nodes": [{"name": "a run"}]}}}


async def test_a_lock_that_does_not_end(file):
    """After two seconds the answer says so; many that wait do so at the same time, and the server is not ready."""
    error = {
        "message": "The database is locked by another process; try again.",
        "locations": [{"line": 1, "column": 3}],
        "path": ["runs"],
        "extensions": {"code": "TIMEOUT"},
    }
    async with in_process(f"sqlite:///{file}", max_running=20) as http:
        with locked(file, "DELETE"):
            start = time.monotonic()
            ready, *answers = await asyncio.gather(
                readiness(http), *(asked(http, "{ runs { totalCount } }") for _ in range(20))
            )
            assert LOCK_WAIT_S <= time.monotonic() - start < LOCK_WAIT_S + 1
            assert ready == UNREADABLE
            assert answers == [{"data": None, "errors": [error]}] * 20

        assert await asked(http, "{ runs { totalCount } }") == {"data": {"runs": {"totalCount": 1}}}
        assert await readiness(http) == READY


async def test_a_store_with_a_rollback_journal(on_sqlite):
    """A store that MLflow made itself is read as well, and nobody who writes to it has to wait for us."""
    on_sqlite.sql("PRAGMA journal_mode = DELETE")
    async with in_process(on_sqlite.uri) as http:
        for number in range(3):
            start = time.monotonic()
            experiment = on_sqlite.experiment(f"e{number}", runs=["a run"])
            assert time.monotonic() - start < 2

            assert await asked(
                http, f'{{ experiment(name: "e{number}") {{ experimentId runs {{ totalCount }} }} }}'
            ) == {"data": {"experiment": {"experimentId": experiment, "runs": {"totalCount": 1}}}}
