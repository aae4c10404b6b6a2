"""Sends attacks over plain sockets, since no good client would; and says what came back."""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from tests.attacks.attack import LAST, Attack

PATIENCE_S = 30.0
"""How long is waited for what has to come at once."""
MAX_LOG_BYTES = 2_000
"""How much may be in the log of one request that is refused."""
_CLOSE = 8
_LEAKS = re.compile(
    rb"""Traceback | File[ ]" | \bline[ ]\d+,[ ]in\b | site-packages | \b\w+\.py\b | mlflow\.db
    | /work/ | /tmp/ | /home/
    | \bSELECT\b | \bFROM\b | \bWHERE\b | \bINSERT\b | \bEXISTS\b
    | sqlite3? | psycopg | postgres | sqlalchemy | orjson | sqlparse | \b\w*Exception\b
    | (?:Recursion|Value|Key|Type|Attribute|Index|Unicode\w+|Operational|Programming|Data)Error\b""",
    re.VERBOSE,
)
"""What only the server itself should know of: its code, its files, its statements."""


class Reply(NamedTuple):
    """What came back."""

    status: int
    """Of HTTP, or of the WebSocket: how it was closed, 101 where it stays open; 0 where nothing came back."""
    head: bytes
    body: bytes

    @property
    def codes(self) -> set[str]:
        """What the errors of the answer say."""
        return {error.get("extensions", {}).get("code", "") for answer in self._answers() for error in _errors(answer)}

    def _answers(self) -> Iterator[Any]:
        parts = re.findall(rb"^data: (\{.*)$", self.body, re.MULTILINE) or [self.body]
        for part in parts:
            with suppress(ValueError):
                yield json.loads(part)


def wrong(attack: Attack, reply: Reply, log: bytes) -> list[str]:
    """What is not as it should be in what a server made of an attack."""
    found = []
    if reply.status not in attack.right.statuses:
        found.append(f"the status {reply.status}")
    if not reply.codes <= attack.right.codes:
        found.append(f"the codes {sorted(reply.codes)}")
    if attack.right.must_fail and reply.status and not reply.codes:
        found.append("no error")
    # What an attacker wrote himself is told back to him.
    found += [f"a leak: {leak!r}" for leak in set(_LEAKS.findall(reply.body)) if leak not in attack.request]
    if len(log) > MAX_LOG_BYTES or b"Traceback" in log:
        found.append(f"{len(log)} bytes in the log")
    if any(part in log for part in _parts(attack.request.partition(b"\r\n\r\n")[2])):
        found.append("the body in the log")
    return found


def _parts(body: bytes, length: int = 40) -> Iterator[bytes]:
    return (body[place : place + length] for place in range(0, len(body) - length, 997))


def _errors(answer: Any) -> list[Any]:
    if not isinstance(answer, dict):
        return []
    payload = answer.get("payload", answer)  # of a WebSocket
    found = payload.get("errors", []) if isinstance(payload, dict) else payload
    return found if isinstance(found, list) else []


def sent(port: int, attack: Attack) -> Reply:
    """What a server at a port of this machine makes of an attack."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        heard = _Heard(connection)
        heard.say(attack.request)
        if attack.leaves:
            connection.shutdown(socket.SHUT_WR)
        reply = heard.response(has_body=not attack.request.startswith(b"HEAD "))
        if reply.status != 101 or attack.frames is None:
            return reply
        heard.say(b"".join(attack.frames))
        return heard.end_of_frames()


class _Heard:
    """What has come over a connection and was not taken yet."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._bytes = bytearray()

    def say(self, what: bytes) -> None:
        """Sends; a server that has heard enough need not take it all."""
        with suppress(ConnectionError):
            self._connection.sendall(what)

    def response(self, *, has_body: bool) -> Reply:
        """One response by HTTP."""
        head, is_whole = self._until(b"\r\n\r\n")
        if not is_whole:
            return Reply(0, head, b"")
        status = int(head.split(b" ", 2)[1])
        if status == 100:
            return self.response(has_body=has_body)
        fields = _fields(head)
        body = b""
        if b"content-length" in fields and has_body:
            body = self._take(int(fields[b"content-length"]))
        elif b"transfer-encoding" in fields:
            body, _ = self._until(b"\r\n0\r\n\r\n")
        return Reply(status, head, body)

    def end_of_frames(self) -> Reply:
        """The frame that closes the WebSocket, or the answer to the last operation."""
        told = bytearray()
        while len(head := self._take(2)) == 2:
            length = head[1] & 127
            if length > 125:
                length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
            payload = self._take(length)
            if head[0] & 15 == _CLOSE:
                return Reply(int.from_bytes(payload[:2], "big"), b"", bytes(told) + payload[2:])
            if _is_last(payload):
                return Reply(101, b"", payload)
            told += payload
        return Reply(0, b"", bytes(told))

    def _until(self, mark: bytes) -> tuple[bytes, bool]:
        """What comes up to a mark; all that comes, where there is none."""
        while (place := self._bytes.find(mark)) < 0 and self._more():
            pass
        return self._take(len(self._bytes) if place < 0 else place + len(mark)), place >= 0

    def _take(self, count: int) -> bytes:
        while len(self._bytes) < count and self._more():
            pass
        taken = bytes(self._bytes[:count])
        del self._bytes[:count]
        return taken

    def _more(self) -> bool:
        try:
            received = self._connection.recv(1 << 20)
        except ConnectionError:
            return False
        self._bytes += received
        return bool(received)


def _fields(head: bytes) -> Mapping[bytes, bytes]:
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in pairs}


def _is_last(payload: bytes) -> bool:
    with suppress(ValueError):
        said = json.loads(payload)
        return isinstance(said, dict) and said.get("id") == LAST
    return False
