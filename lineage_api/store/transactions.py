"""Short transactions in a thread."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine

from lineage_api.store.engines import changing, reading
from lineage_api.store.to_the_end import to_the_end

_LOCK_WAIT_MS = 5_000

_T = TypeVar("_T")


class Transactions:
    """A database that is read and written in a thread."""

    def __init__(self, uri: str, thread: ThreadPoolExecutor, lock_wait_ms: int = _LOCK_WAIT_MS) -> None:
        self._thread = thread
        self._reading = reading(uri)
        self._changing = changing(uri, 1, lock_wait_ms)

    async def read(self, work: Callable[[Connection], _T]) -> _T:
        """What comes of work that changes nothing."""
        return await self._done(self._reading, work)

    async def write(self, work: Callable[[Connection], _T]) -> _T:
        """What comes of work that changes rows; it is done to its end, even if nobody waits for it any more."""
        return await to_the_end(asyncio.ensure_future(self._done(self._changing, work)))

    def close(self) -> None:
        """Lets go of the database, after all that is to be done."""
        self._thread.submit(self._changing.dispose)

    async def _done(self, engine: Engine, work: Callable[[Connection], _T]) -> _T:
        def in_transaction() -> _T:
            with engine.begin() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._thread, in_transaction)
