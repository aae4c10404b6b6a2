"""Receivers of webhooks: real servers on 127.0.0.1."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import orjson
from aiohttp import web

from lineage_api.webhooks.addresses import networks

LOCAL = networks("127.0.0.0/8")


class Received(NamedTuple):
    """A request that a receiver has got."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The ID of its message."""
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """What is said in it."""
        return orjson.loads(self.body)  # type: ignore[no-any-return]


class Receiver:
    """A server that keeps what it is sent, and answers as it is told."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: list[int] = []
        """The next answers; 200 after these."""
        self.usual = 200
        self.headers: dict[str, str] = {}
        self.open = asyncio.Event()
        """Whether it answers at all."""
        self.open.set()
        self.at_once = self.most_at_once = 0
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        """The IDs of the messages that it got."""
        return [each.id for each in self.received]

    async def start(self) -> None:
        """Begins to listen, where it has listened before."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Listens no more, and lets all connections fall."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        self.received.append(Received({key.lower(): value for key, value in request.headers.items()}, body))
        try:
            await self.open.wait()
        finally:
            self.at_once -= 1
        status = self.answers.pop(0) if self.answers else self.usual
        return web.Response(status=status, headers=self.headers)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver()
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def talking(talk: Talk, **options: Any) -> AsyncIterator[int]:
    """The port of a server that says whatever it likes; it is given each connection after a request has come."""
    tasks = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
                await talk(reader, writer)
                await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def until(condition: Callable[[], Any], within_s: float = 60) -> None:
    """Waits for something, for a long while."""
    ends_at_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends_at_s
        await asyncio.sleep(0.01)
