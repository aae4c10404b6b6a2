"""SQLite, read in snapshots in the process."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import closing
from time import monotonic
from typing import Any

from sqlalchemy import make_url

from lineage_api.errors import TimedOut
from lineage_api.store import functions
from lineage_api.store.database import LOCK_WAIT_S, MAX_CONNECTIONS, Database, Observer, Row, Snapshot
from lineage_api.store.statements import Statement
from lineage_api.store.uris import existing

POLL_S = 0.1
"""How often it is asked whether anything was committed."""


class SQLite(Database):
    """SQLite, in the process: a statement takes less time than a thread's turn."""

    kind = "sqlite"

    def __init__(self, uri: str, observe: Observer | None = None) -> None:
        super().__init__(observe)
        self._path = make_url(uri).database or ""
        self._idle: list[_Connection] = []

    def snapshot(self) -> "SQLiteSnapshot":
        return SQLiteSnapshot(self)

    def take(self) -> "_Connection":
        """A connection of the pool, or a new one."""
        file = _file(self._path)
        while self._idle:
            connection = self._idle.pop()
            if connection.file == file:
                return connection
            # The file was moved away, or another one was put in its place.
            connection.close()
        return self._connected(file)

    def give_back(self, connection: "_Connection") -> None:
        """Returns a connection to the pool."""
        if len(self._idle) < MAX_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()

    def _connected(self, file: "_File") -> "_Connection":
        # Not mode=ro: that cannot read a database in WAL mode whose -shm file is not there yet.
        connection = sqlite3.connect(
            existing(self._path), uri=True, isolation_level=None, timeout=0, factory=_Connection
        )
        connection.file = file
        try:
            for pragma in ("query_only = 1", "cache_size = -16000", f"mmap_size = {2**31}", "case_sensitive_like = 1"):
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
            file = _file(self._path)
            with closing(self._connected(file)) as connection:
                seen = None
                while file == _file(self._path):
                    version = _data_version(connection)
                    if version not in {seen, None}:
                        seen = version
                        yield
                    await asyncio.sleep(POLL_S)

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


_File = tuple[int, int]
"""What tells one file from another that has had the same name."""


class _Connection(sqlite3.Connection):
    file: _File
    """The file that it was opened on."""


def _file(path: str) -> _File:
    found = os.stat(path)  # noqa: PTH116 - at each question, and Path takes three times as long
    return found.st_dev, found.st_ino


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

    def __init__(self, database: SQLite) -> None:
        self.dialect = database.dialect
        self._database = database
        self._connection: _Connection | None = None
        self._is_begun = False

    def fetch(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[Row] | Awaitable[Sequence[Row]]:
        parameters = statement.parameters(values)
        rows = self._rows(statement.text, parameters)
        return self._rows_later(statement.text, parameters) if rows is None else rows

    def _rows(self, text: str, parameters: Any) -> Sequence[Row] | None:
        """The rows of a statement; None while another process keeps readers out, before the first has been read."""
        try:
            if self._connection is None:
                self._connection = self._database.take()
                self._connection.execute("BEGIN")
            # The first one takes the lock that later ones share.
            rows = self._connection.execute(text, parameters).fetchall()
        except sqlite3.OperationalError as error:
            if self._is_begun or not _is_busy(error):
                raise
            return None
        self._is_begun = True
        self._database.observe(text)
        return rows

    async def _rows_later(self, text: str, parameters: Any) -> Sequence[Row]:
        end = monotonic() + LOCK_WAIT_S
        while (rows := self._rows(text, parameters)) is None:
            if monotonic() > end:
                raise TimedOut("The database is locked by another process; try again.")
            await asyncio.sleep(0.01)
        return rows

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.rollback()
            self._database.give_back(self._connection)
            self._connection, self._is_begun = None, False
