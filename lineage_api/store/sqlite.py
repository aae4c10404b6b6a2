"""SQLite, read in snapshots in the process: on the event loop what is fast, in a thread what is not."""

import asyncio
import os
import sqlite3
import sys
import threading
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from time import monotonic, thread_time
from typing import Any

from sqlalchemy import Dialect, make_url

from lineage_api.errors import TimedOut
from lineage_api.store import functions
from lineage_api.store.database import LOCK_WAIT_S, MAX_CONNECTIONS, Database, Observer, Row, Snapshot
from lineage_api.store.statements import Statement
from lineage_api.store.to_the_end import to_the_end
from lineage_api.store.uris import existing, file_at

POLL_S = 0.1
"""How often it is asked whether anything was committed."""
TURN_S = 0.02
"""How long a snapshot may hold the event loop; a statement that takes longer is run again in a thread."""
THREADS = MAX_CONNECTIONS
"""How many statements run in threads at the same time: none waits for slower ones, which would be for seconds."""
WARM = 2
"""How many idle connections keep the pages that they have read; those that were needed at once need not."""
MAX_STATEMENTS = 64
"""How many statements a connection keeps compiled, each of which may be some 100 kB."""
MAX_SLOW = 1_000
"""How many statements are known for having been slow, and begun in a thread."""
_OPCODES = 1_000
"""How often it is looked whether the turn is over: each 20 to 50 microseconds, which costs nothing measurable."""
_NICENESS = 10
"""By how much threads stand back behind the event loop where both want a processor."""
_INTERRUPT_S = 0.01
"""How often a statement that nobody waits for is interrupted, until it is: one that just begins would not notice."""


class SQLite(Database):
    """SQLite, in the process: a statement takes less time than a thread's turn."""

    kind = "sqlite"

    def __init__(self, uri: str, observe: Observer | None = None) -> None:
        super().__init__(observe)
        self._path = make_url(uri).database or ""
        self._idle: list[_Connection] = []
        self._threads = ThreadPoolExecutor(THREADS, "sqlite", _stand_back)
        self._slow: OrderedDict[int, None] = OrderedDict()
        """Their texts' hashes: the texts may be long."""

    def snapshot(self, *, hides_secrets: bool = False) -> "SQLiteSnapshot":
        return SQLiteSnapshot(self, self.dialect(hides_secrets=hides_secrets))

    def take(self) -> "_Connection":
        """A connection of the pool, or a new one."""
        file = file_at(self._path)
        while self._idle:
            connection = self._idle.pop()
            if connection.file == file:
                return connection
            # The file was moved away, or another one was put in its place.
            connection.close()
        return self._connected(file)

    def give_back(self, connection: "_Connection") -> None:
        """Returns a connection to the pool, its transaction ended."""
        connection.rollback()
        if connection.is_sound and len(self._idle) < MAX_CONNECTIONS:
            if len(self._idle) >= WARM:
                connection.execute("PRAGMA shrink_memory")
            self._idle.append(connection)
        else:
            connection.close()

    def is_slow(self, text: str) -> bool:
        """Whether a statement took too long for the event loop when it was run last."""
        return hash(text) in self._slow

    def note(self, text: str, *, is_slow: bool) -> None:
        """Remembers of a statement whether it is slow; of those that were, the last ones."""
        self._slow.pop(hash(text), None)
        if is_slow:
            self._slow[hash(text)] = None
            if len(self._slow) > MAX_SLOW:
                self._slow.popitem(last=False)

    def in_thread(self, connection: "_Connection", text: str, parameters: Any) -> "Future[_Timed]":
        """The rows of a statement, read in a thread until the connection is interrupted."""
        return self._threads.submit(connection.rows_timed, text, parameters)

    def _connected(self, file: "_File") -> "_Connection":
        # Not mode=ro: that cannot read a database in WAL mode whose -shm file is not there yet.
        connection = sqlite3.connect(
            existing(self._path),
            uri=True,
            isolation_level=None,
            timeout=0,
            check_same_thread=False,
            cached_statements=MAX_STATEMENTS,
            factory=_Connection,
        )
        connection.file = file
        try:
            for pragma in ("query_only = 1", "cache_size = -8000", "case_sensitive_like = 1"):
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            raise
        functions.install(connection)
        return connection

    async def signals(self) -> AsyncGenerator[None, None]:
        """SQLite tells nobody, so it is asked; what it is asked costs a hundredth of a statement."""
        while True:
            # Anew where the file was moved away, or another one was put in its place.
            file = file_at(self._path)
            with closing(await self._let_in(file)) as connection:
                seen = None
                while file == file_at(self._path):
                    version = _data_version(connection)
                    if version not in {seen, None}:
                        seen = version
                        yield
                    await asyncio.sleep(POLL_S)

    async def _let_in(self, file: "_File") -> "_Connection":
        """A connection, as soon as nobody keeps readers out: to open one is to read of the database."""
        while True:
            try:
                return self._connected(file)
            except sqlite3.OperationalError as error:
                if not _is_busy(error):
                    raise
            await asyncio.sleep(POLL_S)

    async def close(self) -> None:
        self._threads.shutdown()
        while self._idle:
            self._idle.pop().close()


_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_INTERRUPT}
"""What a connection is none the worse for."""
_File = tuple[int, int]
"""What tells one file from another that has had the same name."""
_Timed = tuple[Sequence[Row], float]
"""Rows, and for how many seconds reading them took a processor."""


