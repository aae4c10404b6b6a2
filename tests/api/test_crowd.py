"""A crowd for which there is no room: who is refused at once, and who is left to those who read requests."""

import asyncio
import json
import socket
import time
from contextlib import asynccontextmanager, contextmanager, suppress

import httptools
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lineage_api.api import admission, crowd
from lineage_api.api.admission import Places
from lineage_api.api.crowd import Crowd
from lineage_api.api.executor import Executor, question_of
from lineage_api.api.trusted import TrustedDocuments
from lineage_api.app import create_app
from lineage_api.commands.connections import Requests
from lineage_api.commands.serve import listening
from lineage_api.config import Settings
from tests.api.slow import SLOW, make_slow
from tests.following import until
from tests.serving import served, served_here

GRAPHQL, JSON = "application/graphql-response+json", "application/json"
BODY = b'{"query": "{ __typename }"}'
HOST = b"Host: localhost"
TYPE = b"Content-Type: application/json"


def posted(body=BODY, *headers, first=b"POST /graphql HTTP/1.1", length=None):
    """A request as most clients send it, unless other headers are given."""
    lines = [first, *(headers or (HOST, TYPE)), b"Content-Length: %d" % (len(body) if length is None else length)]
    return b"\r\n".join([*lines, b"", body])


class Full:
    """What has no room for any query."""

    is_waited_for = True
    trusted = TrustedDocuments({"known": "{ __typename }"})

    def question(self, parameters, caller):
        """What is asked."""
        return question_of(parameters, self.trusted, caller)

    def lets_in(self, question):
        """Nobody but who changes something."""
        return "mutation" in question.query


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, JSON),
        ("*/*", JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON};q=0.1", GRAPHQL),
        (JSON, JSON),
    ],
)
def test_what_most_clients_send(accept, media_type):
    """It is told in the form that is asked for, whatever else they say of themselves."""
    more = [b"User-Agent: a", b"authorization: Bearer x", b"x-forwarded-for: 1.2.3.4"]
    more += [] if accept is None else [b"accept: " + accept.encode()]
    refusal = Crowd(Full()).refusal(posted(BODY, HOST, b"content-type: application/json; charset=utf-8", *more))
    assert (refusal.status_code, refusal.headers["retry-after"]) == (503, "1")
    assert refusal.headers["content-type"] == f"{media_type}; charset=utf-8"


def test_a_trusted_document():
    """It is refused as well; an ID that is not known is left to be."""
    assert Crowd(Full()).refusal(posted(b'{"documentId": "known"}'))
    assert Crowd(Full()).refusal(posted(b'{"documentId": "unknown"}')) is None


LEFT = {
    "a change": posted(b'{"query": "mutation { __typename }"}'),
    "another method": posted(first=b"PUT /graphql HTTP/1.1"),
    "another path": posted(first=b"POST /graphql/ HTTP/1.1"),
    "HTTP/1.0": posted(first=b"POST /graphql HTTP/1.0"),
    "no such line": posted(first=b"POST  /graphql HTTP/1.1"),
    "a part of a body": posted(length=len(BODY) + 1),
    "more than a body": posted(length=len(BODY) - 1),
    "two requests": posted() * 2,
    "a part of a head": posted().partition(b"\r\n\r\n")[0],
    "a head": posted(b"", length=len(BODY)),
    "no length": posted().replace(b"Content-Length", b"Length"),
    "two lengths": posted(BODY, HOST, TYPE, b"Content-Length: %d" % len(BODY)),
    "a length that is none": posted().replace(b"Length: ", b"Length: +"),
    "a length with a zero": posted().replace(b"Length: ", b"Length: 0"),
    "chunks": posted(BODY, HOST, TYPE, b"Transfer-Encoding: chunked"),
    "who waits for 100": posted(BODY, HOST, TYPE, b"Expect: 100-continue"),
    "who leaves": posted(BODY, HOST, TYPE, b"Connection: close"),
    "an upgrade": posted(BODY, HOST, TYPE, b"Connection: upgrade", b"Upgrade: h2c"),
    "a page": posted(BODY, HOST, TYPE, b"Origin: https://there.example"),
    "another site": posted(BODY, HOST, TYPE, b"Sec-Fetch-Site: cross-site"),
    "who accepts a stream": posted(BODY, HOST, TYPE, b"Accept: text/event-stream"),
    "who accepts nothing": posted(BODY, HOST, TYPE, b"Accept: text/csv"),
    "a folded header": posted(BODY, HOST, TYPE, b"a: b\r\n c"),
    "a line that ends otherwise": posted(BODY, HOST, TYPE, b"a: b\nTransfer-Encoding: chunked"),
    "a name with a space": posted(BODY, HOST, TYPE, b"a : b"),
    "no name": posted(BODY, HOST, TYPE, b": b"),
    "a control character": posted(BODY, HOST, TYPE, b"a: \x00"),
    "another type": posted(BODY, HOST, b"Content-Type: text/plain"),
    "another charset": posted(BODY, HOST, b"Content-Type: application/json; charset=latin1"),
    "a compressed body": posted(BODY, HOST, TYPE, b"Content-Encoding: gzip"),
    "no JSON": posted(b"{"),
    "no object": posted(b"[]"),
    "no document": posted(b'{"query": 1}'),
    "no variables": posted(b'{"query": "{ a }", "variables": 1}'),
}


