import asyncio
import json
import select
import socket
from contextlib import AsyncExitStack, suppress

import httpx
import pytest
import websockets

from lineage_api.api import websocket
from lineage_api.app import create_app
from lineage_api.commands.connections import WebSocket
from lineage_api.commands.serve import listening
from lineage_api.config import Settings
from lineage_api.graph.identity import encoded
from lineage_api.store import feed
from tests import stores
from tests.following import BEGINNING, CREATE, FOLLOW, connected, feed_of, followers, talking, until
from tests.servers import started
from tests.serving import served, served_here
from tests.stores import Store

DOCUMENT = "subscription ($after: ID) { registryEvents(after: $after) { modelName %s } }"
LONG = DOCUMENT % " ".join(f"a{n}: value" for n in range(10))
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


@pytest.fixture(scope="module")
def shared(templates, tmp_path_factory):
    """The address of a server that many tests talk to, and that goes on serving whatever they say."""
    with (
        stores.filled("sqlite", templates, tmp_path_factory.mktemp("websocket")) as store,
        served(app_of(store)) as address,
    ):
        store.registered_model("flights")
        yield address


async def made(store, *names):
    """Makes registered models, one after the other, beside the server."""
    for name in names:
        await asyncio.to_thread(store.sql, CREATE, n=name)


async def is_served(address):
    """Whether the server is there for others."""
    async with talking(address) as talk:
        await talk.ask("{ __typename }")
        return (await talk.heard())["payload"]["data"] == {"__typename": "Query"}


async def test_what_mlflow_does_is_told(store):
    """Whatever changes the registry, who follows it is told, with all that an event can be asked for."""
    app = app_of(store)
    with served(app) as address:
        async with talking(address) as talk:
            await talk.ask("subscription { registryEvents { kind modelName version toStage model { name } } }")
            await until(lambda: followers(app) == 1)
            await asyncio.to_thread(store.registered_model, "m")
            await asyncio.to_thread(store.version, "m", source="s3://bucket/m")
            await asyncio.to_thread(store.stage, "m", 1, "Production")
            told = [await talk.event() for _ in range(3)]

    model = {"name": "m"}
    assert told == [
        {"kind": "MODEL_CREATED", "modelName": "m", "version": None, "toStage": None, "model": model},
        {"kind": "VERSION_REGISTERED", "modelName": "m", "version": 1, "toStage": None, "model": model},
        {"kind": "STAGE_CHANGED", "modelName": "m", "version": 1, "toStage": "PRODUCTION", "model": model},
    ]


async def test_who_was_away_misses_nothing(store):
    """A connection is lost, two things happen, another one goes on after the last event: both come, once, in order."""
    with served(app_of(store)) as address:
        async with talking(address) as talk:
            await talk.follow(after=BEGINNING)
            await made(store, "a")
            last = await talk.event()
            talk.socket.transport.abort()
        await made(store, "b", "c")
        async with talking(address) as talk:
            await talk.follow(after=last["id"])
            assert await talk.names(2) == ["b", "c"]
            await made(store, "d")
            assert await talk.names(1) == ["d"]


async def test_two_servers_tell_the_same(store):
    """Behind one store, whatever process is asked tells the same events in the same order."""
    place = ("--backend-store-uri", store.uri)
    with started(*place) as first, started(*place) as second:
        async with talking(first.address) as one, talking(second.address) as other:
            await one.follow(after=BEGINNING)
            await other.follow(after=BEGINNING)
            await asyncio.gather(made(store, *"abcde"), made(store, *"vwxyz"))
            told = [await one.event() for _ in range(10)]

            assert [await other.event() for _ in range(10)] == told

    assert sorted(event["modelName"] for event in told) == list("abcdevwxyz")


async def test_only_what_is_wanted_is_told(empty):
    """Subscriptions on one connection get what each of them asks for."""
    with served(app_of(empty)) as address:
        async with talking(address) as talk:
            await made(empty, "a", "b")
            empty.sql("UPDATE registered_models SET description = 'new' WHERE name = 'b'")
            await talk.follow("models", after=BEGINNING, models=["a"])
            assert (await talk.event("models"))["modelName"] == "a"
            await talk.follow("kinds", after=BEGINNING, kinds=["DESCRIPTION_CHANGED"])
            assert (await talk.event("kinds"))["modelName"] == "b"
            await made(empty, "c")
            empty.sql("UPDATE registered_models SET description = 'new' WHERE name = 'a'")
            assert {(heard := await talk.heard())["id"], (await talk.heard())["id"]} == {"models", "kinds"}

    assert heard["payload"]["data"]["registryEvents"]["modelName"] == "a"


