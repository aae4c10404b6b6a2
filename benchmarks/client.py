"""HTTP clients that cost little and the same for every server: one keep-alive connection, or many at once."""

from __future__ import annotations

import asyncio
import re
import select
import socket
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import uvloop


class WrongAnswerError(Exception):
    """An answer that is no answer: not 200, or with GraphQL errors."""


def post(path: str, body: bytes) -> bytes:
    """A request, ready to be sent."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def get(path: str) -> bytes:
    """A request without a body."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


_ERRORS = re.compile(rb'"errors":(?!null)')


def _end(received: bytes | bytearray) -> int | None:
    """Where the answer ends that begins here; None while its head is not whole."""
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return None
    lower = bytes(received[:head]).lower()
    if not lower.startswith(b"http/1.1 200"):
        raise WrongAnswerError(bytes(received[:2000]).decode(errors="replace"))
    place = lower.find(b"\r\ncontent-length:")
    if place < 0:
        raise WrongAnswerError("an answer without Content-Length")
    return head + 4 + int(lower[place + 17 :].split(b"\r\n", 1)[0])


def _body(answer: bytes | bytearray, end: int) -> bytes:
    """The body of an answer, which has no errors."""
    body = bytes(answer[answer.find(b"\r\n\r\n") + 4 : end])
    if _ERRORS.search(body[:20]) or _ERRORS.search(body[-2000:]):
        raise WrongAnswerError(body[:2000].decode(errors="replace"))
    return body


class Connection:
    """One keep-alive connection, one request at a time."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> tuple[float, bytes]:
        """How many milliseconds until the last byte was there, and the body."""
        receive = self._socket.recv
        begun = time.perf_counter()
        self._socket.sendall(request)
        received = receive(1 << 20)
        end = _end(received)
        if end is None or len(received) < end:
            whole = bytearray(received)
            while end is None or len(whole) < end:
                more = receive(1 << 20)
                if not more:
                    raise WrongAnswerError("the server closed the connection")
                whole += more
                end = end or _end(whole)
            received = bytes(whole)
        took = (time.perf_counter() - begun) * 1000
        return took, _body(received, end)

    def is_closed(self) -> bool:
        """Whether the server hung up, as servers do on a connection that nobody used for some seconds."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


Dialogues = Sequence[Callable[[], Generator[bytes, bytes, None]]]
"""Questions, each as the requests that it takes."""


class _Stream(asyncio.Protocol):
    """One of many connections: asks the next question as soon as it has the answer to the last."""

    def __init__(self, dialogues: Dialogues, first: int, failed: asyncio.Future[None]) -> None:
        self.dialogues, self.next, self.failed = dialogues, first, failed
        self.answered: list[tuple[float, float]] = []
        """When each question was asked, and when it was answered."""
        self.received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(WrongAnswerError("the server closed a connection"))

    def _fail(self, wrong: Exception) -> None:
        if not self.failed.done():
            self.failed.set_exception(wrong)

    def _begin(self) -> None:
        self.dialogue = self.dialogues[self.next % len(self.dialogues)]()
        self.next += 1
        request = next(self.dialogue)
        self.begun = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        try:
            end = _end(self.received)
            if end is None or len(self.received) < end:
                return
            body = _body(self.received, end)
        except WrongAnswerError as wrong:
            self._fail(wrong)
            return
        self.received.clear()
        now = time.perf_counter()
        try:
            self.transport.write(self.dialogue.send(body))
        except StopIteration:
            self.answered.append((self.begun, now))
            self._begin()


@dataclass
class Load:
    """What a server did for many connections at once."""

    rate: float
    """Answers a second."""
    milliseconds: list[float]
    """Of each answer."""


def loaded(port: int, dialogues: Dialogues, connections: int, seconds: float, *, warm: float = 0.5) -> Load:
    """So many connections, each of which always waits for one answer; for longer where not all have had one by then."""

    async def measure() -> Load:
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[None] = loop.create_future()
        streams: list[_Stream] = []
        begun = time.perf_counter()
        for number in range(connections):
            first = number * len(dialogues) // connections
            _, stream = await loop.create_connection(
                lambda first=first: _Stream(dialogues, first, failed), "127.0.0.1", port
            )
            streams.append(stream)
        if warm:
            await asyncio.wait([failed], timeout=warm)
            begun = time.perf_counter()
        await asyncio.wait([failed], timeout=seconds)
        while not failed.done() and not all(stream.answered for stream in streams):
            await asyncio.wait([failed], timeout=0.05)
        ended = time.perf_counter()
        if failed.done():
            failed.result()
        failed.cancel()  # from here on a closed connection is no fault
        for stream in streams:
            stream.transport.abort()
        answers = [(start, end) for stream in streams for start, end in stream.answered if begun <= end <= ended]
        return Load(len(answers) / (ended - begun), [(end - start) * 1000 for start, end in answers])

    return uvloop.run(measure())
