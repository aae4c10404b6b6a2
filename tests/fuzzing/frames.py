"""Examples over WebSockets: frames of graphql-transport-ws, some of which nobody should send."""

import json
from random import Random
from typing import Any, NamedTuple

from tests.attacks.attack import frame
from tests.fuzzing import mutations, oddities

_HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
)
_TYPES = ["connection_init", "subscribe", "complete", "ping", "pong", "next", "error", "connection_ack", "start", ""]
_IDS = ["1", "2", "", "a" * 256, "a" * 257, "\0", "\u00e9", None, 1, [], {}]
END = frame(b'{"type":"ping","payload":{"end":true}}')
"""What is answered once all before it has been taken."""
CLOSE = frame((1000).to_bytes(2, "big"), 8)


class Frames(NamedTuple):
    """What is sent over one WebSocket."""

    handshake: bytes
    raw: bytes
    is_whole: bool
    """Whether all of it are frames, so that the server has to say why it closes the connection."""


def frames(chance: Random, caller: str, payloads: list[Any]) -> Frames:
    """Frames that ask for these, between others."""
    messages = [{"type": "subscribe", "id": str(number), "payload": payload} for number, payload in enumerate(payloads)]
    sent = [] if chance.random() < 0.05 else [_init(caller)]
    sent += [_frame(chance, message) for message in messages]
    if chance.random() < 0.4:
        sent.insert(chance.randrange(len(sent) + 1), _frame(chance, _message(chance)))
    raw, handshake = b"".join([*sent, END]), _HANDSHAKE
    match chance.randrange(20):
        case 0:
            return Frames(mutations.raw(chance, handshake), raw, False)
        case 1 | 2:
            return Frames(handshake, mutations.raw(chance, raw), False)
    return Frames(handshake, raw, True)


def _init(caller: str) -> bytes:
    return frame(json.dumps({"type": "connection_init", "payload": {"Authorization": caller}}).encode())


def _message(chance: Random) -> Any:
    whole = {"type": chance.choice(_TYPES), "id": chance.choice(_IDS), "payload": oddities.value(chance)}
    return chance.choice([whole, whole, whole, oddities.value(chance)])


def _frame(chance: Random, message: Any) -> bytes:
    text = json.dumps(message, ensure_ascii=chance.random() < 0.7)
    if chance.random() < 0.3:
        text = mutations.json_text(chance, text)
    body = text.encode("utf-8", "surrogatepass")
    match chance.randrange(20):
        case 0:
            return frame(body, 2)
        case 1:
            return frame(mutations.raw(chance, body))
        case 2:
            middle = len(body) // 2
            return frame(body[:middle], is_last=False) + frame(body[middle:], 0)
    return frame(body)
