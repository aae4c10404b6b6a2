"""Compressed answers: which, for whom, and that nobody waits for them."""

import asyncio
import gc
import http.client
import json
import threading
import tracemalloc
import zlib
from urllib.parse import urlencode

import pytest
from backports import zstd

from lineage_api.api import compression
from lineage_api.api.accepted import weights
from lineage_api.api.compression import CODINGS, LEAST_BYTES, Coding
from lineage_api.app import create_app
from lineage_api.config import Settings
from tests.asking import in_process, without_cost
from tests.serving import served

DECODED = {"zstd": zstd.decompress, "gzip": lambda body: zlib.decompress(body, wbits=31), None: bytes}
MANY = {"max_aliases": 200, "max_root_fields": 200}
"""So many times a question is asked at once."""
TEXT = "".join(f"{number} is the square of {number**0.5}; " for number in range(150))


def query(times):
    """A query whose answer has a text of about 5,000 characters so many times."""
    wanted = " ".join(f'e{i}: experiment(name: "flights") {{ tags {{ value }} }}' for i in range(times))
    return f"{{ {wanted} __typename }}"


def answer(times):
    """What that is answered."""
    return {"data": {**{f"e{i}": {"tags": [{"value": TEXT}]} for i in range(times)}, "__typename": "Query"}}


@pytest.fixture(name="http")
async def asking(small):
    """Asks a server that answers long questions, in the process."""
    async with in_process(small.uri, **MANY) as client:
        yield client


@pytest.fixture
def texts(small):
    """A store with an experiment of which somebody wrote much."""
    small.client.set_experiment_tag(small.client.get_experiment_by_name("flights").experiment_id, "text", TEXT)
    return small


async def received(http, document, accepted, **more):
    """The answer and its body as it came; `http` would say by itself what it accepts."""
    headers = {"accept-encoding": accepted, **more}
    async with http.stream("POST", "/graphql", json={"query": document}, headers=headers) as answered:
        body = b"".join([part async for part in answered.aiter_raw()])
    assert answered.headers["content-length"] == str(len(body))
    return answered, body


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("zstd", "zstd"),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("GZip", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *", "gzip"),
        ("gzip, *;q=0", "gzip"),
        ("gzip, identity", "gzip"),
        ("gzip;q=0.5, identity;q=0.4", "gzip"),
        ("gzip;q=0.001", "gzip"),
        ("", None),
        ("identity", None),
        ("br, deflate", None),
        ("zstd;q=0", None),
        ("zstd;q=0, gzip;q=0.0", None),
        ("*;q=0", None),
        ("gzip;q=0.5, identity", None),
    ],
)
async def test_what_the_client_likes_best(texts, http, accepted, coding):
    """It is the same answer, in the coding that is liked best of those that there are, else as it is."""
    answered, body = await received(http, query(3), accepted)

    assert answered.status_code == 200
    assert answered.headers.get("content-encoding") == coding
    assert answered.headers["content-type"] == "application/json; charset=utf-8"
    assert answered.headers["vary"] == "accept, accept-encoding"
    assert without_cost(json.loads(DECODED[coding](body))) == answer(3)
    assert coding is None or len(body) < len(DECODED[coding](body)) / 2


async def test_who_says_nothing(texts):
    """Who does not say what can be decoded gets the answer as it is."""
    with served(create_app(Settings(backend_store_uri=texts.uri, **MANY))) as address:
        connection = http.client.HTTPConnection(address.removeprefix("http://"))
        connection.putrequest("POST", "/graphql", skip_accept_encoding=True)
        body = json.dumps({"query": query(3)}).encode()
        connection.putheader("content-type", "application/json")
        connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        answered = connection.getresponse()

        assert answered.getheader("content-encoding") is None
        assert without_cost(json.loads(answered.read())) == answer(3)
        connection.close()


async def test_several_headers_that_accept(texts, http):
    """They count as one."""
    headers = [("accept-encoding", "zstd;q=0.5"), ("accept-encoding", "gzip")]

    answered = await http.post("/graphql", json={"query": query(1)}, headers=headers)

    assert answered.headers["content-encoding"] == "gzip"
    assert without_cost(answered.json()) == answer(1)


def of_length(length):
    """A query that is answered in so many bytes."""
    name = "a" * (length - len('{"data":{"":"Query"},"extensions":{"cost":{"requested":0,"actual":0}}}'))
    return f"{{ {name}: __typename }}"


@pytest.mark.parametrize(("length", "coding"), [(LEAST_BYTES - 1, None), (LEAST_BYTES, "zstd")])
async def test_short_answers(http, length, coding):
    """They are sent as they are, whatever is accepted."""
    answered, body = await received(http, of_length(length), "zstd")

    assert len(DECODED[coding](body)) == length
    assert answered.headers.get("content-encoding") == coding
    assert answered.headers["vary"] == ("accept, accept-encoding" if coding else "accept")


@pytest.mark.parametrize("coding", ["zstd", "gzip"])
async def test_errors(http, coding):
    """They are compressed as well."""
    unknown = " ".join(f"a{i}: nothing{'_' * 300}" for i in range(5))

    answered, body = await received(http, f"{{ {unknown} }}", coding, accept="application/graphql-response+json")

    assert (answered.status_code, answered.headers["content-encoding"]) == (400, coding)
    assert len(json.loads(DECODED[coding](body))["errors"]) == 5


