"""Attacks over WebSockets."""

from collections.abc import Iterator
from typing import Any

from tests.attacks.attack import INIT, TOKEN, Attack, frame, message, right, subscribed, told

FOLLOW = "subscription{registryEvents{id}}"


def shaken() -> Iterator[Attack]:
    """Handshakes."""
    yield told("a WebSocket from a foreign page", right(403), INIT, origin="https://evil.example")
    yield told("a WebSocket from no page", right(403), INIT, origin="null")
    yield told("a WebSocket from across sites", right(403), INIT, sec_fetch_site="cross-site")
    yield told("a WebSocket to another host", right(400, 403), INIT, host="evil.example")
    yield told("a WebSocket of another protocol", right(4406), INIT, sec_websocket_protocol="graphql-ws")
    yield told("a WebSocket of no protocol", right(4406), INIT, sec_websocket_protocol=None)
    yield told("a WebSocket of 5,000 protocols", right(0, 400, 431), INIT, sec_websocket_protocol="a, " * 5_000 + "b")
    yield told("a WebSocket of another version", right(400, 426), INIT, sec_websocket_version="7")
    yield told("a WebSocket without a key", right(400), INIT, sec_websocket_key=None)


def unframed() -> Iterator[Attack]:
    """Frames that are none, or say nothing."""
    yield told("a frame of 5 MiB", right(1009), INIT, frame(b"a" * 5 * 2**20))
    yield told("frames that come to 5 MiB", right(1009), INIT, *pieces(b"a" * 2**16, 80))
    yield told(
        "a frame of a length beyond all", right(1002, 1009), INIT, b"\x81\xff" + b"\x7f" + b"\xff" * 7 + bytes(4)
    )
    yield told("20,000 pieces of nothing", right(1009, 4400), INIT, *pieces(b"", 20_000))
    yield told("a frame without a mask", right(1002), INIT, frame(b"{}", is_masked=False))
    yield told("a frame of reserved bits", right(1002), INIT, frame(b"{}", more_bits=0x40))
    yield told("a frame of no kind", right(1002), INIT, frame(b"{}", 3))
    yield told("a ping that is too long", right(1002), INIT, frame(b"a" * 200, 9))
    yield told("a piece of nothing that began", right(1002), INIT, frame(b"{}", 0))
    yield told("a close with a code that there is not", right(1002), INIT, frame(b"\x00\x01", 8))
    yield told("a close with bad UTF-8", right(1002, 1007), INIT, frame(b"\x03\xe8\xff", 8))
    yield told("5,000 pings", right(101), INIT, frame(b"a", 9) * 5_000, subscribed("{__typename}"))
    for name, said in {
        "bad UTF-8": b"\xff",
        "nothing": b"",
        "a brace": b"{",
        "NaN": b'{"type":NaN}',
        "half a character": b'{"type":"ping","payload":{"a":"\\ud800"}}',
        "200,000 lists": b"[" * 200_000,
        "lists, 500 deep": b'{"type":"ping","payload":{"a":' + b"[" * 500 + b"]" * 500 + b"}}",
        "a list": b"[]",
        "null": b"null",
        "an object of nothing": b"{}",
        "no type that there is": b'{"type":"start"}',
        "a type that is a list": b'{"type":["ping"]}',
        "a payload that is a text": b'{"type":"ping","payload":"a"}',
        "an ID that is a number": b'{"type":"subscribe","id":1,"payload":{"query":"{__typename}"}}',
        "an ID of nothing": b'{"type":"subscribe","id":"","payload":{"query":"{__typename}"}}',
        "an ID of 100,000 letters": b'{"type":"subscribe","id":"%s","payload":{"query":"{__typename}"}}'
        % (b"a" * 100_000),
        "an operation of nothing": b'{"type":"subscribe","id":"a"}',
        "an end of nothing": b'{"type":"complete"}',
    }.items():
        yield told(f"a message of {name}", right(4400), INIT, frame(said))
    yield told("a message of bytes", right(4400), INIT, frame(b'{"type":"ping"}', 2))


def conversed() -> Iterator[Attack]:
    """Messages out of turn."""
    yield told("an operation before the beginning", right(4401), subscribed("{__typename}"))
    yield told("two beginnings", right(4429), INIT, INIT)
    yield told("a beginning without a token", right(4403), message(type="connection_init"))
    yield told("a token of nobody", right(4403), message(type="connection_init", payload={"authorization": "Bearer x"}))
    yield told(
        "a token that is a list", right(4403), message(type="connection_init", payload={"authorization": [TOKEN]})
    )
    yield told("an ID twice", right(4409), INIT, subscribed(FOLLOW, "a"), subscribed(FOLLOW, "a"))
    crowd = [subscribed(FOLLOW, f"{number}") for number in range(20)]
    yield told("21 subscriptions", right(101, codes="TOO_COMPLEX"), INIT, *crowd, subscribed(FOLLOW))
    coming = [subscribed(FOLLOW, "a") + message(type="complete", id="a") for _ in range(1_000)]
    yield told("1,000 that come and go", right(101), INIT, *coming, subscribed("{__typename}"))
    yield told(
        "ends of what never began",
        right(101),
        INIT,
        *[message(type="complete", id="a")] * 1_000,
        subscribed("{__typename}"),
    )
    fan = (
        "{...F0}"
        + "".join(f"fragment F{n} on Query{{...F{n + 1} ...F{n + 1}}}" for n in range(60))
        + "fragment F60 on Query{__typename}"
    )
    yield told("fragments over a WebSocket", right(101, codes="TOO_COMPLEX"), INIT, subscribed(fan))
    many = subscribed("query($ids:[ID!]!){nodes(ids:$ids){id}}", variables={"ids": ["a"] * 20_000})
    yield told("20,000 IDs over a WebSocket", right(101, codes="TOO_COMPLEX"), INIT, many)
    yield told(
        "a subscription to what will be",
        right(101, codes="BAD_USER_INPUT"),
        INIT,
        subscribed("subscription($a:ID){registryEvents(after:$a){id}}", variables={"a": "garbage"}),
    )
    yield told(
        "variables that are a list", right(101, codes="BAD_USER_INPUT"), INIT, subscribed("{__typename}", variables=[])
    )
    yield told(
        "a query that is a list",
        right(101, codes="BAD_USER_INPUT"),
        INIT,
        message(type="subscribe", id="last", payload={"query": ["a"]}),
    )
    filter_by: dict[str, Any] = {}
    for _ in range(200):
        filter_by = {"not": filter_by}
    query = "query($f:RunFilter){runs(filterBy:$f){totalCount}}"
    yield told(
        "a variable, 200 deep, over a WebSocket",
        right(101, codes="BAD_USER_INPUT TOO_COMPLEX"),
        INIT,
        subscribed(query, variables={"f": filter_by}),
    )


def pieces(text: bytes, count: int) -> list[bytes]:
    """One message in so many frames."""
    return [frame(text, int(number == 0), is_last=number == count - 1) for number in range(count)]


def all_of_them() -> Iterator[Attack]:
    """All of these kinds."""
    for kind in (shaken, unframed, conversed):
        yield from kind()