@pytest.mark.parametrize("request_", LEFT.values(), ids=LEFT)
def test_what_is_left_to_those_who_read_requests(request_):
    """Whatever is not one query as most clients send it."""
    assert Crowd(Full()).refusal(request_) is None


def test_nothing_is_looked_at_while_nobody_waits():
    """Then there is room."""
    full = Full()
    full.is_waited_for = False
    assert Crowd(full).refusal(posted()) is None


def test_heads_are_not_kept(monkeypatch):
    """No token is, nor more than so many hashes."""
    monkeypatch.setattr(crowd, "MAX_HEADS", 3)
    one = Crowd(Full())
    for number in range(10):
        assert one.refusal(posted(BODY, HOST, TYPE, b"authorization: Bearer %d" % number))
        assert len(one._accepted) <= 3
    assert {type(key) for key in one._accepted} == {int}


class Parsed:
    """What a parser of requests makes of some bytes."""

    def __init__(self, data):
        self.url, self.body, self.complete, self.headers = b"", b"", 0, []
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(data)

    def on_url(self, url):
        """A part of the address."""
        self.url += url

    def on_header(self, name, value):
        """One header."""
        self.headers.append((name.lower(), value))

    def on_body(self, body):
        """A part of the body."""
        self.body += body

    def on_message_complete(self):
        """A request has ended."""
        self.complete += 1


PIECES = [
    *(b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\x00", b"0", b"\r\n\r\n", b"\xff", b"content-length: 27\r\n"),
    *(b"transfer-encoding: chunked\r\n", b"connection: close\r\n", b"expect: 100-continue\r\n", b"upgrade: x\r\n"),
]


@given(st.lists(st.tuples(st.integers(0, 150), st.integers(0, 3), st.sampled_from(PIECES)), max_size=3))
@example([])
def test_whoever_is_refused_sent_one_whole_request(mutations):
    """As the parser reads it that would have had it."""
    data = posted()
    for at, removed, piece in mutations:
        data = data[:at] + piece + data[at + removed :]
    if Crowd(Full()).refusal(data):
        parsed = Parsed(data)
        assert (parsed.complete, parsed.url, parsed.parser.get_method()) == (1, b"/graphql", b"POST")
        assert parsed.body == data.partition(b"\r\n\r\n")[2]
        assert parsed.parser.should_keep_alive()
        assert not parsed.parser.should_upgrade()


async def test_so_many_are_let_in_as_there_is_room_for():
    """Of those that come in one turn of the loop; in the next one it is seen who has asked for a place."""
    places = Places(1, 2, None)
    assert [places.lets_in() for _ in range(4)] == [True, True, True, False]
    await asyncio.sleep(0)
    assert places.lets_in()
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(places.take()) for _ in range(2)]
    await asyncio.sleep(0)
    assert [places.lets_in() for _ in range(2)] == [True, False]
    waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert [places.lets_in() for _ in range(3)] == [True, True, False]


@asynccontextmanager
async def busy(store, monkeypatch):
    """The address of a server that has no room, and how many requests it has read."""
    monkeypatch.setattr(admission, "LONG_S", 600)
    read, kind = [], Executor.kind

    async def counted(self, question):
        read.append(question)
        return await kind(self, question)

    make_slow(store)
    app = create_app(Settings(backend_store_uri=store.uri, max_running=1, max_waiting=1, time_limit_s=600))
    async with served_here(app) as address, httpx.AsyncClient(base_url=address, timeout=60) as http:
        places = app.state.executor._running._admission.queries._places
        slow = []
        for is_so in (lambda: not places._free, lambda: places.is_waited_for):
            slow.append(asyncio.create_task(http.post("/graphql", json={"query": SLOW})))
            await until(is_so)
        monkeypatch.setattr(Executor, "kind", counted)
        yield address, read
        for each in slow:
            each.cancel()


