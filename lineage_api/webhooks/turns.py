"""A webhook's turn: whoever has its lease sends what it wants of the history, one event after the other."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row

from lineage_api.store.feed import Feed, Happened
from lineage_api.store.transactions import Transactions
from lineage_api.webhooks import messages, records
from lineage_api.webhooks.messages import Ask
from lineage_api.webhooks.records import Lease
from lineage_api.webhooks.sending import Sender
from lineage_api.webhooks.tempo import Tempo


@dataclass(frozen=True)
class Tools:
    """What it takes to send events."""

    tables: Transactions
    feed: Feed
    ask: Ask
    sender: Sender
    tempo: Tempo

    async def source(self) -> str:
        """The registry, as events name it."""
        return messages.source(await self.tables.read(records.began_at))


async def take(tools: Tools, webhook_id: int, head: int) -> None:
    """Sends what a webhook wants, up to the event `head` at least; nothing when somebody else is at it."""
    lease = Lease(webhook_id, uuid4().hex, round(1_000 * tools.tempo.lease_s))
    turn = _Turn(tools, lease)
    try:
        await turn.keep(partial(records.claim, lease=lease))
        await turn.follow(head)
    finally:
        # Also when this was cancelled while it was claimed.
        await tools.tables.write(partial(records.release, lease=lease))


class _Turn:
    """Where one is in a turn."""

    def __init__(self, tools: Tools, lease: Lease) -> None:
        self._tools = tools
        self._lease = lease
        self._row: Row[Any] | None = None
        self._source: str | None = None
        self._kept_at_s = 0.0
        """When the lease was last renewed."""
        self._ends_at_s = time.monotonic() + tools.tempo.turn_s
        self._is_over = False

    async def keep(self, work: Callable[[Connection], Row[Any] | None]) -> None:
        """Writes something by which the lease is longer, and the row another."""
        began = time.monotonic()
        self._row = await self._tools.tables.write(work)
        self._kept_at_s = began

    async def follow(self, head: int) -> None:
        """Sends page after page."""
        while row := self._going_on():
            page = await self._tools.feed.page(row.handled_event)
            if page:
                await self._send(page)
            elif row.handled_event < head:  # by events of prompts, which nobody is told of
                await self.keep(partial(records.pass_over, lease=self._lease, event_id=head))
            else:
                return

    def _going_on(self) -> Row[Any] | None:
        """The row, as long as there is more to be sent now."""
        row = self._row
        if row is None or row.disabled_at is not None or row.next_attempt_at is not None:
            return None
        return None if self._is_over else row

    async def _send(self, page: Sequence[Happened]) -> None:
        for event in page:
            row = self._going_on()
            if row is None:
                return
            if event in records.wanted(row):
                await self._deliver(event.id)
        row = self._going_on()
        if row is not None and row.handled_event < page[-1].id:
            await self.keep(partial(records.pass_over, lease=self._lease, event_id=page[-1].id))

    async def _deliver(self, event_id: int) -> None:
        answer = await self._tools.ask(event_id)
        if answer is None:
            return
        await self._renew_if_short()
        row = self._going_on()
        if row is None:
            return
        message = messages.of_event(row.id, event_id, await self._source_once(), answer)
        attempt = await self._tools.sender.sent(row.url, row.secret, message)
        tempo = self._tools.tempo
        await self.keep(partial(records.note, lease=self._lease, event_id=event_id, attempt=attempt, tempo=tempo))
        self._is_over = time.monotonic() >= self._ends_at_s

    async def _renew_if_short(self) -> None:
        """Lets no lease run out during an attempt."""
        spare_s = self._tools.tempo.lease_s - self._tools.tempo.time_limit_s
        if time.monotonic() - self._kept_at_s > spare_s / 2:
            await self.keep(partial(records.renew, lease=self._lease))

    async def _source_once(self) -> str:
        self._source = self._source or await self._tools.source()
        return self._source
