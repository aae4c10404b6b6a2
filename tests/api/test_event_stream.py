import asyncio
import json
import socket
from contextlib import ExitStack

import httpx
import pytest

from lineage_api.api import event_stream
from lineage_api.app import create_app
from lineage_api.commands.serve import listening
from lineage_api.config import Settings
from lineage_api.graph.identity import encoded
from lineage_api.store import feed
from tests.following import BEGINNING, CREATE, FOLLOW, feed_of, followers, happens, streaming, until
from tests.servers import started
from tests.serving import served, served_here
from tests.stores import Store

LONG = f"subscription {{ registryEvents {{ modelName {' '.join(f'a{n}: value' for n in range(10))} }} }}"
"""Asks for ten times the new value of a description."""


def app_of(store, **options):
    """The whole server for a store."""
    return create_app(Settings(backend_store_uri=store.uri), **options)


@pytest.fixture
def empty(templates, tmp_path):
    """An empty store, where it is all the same which database it has."""
    made = Store(templates.copy("sqlite", tmp_path), tmp_path / "artifacts")
    yield made
    made.close()


def make(store, *names):
    """Makes registered models, one after the other, beside the server."""
    for name in names:
        store.sql(CREATE, n=name)


def test_what_mlflow_does_is_told(store):
    """Each event is an answer under the event's own ID; nobody on the way may keep it, hold it back or compress it."""
    app = app_of(store)
    coded = {"accept-encoding": "gzip, zstd"}
    with served(app) as address, streaming(address, headers=coded) as stream:
        assert {name: stream.response.headers.get(name) for name in HEADERS} == HEADERS
        happens(lambda: followers(app) == 1)
        store.registered_model("m")
        told = stream.part()

    event = json.loads(told["data"])["data"]["registryEvents"]
    assert event == {"id": encoded("RegistryEvent", 1), "kind": "MODEL_CREATED", "modelName": "m"}
    assert (told["event"], told["id"]) == ("next", event["id"])


HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
    "vary": "accept",
    "transfer-encoding": "chunked",
    "content-encoding": None,
    "content-length": None,
}


def test_who_was_away_misses_nothing(store):
    """A stream breaks off, two things happen, another one goes on after the last event: both come, once, in order."""
    with served(app_of(store)) as address:
        with streaming(address, after=BEGINNING) as stream:
            make(store, "a")
            last = stream.part()["id"]
        make(store, "b", "c")
        with streaming(address, after=last) as stream:
            assert stream.names(2) == ["b", "c"]
            make(store, "d")
            assert stream.names(1) == ["d"]


def test_event_source_goes_on_by_itself(empty):
    """What it sends when it connects again, under the address it was given once, counts more than `after` there."""
    make(empty, "a", "b", "c")
    with served(app_of(empty)) as address:
        with streaming(address, after=BEGINNING) as stream:
            last = [stream.part()["id"] for _ in range(2)][-1]
        with streaming(address, headers={"last-event-id": last}, after=BEGINNING) as stream:
            assert stream.names(1) == ["c"]


def test_two_servers_tell_the_same(store):
    """Behind one store, whatever process is asked tells the same events in the same order."""
    place = ("--backend-store-uri", store.uri)
    with (
        started(*place) as first,
        started(*place) as second,
        streaming(first.address, after=BEGINNING) as one,
        streaming(second.address, after=BEGINNING) as other,
    ):
        make(store, *"abcde")
        assert [one.part() for _ in range(5)] == [other.part() for _ in range(5)]


def test_only_what_is_wanted_is_told(empty):
    """A stream has the events of some models, or kinds."""
    with served(app_of(empty)) as address:
        make(empty, "a", "b", "a2")
        empty.sql("UPDATE registered_models SET description = 'new' WHERE name = 'b'")
        with streaming(address, after=BEGINNING, models=["a", "a2"]) as stream:
            assert stream.names(2) == ["a", "a2"]
        with streaming(address, after=BEGINNING, kinds=["DESCRIPTION_CHANGED"]) as stream:
            assert stream.names(1) == ["b"]