async def test_queries_and_mutations_are_answered(shared):
    """An operation that is no subscription has one answer, and is complete."""
    async with talking(shared) as talk:
        await talk.ask("query Named($n: String!) { registeredModel(name: $n) { name } }", "q", n="flights")
        assert await talk.heard() == {
            "type": "next",
            "id": "q",
            "payload": {
                "data": {"registeredModel": {"name": "flights"}},
                "extensions": {"cost": {"requested": 1, "actual": 1}},
            },
        }
        assert await talk.heard() == {"type": "complete", "id": "q"}

        change = (
            'mutation { createRegisteredModel(input: {name: "new"}) { registeredModel { name } errors { message } } }'
        )
        await talk.ask(change, "q")
        told = (await talk.heard())["payload"]["data"]["createRegisteredModel"]
        assert told == {"registeredModel": {"name": "new"}, "errors": []}
        assert await talk.heard() == {"type": "complete", "id": "q"}


@pytest.mark.parametrize(
    ("payload", "code", "message"),
    [
        ({"query": "{"}, "GRAPHQL_PARSE_FAILED", "Syntax Error: Expected Name, found <EOF>."),
        ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED", "Cannot query field 'nothing' on type 'Query'."),
        ({"query": FOLLOW, "variables": {"kinds": ["NO"]}}, "BAD_USER_INPUT", None),
        ({"query": ""}, "BAD_USER_INPUT", "`query` must be a GraphQL document."),
        ({"query": "{ __typename }", "variables": []}, "BAD_USER_INPUT", "`variables` must be a JSON object."),
        (
            {"query": FOLLOW, "variables": {"after": "nothing"}},
            "BAD_USER_INPUT",
            "`after` is no event's ID; pass the `id` of an event as it was given.",
        ),
        (
            {"query": FOLLOW, "variables": {"after": encoded("RegistryEvent", 10**6)}},
            "BAD_USER_INPUT",
            "`after` is no event of this store: it is later than the last one.",
        ),
    ],
)
async def test_an_operation_is_refused(shared, payload, code, message):
    """What is wrong with it is told; others on the connection go on, and its ID is free again."""
    async with talking(shared) as talk:
        await talk.say(id="1", type="subscribe", payload=payload)
        refusal = await talk.refusal()

        assert refusal["extensions"]["code"] == code
        assert message in (None, refusal["message"])

        await talk.ask("{ __typename }")
        assert (await talk.heard())["type"] == "next"


DEEP = '{"type":"ping","payload":{"a":' + "[" * 500 + "]" * 500 + "}}"


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b'{"type":"ping"}', "A message must be text."),
        ("", "A message must be JSON."),
        ("{", "A message must be JSON."),
        ('{"type":"ping","payload":{"a":"\\ud800"}}', "A message must be JSON."),
        ("[" * 100_000, "A message must be JSON."),
        (DEEP, "This is nested too deeply."),
        ("[]", "A message must be a JSON object."),
        ("null", "A message must be a JSON object."),
        ("{}", "The type of a message must be one of the protocol's."),
        ('{"type":"start"}', "The type of a message must be one of the protocol's."),
        ('{"type":["ping"]}', "The type of a message must be one of the protocol's."),
        ('{"type":"ping","payload":[]}', "A payload must be a JSON object."),
        ('{"type":"pong","payload":1}', "A payload must be a JSON object."),
        ('{"type":"connection_init","payload":"token"}', "A payload must be a JSON object."),
        ('{"type":"complete"}', "The ID of an operation must be a text of 1 to 256 characters."),
        ('{"type":"subscribe","id":1}', "The ID of an operation must be a text of 1 to 256 characters."),
        ('{"type":"subscribe","id":""}', "The ID of an operation must be a text of 1 to 256 characters."),
        (
            '{"type":"subscribe","id":"%s"}' % ("i" * 257),
            "The ID of an operation must be a text of 1 to 256 characters.",
        ),
        ('{"type":"subscribe","id":"1"}', "The payload of `subscribe` must be an object."),
        ('{"type":"subscribe","id":"1","payload":"{ __typename }"}', "A payload must be a JSON object."),
    ],
)
async def test_who_sends_nonsense_is_sent_away(shared, frame, reason, caplog):
    """The code is 4400, the reason says what is wrong; the log has nothing, and the server is there for others."""
    async with talking(shared) as talk:
        await talk.socket.send(frame)
        assert await talk.closed() == (4400, reason)

    assert await is_served(shared)
    assert caplog.records == []


