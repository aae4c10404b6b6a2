"""What an attack is: what is sent, byte for byte, and what is right."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

TOKEN = "lineage_a-token-of-the-attackers"
"""The token of who attacks, who may do everything; the server has to know it."""
HOST = "localhost"
GRAPHQL = "application/graphql-response+json"
JSON = "application/json"


class Right(NamedTuple):
    """What may come of an attack."""

    statuses: frozenset[int]
    """Of HTTP; of a WebSocket, the code with which it is closed, or 101 where it stays open; 0 for no answer at all."""
    codes: frozenset[str] = frozenset()
    """The codes that errors of GraphQL may have; none where there may be no such errors."""
    must_fail: bool = False
    """Whether there is one at least."""


def right(*statuses: int, codes: str = "") -> Right:
    """One of these statuses, and errors with one of these codes, where any are named."""
    return Right(frozenset(statuses), frozenset(codes.split()), bool(codes))


def either(*statuses: int, codes: str = "") -> Right:
    """The same, where it may be answered as well: whether it is too much is no matter, but that it does no harm."""
    return Right(frozenset(statuses), frozenset(codes.split()))


ANSWERED = right(200)
NOT_PARSED = right(400, codes="GRAPHQL_PARSE_FAILED")
NOT_VALID = right(400, codes="GRAPHQL_VALIDATION_FAILED")
TOO_MUCH = right(400, codes="TOO_COMPLEX")
WRONG = right(400, codes="BAD_USER_INPUT")
WRONG_FIELD = right(200, codes="BAD_USER_INPUT")
"""It is executed, and some field refused."""
GONE = right(0)
"""Who leaves before all is sent is not answered."""


@dataclass(frozen=True)
class Attack:
    """Something that nobody should send."""

    name: str
    request: bytes
    right: Right
    frames: tuple[bytes, ...] | None = None
    """What is sent over the WebSocket that the request opens, all at once; None for HTTP alone."""
    leaves: bool = False
    """Whether who sends it hangs up then."""
    reaches_sql: bool = False
    """Whether it is the database that has to stand it, so that each should."""


def request(
    body: bytes = b"",
    headers: Mapping[str, str | None] | None = None,
    *,
    method: str = "POST",
    target: str = "/graphql",
    more: bytes = b"",
) -> bytes:
    """A request by HTTP as a good client sends it, but for what is said; a header of None is left out."""
    sent: dict[str, str | None] = {
        "host": HOST,
        "authorization": f"Bearer {TOKEN}",
        "accept": GRAPHQL,
        **({"content-type": JSON, "content-length": str(len(body))} if method == "POST" else {}),
        **(headers or {}),
    }
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items() if value is not None)]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n" + more + b"\r\n" + body


def asked(
    name: str, query: str, as_is_right: Right, variables: Any = None, *, sql: bool = False, **more: Any
) -> Attack:
    """An operation by POST."""
    body = {"query": query, **({} if variables is None else {"variables": variables}), **more}
    return Attack(name, request(json.dumps(body).encode()), as_is_right, reaches_sql=sql)


def told(name: str, as_is_right: Right, *frames: bytes, **headers: str | None) -> Attack:
    """Frames over a WebSocket."""
    opening: dict[str, str | None] = {
        "authorization": None,
        "accept": None,
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-protocol": "graphql-transport-ws",
        **{header.replace("_", "-"): value for header, value in headers.items()},
    }
    return Attack(name, request(headers=opening, method="GET"), as_is_right, frames)


def frame(
    payload: bytes, opcode: int = 1, *, is_masked: bool = True, is_last: bool = True, more_bits: int = 0
) -> bytes:
    """A frame of a WebSocket; its mask changes nothing."""
    length, mask = len(payload), 0x80 if is_masked else 0
    if length < 126:
        head = bytes([mask | length])
    elif length < 2**16:
        head = bytes([mask | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([mask | 127]) + length.to_bytes(8, "big")
    return bytes([(0x80 if is_last else 0) | more_bits | opcode]) + head + (bytes(4) if is_masked else b"") + payload


def message(**parts: Any) -> bytes:
    """A frame with a message of graphql-transport-ws."""
    return frame(json.dumps(parts).encode())


INIT = message(type="connection_init", payload={"Authorization": f"Bearer {TOKEN}"})
LAST = "last"
"""The ID of the operation whose answer is waited for, where a WebSocket stays open."""


def subscribed(query: str, id_: Any = LAST, **more: Any) -> bytes:
    """A frame that asks for an operation."""
    return message(type="subscribe", id=id_, payload={"query": query, **more})