@pytest.mark.parametrize(
    ("query", "variables", "code", "message"),
    [
        (FOLLOW, {"kinds": ["NO"]}, "BAD_USER_INPUT", None),
        (
            FOLLOW,
            {"after": "nothing"},
            "BAD_USER_INPUT",
            "`after` is no event's ID; pass the `id` of an event as it was given.",
        ),
        (
            FOLLOW,
            {"after": encoded("RegistryEvent", 10**6)},
            "BAD_USER_INPUT",
            "`after` is no event of this store: it is later than the last one.",
        ),
    ],
)
def test_a_subscription_is_refused(empty, query, variables, code, message):
    """It is told in the stream, which is complete with that."""
    with served(app_of(empty)) as address, streaming(address, query, **variables) as stream:
        [error] = stream.answer()["errors"]
        rest = list(stream.parts())

    assert error["extensions"]["code"] == code
    assert message in (None, error["message"])
    assert rest == [{"event": "complete", "data": ""}]


def test_queries_and_mutations_are_answered(empty):
    """An operation that is no subscription has one answer, and is complete; the connection is kept."""
    change = 'mutation { createRegisteredModel(input: {name: "m"}) { errors { message } } }'
    with served(app_of(empty)) as address, httpx.Client(base_url=address) as client:
        asked = {"accept": "text/event-stream"}
        answers = [
            client.post("/graphql", json={"query": query}, headers=asked)
            for query in (change, '{ registeredModel(name: "m") { name } }')
        ]

    assert [answer.text for answer in answers] == [
        f"event: next\ndata: {data}\n\nevent: complete\ndata:\n\n"
        for data in (
            '{"data":{"createRegisteredModel":{"errors":[]}},"extensions":{"cost":{"requested":1,"actual":1}}}',
            '{"data":{"registeredModel":{"name":"m"}},"extensions":{"cost":{"requested":1,"actual":1}}}',
        )
    ]
    assert "connection" not in answers[-1].headers


def test_who_asks_for_the_headers_gets_them(empty):
    """HEAD is answered at once, and follows nothing."""
    app = app_of(empty)
    with served(app) as address:
        asked = {"params": {"query": FOLLOW}, "headers": {"accept": "text/event-stream"}}
        answer = httpx.head(f"{address}/graphql", **asked)

        assert answer.headers["content-type"] == HEADERS["content-type"]
        assert followers(app) == 0


def test_a_silent_stream_shows_that_it_lives(empty, monkeypatch):
    """Comments, which clients skip, keep proxies from taking it for dead."""
    monkeypatch.setattr(event_stream, "BEAT_S", 0.05)
    app = app_of(empty)
    with served(app) as address, streaming(address) as stream:
        assert [stream.part() for _ in range(3)] == [{"": ""}] * 3
        happens(lambda: followers(app) == 1)
        make(empty, "m")
        assert "m" in next(part for part in stream.parts() if part.get("event"))["data"]


async def test_nothing_is_left_of_who_is_gone(empty):
    """Fifty follow and go, while nothing happens: then nothing runs or waits for them any more."""
    app = app_of(empty)
    async with served_here(app) as address:
        await asyncio.to_thread(httpx.get, f"{address}/healthz")
        few = len(asyncio.all_tasks()) + 5  # the server has some that come and go
        async with httpx.AsyncClient(base_url=address, limits=httpx.Limits(max_connections=60)) as client:
            asked = client.build_request("POST", "/graphql", json={"query": FOLLOW})
            asked.headers["accept"] = "text/event-stream"
            responses = [await client.send(asked, stream=True) for _ in range(50)]
            await until(lambda: followers(app) == 50)
            for response in responses:
                await response.aclose()
        await until(lambda: len(asyncio.all_tasks()) <= few)

        assert feed_of(app)._waiting == {}
        assert app.state.streams._tasks == set()


