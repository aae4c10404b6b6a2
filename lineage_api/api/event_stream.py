"""Answers as server-sent events: what graphql-sse calls distinct connections, and EventSource follows too."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

import orjson
from graphql.error import located_error
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from lineage_api.api.documents import NotValid
from lineage_api.api.entrance import Connected
from lineage_api.api.executor import Answer
from lineage_api.api.failures import told
from lineage_api.store.feed import SlowConsumer

BEAT_S = 15.0
"""How often something is sent, so that no proxy takes a silent connection for a dead one."""
_BEAT = b":\n\n"
_COMPLETE = b"event: complete\ndata:\n\n"


class OpenStreams:
    """The streams that are open, to be ended when the server stops; who followed one connects again."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, task: asyncio.Task[None]) -> None:
        """Remembers what sends a stream, until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def end(self) -> None:
        """Ends all of them at once."""
        for task in self._tasks:
            task.cancel()


class EventStream(Response):
    """A response that goes on while there are answers; each is sent with the ID of its event."""

    def __init__(self, answers: AsyncGenerator[Answer, None], connected: Connected) -> None:
        self._answers = answers
        self._connected = connected
        self.status_code = 200
        self.media_type = "text/event-stream"
        self.background = None
        self.init_headers({"cache-control": "no-store", "vary": "accept", "x-accel-buffering": "no"})
        self.body = b""  # set after the headers, which would tell its length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends answers until there are no more, the client leaves or the server stops."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send(_end())
            return
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self._send(send))
            scope["app"].state.streams.add(sending)
            # Who may not go on connects again, and is told so then.
            with self._connected(sending.cancel):
                await _until_left(receive, send)
            sending.cancel()

    async def _send(self, send: Send) -> None:
        try:
            async with aclosing(self._parts()) as parts:
                async for part in parts:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        finally:
            with suppress(OSError):  # the client is gone
                await send(_end())

    async def _parts(self) -> AsyncGenerator[bytes, None]:
        """The events of the stream; without `complete` at the end, clients connect again."""
        try:
            async with aclosing(self._answers) as answers:
                async for answer in answers:
                    yield _next(answer)
        except SlowConsumer as slow:
            yield _errors(told([located_error(slow)]))
            return
        except NotValid as refusal:
            yield _errors(told(refusal.errors, refusal.code))
        except Exception as error:  # noqa: BLE001 - whatever it is, clients are told as of any other defect
            yield _errors(told([located_error(error)]))
        yield _COMPLETE


async def _until_left(receive: Receive, send: Send) -> None:
    """Waits until the client has left, or has been sent everything; now and then sends a sign of life."""
    while True:
        try:
            async with asyncio.timeout(BEAT_S):
                message = await receive()
        except TimeoutError:
            await send({"type": "http.response.body", "body": _BEAT, "more_body": True})
        else:
            if message["type"] == "http.disconnect":
                return


def _next(answer: Answer) -> bytes:
    id_ = f"id: {answer.event_id}\n" if answer.event_id else ""
    return f"event: next\n{id_}data: {answer.json}\n\n".encode()


def _errors(errors: list[dict[str, Any]]) -> bytes:
    return _next(Answer(orjson.dumps({"errors": errors}).decode()))


def _end() -> Message:
    return {"type": "http.response.body", "body": b"", "more_body": False}