@pytest.mark.parametrize(("coding", "times"), [("zstd", 3), ("zstd", 120), ("gzip", 3), ("gzip", 120)])
def test_methods(texts, coding, times):
    """GET and POST get the same bytes, by a real server; HEAD the same headers."""
    path = "/graphql?" + urlencode({"query": query(times)})
    with served(create_app(Settings(backend_store_uri=texts.uri, **MANY))) as address:
        connection = http.client.HTTPConnection(address.removeprefix("http://"))
        answers = {}
        for method in ("GET", "HEAD", "POST"):
            sent = json.dumps({"query": query(times)}) if method == "POST" else None
            headers = {"accept-encoding": coding, "content-type": "application/json"}
            connection.request(method, "/graphql" if sent else path, sent, headers)
            answered = connection.getresponse()
            names = ("content-encoding", "content-length", "vary")
            answers[method] = answered.status, *map(answered.getheader, names), answered.read()
        connection.close()

    *head, body = answers["GET"]
    assert head == [200, coding, str(len(body)), "accept, accept-encoding"]
    assert without_cost(json.loads(DECODED[coding](body))) == answer(times)
    assert answers["POST"] == answers["GET"]
    assert answers["HEAD"] == (*head, b"")


@pytest.mark.parametrize("coding", ["zstd", "gzip"])
async def test_nobody_waits_for_a_long_answer(texts, http, monkeypatch, coding):
    """While long ones are compressed, others are answered, compressed as well; all of them are whole in the end."""
    begun, may_end = threading.Semaphore(0), threading.Event()
    usual = CODINGS[coding]

    def slowly(body):
        if len(body) > usual.most_on_loop_bytes:
            begun.release()
            may_end.wait(60)
        return usual.compress(body)

    monkeypatch.setitem(CODINGS, coding, Coding(slowly, usual.most_on_loop_bytes))
    long = [asyncio.create_task(received(http, query(120), coding)) for _ in range(compression.THREADS + 1)]
    for _ in range(compression.THREADS):
        await asyncio.to_thread(begun.acquire)

    _, short = await received(http, query(3), coding)
    assert not any(task.done() for task in long)
    may_end.set()
    whole = [without_cost(json.loads(DECODED[coding](body))) for _, body in await asyncio.gather(*long)]

    assert without_cost(json.loads(DECODED[coding](short))) == answer(3)
    assert whole == [answer(120)] * len(long)


@pytest.mark.parametrize("coding", ["zstd", "gzip"])
async def test_a_client_that_does_not_wait(texts, http, monkeypatch, coding):
    """Who is gone before an answer is compressed leaves nothing behind that others would notice."""
    begun, may_end = threading.Semaphore(0), threading.Event()
    usual = CODINGS[coding]

    def slowly(body):
        begun.release()
        may_end.wait(60)
        return usual.compress(body)

    monkeypatch.setitem(CODINGS, coding, Coding(slowly, 0))
    gone = asyncio.create_task(received(http, query(3), coding))
    await asyncio.to_thread(begun.acquire)
    gone.cancel()
    may_end.set()

    _, body = await received(http, query(3), coding)

    assert gone.cancelled() or gone.cancelling()
    assert without_cost(json.loads(DECODED[coding](body))) == answer(3)


async def test_threads_end_with_the_server(texts):
    """Those that compressed are gone when it has stopped."""
    before = threading.active_count()
    with served(create_app(Settings(backend_store_uri=texts.uri, **MANY))) as address:
        connection = http.client.HTTPConnection(address.removeprefix("http://"))
        sent = json.dumps({"query": query(120)})
        connection.request("POST", "/graphql", sent, {"accept-encoding": "zstd", "content-type": "application/json"})
        assert without_cost(json.loads(zstd.decompress(connection.getresponse().read()))) == answer(120)
        connection.close()

    assert threading.active_count() == before


@pytest.mark.parametrize("coding", CODINGS)
def test_codings(coding):
    """What is compressed is whole again, empty and long bodies too, and says how long it is."""
    for body in (b"", b"a", TEXT.encode(), bytes(range(256)) * 5_000):
        assert DECODED[coding](CODINGS[coding].compress(body)) == body


@pytest.mark.parametrize(
    ("header", "wishes"),
    [
        ("gzip", {"gzip": 1}),
        ("gzip;q=0.5, ZSTD", {"gzip": 0.5, "zstd": 1}),
        (" gzip ; q=0 ,*;q=1.", {"gzip": 0, "*": 1}),
        ("text/html;level=1;q=0.4", {"text/html": 0.4}),
        ("gzip;q=high", {"gzip": 1}),
        ("", {"": 1}),
        (";q=0,,", {"": 1}),
    ],
)
def test_weights(header, wishes):
    """Names in lower case, with their weights; what makes no sense is as if it were not there."""
    assert weights(header) == wishes


async def test_long_wishes_do_not_add_up(http, texts):
    """What is made of them is kept, by their beginnings."""
    gc.collect()
    tracemalloc.start()
    for number in range(40):
        answered, _ = await received(http, query(1), f"gzip,a{number}," + "a;q=0.1," * 6_000)
        assert answered.headers["content-encoding"] == "gzip"
        del answered
    gc.collect()
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < 500_000