async def test_text_must_be_utf_8(shared, caplog):
    """Bytes that are none are no reason for a traceback."""
    async with talking(shared) as talk:
        await talk.socket.send(b"\xff", text=True)
        assert await talk.closed() == (4400, "A message must be text.")

    assert caplog.records == []


HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
)


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (b"graphql-transport", b"graphql \xff transport"),
        (b"dGhl", b"\xff\xff\xff\xff"),
        (b"websocket\r", b"web\xffsocket\r"),
        (b"Upgrade\r", b"Up\xffgrade\r"),
        (b"13\r", b"\xff\r"),
        (b"/graphql HTTP", b"/graphql?\xff HTTP"),
    ],
    ids=["subprotocol", "key", "upgrade", "connection", "version", "path"],
)
async def test_a_handshake_that_is_no_text(empty, said, instead, caplog):
    """It leads to nothing, nothing is logged of it but that it was none, and the server still stops as it should."""
    assert said in HANDSHAKE
    with served(app_of(empty)) as address:
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=30) as connection:
            connection.sendall(HANDSHAKE.replace(said, instead))
            answer = await asyncio.to_thread(connection.recv, 1_000)
        assert await is_served(address)

    assert b" 101 " not in answer
    assert [record.exc_info for record in caplog.records if record.exc_info] == []


async def test_a_message_is_not_too_long(shared, caplog):
    """One of 256 KiB is read, a longer one is not, nor one that comes in pieces."""
    message = json.dumps({"type": "ping", "payload": {"a": ""}})
    async with talking(shared) as talk:
        await talk.socket.send(message.replace('""', f'"{"a" * (2**18 - len(message))}"'))
        assert (await talk.heard())["type"] == "pong"
        await talk.socket.send("x" * 300_000)
        assert (await talk.closed())[0] == 1009
    async with talking(shared) as talk:
        await talk.socket.send(["x" * 100_000] * 3)
        assert (await talk.closed())[0] == 1009

    assert await is_served(shared)
    assert caplog.records == []


@pytest.mark.parametrize("spoken", [None, ["graphql-ws"]])
async def test_only_one_subprotocol_is_spoken(shared, spoken):
    """Who speaks another one, such as the one before, is told that with 4406."""
    async with connected(shared, subprotocols=spoken) as talk:
        assert await talk.closed() == (4406, "Only the subprotocol graphql-transport-ws is spoken here.")


async def test_who_says_nothing_is_sent_away(shared, monkeypatch):
    """A connection has to begin in time; pings do not count."""
    monkeypatch.setattr(websocket, "INIT_TIME_LIMIT_S", 0.2)
    async with connected(shared) as talk:
        await talk.say(type="ping")
        assert await talk.heard() == {"type": "pong"}
        assert await talk.closed() == (4408, "Connection initialisation timeout")


async def test_who_has_begun_may_be_silent(shared, monkeypatch):
    """The time in which a connection has to begin ends nothing after it."""
    monkeypatch.setattr(websocket, "INIT_TIME_LIMIT_S", 0.2)
    async with talking(shared) as talk, connected(shared) as later:
        await later.closed()
        await talk.say(type="ping", payload={"still": "here"})
        assert await talk.heard() == {"type": "pong", "payload": {"still": "here"}}


async def test_a_connection_begins_once(shared):
    """A second beginning closes it."""
    async with talking(shared) as talk:
        await talk.say(type="connection_init", payload={})
        assert await talk.closed() == (4429, "Too many initialisation requests")


