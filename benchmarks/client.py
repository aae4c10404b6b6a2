"""HTTP clients that cost little and the same for every server: one keep-alive connection, or many at once."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence

import uvloop


class WrongAnswerError(Exception):
    """An answer that is no answer: not 200, or with GraphQL errors."""


def post(path: str, body: bytes) -> bytes:
    """A request, ready to be sent."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


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
    if b'"errors":' in body[:20] or b'"errors":' in body[-2000:]:
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

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class _Stream(asyncio.Protocol):
    """One of many connections: sends the next request as soon as it has the answer to the last."""

    def __init__(self, requests: Sequence[bytes], first: int, failed: asyncio.Future[None]) -> None:
        self.requests, self.next, self.failed = requests, first, failed
        self.answered = 0
        self.received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._send()

    def _send(self) -> None:
        self.transport.write(self.requests[self.next % len(self.requests)])
        self.next += 1

    def data_received(self, data: bytes) -> None:
        self.received += data
        try:
            end = _end(self.received)
            if end is None or len(self.received) < end:
                return
            _body(self.received, end)
        except WrongAnswerError as wrong:
            if not self.failed.done():
                self.failed.set_exception(wrong)
            return
        self.received.clear()
        self.answered += 1
        self._send()


def throughput(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> float:
    """Answers a second with so many connections, each of which always waits for one."""

    async def measure() -> float:
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[None] = loop.create_future()
        streams = []
        for number in range(connections):
            _, stream = await loop.create_connection(
                lambda number=number: _Stream(requests, number * len(requests) // connections, failed),
                "127.0.0.1",
                port,
            )
            streams.append(stream)
        await asyncio.wait([failed], timeout=0.5)  # warm
        before, begun = sum(stream.answered for stream in streams), time.perf_counter()
        await asyncio.wait([failed], timeout=seconds)
        answered, took = sum(stream.answered for stream in streams) - before, time.perf_counter() - begun
        for stream in streams:
            stream.transport.abort()
        if failed.done():
            failed.result()
        return answered / took

    return uvloop.run(measure())
