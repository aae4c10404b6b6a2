"""A place to run: so many operations of a kind at the same time, and so many that wait, first come first served.

Queries, changes and answers about events have places of their own: changes that wait for a lock keep nobody from
reading, and what is told of an event that thousands follow does not stand before a question.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from graphql import OperationType

from lineage_api.errors import Overloaded


class Places:
    """The places of one kind of operation, as an asynchronous context."""

    def __init__(self, running: int, waiting: int | None, wait_s: float | None) -> None:
        self._free = running
        self._max_waiting = waiting
        """How many may wait; None for any number."""
        self._wait_s = wait_s
        """How long one may wait; None for as long as it takes."""
        self._waiting: deque[asyncio.Future[None]] = deque()

    def require_room(self) -> None:
        """Raises Overloaded where all places are taken, and no more may wait for one."""
        if not self._free and self._max_waiting is not None and len(self._waiting) >= self._max_waiting:
            raise Overloaded

    async def __aenter__(self) -> None:
        """Takes a place; raises Overloaded where too many wait for one, or it was waited for too long."""
        self.require_room()
        if self._free:
            self._free -= 1
        else:
            await self._wait()

    async def _wait(self) -> None:
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(given)
        try:
            async with asyncio.timeout(self._wait_s):
                await given
        except TimeoutError:
            self._leave(given)
            raise Overloaded from None
        except BaseException:
            self._leave(given)
            raise

    def _leave(self, given: "asyncio.Future[None]") -> None:
        if given in self._waiting:
            self._waiting.remove(given)
        elif not given.cancelled():
            self._give_on()  # the place was given in the very moment

    async def __aexit__(self, *_: object) -> None:
        self._give_on()

    def _give_on(self) -> None:
        """Gives a place to whoever has waited longest, if anybody still does."""
        while self._waiting:
            given = self._waiting.popleft()
            if not given.done():
                given.set_result(None)
                return
        self._free += 1


class Admission:
    """Places for each kind of operation."""

    def __init__(self, *, max_running: int, max_waiting: int, wait_s: float) -> None:
        fewer = max(1, max_running // 2)
        self._places: Mapping[Any, Places] = {
            OperationType.QUERY: Places(max_running, max_waiting, wait_s),
            OperationType.MUTATION: Places(fewer, max_waiting, wait_s),
            # Those who follow have been let in already.
            OperationType.SUBSCRIPTION: Places(fewer, None, None),
        }

    def place(self, kind: OperationType) -> Places:
        """A place for an operation of a kind, or for an answer about one event of a subscription."""
        return self._places[kind]