async def test_nothing_is_answered_before_the_beginning(shared):
    """Whoever asks too early is sent away."""
    async with connected(shared) as talk:
        await talk.ask("{ __typename }")
        assert await talk.closed() == (4401, "Unauthorized")


@pytest.mark.parametrize("id_", ["1", "é" * 200], ids=["short", "long"])
async def test_an_id_is_used_once_at_a_time(shared, id_):
    """The same again closes the connection, with a reason that fits into a frame."""
    async with talking(shared) as talk:
        await talk.follow(id_)
        await talk.follow(id_)
        code, reason = await talk.closed()

    assert code == 4409
    assert f"Subscriber for {id_} already exists".startswith(reason)
    assert len(reason) > 50 or reason.endswith("exists")


async def test_not_too_much_runs_on_one_connection(shared):
    """One operation more is refused, and only that; where one is ended there is room for another."""
    async with talking(shared) as talk:
        for number in range(20):
            await talk.follow(f"{number}")
        await talk.follow("more")
        assert await talk.refusal("more") == {
            "message": "At most 20 operations of a connection run at the same time.",
            "extensions": {"code": "TOO_COMPLEX"},
        }
        await talk.say(id="7", type="complete")
        await talk.ask("{ __typename }", "more")
        assert (await talk.heard())["payload"]["data"] == {"__typename": "Query"}


async def test_who_has_enough_is_told_no_more(empty):
    """After `complete` nothing comes; the ID can be used again at once, and ending what does not run is no mistake."""
    app = app_of(empty)
    with served(app) as address:
        async with talking(address) as talk:
            await talk.say(id="1", type="complete")
            await talk.follow("1", models=["old"])
            await talk.follow("other")
            await until(lambda: followers(app) == 2)
            await talk.say(id="1", type="complete")
            await talk.follow("1", models=["new"])
            await until(lambda: any("new" in (each.models or ()) for each in list(feed_of(app)._waiting)))
            await made(empty, "old", "new")
            heard = [await talk.heard() for _ in range(3)]
            await until(lambda: followers(app) == 2)

    told = [(each["id"], each["payload"]["data"]["registryEvents"]["modelName"]) for each in heard]
    assert sorted(told) == [("1", "new"), ("other", "new"), ("other", "old")]


async def test_nothing_is_left_of_who_is_gone(empty):
    """Fifty come and follow; some say good-bye, some just go: then nothing runs or waits for them any more."""
    app = app_of(empty)
    async with served_here(app) as address:
        await asyncio.to_thread(httpx.get, f"{address}/healthz")
        few = len(asyncio.all_tasks()) + 5  # the server has some that come and go
        async with AsyncExitStack() as connections:
            talks = [await connections.enter_async_context(talking(address)) for _ in range(50)]
            for talk in talks:
                await talk.follow("all")
                await talk.follow("some", models=["m"])
            await until(lambda: followers(app) == 100)
            for talk in talks[::2]:
                talk.socket.transport.abort()
        await until(lambda: len(asyncio.all_tasks()) <= few)

        assert feed_of(app)._waiting == {}
        assert await is_served(address)


async def test_one_execution_for_all_who_ask_the_same(empty):
    """However many ask the same, an event is read once."""
    statements = []
    app = app_of(empty, observe=statements.append)
    with served(app) as address:
        async with AsyncExitStack() as connections:
            talks = [await connections.enter_async_context(talking(address)) for _ in range(30)]
            for talk in talks:
                await talk.ask("subscription { registryEvents { kind model { name } } }")
            await until(lambda: followers(app) == 30)
            statements.clear()
            await made(empty, "m")
            told = [await talk.event() for talk in talks]

    assert told == [{"kind": "MODEL_CREATED", "model": {"name": "m"}}] * 30
    assert len([each for each in statements if "registered_models" in each]) == 1
    assert len(statements) <= 10


def narrow(**options):
    """A place to listen that holds little of what is not read."""
    listener = listening("127.0.0.1", 0, **options)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
    return listener


