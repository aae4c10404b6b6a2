"""The database of a store, read in snapshots on its driver."""

import asyncio
import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

from sqlalchemy import Dialect, Select, make_url

from lineage_api.errors import TimedOut
from lineage_api.store import functions
from lineage_api.store.dialects import dialect_of
from lineage_api.store.statements import Compiled, Plain, Prepared, Statement
from lineage_api.store.uris import existing

Row = Sequence[Any]
Observer = Callable[[str], None]

LOCK_WAIT_S = 2.0
"""How long to wait where another process keeps everybody out of the database, or where its server is silent."""
MAX_CONNECTIONS = 16
"""How many connections are kept open."""


_REVISION = Plain("SELECT version_num FROM alembic_version")


class Snapshot(ABC):
    """A reader of a database that sees it as it was at its first statement."""

    dialect: Dialect

    @abstractmethod
    def fetch(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[Row] | Awaitable[Sequence[Row]]:
        """The rows that a statement gives."""

    async def read(self, query: Select[Any] | Prepared, **values: Any) -> Sequence[Row]:
        """The rows of a query; the values are those of its parameters, by name."""
        dialect = self.dialect
        statement = query.compiled(dialect) if isinstance(query, Prepared) else Compiled(query, dialect)
        rows = self.fetch(statement, values)
        return rows if isinstance(rows, Sequence) else await rows

    @abstractmethod
    async def close(self) -> None:
        """Ends the snapshot; what is read after that is the beginning of another one."""


class Database(ABC):
    """The database of a store."""

    kind: str
    """What SQLAlchemy calls it."""

    lacking: frozenset[str] = frozenset()
    """The tables of ours that it does not have; set before the first snapshot."""

    def __init__(self, observe: Observer | None = None) -> None:
        self.observe = observe or (lambda _: None)
        """Told the text of each statement that is run."""

    @staticmethod
    def of(uri: str, observe: Observer | None = None) -> "Database":
        """The database at a URI that `opening.prepared` has let pass."""
        return SQLite(uri, observe) if uri.startswith("sqlite") else PostgreSQL(uri, observe)

    async def open(self) -> None:  # noqa: B027 - SQLite shares nothing
        """Opens what is shared by all snapshots."""

    @property
    def dialect(self) -> Dialect:
        """The words in which it is asked."""
        return dialect_of(self.kind, self.lacking)

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """A snapshot, to be closed by whoever asks for it."""

    async def revision(self) -> str:
        """The revision of MLflow's schema that it has."""
        snapshot = self.snapshot()
        try:
            rows = snapshot.fetch(_REVISION, {})
            [[revision]] = rows if isinstance(rows, Sequence) else await rows
            return str(revision)
        finally:
            await snapshot.close()

    @abstractmethod
    async def close(self) -> None:
        """Closes all connections."""


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


class SQLiteSnapshot(Snapshot):
    """A read transaction, begun with the first statement."""

    def __init__(self, database: SQLite) -> None:
        self.dialect = database.dialect
        self._database = database
        self._connection: _Connection | None = None
        self._is_begun = False

    def fetch(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[Row] | Awaitable[Sequence[Row]]:
        if self._is_begun or self._begins():
            return self._rows(statement, values)
        return self._rows_later(statement, values)

    def _begins(self) -> bool:
        """Whether the transaction has begun; not while another process keeps readers out."""
        try:
            if self._connection is None:
                self._connection = self._database.take()
                self._connection.execute("BEGIN")
            # The first read takes the lock that later ones share.
            self._connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        self._is_begun = True
        return True

    def _rows(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[Row]:
        assert self._connection is not None
        self._database.observe(statement.text)
        return self._connection.execute(statement.text, statement.parameters(values)).fetchall()

    async def _rows_later(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[Row]:
        end = monotonic() + LOCK_WAIT_S
        while not (self._is_begun or self._begins()):
            if monotonic() > end:
                raise TimedOut("The database is locked by another process; try again.")
            await asyncio.sleep(0.01)
        return self._rows(statement, values)

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.rollback()
            self._database.give_back(self._connection)
            self._connection, self._is_begun = None, False


class PostgreSQL(Database):
    """PostgreSQL, through a pool of psycopg 3."""

    kind = "postgresql"

    def __init__(self, uri: str, observe: Observer | None = None) -> None:
        super().__init__(observe)
        self._uri = make_url(uri).set(drivername="postgresql").render_as_string(hide_password=False)
        self._pool: Any = None

    def snapshot(self) -> "PostgreSQLSnapshot":
        return PostgreSQLSnapshot(self)

    async def open(self) -> None:
        from psycopg_pool import AsyncConnectionPool  # noqa: PLC0415 - an extra that SQLite does without

        self._pool = AsyncConnectionPool(
            self._uri,
            kwargs={"autocommit": True},
            min_size=1,
            max_size=MAX_CONNECTIONS,
            open=False,
            timeout=LOCK_WAIT_S,
            reconnect_timeout=LOCK_WAIT_S,
        )
        await self._pool.open()

    async def take(self) -> Any:
        """A connection of the pool, in a transaction of its own."""
        from psycopg import OperationalError  # noqa: PLC0415 - an extra that SQLite does without
        from psycopg_pool import PoolTimeout  # noqa: PLC0415

        for _ in range(MAX_CONNECTIONS + 1):
            try:
                connection = await self._pool.getconn()
            except PoolTimeout:
                break
            try:
                await connection.execute(_BEGIN, prepare=False)
            except OperationalError:
                # One of those that the server had before it was started again; the pool drops it.
                await self._pool.putconn(connection)
            else:
                return connection
        raise TimedOut("The database does not answer; try again.")

    async def give_back(self, connection: Any) -> None:
        """Returns a connection to the pool."""
        try:
            await connection.rollback()
        finally:
            await self._pool.putconn(connection)

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()


# Compiling a statement takes longer than any of ours does.
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off"


class PostgreSQLSnapshot(Snapshot):
    """A read-only transaction at REPEATABLE READ, begun with the first statement."""

    def __init__(self, database: PostgreSQL) -> None:
        self.dialect = database.dialect
        self._database = database
        self._connection: asyncio.Future[Any] | None = None

    async def fetch(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[Row]:
        if self._connection is None:
            self._connection = asyncio.ensure_future(self._database.take())
        connection = await asyncio.shield(self._connection)
        self._database.observe(statement.text)
        cursor = await connection.execute(statement.text, statement.parameters(values))
        rows: Sequence[Row] = await cursor.fetchall()
        return rows

    async def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(Exception):  # a connection that could not be had need not be given back
                await self._database.give_back(await connection)