class Raw:
    """A connection on which bytes are sent as they are."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, address):
        """A new one."""
        host, port = address.removeprefix("http://").split(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def answer(self, *parts):
        """What is answered to some bytes, sent one after the other: the head without its date, and the body."""
        for part in parts:
            self.writer.write(part)
            await asyncio.sleep(0.05 if len(parts) > 1 else 0)
        async with asyncio.timeout(30):
            head = await self.reader.readuntil(b"\r\n\r\n")
            lines = head.decode().split("\r\n")[:-2]
            length = next(line.partition(": ")[2] for line in lines if line.startswith("content-length"))
            return sorted(each for each in lines if not each.startswith("date")), await self.reader.read(int(length))


async def test_it_is_answered_as_whatever_is_read(store, monkeypatch):
    """With the same head and body, again and again on one connection, but nothing is made of the request."""
    async with busy(store, monkeypatch) as (address, read):
        for accept in ((), (b"Accept: " + GRAPHQL.encode(),)):
            request, connection = posted(BODY, HOST, TYPE, *accept), await Raw.to(address)
            answers = [await connection.answer(request) for _ in range(3)]
            assert read == []
            answers += [await connection.answer(request[:20], request[20:])]
            assert len(read) == 1
            read.clear()
            answers += [await connection.answer(request)]
            assert answers == [answers[0]] * 5
            assert answers[0][0][0] == "HTTP/1.1 503 Service Unavailable"
            assert json.loads(answers[0][1])["errors"][0]["extensions"] == {"code": "OVERLOADED"}
            connection.writer.close()


async def test_a_change_is_made(store, monkeypatch):
    """By the same connection, however many queries are refused."""
    change = 'mutation { createRegisteredModel(input: {name: "m"}) { registeredModel { name } } }'
    async with busy(store, monkeypatch) as (address, _):
        connection = await Raw.to(address)
        for body, status in ((BODY, "503"), (json.dumps({"query": change}).encode(), "200"), (BODY, "503")):
            head, _ = await connection.answer(posted(body))
            assert head[0].split(" ")[1] == status
        connection.writer.close()
    assert [model.name for model in store.client.search_registered_models()] == ["m"]


async def test_what_looks_like_a_request_in_a_body(store, monkeypatch):
    """It is not answered, also where the request that it is of has been, before all of it had come."""
    async with busy(store, monkeypatch) as (address, read):
        connection = await Raw.to(address)
        long = b" " * (2**20 + 2**16)
        head, _ = await connection.answer(posted(long, length=len(long) + len(posted())))
        assert head[0].startswith("HTTP/1.1 413")
        head, _ = await connection.answer(posted(), posted())  # the rest of the body, and a request
        assert head[0].startswith("HTTP/1.1 503")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await connection.reader.read(1)
        assert read == []
        connection.writer.close()


@contextmanager
def narrow():
    """A listener whose connections hold little of what is not read."""
    with listening("127.0.0.1", 0) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        yield listener


def test_who_does_not_read_refusals(small, monkeypatch):
    """Little is kept for them: soon they are read from as anybody is, who waits then for what was said before."""
    kept, answer = [], Requests._answer

    def answered(self, response):
        answer(self, response)
        kept.append(self.transport.get_write_buffer_size())

    monkeypatch.setattr(Requests, "_answer", answered)
    monkeypatch.setattr(Executor, "is_waited_for", True)
    monkeypatch.setattr(Executor, "lets_in", lambda *_: False)
    app, client = create_app(Settings(backend_store_uri=small.uri)), socket.socket()
    with narrow() as listener, served(app, listener) as address, client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host, port = address.removeprefix("http://").split(":")
        client.connect((host, int(port)))
        client.settimeout(3)
        with suppress(TimeoutError, ConnectionError):
            for _ in range(3_000):
                client.sendall(posted())
                time.sleep(0.0005)  # else several would come at once, which are read as requests
    assert len(kept) > 100
    assert max(kept) < 2**17