def narrow_socket(address):
    """A connection that takes little before it is read."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    made.connect(("127.0.0.1", int(address.rpartition(":")[2])))
    made.setblocking(False)
    return made


def is_cut_off(connection):
    """Whether the other side has none of it any more, as who sends something is told."""
    poll = select.poll()
    poll.register(connection.transport.get_extra_info("socket").fileno(), 0)
    return any(what & select.POLLHUP for _, what in poll.poll(0))


async def describe(store, count):
    """Gives a model a long description, again and again."""
    for number in range(count):
        change = "UPDATE registered_models SET description = :text WHERE name = 'm'"
        await asyncio.to_thread(store.sql, change, text=f"{number:04}" + "x" * 4_000)
        yield number


async def test_who_does_not_read_holds_up_nobody(empty, monkeypatch):
    """While one stops reading, another gets all; when it reads again, it is closed with 1013 and can go on after."""
    monkeypatch.setattr(feed, "MAX_KEPT", 20)
    app = app_of(empty)
    with served(app, narrow()) as address:
        await made(empty, "m")
        async with talking(address) as fast, talking(address, sock=narrow_socket(address), max_queue=1) as slow:
            for talk in (fast, slow):
                await talk.ask(LONG)
            await until(lambda: followers(app) == 2)
            async for number in describe(empty, 50):
                assert (await fast.event())["a0"].startswith(f"{number:04}")
            told = []
            with suppress(websockets.ConnectionClosed):
                while len(told) < 50:
                    told.append((await slow.event())["a0"][:4])

        assert await slow.closed() == (1013, "SLOW_CONSUMER: ask again with `after`")
        assert told == [f"{number:04}" for number in range(len(told))]
        assert len(told) < 30


async def test_who_never_reads_again_is_dropped(empty):
    """Nothing is kept for it, neither by us nor by what is below; a ping that it does not answer would not do."""
    app = app_of(empty)
    with served(app, narrow(unread_s=1)) as address:
        await made(empty, "m")
        often = {"ping_interval": 0.2, "ping_timeout": None}
        async with talking(address, sock=narrow_socket(address), max_queue=1, close_timeout=0.1, **often) as talk:
            await talk.ask(LONG)
            await until(lambda: followers(app) == 1)
            async for _ in describe(empty, 10):
                pass
            await until(lambda: followers(app) == 0)  # it waits for the client, not for events
            assert await is_served(address)
            await until(lambda: is_cut_off(talk.socket))


async def test_pings_of_who_does_not_read_are_not_answered(empty, monkeypatch):
    """Their answers would be kept, as many as somebody likes to send."""
    seen, app = [], app_of(empty)
    handle = WebSocket.handle_ping
    monkeypatch.setattr(WebSocket, "handle_ping", lambda self: (seen.append(self), handle(self)))
    with served(app, narrow()) as address:
        await made(empty, "m")
        async with talking(address, sock=narrow_socket(address), max_queue=1) as talk:
            await talk.ask(LONG)
            await until(lambda: followers(app) == 1)
            async for _ in describe(empty, 10):
                pass
            pongs = [await talk.socket.ping(f"{number:0125}") for number in range(5_000)]
            await until(lambda: len(seen) == 5_000)
            await talk.say(type="ping")
            while (await talk.heard())["type"] != "pong":
                pass

            assert sum(pong.done() for pong in pongs) < 2_000


async def test_a_defect_is_masked(empty, monkeypatch, caplog):
    """What nobody foresaw is told as on HTTP: by an ID that is in the log; the connection lives on."""
    app = app_of(empty)
    with served(app) as address:
        async with talking(address) as talk:
            monkeypatch.setattr(feed_of(app), "head", broken)
            await talk.follow()
            refusal = await talk.refusal()
            assert refusal["extensions"]["code"] == "INTERNAL"
            assert "secret" not in str(refusal)
            assert refusal["extensions"]["id"] in caplog.text

            await talk.ask("{ __typename }")
            assert (await talk.heard())["type"] == "next"


async def broken():
    raise ConnectionError("the secret of the database")


async def test_a_server_that_is_told_to_stop_says_so(empty):
    """It closes with 1012, so that clients come again, and is gone in time; no word of it is in the log."""
    with started("--backend-store-uri", empty.uri) as server:
        async with talking(server.address) as talk:
            await talk.follow(after=BEGINNING)
            await made(empty, "m")
            await talk.event()
            code, took_s = await asyncio.to_thread(server.stop)
            assert (await talk.closed())[0] == 1012

        assert server.complaints == ""
    assert code == 0
    assert took_s < 5
