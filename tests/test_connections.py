"""Who sends what nobody should: heads without end, requests that never arrive, handshakes that nobody would answer."""

import asyncio
import gc
import socket
import threading
import time
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from lineage_api.app import create_app
from lineage_api.commands import connections
from lineage_api.commands.connections import MAX_HEAD_BYTES, MAX_WAITING
from lineage_api.commands.serve import TAKEN_AT_ONCE
from lineage_api.config import Settings
from tests.following import talking
from tests.serving import bare, served

GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nhost: localhost\r\n"
OK = b"HTTP/1.1 200 OK"
TOO_LONG = b"HTTP/1.1 431 "
UPGRADE = b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"


@pytest.fixture
def address():
    """A server that says how much it was sent."""

    async def counted(request):
        return PlainTextResponse(str(len(await request.body())))

    with served(bare(Route("/", counted, methods=["GET", "POST"]))) as address:
        yield address


@contextmanager
def connection(address):
    """A connection to it."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connected:
        yield connected


def answered(connected, *parts):
    """All that is answered until the server closes the connection, or the first answer has come."""

    def send():
        try:
            for part in parts:
                connected.sendall(part)
        except OSError:
            pass  # it was closed meanwhile

    sending = threading.Thread(target=send)
    sending.start()
    heard = b""
    try:
        while not heard.endswith(b"\r\n\r\n0") and (more := connected.recv(2**16)):
            heard += more
    except ConnectionResetError:
        pass
    sending.join()
    return heard


def test_a_head_may_be_long(address):
    """As browsers with many cookies send it."""
    with connection(address) as connected:
        long = b"cookie: " + b"a" * (MAX_HEAD_BYTES - 1_000) + b"\r\n\r\n"
        for _ in range(3):
            assert answered(connected, GET + long).startswith(OK)


@pytest.mark.parametrize(
    "parts",
    [
        [GET + b"a: ", *[b"b" * 2**16] * 20],
        [GET, *[b"a: b\r\n" * 10_000] * 20],
        [b"GET /", *[b"a" * 2**16] * 20],
        [POST + b"transfer-encoding: chunked\r\n\r\n0\r\n", *[b"a: b\r\n" * 10_000] * 20],
    ],
    ids=["one header", "many headers", "the address", "after the body"],
)
def test_a_head_without_end(address, parts):
    """It is refused at some point."""
    with connection(address) as connected:
        heard = answered(connected, *parts)
    assert TOO_LONG in heard or heard.startswith(b"HTTP/1.1 400")


def test_a_body_is_no_head(address):
    """However long it is, and in whatever pieces it comes."""
    with connection(address) as connected:
        chunks = [b"10000\r\n" + b"a" * 2**16 + b"\r\n"] * 20
        parts = [POST + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n", *chunks, b"0\r\n\r\n"]
        heard = answered(connected, *parts)
    assert heard.startswith(OK)
    assert heard.endswith(str(20 * 2**16).encode())


def test_nothing_is_said_to_who_was_left(capsys):
    """Nor does the first of too many requests fail because of that, when it is answered."""
    come, go_on, done = threading.Event(), threading.Event(), threading.Event()

    async def slow(_):
        come.set()
        await asyncio.to_thread(go_on.wait)
        asyncio.get_running_loop().call_later(0.1, done.set)
        return PlainTextResponse("late")

    with served(bare(Route("/", slow))) as address:
        with connection(address) as connected:
            connected.sendall((GET + b"\r\n") * (MAX_WAITING + 2))
            assert come.wait(20)
            assert connected.recv(1) == b""
        go_on.set()
        assert done.wait(20)
    assert capsys.readouterr().err == ""


def test_whoever_has_gone_leaves_nothing_behind(store):
    """Nothing is kept until the garbage is collected, which takes minutes, and with it what was sent last."""
    app = create_app(Settings(backend_store_uri=store.uri))
    with served(app) as address:
        asyncio.run(asked(address))
        gc.collect()
        gc.disable()
        try:
            asyncio.run(asked(address))
            is_over = time.monotonic() + 5
            while there_are() and time.monotonic() < is_over:
                time.sleep(0.1)
            assert there_are() == []
        finally:
            gc.enable()


def there_are():
    """What is there of connections and requests."""
    kinds = {"Requests", "WebSocket", "ServerProtocol", "RequestResponseCycle", "Place"}
    return [type(each).__name__ for each in gc.get_objects() if type(each).__name__ in kinds]


async def asked(address):
    """Has asked over HTTP and by WebSockets, and has gone, also before there was an answer."""
    async with httpx.AsyncClient() as http:
        for query in ("{ runs(first: 1) { totalCount } }", "{ nothing }", "{"):
            await http.post(f"{address}/graphql", json={"query": query})
    for waits, says_so in ((True, True), (True, False), (False, True)):
        async with talking(address) as talk:
            await talk.ask("{ __typename }")
            if waits:
                await talk.heard()
            if not says_so:
                talk.socket.transport.abort()


def test_requests_behind_each_other(address):
    """Some are answered one after the other; who sends thousands before he reads is left."""
    request = GET + b"\r\n"
    for count, is_answered in ((MAX_WAITING // 2, True), (5_000, False)):
        with connection(address) as connected:
            connected.sendall(request * count + GET + b"connection: close\r\n\r\n")
            heard = b""
            while more := received(connected):
                heard += more
        assert (heard.count(OK) == count + 1) is is_answered


def received(connected):
    """What comes next; nothing where the connection is closed, in whatever way."""
    try:
        return connected.recv(2**16)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize(
    "begun",
    [b"", b"GE", GET, POST + b"content-length: 10\r\n\r\n12345", POST + b"transfer-encoding: chunked\r\n\r\n"],
    ids=["nothing", "a method", "half a head", "half a body", "no chunk"],
)
def test_a_request_that_never_arrives(monkeypatch, address, begun):
    """The connection is closed after a while."""
    monkeypatch.setattr(connections, "ARRIVAL_S", 0.2)
    with connection(address) as connected:
        connected.sendall(begun)
        assert received(connected) == b""


def test_a_request_that_arrives_later(monkeypatch, address):
    """It is answered: only those that are arriving have to hurry."""
    with connection(address) as connected:
        assert answered(connected, GET + b"\r\n").startswith(OK)
        monkeypatch.setattr(connections, "ARRIVAL_S", 0.0)
        assert answered(connected, GET + b"\r\n").startswith(OK)


@pytest.mark.parametrize(
    "more",
    [b"sec-websocket-protocol: " + b"a, " * 5_000 + b"b\r\n", b"a: b\r\n" * 200],
    ids=["a long header", "many headers"],
)
def test_handshakes_that_nobody_would_answer(address, more):
    """websockets would say nothing and wait."""
    key = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    with connection(address) as connected:
        connected.sendall(GET + UPGRADE + key + more + b"\r\n")
        heard = b""
        while part := received(connected):
            heard += part
    assert heard.startswith(TOO_LONG)


@pytest.mark.parametrize(
    ("method", "body"), [(b"POST", b""), (b"GET", b"content-length: 3\r\n\r\nabc"), (b"GET", b"content-length: 3\r\n")]
)
def test_what_is_no_handshake(address, method, body):
    """It is refused, and the connection is closed."""
    key = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    with connection(address) as connected:
        connected.sendall(method + GET.removeprefix(b"GET") + UPGRADE + key + body + b"\r\n")
        heard = b""
        while part := received(connected):
            heard += part
    assert heard.startswith(b"HTTP/1.1 400 ")


def test_many_who_come_while_much_is_asked():
    """They are taken several at a time, and not one for each question of others."""
    busy = 0

    async def long(_):
        nonlocal busy
        busy += 1
        time.sleep(0.02)  # noqa: ASYNC251 - on the loop: a turn of it takes that long
        return PlainTextResponse("done")

    async def told(_):
        return PlainTextResponse(str(busy))

    app = bare(Route("/long", long), Route("/told", told))
    is_over = threading.Event()

    def ask_again_and_again():
        with connection(address) as others:
            while not is_over.is_set():
                others.sendall(b"GET /long HTTP/1.1\r\nhost: localhost\r\n\r\n")
                others.recv(1000)

    with served(app) as address, ExitStack() as stack:
        asking = [threading.Thread(target=ask_again_and_again) for _ in range(2)]
        for each in asking:
            each.start()
        while busy < 5:
            time.sleep(0.01)
        before = busy
        crowd = [stack.enter_context(connection(address)) for _ in range(TAKEN_AT_ONCE * 3)]
        for each in crowd:
            each.sendall(b"GET /told HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        last = max(int(_all(each).rpartition(b"\r\n\r\n")[2]) for each in crowd)
        is_over.set()
        for each in asking:
            each.join()

    assert last - before < len(crowd) / 2


def _all(connected):
    heard = b""
    while more := connected.recv(2**16):
        heard += more
    return heard
