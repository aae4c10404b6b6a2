"""The recording of history while a server runs: begun at the start, looked after once a minute."""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial

from lineage_api.errors import Unsuitable
from lineage_api.migrations import recording
from lineage_api.migrations.recording import Recording

INTERVAL_S = 60
"""How often the history is compared with the tables."""

_log = logging.getLogger(__name__)


def begun(uri: str, *, may_make: bool) -> Recording:
    """How far history is recorded, after it was begun where that is allowed; what is missing is said in the log."""
    if not may_make:
        state = recording.looked_at(uri)
        if not state.is_on:
            _log.warning("History is not recorded, and nothing can be changed: run `lineage-api db upgrade`")
        elif state.missing:
            _log.warning(
                "What other tools change is not recorded, since %d triggers are missing: run `lineage-api db upgrade`",
                len(state.missing),
            )
        if state.is_on and not state.has_index:
            _log.warning("What the files of models say is not indexed: run `lineage-api db upgrade`")
        if state.is_on and not state.has_webhooks:
            _log.warning("There can be no webhooks: run `lineage-api db upgrade`")
        return state
    try:
        state = recording.begin(uri)
    except Unsuitable as refusal:
        state = recording.looked_at(uri)
        if not state.lacking:
            raise
        _log.warning("%s; run `lineage-api db upgrade` as an account that may make them", refusal)
        state = recording.catch_up(uri)
    if state.refusal:
        _log.warning(
            "Changes by other tools are found once a minute only, since triggers are refused: %s", state.refusal
        )
    return state


@asynccontextmanager
async def recorded(uri: str, *, may_make: bool, interval_s: float = INTERVAL_S) -> AsyncIterator[Recording]:
    """How far history is recorded; meanwhile, where that is allowed, it is compared with the tables again and again."""
    with ThreadPoolExecutor(1, "history") as thread:  # of its own, so that none is left
        state = await asyncio.get_running_loop().run_in_executor(thread, partial(begun, uri, may_make=may_make))
        task = asyncio.create_task(_look_after(uri, thread, interval_s)) if may_make else None
        try:
            yield state
        finally:
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def _look_after(uri: str, thread: Executor, interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        try:
            state = await asyncio.get_running_loop().run_in_executor(thread, recording.catch_up, uri)
        except Exception:  # noqa: BLE001 - such as a database that is away for a while
            _log.warning("The history could not be compared with the tables", exc_info=True)
            continue
        if state.added:
            _log.warning("%d changes had not been recorded as they happened, and were added", state.added)
