"""Clients that follow what happens, while many write at once, and while some of them do not keep up."""

import asyncio
import json
import os
import threading
import time
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial
from itertools import islice

import httpx
import pytest
import websockets
from sqlalchemy import text

from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.graph.identity import encoded
from lineage_api.store import feed
from lineage_api.store.engines import reading
from tests.api.test_websocket import describe, narrow, narrow_socket
from tests.following import BEGINNING, CREATE, FOLLOW, feed_of, followers, streaming, talking, until
from tests.servers import started
from tests.serving import served
from tests.stores import Store

EACH = int(os.environ.get("LINEAGE_API_EVENTS", "8"))
"""How much each writer writes; in the long run 500, and `pytest -s`, which prints how late what was told."""
FOLLOWERS = int(os.environ.get("LINEAGE_API_FOLLOWERS", "40"))
"""How many follow; 800 in the long run."""
SLOW = PAUSED = FOLLOWERS // 20
DESCRIBED = 60
CREATED = """mutation ($input: CreateRegisteredModelInput!) {
    createRegisteredModel(input: $input) { errors { message } }
}"""


def by_mlflow(store, name):
    """As any program does that uses MLflow; it is told that the database is locked, and tries again."""
    while True:
        try:
            return store.registered_model(name)
        except Exception as error:
            if "locked" not in str(error):
                raise


def by_sql(store, name):
    """As somebody does with a database console."""
    with store._engine.begin() as connection:
        if store.kind == "sqlite":
            connection.exec_driver_sql("PRAGMA busy_timeout = 30000")
        connection.execute(text(CREATE), {"n": name})


def by_another(address, name):
    """As somebody does at another server of the same store."""
    body = {"query": CREATED, "variables": {"input": {"name": name}}}
    answer = httpx.post(f"{address}/graphql", json=body, timeout=60).json()
    assert answer["data"]["createRegisteredModel"]["errors"] == [], answer


@contextmanager
def writing(**writers):
    """Each of them makes models, one after the other, beside the others; when each of these was there, by name."""
    made, failed = {}, []

    def write(who, create):
        try:
            for number in range(EACH):
                create(f"{who} {number}")
                made[f"{who} {number}"] = time.time()
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=write, args=writer) for writer in writers.items()]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        for thread in threads:
            thread.join()
    assert not failed


def streamed(address, count, told, ready):
    """Takes so many events from a stream, and when each came."""
    with streaming(address, after=BEGINNING) as stream:
        ready.set()
        events = (part for part in stream.parts() if part != {"": ""})  # a sign of life now and then
        for part in islice(events, count):
            event = json.loads(part["data"])["data"]["registryEvents"]
            told.append((event["id"], event["modelName"], time.time()))


async def test_three_kinds_of_writers(store):
    """What plain MLflow, another process of ours and raw SQL write at once is told once, in the order of history."""
    count = 3 * EACH
    by_stream, by_socket, ready = [], [], threading.Event()
    with started("--backend-store-uri", store.uri) as first, started("--backend-store-uri", store.uri) as second:
        stream = threading.Thread(target=streamed, args=(first.address, count, by_stream, ready))
        stream.start()
        async with talking(first.address) as talk:
            await talk.follow(after=BEGINNING)
            await asyncio.to_thread(ready.wait)
            writers = {
                "MLflow": partial(by_mlflow, store),
                "SQL": partial(by_sql, store),
                "another": partial(by_another, second.address),
            }
            with writing(**writers) as made:
                for _ in range(count):
                    event = await talk.event()
                    by_socket.append((event["id"], event["modelName"], time.time()))
        await asyncio.to_thread(stream.join)

    history = _history(store)
    assert sorted(name for _, name in history) == sorted(made)
    for told in (by_socket, by_stream):
        assert [(id_, name) for id_, name, _ in told] == history
    late = sorted(at - made[name] for told in (by_socket, by_stream) for _, name, at in told)
    print(f"\n{store.kind}: {count} events, told {late[len(late) // 2]:.3f} s after, {late[-1]:.3f} s at most")


def _history(store):
    """The events in the order of history: IDs and names."""
    with reading(store.uri).connect() as connection:
        rows = connection.execute(text("SELECT id, model_name FROM lineage_events ORDER BY id")).all()
    return [(encoded("RegistryEvent", row.id), row.model_name) for row in rows]


@pytest.fixture
def empty(templates, tmp_path):
    """An empty store, where it is all the same which database it has."""
    made = Store(templates.copy("sqlite", tmp_path), tmp_path / "artifacts")
    yield made
    made.close()


VALUES = FOLLOW.replace("{ id kind modelName }", "{ id value }")


async def test_some_of_many_do_not_keep_up(empty, monkeypatch):
    """The others are told everything in order; who falls behind is told so, and then misses nothing."""
    monkeypatch.setattr(feed, "MAX_KEPT", 20)
    app = create_app(Settings(backend_store_uri=empty.uri))
    async with AsyncExitStack() as stack:
        address = stack.enter_context(served(app, narrow()))
        empty.sql(CREATE, n="m")

        async def follow(**options):
            talk = await stack.enter_async_context(talking(address, **options))
            await talk.ask(VALUES)
            return talk

        good = [await follow() for _ in range(FOLLOWERS - SLOW - PAUSED)]
        slow, paused = [
            [await follow(sock=narrow_socket(address), max_queue=1, ping_interval=None) for _ in range(many)]
            for many in (SLOW, PAUSED)
        ]
        await until(lambda: followers(app) == FOLLOWERS)
        told = {id(talk): [] for talk in (*slow, *paused)}
        async for number in describe(empty, DESCRIBED):
            assert {event["value"][:4] for event in await asyncio.gather(*(talk.event() for talk in good))} == {
                f"{number:04}"
            }
            if number % 6 == 0:
                await asyncio.gather(*(_taken(talk, told[id(talk)]) for talk in slow))
        assert len(feed_of(app)._kept) <= 20

        for talk in (*slow, *paused):
            mine = told[id(talk)]
            while await _taken(talk, mine):
                pass
            assert await talk.closed() == (1013, "SLOW_CONSUMER: ask again with `after`")
            assert [event["value"][:4] for event in mine] == [f"{number:04}" for number in range(len(mine))]
            assert 0 < len(mine) < DESCRIBED
        assert max(len(told[id(talk)]) for talk in paused) < 30  # what is kept for them, here and on the way

        mine = told[id(paused[0])]
        again = await stack.enter_async_context(talking(address))
        await again.ask(VALUES, after=mine[-1]["id"])
        rest = [(await again.event())["value"][:4] for _ in range(len(mine), DESCRIBED)]
        assert rest == [f"{number:04}" for number in range(len(mine), DESCRIBED)]


async def _taken(talk, told):
    """Whether there was one more event, which it is told."""
    with suppress(websockets.ConnectionClosed):
        told.append(await talk.event())
        return True
    return False
