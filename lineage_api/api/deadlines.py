"""How long work goes on: until its time is over, or until nobody wants it any more.

What is being awaited is cancelled then, down to the statement that the database runs.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from graphql import OperationType
from starlette.types import Receive

from lineage_api.errors import TimedOut

T = TypeVar("T")

WATCH_AFTER_S = 0.05
"""After how long it is looked whether the client is still there; most answers are there before."""


class GoneError(Exception):
    """The client has gone before there was an answer."""


async def in_time(work: Awaitable[T], limit_s: float, kind: OperationType) -> T:
    """The result of work on an operation of a kind; raises TimedOut, which says what to do about it."""
    try:
        async with asyncio.timeout(limit_s) as limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise  # of something inside, whose own it is
        raise TimedOut(_said(limit_s, kind)) from None


def _said(limit_s: float, kind: OperationType) -> str:
    if kind is OperationType.MUTATION:
        return (
            f"This took longer than {limit_s:g} s. A change that had begun may still be made: "
            "ask again with the same `idempotencyKey`, or look."
        )
    return f"This takes longer than {limit_s:g} s; ask for less at once, such as smaller pages or a narrower filter."


async def while_wanted(work: Awaitable[T], receive: Receive) -> T:
    """The result of work for a client over HTTP, whose request has been read; raises GoneError once it has left."""
    watch = _Watch(receive)
    timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, watch.begin)
    try:
        return await work
    except asyncio.CancelledError:
        if watch.has_seen_leave:
            watch.is_heard()
            raise GoneError from None
        raise
    finally:
        timer.cancel()
        watch.end()


class _Watch:
    """Looks whether a client leaves, and then cancels the task that works for it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._working: asyncio.Task[Any] | None = asyncio.current_task()
        self._looking: asyncio.Task[None] | None = None
        self.has_seen_leave = False

    def begin(self) -> None:
        """Looks from now on."""
        self._looking = asyncio.create_task(self._look())

    def end(self) -> None:
        """Looks no more."""
        if self._looking is not None:
            self._looking.cancel()

    def is_heard(self) -> None:
        """The cancellation has come to where it was to come."""
        if self._working is not None:
            self._working.uncancel()

    async def _look(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass  # there is nothing more of a request that has been read
        self.has_seen_leave = True
        if self._working is not None:
            self._working.cancel()
