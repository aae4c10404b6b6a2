"""Filling the index of model files while a server runs: in the background, and a little at a time."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial

from sqlalchemy.exc import DBAPIError

from lineage_api.store import model_index
from lineage_api.store.artifacts import Artifacts
from lineage_api.store.model_files import ModelFiles
from lineage_api.store.model_index import Progress
from lineage_api.store.transactions import Transactions

_DELAY_S = 1
"""A server that starts has other things to do first."""
_INTERVAL_S = 20
_AT_ONCE = 100
_PAUSE_S = 0.05
"""After so many: others need the processor too."""
_BATCHES_A_COUNT = 10
_TIME_LIMIT_S = 20
"""Nobody waits, so a slow artifact store is given more time than by a query."""
_THREADS = 4
_LOCK_WAIT_S = 2.0

_log = logging.getLogger(__name__)


class Indexer:
    """Looks again and again for model files that are not in the index, and reads them."""

    def __init__(
        self,
        uri: str,
        artifacts_destination: str | None = None,
        *,
        delay_s: float = _DELAY_S,
        interval_s: float = _INTERVAL_S,
    ) -> None:
        """The destination is as for Artifacts, the delay how long it waits before it first looks."""
        self._uri = uri
        self._artifacts = Artifacts(artifacts_destination, _TIME_LIMIT_S, _THREADS)
        self._files = ModelFiles(self._artifacts)
        self._delay_s = delay_s
        self._interval_s = interval_s
        self._complaint: str | None = None
        self._progress: Progress | None = None
        self._is_on = False

    @property
    def state(self) -> str:
        """How far the index was when it was last looked at, in one line."""
        if not self._is_on:
            return "model files: read when they are asked for"
        return "model files: not looked at yet" if self._progress is None else str(self._progress)

    @asynccontextmanager
    async def running(self, *, has_tables: bool, may_write: bool) -> AsyncIterator[None]:
        """Meanwhile it looks, and reads; where nothing may be written it only looks how far others are."""
        if not has_tables:
            yield
            return
        self._is_on = True
        # A thread of its own, so that none is left.
        with ThreadPoolExecutor(1, "model-index") as thread:
            task = asyncio.create_task(self._look_again_and_again(thread, may_write=may_write))
            try:
                yield
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                self._artifacts.close()

    async def _look_again_and_again(self, thread: ThreadPoolExecutor, *, may_write: bool) -> None:
        await asyncio.sleep(self._delay_s)
        tables = Transactions(self._uri, thread, _LOCK_WAIT_S)
        try:
            while True:
                await self._look_safely(tables, may_write=may_write)
                await asyncio.sleep(self._interval_s)
        finally:
            tables.close()

    async def _look_safely(self, tables: Transactions, *, may_write: bool) -> None:
        try:
            await self._look(tables, may_write=may_write)
        except Exception as error:  # noqa: BLE001 - such as a database that is locked, or away for a while
            self._complain(error)
        else:
            self._complaint = None

    async def _look(self, tables: Transactions, *, may_write: bool) -> None:
        self._progress = await tables.read(model_index.progress)
        if not may_write or self._progress.read == self._progress.places:
            return
        locations = await tables.read(partial(model_index.due, now=_now()))
        for start in range(0, len(locations), _AT_ONCE):
            await self._index(tables, locations[start : start + _AT_ONCE])
            if start // _AT_ONCE % _BATCHES_A_COUNT == 0:
                self._progress = await tables.read(model_index.progress)
            await asyncio.sleep(_PAUSE_S)
        if locations:
            self._progress = await tables.read(model_index.progress)

    async def _index(self, tables: Transactions, locations: list[str]) -> None:
        """Reads the files at these places and keeps what they say, but for those that another process is reading."""
        places = await tables.write(partial(model_index.taken, locations=locations, now=_now()))
        if places:
            found = await self._files.read([place.location for place in places])
            await tables.write(partial(model_index.note, places=places, found=found, now=_now()))

    def _complain(self, error: Exception) -> None:
        """Say once what is wrong: it will be so for a while."""
        said = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
        complaint = f"{type(error).__name__}: {said}"
        if complaint != self._complaint:
            self._complaint = complaint
            _log.warning("The index of model files could not be brought up to date: %s", complaint)


def _now() -> int:
    return time.time_ns() // 1_000_000
