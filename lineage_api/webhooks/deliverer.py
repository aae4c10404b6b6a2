"""Sending events to webhooks while a server runs: in the background, and one process at a time for each webhook."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import partial
from typing import Any

from sqlalchemy.exc import DBAPIError

from lineage_api.errors import NotFound, Unsuitable
from lineage_api.store.feed import Feed
from lineage_api.store.transactions import Transactions
from lineage_api.webhooks import messages, records, turns
from lineage_api.webhooks.addresses import LookUp, Networks, looked_up
from lineage_api.webhooks.messages import Ask, Message
from lineage_api.webhooks.records import Cause
from lineage_api.webhooks.sending import Sender
from lineage_api.webhooks.tempo import Tempo
from lineage_api.webhooks.turns import Tools

_log = logging.getLogger(__name__)


class Deliverer:
    """Looks whenever something has happened, and gives each webhook for which there is something its turn."""

    def __init__(
        self,
        uri: str,
        feed: Feed,
        ask: Ask,
        networks: Networks = (),
        *,
        tempo: Tempo | None = None,
        look_up: LookUp = looked_up,
    ) -> None:
        """The networks are those that may be sent to besides the internet."""
        self._uri = uri
        self._feed = feed
        self._ask = ask
        self._tempo = tempo or Tempo()
        self._sender = Sender(networks, self._tempo.time_limit_s, look_up)
        self._tools: Tools | None = None
        self._woken = asyncio.Event()
        self._turns: dict[int, asyncio.Task[None]] = {}
        self._troubled_until_s: dict[int, float] = {}
        """When a turn is taken again that failed by no fault of the receiver's."""
        self._complaints: dict[int | None, str] = {}
        """What is wrong, by webhook; None is all of them."""

    @asynccontextmanager
    async def running(self, *, is_looking: bool = True) -> AsyncIterator[None]:
        """Meanwhile events are sent; where it does not look, nothing but what somebody asks for is."""
        with ThreadPoolExecutor(1, "webhooks") as thread:
            tables = Transactions(self._uri, thread)
            try:
                async with self._sender.running():
                    self._tools = Tools(tables, self._feed, self._ask, self._sender, self._tempo)
                    async with self._looking(self._tools) if is_looking else nullcontext():
                        yield
            finally:
                self._tools = None
                tables.close()

    def kick(self) -> None:
        """Look now: a webhook was made or changed. Only for the thread of the event loop."""
        self._woken.set()

    async def send_once(self, webhook_id: int, event_id: int | None, cause: Cause) -> int:
        """The ID of an attempt that is made now, with an event or as a test: out of order, and whatever comes of it.

        Raises NotFound when there is no such webhook or event, and Unsuitable when nothing is sent here.
        """
        tools = self._tools
        if tools is None:
            raise Unsuitable("No webhooks are sent by this process.")
        row = await tools.tables.read(partial(records.webhook, id_=webhook_id))
        if row is None:
            raise NotFound("There is no such webhook.")
        attempt = await self._sender.sent(row.url, row.secret, await _message(tools, webhook_id, event_id))
        note = partial(records.note_apart, webhook_id=webhook_id, cause=cause, attempt=attempt, event_id=event_id)
        delivery_id = await tools.tables.write(note)
        if delivery_id is None:
            raise NotFound("The webhook was deleted meanwhile.")
        return delivery_id

    @asynccontextmanager
    async def _looking(self, tools: Tools) -> AsyncIterator[None]:
        task = asyncio.create_task(self._look_again_and_again(tools))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _look_again_and_again(self, tools: Tools) -> None:
        try:
            while True:
                await self._look_safely(tools)
        finally:
            for turn in self._turns.values():
                turn.cancel()
            await asyncio.gather(*self._turns.values(), return_exceptions=True)

    async def _look_safely(self, tools: Tools) -> None:
        try:
            await self._look(tools)
        except Exception as error:  # noqa: BLE001 - such as a database that is locked, or away for a while
            self._complain(None, error)
            await asyncio.sleep(self._tempo.trouble_s)

    async def _look(self, tools: Tools) -> None:
        """Begins the turns that are due, and waits until others may be."""
        self._woken.clear()
        head, pause_s = None, self._tempo.interval_s
        if await tools.tables.read(records.has_enabled):
            head = await self._feed.head()
            pause_s = min(pause_s, await self._begin(tools, head))
        self._complaints.pop(None, None)
        await self._rest(head, pause_s)

    async def _begin(self, tools: Tools, head: int) -> float:
        """Begins the turns that are due, as many as there is room for; gives when the next will be, in seconds."""
        next_s = self._tempo.interval_s
        for webhook_id, wait_ms in await tools.tables.read(partial(records.due, head=head)):
            wait_s = max(wait_ms / 1_000, self._troubled_until_s.get(webhook_id, 0) - time.monotonic())
            if webhook_id in self._turns:
                continue
            if wait_s > 0:
                next_s = min(next_s, wait_s)
            elif len(self._turns) < self._tempo.at_once:
                turn = asyncio.create_task(turns.take(tools, webhook_id, head))
                self._turns[webhook_id] = turn
                turn.add_done_callback(partial(self._ended, webhook_id))
        return next_s

    def _ended(self, webhook_id: int, turn: asyncio.Task[None]) -> None:
        del self._turns[webhook_id]
        if turn.cancelled():
            return
        self._woken.set()
        error = turn.exception()
        if error is None:
            self._complaints.pop(webhook_id, None)
            self._troubled_until_s.pop(webhook_id, None)
        else:
            self._complain(webhook_id, error)
            self._troubled_until_s[webhook_id] = time.monotonic() + self._tempo.trouble_s

    async def _rest(self, head: int | None, pause_s: float) -> None:
        """Waits for so long, or until there is something to see: something new, or a turn that has ended."""
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._woken.wait())]
        if head is not None:
            waits.append(asyncio.create_task(self._feed.beyond(head)))
        try:
            done, _ = await asyncio.wait(waits, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _complain(self, of: int | None, error: BaseException) -> None:
        """Say once what is wrong: it will be so for a while."""
        said = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
        complaint = f"{type(error).__name__}: {said}"
        if complaint not in self._complaints.values():
            _log.warning("Webhooks could not be sent for the moment: %s", complaint)
        self._complaints[of] = complaint


async def _message(tools: Tools, webhook_id: int, event_id: int | None) -> Message:
    """The message about an event; a test, where none is named."""
    source = await tools.source()
    if event_id is None:
        return messages.of_test(webhook_id, source)
    answer = await tools.ask(event_id)
    if answer is None:
        raise NotFound("There is no such event.")
    return messages.of_event(webhook_id, event_id, source, answer)