def test_one_execution_for_all_who_ask_the_same(empty):
    """However many ask the same, an event is read once."""
    statements = []
    app = app_of(empty, observe=statements.append)
    with served(app) as address, ExitStack() as streams:
        query = "subscription { registryEvents { modelName model { name } } }"
        opened = [streams.enter_context(streaming(address, query)) for _ in range(30)]
        happens(lambda: followers(app) == 30)
        statements.clear()
        make(empty, "m")

        assert [stream.names(1) for stream in opened] == [["m"]] * 30

    assert len([each for each in statements if "registered_models" in each]) == 1
    assert len(statements) <= 10


def narrow(**options):
    """A place to listen that holds little of what is not read."""
    listener = listening("127.0.0.1", 0, **options)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
    return listener


def unread(address):
    """A stream of which nothing is read, through a connection that takes little before it is."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    made.connect(("127.0.0.1", int(address.rpartition(":")[2])))
    body = json.dumps({"query": LONG}).encode()
    head = (
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\ncontent-type: application/json\r\n"
    )
    made.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    return made


def describe(store, number):
    """Gives a model a long description."""
    change = "UPDATE registered_models SET description = :text WHERE name = 'm'"
    store.sql(change, text=f"{number:04}" + "x" * 4_000)


def everything(connection):
    """All that comes until the server ends it."""
    connection.settimeout(30)
    return b"".join(iter(lambda: connection.recv(2**16), b""))


def test_who_does_not_read_holds_up_nobody(empty, monkeypatch):
    """While one stops reading, another gets all; when it reads again it is told, and its stream is not complete."""
    monkeypatch.setattr(feed, "MAX_KEPT", 20)
    app = app_of(empty)
    make(empty, "m")
    with served(app, narrow()) as address, streaming(address, LONG) as fast, unread(address) as slow:
        happens(lambda: followers(app) == 2)
        for number in range(50):
            describe(empty, number)
            assert fast.answer()["data"]["registryEvents"]["a0"].startswith(f"{number:04}")
        slow.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        said = everything(slow).decode()

    told, _, after = said.partition('data: {"errors":[')
    assert '"code":"SLOW_CONSUMER"' in after
    assert "event: complete" not in after
    assert "\r\n0\r\n\r\n" in after  # the end of this answer, before that of the next one
    assert 0 < told.count("event: next") < 30


def test_who_never_reads_again_is_dropped(empty):
    """A stream that cannot be sent for a while is ended, and nothing of it is left."""
    app = app_of(empty)
    make(empty, "m")
    with served(app, narrow(unread_s=1)) as address, unread(address) as connection:
        happens(lambda: followers(app) == 1)
        for number in range(10):
            describe(empty, number)
        happens(lambda: not app.state.streams._tasks)

        assert httpx.get(f"{address}/healthz").text == "ok"
        with pytest.raises(ConnectionResetError):
            everything(connection)


def test_a_defect_is_masked(empty, monkeypatch, caplog):
    """What nobody foresaw is told as in any other answer: by an ID that is in the log."""

    async def broken():
        raise ConnectionError("the secret of the database")

    app = app_of(empty)
    with served(app) as address:
        monkeypatch.setattr(feed_of(app), "head", broken)
        with streaming(address) as stream:
            [error] = stream.answer()["errors"]

    assert error["extensions"]["code"] == "INTERNAL"
    assert "secret" not in str(error)
    assert error["extensions"]["id"] in caplog.text


def test_a_server_that_is_told_to_stop_ends_its_streams(empty):
    """They end at once and are not complete, so that clients connect again; no word of it is in the log."""
    with started("--backend-store-uri", empty.uri) as server, streaming(server.address, after=BEGINNING) as stream:
        make(empty, "m")
        assert stream.names(1) == ["m"]
        _, took_s = server.stop()

        assert list(stream.parts()) == []
        assert server.complaints == ""
    assert took_s < 2.5  # uvicorn would wait for 3 s, and then cancel


def test_a_stream_is_not_compressed(empty):
    """Not even where nothing but compressed answers are taken."""
    with served(app_of(empty)) as address:
        asked = {"accept": "text/event-stream", "accept-encoding": "gzip, identity;q=0"}
        answer = httpx.post(
            f"{address}/graphql", json={"query": "{ __schema { types { name description } } }"}, headers=asked
        )

    assert len(answer.content) > 10_000
    assert "content-encoding" not in answer.headers
