"""What happens in the registry, as it is committed: one look for a process, whoever follows.

Nothing is queued for anybody. Who follows is a position in the history; the last events are kept for all together, and
older ones are read again. IDs are the order of commits, so nobody who is past one ever misses another before it.
"""

import asyncio
import logging
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import BigInteger, bindparam, case, func, select

from lineage_api.errors import LineageError, Unsuitable
from lineage_api.store import states
from lineage_api.store.database import Database, Row
from lineage_api.store.history import events, models
from lineage_api.store.statements import Prepared

MAX_PAGE = 1_000
"""How many events are read at once."""
MAX_KEPT = 2_000
"""How many of the last events are kept, and how far one who has kept up may fall behind."""
_RETRY_S = 1.0

_log = logging.getLogger(__name__)


class Happened(NamedTuple):
    """An event, as much of it as says who wants it."""

    id: int
    kind: str
    model_name: str
    """The registered model's name at that time."""
    latest_name: str
    """The name that it has now, or had at last."""
    to_stage: str | None
    """The stage that a version entered, as MLflow writes it; a version begins in none."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events somebody wants: those of some registered models, kinds and stages entered; None for all."""

    models: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    to_stages: frozenset[str] | None = None

    def __contains__(self, event: Happened) -> bool:
        return (
            (self.kinds is None or event.kind in self.kinds)
            and (self.to_stages is None or event.to_stage in self.to_stages)
            and (self.models is None or not self.models.isdisjoint((event.model_name, event.latest_name)))
        )

    def among(self, events: Iterable[Happened]) -> list[Happened]:
        """Those of some events that are wanted."""
        return [event for event in events if event in self]


EVERYTHING = Wanted()
"""All that happens."""


class SlowConsumer(LineageError):
    """Who follows has not taken what happened, and more came than is kept for him."""

    code = "SLOW_CONSUMER"


_e, _m = events.c, models.c
_entered = case((~((_e.kind == "VERSION_REGISTERED") & (_e.to_stage == "None")), _e.to_stage))
_AFTER = Prepared(
    select(_e.id, _e.kind, _e.model_name, _m.name, _entered)
    .join_from(events, models, _m.id == _e.model_id)
    .where(_e.id > bindparam("position", type_=BigInteger), states.is_recorded)
    .order_by(_e.id)
    .limit(MAX_PAGE)
)
_HEAD = Prepared(select(func.max(_e.id)).where(_e.id > 0))

_Found = tuple[Sequence[Happened], int]
"""Events that somebody wants, and how far he has come with them."""


class Feed:
    """Tells those who follow of events, in order and each once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: deque[Happened] = deque(maxlen=MAX_KEPT)
        self._floor = 0
        """The event after which all are kept."""
        self._seen = 0
        """The last event that was looked at."""
        self._waiting: dict[Wanted, set[asyncio.Future[_Found]]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._followers = 0
        self._looking: asyncio.Task[None] | None = None
        self.is_recorded = True
        """Whether our tables are there, without which nothing can be followed."""

    async def head(self) -> int:
        """The ID of the last event that has been committed; 0 before the first."""
        if not self.is_recorded:
            raise Unsuitable("Nothing can be followed while history is not recorded: run `lineage-api db upgrade`.")
        if self._looking is None:
            return await self._last()
        await self._catch_up()
        return self._seen

    async def page(self, after: int) -> Sequence[Happened]:
        """What came after an event, in order, a page of it: as far as was looked, while somebody follows."""
        if self._looking is None:
            return await self._stored(after)
        if after < self._floor:
            page = await self._stored(after)
            # The next look tells all who follow what is later; it would be told twice.
            return page[: bisect_right(page, self._seen, key=itemgetter(0))]
        first = bisect_right(self._kept, after, key=itemgetter(0))
        return list(islice(self._kept, first, first + MAX_PAGE))

    async def follow(self, wanted: Wanted, after: int) -> AsyncGenerator[Happened, None]:
        """All that came after an event and is wanted, then what happens; raises SlowConsumer for one who dawdles."""
        position, has_kept_up = after, False
        async with self._followed():
            while True:
                if position >= self._seen:
                    has_kept_up = True
                    found, position = await self._next(wanted)
                elif has_kept_up and position < self._floor:
                    raise SlowConsumer("More has happened than is kept; ask again, after the last event you got.")
                else:
                    seen, page = self._seen, await self.page(position)
                    found, position = wanted.among(page), page[-1].id if page else seen
                for event in found:
                    yield event

    async def beyond(self, after: int) -> None:
        """Waits until anything has happened after an event."""
        async with self._followed():
            while self._seen <= after:
                await self._next(EVERYTHING)

    @asynccontextmanager
    async def _followed(self) -> AsyncIterator[None]:
        """Meanwhile it is looked for new events; as long as nobody follows, it is not."""
        self._followers += 1
        try:
            async with self._one_at_a_time:
                if self._looking is None:
                    self._kept.clear()
                    self._floor = self._seen = await self._last()
                    self._looking = asyncio.create_task(self._look_again_and_again())
            yield
        finally:
            self._followers -= 1
            if not self._followers and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _next(self, wanted: Wanted) -> _Found:
        """What happens next and is wanted, and the last event that was looked at with it."""
        waiter: asyncio.Future[_Found] = asyncio.get_running_loop().create_future()
        waiters = self._waiting.setdefault(wanted, set())
        waiters.add(waiter)
        try:
            return await waiter
        finally:
            waiters.discard(waiter)
            if not waiters and self._waiting.get(wanted) is waiters:
                del self._waiting[wanted]

    async def _look_again_and_again(self) -> None:
        complaint = None
        while True:
            try:
                async with aclosing(self._database.signals()) as signals:
                    async for _ in signals:
                        await self._catch_up()
                        complaint = None
            except Exception as error:  # noqa: BLE001 - such as a database that is away for a while
                if complaint != (complaint := type(error).__name__):
                    _log.warning("What happens cannot be followed at the moment: %s", complaint)
            await asyncio.sleep(_RETRY_S)

    async def _catch_up(self) -> None:
        """Looks for new events, and tells those who wait for them."""
        async with self._one_at_a_time:
            while page := await self._stored(self._seen):
                overflow = len(self._kept) + len(page) - MAX_KEPT
                if overflow > 0:
                    self._floor = [*islice(self._kept, overflow), *page][overflow - 1].id
                self._kept.extend(page)
                self._seen = page[-1].id
                self._tell(page)

    def _tell(self, page: Sequence[Happened]) -> None:
        for wanted, waiters in list(self._waiting.items()):
            if found := wanted.among(page):
                del self._waiting[wanted]
                for waiter in waiters:
                    if not waiter.done():
                        waiter.set_result((found, self._seen))

    async def _stored(self, after: int) -> Sequence[Happened]:
        return [Happened(*row) for row in await self._read(_AFTER, position=after)]

    async def _last(self) -> int:
        [[last]] = await self._read(_HEAD)
        return int(last or 0)

    async def _read(self, query: Prepared, **values: int) -> Sequence[Row]:
        snapshot = self._database.snapshot()
        try:
            return await snapshot.read(query, **values)
        finally:
            await snapshot.close()
