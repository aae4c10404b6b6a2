"""One attempt to send a message."""

import asyncio
import datetime as dt
import socket
import ssl
import threading
from contextlib import asynccontextmanager
from email.utils import format_datetime

import aiohttp
import pytest
from standardwebhooks import Webhook

from lineage_api.webhooks import sending, signing
from lineage_api.webhooks.addresses import CheckedResolver, looked_up
from lineage_api.webhooks.messages import Message
from lineage_api.webhooks.sending import Sender
from tests.webhooks.receivers import LOCAL, receiving, talking

SECRET = signing.new_secret()
MESSAGE = Message("msg_1_2", b'{"a": 1}')


@asynccontextmanager
async def a_sender(allowed=LOCAL, time_limit_s=30, look_up=looked_up):
    """One that is in no hurry, unless it says so."""
    sender = Sender(allowed, time_limit_s, look_up)
    async with sender.running():
        yield sender


async def came_of(url, **options):
    """What comes of one attempt: its status and error."""
    async with a_sender(**options) as sender:
        attempt = await sender.sent(url, SECRET, MESSAGE)
    assert attempt.duration_ms >= 0
    return attempt.status, attempt.error


async def said(*parts, **options):
    """What comes of an attempt that is answered with these bytes."""

    async def talk(_, writer):
        for part in parts:
            writer.write(part)
            await writer.drain()

    async with talking(talk) as port:
        return await came_of(f"http://127.0.0.1:{port}/", **options)


async def test_a_message_is_taken():
    """It is posted as it is, and signed."""
    async with receiving() as receiver:
        assert await came_of(receiver.url) == (200, None)

    [request] = receiver.received
    assert Webhook(SECRET).verify(request.body, request.headers) == {"a": 1}
    assert request.id == "msg_1_2"
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert request.headers["user-agent"].startswith("lineage-api/")
    assert "cookie" not in request.headers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_each_status_of_success(status):
    """All that begin with a 2 are."""
    async with receiving() as receiver:
        receiver.usual = status

        assert await came_of(receiver.url) == (status, None)


@pytest.mark.parametrize("status", [400, 404, 410, 429, 500, 503, 599])
async def test_each_status_of_failure(status):
    """All others are not."""
    async with receiving() as receiver:
        receiver.usual = status

        assert await came_of(receiver.url) == (status, f"answered {status}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure(status):
    """Nothing is sent to where it leads."""
    async with receiving() as receiver, receiving() as other:
        receiver.usual, receiver.headers = status, {"location": other.url}

        assert await came_of(receiver.url) == (status, f"answered {status}, a redirect, which is not followed")
        assert len(receiver.received) == 1
        assert other.received == []


async def test_nothing_is_kept_from_one_message_to_the_next():
    """No cookie that a receiver sets comes back to it."""
    async with receiving() as receiver, a_sender() as sender:
        receiver.headers = {"set-cookie": "a=b"}
        for _ in range(2):
            await sender.sent(receiver.url.replace("127.0.0.1", "localhost"), SECRET, MESSAGE)

        assert ["cookie" in each.headers for each in receiver.received] == [False, False]


async def test_the_environments_proxies_are_not_used(monkeypatch):
    """Whoever is sent to is the receiver itself."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with receiving() as receiver:
        assert await came_of(receiver.url) == (200, None)


async def forever(writer, part):
    """Says the same again and again."""
    while True:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("began", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_a_receiver_that_never_answers(began):
    """It is given up, also when it says something all the time."""

    async def talk(_, writer):
        writer.write(began)
        await (forever(writer, b"a: b\r\n") if began.endswith(b"OK\r\n") else asyncio.sleep(3_600))

    async with talking(talk) as port:
        error = (None, "no answer within 0.4 s")
        assert await came_of(f"http://127.0.0.1:{port}/", time_limit_s=0.4) == error


async def test_a_receiver_that_takes_nothing():
    """It is given up as well: a listener whose queue is never emptied."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"

        assert await came_of(url, time_limit_s=0.4) == (None, "no answer within 0.4 s")


@pytest.mark.parametrize("part", [b"", b"x"])
async def test_a_receiver_whose_answer_never_ends(part):
    """It has taken the message: its status says so, and the rest is not waited for."""

    async def talk(_, writer):
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 1000000\r\n\r\n")
        await forever(writer, part)

    async with talking(talk) as port, asyncio.timeout(60):
        assert await came_of(f"http://127.0.0.1:{port}/", time_limit_s=3_600) == (202, None)


async def test_a_receiver_that_says_much():
    """Little of it is read."""
    taken = 0
    is_over = asyncio.Event()

    async def talk(_, writer):
        nonlocal taken
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        try:
            for _ in range(1_000):
                writer.write(bytes(2**20))
                await writer.drain()
                taken += 1
        finally:
            is_over.set()

    async with talking(talk) as port:
        assert await came_of(f"http://127.0.0.1:{port}/") == (200, None)
        async with asyncio.timeout(60):
            await is_over.wait()
    assert taken < 50


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=none\r\ncontent-length: 2\r\n\r\n\xff\xfe",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ncut",
        b"HTTP/1.0 200 OK\r\n\r\n",
    ],
)
async def test_what_a_receiver_says_counts_for_nothing(answer):
    """Its status alone does."""
    assert await said(answer) == (200, None)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "connection was closed without an answer"),
        (b"HTTP/1.1 2", "connection was closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "answered something that is not HTTP"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "answered something that is not HTTP"),
        (b"HTTP/1.1 200 OK\r\na: " + b"x" * 100_000 + b"\r\n\r\n", "answered something that is not HTTP"),
    ],
)
async def test_what_is_no_answer(answer, error):
    """It is said in one line, and nothing of what came is in it."""
    assert await said(answer) == (None, error)


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (aiohttp.InvalidURL("http://a\nb"), "its URL cannot be used"),
        (aiohttp.ServerDisconnectedError("secret"), "connection was closed without an answer"),
        (ValueError("secret"), "cannot be sent to"),
        (OSError("secret"), "cannot be sent to"),
    ],
)
def test_other_failures(failure, error):
    """They are said in one line too, without what others said."""
    assert sending._said(failure) == error


