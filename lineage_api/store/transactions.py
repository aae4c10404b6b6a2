"""Short transactions in a thread."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic, sleep
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from lineage_api.store.engines import changing, reading
from lineage_api.store.to_the_end import to_the_end

_LOCK_WAIT_S = 5.0
_MOMENT_S, _TRY_AGAIN_S = 0.05, 0.2
"""On an SQLite that is not in WAL mode a commit waits for whoever reads, and nobody else may begin to read meanwhile.
So it waits for a moment only, and all is tried again once those who read may have ended."""

_T = TypeVar("_T")


class Transactions:
    """A database that is read and written in a thread."""

    def __init__(self, uri: str, thread: ThreadPoolExecutor, lock_wait_s: float = _LOCK_WAIT_S) -> None:
        """What is written waits so long for others who keep it from that."""
        self._thread = thread
        self._reading = reading(uri)
        self._changing = changing(uri, 1, round(1_000 * (_MOMENT_S if uri.startswith("sqlite") else lock_wait_s)))
        self._lock_wait_s = lock_wait_s

    async def read(self, work: Callable[[Connection], _T]) -> _T:
        """What comes of work that changes nothing."""
        return await self._done(partial(_in_transaction, self._reading, work))

    async def write(self, work: Callable[[Connection], _T]) -> _T:
        """What comes of work that changes rows; it is done to its end, even if nobody waits for it any more."""
        return await to_the_end(asyncio.ensure_future(self._done(partial(self._written, work))))

    def close(self) -> None:
        """Lets go of the database, after all that is to be done."""
        self._thread.submit(self._changing.dispose)

    async def _done(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _written(self, work: Callable[[Connection], _T]) -> _T:
        until = monotonic() + self._lock_wait_s
        while True:
            try:
                return _in_transaction(self._changing, work)
            except OperationalError as error:
                if not _is_busy(error) or monotonic() > until:
                    raise
            sleep(_TRY_AGAIN_S)


def _in_transaction(engine: Engine, work: Callable[[Connection], _T]) -> _T:
    with engine.begin() as connection:
        return work(connection)


def _is_busy(error: OperationalError) -> bool:
    """Whether others keep SQLite from doing what it should."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
