"""How long operations go on: until their time is over, or until nobody wants their answer."""

import asyncio

import httpx
import pytest

from lineage_api.api.deadlines import GoneError, while_wanted
from lineage_api.app import create_app
from lineage_api.config import Settings
from tests.api.slow import DATA, SLOW, held, make_fast, make_slow, running
from tests.following import followers, streaming, talking, until
from tests.serving import served_here

TOO_LATE = "This takes longer than 0.3 s; ask for less at once, such as smaller pages or a narrower filter."
DESCRIBE = 'mutation { updateRegisteredModel(input: {model: "m", description: "new"}) { registeredModel { name } } }'


@pytest.fixture
def app(store):
    """A server for a store in which the parameters of runs take for ever, and nothing may take longer than 0.3 s."""
    make_slow(store)
    return create_app(Settings(backend_store_uri=store.uri, time_limit_s=0.3))


@pytest.fixture
def patient(store):
    """The same, with a limit that is never reached."""
    make_slow(store)
    return create_app(Settings(backend_store_uri=store.uri, time_limit_s=600))


async def asked(http, query=SLOW):
    """The status of an answer, with what it says."""
    answer = await http.post("/graphql", json={"query": query})
    return answer.status_code, answer.json()


def late(answer):
    """Whether an answer says that it took too long, and nothing else."""
    assert answer == {"data": None, "errors": [{"message": TOO_LATE, "extensions": {"code": "TIMEOUT"}}]}
    return True


async def test_a_query_that_takes_too_long(store, app):
    """It is stopped, in the database too, and says what to do; connections are there for others afterwards."""
    async with served_here(app) as address, httpx.AsyncClient(base_url=address, timeout=60) as http:
        answers = await asyncio.gather(*(asked(http) for _ in range(16)))
        assert [status for status, _ in answers] == [200] * 16
        assert all(late(answer) for _, answer in answers)
        async with asyncio.timeout(30):
            while await asyncio.to_thread(running, store):
                await asyncio.sleep(0.01)

        make_fast(store)
        for _ in range(40):
            status, answer = await asked(http)
            assert (status, answer["data"]) == (200, DATA)


async def test_over_a_websocket_and_as_a_stream(app):
    """The answer is the same."""
    async with served_here(app) as address:
        async with talking(address) as talk:
            await talk.ask(SLOW)
            heard = await talk.heard()
            assert heard["type"] == "next"
            assert late(heard["payload"])
            assert await talk.heard() == {"id": "1", "type": "complete"}

        def stream():
            with streaming(address, SLOW) as following:
                return following.answer(), following.part()["event"]

        answer, end = await asyncio.to_thread(stream)
        assert late(answer)
        assert end == "complete"


async def test_an_event_of_which_telling_takes_too_long(store):
    """That is said of it, and the subscription goes on."""
    store.registered_model("m")
    run = store.run(store.experiment("other"), "other")
    store.client.create_model_version("m", str(store.artifacts), run_id=run)
    make_slow(store)
    app = create_app(Settings(backend_store_uri=store.uri, time_limit_s=0.3))
    query = "subscription { registryEvents { kind modelVersion { run { params { key } } } } }"
    async with served_here(app) as address, talking(address) as talk:
        await talk.ask(query)
        await until(lambda: followers(app) == 1)
        await asyncio.to_thread(store.sql, "UPDATE model_versions SET current_stage = 'Staging'")
        heard = await talk.heard()
        assert heard["type"] == "next"
        assert late(heard["payload"])
        await asyncio.to_thread(store.sql, "UPDATE registered_models SET description = 'new'")
        heard = await talk.heard()
        assert heard["payload"]["data"] == {"registryEvents": {"kind": "DESCRIPTION_CHANGED", "modelVersion": None}}


async def test_a_change_that_takes_too_long(store):
    """Who waits is told that it may still be made, and made it is."""
    store.registered_model("m")
    app = create_app(Settings(backend_store_uri=store.uri, time_limit_s=0.5))
    async with served_here(app) as address, httpx.AsyncClient(base_url=address, timeout=60) as http:
        await asked(http, DESCRIBE.replace("new", "old"))  # MLflow takes seconds to be imported
        await until(lambda: store.client.get_registered_model("m").description == "old")
        with held(store):
            status, answer = await asked(http, DESCRIBE)
            assert status == 200
            assert answer["data"] is None
            [error] = answer["errors"]
            assert error["extensions"] == {"code": "TIMEOUT"}
            assert error["message"] == (
                "This took longer than 0.5 s. A change that had begun may still be made:"
                " ask again with the same `idempotencyKey`, or look."
            )
            assert store.client.get_registered_model("m").description == "old"
        await until(lambda: store.client.get_registered_model("m").description == "new")


async def leave(address, way, until_it_runs):
    """Asks what takes for ever, and goes away once it runs."""
    if way == "websocket":
        async with talking(address) as talk:
            await talk.ask(SLOW)
            await until_it_runs()
        return
    accepted = "text/event-stream" if way == "stream" else "application/json"
    async with httpx.AsyncClient(base_url=address, timeout=60) as http:
        parts = {"query": SLOW}
        asking = asyncio.create_task(http.post("/graphql", json=parts, headers={"accept": accepted}))
        await until_it_runs()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


@pytest.mark.parametrize("way", ["http", "websocket", "stream"])
async def test_a_client_that_goes_away(store, patient, way, caplog):
    """Nothing is read for it any more, in the database neither, and its connection is there for others."""
    async with served_here(patient) as address:

        async def is_running(count):
            async with asyncio.timeout(30):
                while await asyncio.to_thread(running, store) != count:
                    await asyncio.sleep(0.01)

        for _ in range(3):
            await leave(address, way, lambda: is_running(1))
            await is_running(0)
        make_fast(store)
        async with httpx.AsyncClient(base_url=address, timeout=60) as http:
            assert (await asked(http))[1]["data"] == DATA
    assert caplog.records == []


async def test_work_for_a_client_that_stays():
    """Its result, or what it raises, is passed on; a cancellation by others stays one."""

    async def receive():
        await asyncio.sleep(3600)

    async def result():
        await asyncio.sleep(0.1)
        return 5

    async def failure():
        raise ValueError("no")

    assert await while_wanted(result(), receive) == 5
    with pytest.raises(ValueError, match="no"):
        await while_wanted(failure(), receive)
    task = asyncio.create_task(while_wanted(asyncio.sleep(3600), receive))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_work_for_a_client_that_leaves():
    """It is cancelled, and the task that did it goes on with something else."""
    ended = []

    async def receive():
        return {"type": "http.disconnect"}

    async def work():
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("work")

    async def request():
        with pytest.raises(GoneError):
            await while_wanted(work(), receive)
        assert asyncio.current_task().cancelling() == 0
        await asyncio.sleep(0)
        return "done"

    assert await asyncio.create_task(request()) == "done"
    assert ended == ["work"]