async def test_nobody_listens():
    """The connection is refused."""
    async with receiving() as receiver:
        pass

    assert await came_of(receiver.url) == (None, "connection refused")


async def test_a_name_that_leads_nowhere():
    """It is said that it cannot be looked up."""
    assert await came_of("http://nobody.invalid/") == (None, "its name cannot be looked up")
    assert await came_of("http://nobody.invalid/", look_up=lambda host, port: []) == (
        None,
        "its name cannot be looked up",
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "[::1]"])
async def test_an_address_inside(host):
    """It is not sent to, even when it was allowed as the webhook was made; no name is looked up for that."""
    async with receiving() as receiver:
        url = f"http://{host}:{receiver.port}/"
        status, error = await came_of(url, allowed=())

        assert status is None
        assert error.endswith(" is inside a private network")
        assert receiver.received == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.1."])
async def test_an_odd_spelling(host):
    """It is not sent to either."""
    async with receiving() as receiver:
        assert (await came_of(f"http://{host}:{receiver.port}/"))[0] is None
        assert receiver.received == []


async def test_a_name_that_leads_inside():
    """It is not sent to, and said where it leads."""
    async with receiving() as receiver:
        url = f"http://localhost:{receiver.port}/"
        error = "localhost leads to 127.0.0.1, which is inside a private network"

        assert await came_of(url, allowed=(), look_up=lambda host, port: ["127.0.0.1"]) == (None, error)
        assert await came_of(url, look_up=lambda host, port: ["10.0.0.1", "127.0.0.1"]) == (200, None)
        assert len(receiver.received) == 1


async def test_a_name_that_leads_elsewhere_from_one_moment_to_the_next():
    """What is connected to is what was checked: an address that is found once is not looked for again."""
    async with receiving() as receiver:
        url = f"http://ci.example:{receiver.port}/"
        found = iter([["8.8.8.8"], ["127.0.0.1"]])
        resolver = CheckedResolver((), look_up := lambda host, port: next(found))
        assert [each["host"] for each in await resolver.resolve("ci.example")] == ["8.8.8.8"]
        await resolver.close()
        inside = "ci.example leads to 127.0.0.1, which is inside a private network"
        assert await came_of(url, allowed=(), look_up=look_up) == (None, inside)
        assert receiver.received == []

        found = iter([["127.0.0.1"], ["10.0.0.1"]])
        async with a_sender(look_up=lambda host, port: next(found)) as sender:
            came = [await sender.sent(url, SECRET, MESSAGE) for _ in range(2)]
        assert [each.error for each in came] == [None, inside.replace("127.0.0.1", "10.0.0.1")]


async def test_a_slow_look_up():
    """It is part of the time limit, and keeps no other message from being sent."""
    is_over = threading.Event()

    def slow(host, port):
        if host == "slow.example":
            is_over.wait(60)
        return ["127.0.0.1"]

    async with receiving() as receiver, a_sender(time_limit_s=0.4, look_up=slow) as sender:
        url = f"http://slow.example:{receiver.port}/"
        assert (await sender.sent(url, SECRET, MESSAGE)).error == "no answer within 0.4 s"
        sender._time_limit_s = 30
        assert (await sender.sent(url.replace("slow", "quick"), SECRET, MESSAGE)).error is None
        is_over.set()


def certificate(folder):
    """The files of a certificate that nobody knows, and of its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ci.example")])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - dt.timedelta(1)).not_valid_after(now + dt.timedelta(1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("ci.example")]), critical=False)
    (folder / "cert.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*plain))
    return folder / "cert.pem", folder / "key.pem"


async def test_a_certificate_that_cannot_be_verified(tmp_path):
    """Nothing is sent to whoever has it; nor where TLS is not spoken at all."""
    requests = []

    async def talk(_, writer):
        requests.append(1)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path))
    async with talking(talk, ssl=context) as port:
        url = f"https://ci.example:{port}/"
        look_up = lambda host, port: ["127.0.0.1"]  # noqa: E731
        assert await came_of(url, look_up=look_up) == (None, "certificate cannot be verified")
    assert requests == []
    async with receiving() as receiver:
        assert await came_of(receiver.url.replace("http:", "https:")) == (None, "no agreement on TLS")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("9" * 5_000, 10**9),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
    ],
)
async def test_how_long_a_receiver_asks_to_wait(text, seconds):
    """In seconds, or until a moment; all else says nothing."""
    assert sending._waiting_s(text) == seconds


async def test_a_receiver_that_asks_to_wait():
    """It is part of what came of the attempt."""
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(hours=2)
    async with receiving() as receiver, a_sender() as sender:
        receiver.usual, receiver.headers = 503, {"retry-after": format_datetime(moment, usegmt=True)}
        attempt = await sender.sent(receiver.url, SECRET, MESSAGE)

    assert (attempt.status, attempt.error) == (503, "answered 503")
    assert 6_000 < attempt.retry_after_s <= 7_200
