"""A place to run: so many operations of a kind at the same time, and so many that wait, first come first served.

Queries, changes and answers about events have places of their own: changes that wait for a lock keep nobody from
reading, and what is told of an event that thousands follow does not stand before a question. So have queries that take
long: however many there are, others are answered meanwhile.
"""

import asyncio
import re
from collections import OrderedDict, deque
from contextlib import AbstractAsyncContextManager
from time import monotonic
from types import TracebackType

from graphql import OperationType

from lineage_api.api.slices import Slices
from lineage_api.errors import Overloaded

LONG_S = 1.0
"""From when on a query takes long, and may not keep its place from others: ten times what any takes beside others."""
MAX_KNOWN = 1_000
"""Of how many shapes of documents it is known that they took long."""
KNOWN_S = 60.0
"""For how long that is known."""

MAX_SHAPE = 10_000
"""How many characters of a document make its shape: it is asked for before the document is known to be one."""

# A text that does not end is one too: else its end would be sought again from each quotation mark in it.
_LITERALS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|\d+', re.DOTALL)


def shape(document: str) -> int:
    """By what a document is known, whatever texts and numbers are in it."""
    return hash(_LITERALS.sub("", document[:MAX_SHAPE]))


class Places:
    """The places of one kind of operation, as an asynchronous context."""

    def __init__(self, running: int, waiting: int | None, wait_s: float | None) -> None:
        self._free = running
        self._max_waiting = waiting
        """How many may wait; None for any number."""
        self._wait_s = wait_s
        """How long one may wait; None for as long as it takes."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._coming = 0
        """How many were let in in this turn of the loop."""

    def require_room(self) -> None:
        """Raises Overloaded where all places are taken, and no more may wait for one."""
        if not self._has_room(0):
            raise Overloaded

    def lets_in(self) -> bool:
        """Whether one more who comes in this turn of the loop will find room; so many are let in as there is room for.

        Who was let in asks for a place in the next turn: until then it is not to be seen that there is less room.
        """
        has_room = self._has_room(self._coming)
        if has_room:
            if not self._coming:
                asyncio.get_running_loop().call_soon(self._have_come)
            self._coming += 1
        return has_room

    def _have_come(self) -> None:
        self._coming = 0

    def _has_room(self, others: int) -> bool:
        return self._max_waiting is None or self._free + self._max_waiting - len(self._waiting) > others

    @property
    def is_waited_for(self) -> bool:
        """Whether anybody waits for a place."""
        return any(not given.done() for given in self._waiting)

    def take_at_once(self) -> bool:
        """Takes a place, if there is one that nobody has."""
        is_free = self._free > 0
        self._free -= is_free
        return is_free

    async def take(self) -> None:
        """Takes a place; raises Overloaded where too many wait for one, or it was waited for too long."""
        self.require_room()
        if not self.take_at_once():
            await self._wait()

    async def __aenter__(self) -> None:
        """Takes a place, as `take` does."""
        await self.take()

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
            self.give_back()  # the place was given in the very moment

    async def __aexit__(self, *_: object) -> None:
        self.give_back()

    def give_back(self) -> None:
        """Gives a place to whoever has waited longest, if anybody still does."""
        while self._waiting:
            given = self._waiting.popleft()
            if not given.done():
                given.set_result(None)
                return
        self._free += 1


class Queries:
    """Places for queries, and fewer for those whose documents are of shapes that took long."""

    def __init__(self, places: Places, long: Places) -> None:
        self._places = places
        self._long = long
        self._known: OrderedDict[int, float] = OrderedDict()
        """When it is forgotten of a shape that it took long."""
        self._slices = Slices()

    def require_room(self, shape: int) -> None:
        """Raises Overloaded where a query would not be given a place."""
        self._of(shape).require_room()

    @property
    def is_waited_for(self) -> bool:
        """Whether any wait for a place."""
        return self._places.is_waited_for or self._long.is_waited_for

    def lets_in(self, shape: int) -> bool:
        """Whether a query that comes in this turn of the loop will find room."""
        return self._of(shape).lets_in()

    def place(self, shape: int) -> "Place":
        """A place for a query, as an asynchronous context."""
        return Place(self, shape)

    async def taken(self, shape: int) -> Places:
        """The places of which a query has taken one, when it may begin; raises Overloaded where there is none."""
        places = self._of(shape)
        await places.take()
        if places is self._places and self._of(shape) is self._long:
            # Meanwhile another of its shape was seen to take long.
            places.give_back()
            places = self._long
            await places.take()
        try:
            await self._slices.begin()
        except BaseException:
            places.give_back()
            raise
        return places

    def left(self, places: Places, shape: int) -> Places | None:
        """The places of which a query that takes long has one from now on; None where it is to be refused."""
        self._note(shape)
        if places is self._places and self._long.take_at_once():
            places.give_back()
            return self._long
        return None if places is self._places and places.is_waited_for else places

    def _of(self, shape: int) -> Places:
        return self._long if self._known.get(shape, 0.0) > monotonic() else self._places

    def _note(self, shape: int) -> None:
        self._known[shape] = monotonic() + KNOWN_S
        self._known.move_to_end(shape)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)


class Place:
    """The place of one query; raises Overloaded where there is none, or it keeps one for long that others wait for.

    A class, and no generator with a function in it that looks again: that would be a cycle of references for each
    query, in which its task is kept until the garbage is collected.
    """

    _held: Places
    _looking: asyncio.TimerHandle

    def __init__(self, queries: Queries, shape: int) -> None:
        self._queries = queries
        self._shape = shape
        self._limit = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        """Waits for the place."""
        self._held = await self._queries.taken(self._shape)
        self._look_later()
        await self._limit.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Gives it back."""
        self._looking.cancel()
        self._held.give_back()
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError:
            raise Overloaded from None

    def _look_later(self) -> None:
        self._looking = asyncio.get_running_loop().call_later(LONG_S, self._look)

    def _look(self) -> None:
        held = self._queries.left(self._held, self._shape)
        if held is None:
            self._limit.reschedule(asyncio.get_running_loop().time())
        else:
            self._held = held
            self._look_later()


class Admission:
    """Places for each kind of operation."""

    def __init__(self, *, max_running: int, max_waiting: int, wait_s: float) -> None:
        fewer, long = max(1, max_running // 2), max(1, max_running // 4)
        self.queries = Queries(Places(max_running, max_waiting, wait_s), Places(long, max_waiting, wait_s))
        self._mutations = Places(fewer, max_waiting, wait_s)
        # Those who follow have been let in already.
        self._subscriptions = Places(fewer, None, None)

    def place(self, kind: OperationType, shape: int) -> AbstractAsyncContextManager[None]:
        """A place for an operation of a kind, in a document of a shape; for a subscription's answer about one event."""
        if kind is OperationType.QUERY:
            return self.queries.place(shape)
        return self._mutations if kind is OperationType.MUTATION else self._subscriptions