class _Connection(sqlite3.Connection):
    file: _File
    """The file that it was opened on."""
    is_sound = True
    """Whether it never failed; of a file that was damaged or empty it would remember that, once it is as it was."""

    def rows_until(self, until: float, text: str, parameters: Any) -> Sequence[Row]:
        """The rows of a statement, if it is done at a moment of `monotonic`; its transaction goes on if it is not."""
        self.set_progress_handler(lambda: monotonic() > until, _OPCODES)
        try:
            return self.rows(text, parameters)
        finally:
            # Else it would be asked in statements that are run later, of all whose runs so many steps are counted, and
            # end a BEGIN. In a thread it would wait for the interpreter each time, and others for it.
            self.set_progress_handler(None, 0)

    def rows_timed(self, text: str, parameters: Any) -> _Timed:
        """The rows of a statement, and how long a thread was busy with them.

        In a thread it waits for the interpreter while others have it, the longer the more is asked: were that counted,
        what is fast would be taken for slow, and be read in threads ever after.
        """
        began = thread_time()
        rows = self.rows(text, parameters)
        return rows, thread_time() - began

    def rows(self, text: str, parameters: Any) -> Sequence[Row]:
        """The rows of a statement, unless it is interrupted, from whatever thread."""
        try:
            return self.execute(text, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            passes = getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING
            self.is_sound = self.is_sound and passes
            raise


def _stand_back() -> None:
    """Lets the event loop have the processor first; only Linux has priorities for threads."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def _data_version(connection: _Connection) -> int | None:
    """A number that is another one after others have committed something; None while somebody keeps readers out."""
    try:
        [[version]] = connection.execute("PRAGMA data_version")
    except sqlite3.OperationalError as error:
        if not _is_busy(error):
            raise
        return None
    return int(version)


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


class SQLiteSnapshot(Snapshot):
    """A read transaction, begun with the first statement."""

    def __init__(self, database: SQLite, dialect: Dialect) -> None:
        self.dialect = dialect
        self._database = database
        self._connection: _Connection | None = None
        self._is_begun = False
        self._turn_ends = 0.0
        """When the event loop has been held for long enough; 0 before the first statement."""
        self._asked = 0
        """How many statements wait for a thread, or are in one; no other may be run meanwhile."""
        self._reading: Future[_Timed] | None = None
        self._one_by_one = asyncio.Lock()

    def fetch(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[Row] | Awaitable[Sequence[Row]]:
        text, parameters = statement.text, statement.parameters(values)
        if self._asked or self._database.is_slow(text):
            return self._rows_later(text, parameters)
        now = monotonic()
        if not self._turn_ends:
            self._turn_ends = now + TURN_S
        elif now > self._turn_ends:
            return self._rows_later(text, parameters)
        rows = self._rows(text, parameters, now + TURN_S)
        return self._rows_later(text, parameters) if rows is None else rows

    def _rows(self, text: str, parameters: Any, until: float) -> Sequence[Row] | None:
        """The rows of a statement; None where it is to be run again.

        That is while another process keeps readers out, before the first row has been read; and where it is slow.
        """
        try:
            rows = self._begun().rows_until(until, text, parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                self._is_begun = True  # what it has read is kept to: the transaction survives
                self._database.note(text, is_slow=True)
            elif self._is_begun or not _is_busy(error):
                raise
            return None
        self._is_begun = True
        self._database.observe(text)
        return rows

    def _begun(self) -> _Connection:
        """The connection, in a transaction; the first statement takes the lock that later ones share."""
        if self._connection is None:
            self._connection = self._database.take()
            self._connection.execute("BEGIN")
        return self._connection

    async def _rows_later(self, text: str, parameters: Any) -> Sequence[Row]:
        """The rows of a statement, read in a thread; what is asked for meanwhile waits for them."""
        self._asked += 1
        try:
            locked_out_at = monotonic() + LOCK_WAIT_S
            async with self._one_by_one:
                rows = await self._rows_unlocked(text, parameters, locked_out_at)
        finally:
            self._asked -= 1
            self._turn_ends = monotonic() + TURN_S
        self._database.observe(text)
        return rows

    async def _rows_unlocked(self, text: str, parameters: Any, locked_out_at: float) -> Sequence[Row]:
        while True:
            try:
                return await self._rows_in_thread(text, parameters)
            except sqlite3.OperationalError as error:
                if self._is_begun or not _is_busy(error):
                    raise
            if monotonic() > locked_out_at:
                raise TimedOut("The database is locked by another process; try again.")
            await asyncio.sleep(0.01)

    async def _rows_in_thread(self, text: str, parameters: Any) -> Sequence[Row]:
        self._reading = self._database.in_thread(self._begun(), text, parameters)
        rows, took_s = await asyncio.wrap_future(self._reading)
        self._is_begun = True
        self._database.note(text, is_slow=took_s > TURN_S / 2)
        return rows

    async def close(self) -> None:
        connection, self._connection, self._is_begun, self._turn_ends = self._connection, None, False, 0.0
        if connection is None:
            return
        if self._reading is None or self._reading.done():
            self._database.give_back(connection)
        else:
            # Whoever asked has gone, and whoever is told so again meanwhile still closes the connection.
            await to_the_end(asyncio.ensure_future(self._interrupted(self._reading, connection)))

    async def _interrupted(self, reading: "Future[_Timed]", connection: _Connection) -> None:
        """Closes a connection as soon as the statement has ended that nobody waits for any more.

        Nobody else is given it: an interrupt that came too late for the one statement would end the next.
        """
        reading.cancel()
        while not reading.done():
            connection.interrupt()
            await asyncio.sleep(_INTERRUPT_S)
        connection.close()
