"""Clients that follow what happens in the registry, over WebSockets and as streams."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import monotonic
from typing import Any

import httpx
import websockets
from starlette.applications import Starlette

from lineage_api.graph.identity import encoded
from lineage_api.store.feed import Feed

FOLLOW = """subscription ($models: [String!], $kinds: [RegistryEventKind!], $after: ID) {
    registryEvents(models: $models, kinds: $kinds, after: $after) { id kind modelName }
}"""
CREATE = (
    "INSERT INTO registered_models (workspace, name, creation_time, last_updated_time) VALUES ('default', :n, 1, 1)"
)
"""How anybody makes a registered model who knows the tables."""
BEGINNING = encoded("RegistryEvent", 0)
"""The ID of an event before all that have happened."""
PATIENCE_S = 30.0
"""How long is waited for what has to happen at once, on a machine that has more to do."""


def feed_of(app: Starlette) -> Feed:
    """What tells the clients of an app."""
    return app.state.executor._services[Feed]  # type: ignore[no-any-return]


def followers(app: Starlette) -> int:
    """How many subscriptions of an app wait for something to happen."""
    return sum(map(len, list(feed_of(app)._waiting.values())))


async def until(condition: Callable[[], bool]) -> None:
    """Waits for something that has to happen."""
    end = monotonic() + PATIENCE_S
    while not condition():
        assert monotonic() < end, "it has not happened"
        await asyncio.sleep(0.01)


def happens(condition: Callable[[], bool]) -> None:
    """The same, for tests that are not asynchronous."""
    asyncio.run(until(condition))


class Talk:
    """A connection of graphql-transport-ws."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket

    async def say(self, **message: Any) -> None:
        """Sends a message."""
        await self.socket.send(json.dumps(message))

    async def ask(self, query: str, id: str = "1", **variables: Any) -> None:
        """Sends an operation."""
        await self.say(id=id, type="subscribe", payload={"query": query, "variables": variables})

    async def follow(self, id: str = "1", **variables: Any) -> None:
        """Asks for what happens."""
        await self.ask(FOLLOW, id, **variables)

    async def heard(self) -> dict[str, Any]:
        """The next message."""
        return json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE_S))  # type: ignore[no-any-return]

    async def event(self, id: str = "1") -> dict[str, Any]:
        """The next event that is told to a subscription; nothing else may come before it."""
        heard = await self.heard()
        assert (heard["type"], heard["id"]) == ("next", id), heard
        return heard["payload"]["data"]["registryEvents"]  # type: ignore[no-any-return]

    async def names(self, count: int) -> list[str]:
        """The names of the models that the next so many events are about."""
        return [(await self.event())["modelName"] for _ in range(count)]

    async def refusal(self, id: str = "1") -> dict[str, Any]:
        """The only error of an operation that is refused."""
        heard = await self.heard()
        assert (heard["type"], heard["id"]) == ("error", id), heard
        [error] = heard["payload"]
        return error  # type: ignore[no-any-return]

    async def closed(self) -> tuple[int | None, str | None]:
        """How the server closes the connection, whatever it says before."""
        await asyncio.wait_for(self.socket.wait_closed(), PATIENCE_S)
        return self.socket.close_code, self.socket.close_reason


@asynccontextmanager
async def connected(address: str, **options: Any) -> AsyncIterator[Talk]:
    """A connection that has not begun."""
    uri = address.replace("http", "ws", 1) + "/graphql"
    options = {"subprotocols": ["graphql-transport-ws"], "proxy": None, "open_timeout": PATIENCE_S, **options}
    async with websockets.connect(uri, **options) as socket:
        yield Talk(socket)


@asynccontextmanager
async def talking(address: str, **options: Any) -> AsyncIterator[Talk]:
    """A connection that has begun."""
    async with connected(address, **options) as talk:
        await talk.say(type="connection_init")
        assert await talk.heard() == {"type": "connection_ack"}
        yield talk


class Stream:
    """A response of server-sent events."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def parts(self) -> Iterator[dict[str, str]]:
        """The events of the stream, comments among them, each as its fields."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            else:
                yield fields
                fields = {}

    def part(self) -> dict[str, str]:
        """The next event."""
        return next(self.parts())

    def answer(self) -> dict[str, Any]:
        """The next answer."""
        part = self.part()
        assert part["event"] == "next", part
        return json.loads(part["data"])  # type: ignore[no-any-return]

    def names(self, count: int) -> list[str]:
        """The names of the models that the next so many events are about."""
        return [self.answer()["data"]["registryEvents"]["modelName"] for _ in range(count)]


@contextmanager
def streaming(address: str, query: str = FOLLOW, headers: dict[str, str] | None = None, **variables: Any) -> Any:
    """A stream that was asked for by GET, as EventSource does."""
    asked = {"query": query, "variables": json.dumps(variables)}
    sent = {"accept": "text/event-stream", **(headers or {})}
    with httpx.stream("GET", f"{address}/graphql", params=asked, headers=sent, timeout=PATIENCE_S) as response:
        yield Stream(response)
