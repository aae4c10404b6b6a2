"""The database of a store, read in snapshots on its driver."""

import asyncio
import logging
import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from sqlalchemy import Dialect, Select, make_url

from lineage_api.errors import TimedOut, Unsuitable
from lineage_api.store import functions
from lineage_api.store.dialects import dialect_of
from lineage_api.store.statements import Compiled, Plain, Prepared, Statement
from lineage_api.store.uris import existing

_log = logging.getLogger(__name__)

Row = Sequence[Any]
Observer = Callable[[str], None]

LOCK_WAIT_S = 2.0
"""How long to wait where another process keeps everybody out of the database, or where its server is silent."""
MAX_CONNECTIONS = 16
"""How many connections are kept open."""
MAX_AT_HAND = 4
"""How many of them are kept at hand; the pool closes others after a while."""


BACKENDS = ("rows", "json", "best")
"""How a database may be read."""

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
    def of(uri: str, observe: Observer | None = None, backend: str = "best") -> "Database":
        """The database at a URI that `opening.prepared` has let pass, and how it is to be read (see PostgreSQL).

        Raises Unsuitable where it cannot be read so.
        """
        if backend not in BACKENDS:
            raise Unsuitable(f"the backend must be one of {', '.join(BACKENDS)}, not {backend}")
        if backend == "json" and uri.startswith("sqlite"):
            raise Unsuitable("SQLite is read as rows: its JSON cuts off the digits of numbers; leave the backend out")
        return SQLite(uri, observe) if uri.startswith("sqlite") else PostgreSQL(uri, observe, backend)

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
            if self._is_begun or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
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


class PostgreSQL(Database):
    """PostgreSQL, through a pool of psycopg 3."""

    kind = "postgresql"

    def __init__(self, uri: str, observe: Observer | None = None, backend: str = "best") -> None:
        super().__init__(observe)
        self.backend = backend
        """How its snapshots are read: as `rows`, as `json` wherever it can write that, or as is `best`."""
        self._uri = make_url(uri).set(drivername="postgresql").render_as_string(hide_password=False)
        self._pool: Any = None
        self._at_hand: list[Any] = []
        """Connections of the pool that were used last: taking one of these costs next to nothing."""
        self._wanted = 0
        """How many wait for a connection."""

    def snapshot(self) -> "PostgreSQLSnapshot":
        return PostgreSQLSnapshot(self)

    async def open(self) -> None:
        from psycopg import AsyncRawCursor, OperationalError  # noqa: PLC0415 - an extra that SQLite does without
        from psycopg_pool import AsyncConnectionPool, PoolTimeout  # noqa: PLC0415

        self._lost, self._none_free = OperationalError, PoolTimeout
        self._pool = AsyncConnectionPool(
            self._uri,
            # A statement that comes again is planned by the server, which takes it for one that will come often.
            kwargs={"autocommit": True, "cursor_factory": AsyncRawCursor, "prepare_threshold": 1},
            configure=_configure,
            min_size=1,
            max_size=MAX_CONNECTIONS,
            open=False,
            timeout=LOCK_WAIT_S,
            reconnect_timeout=LOCK_WAIT_S,
        )
        await self._pool.open()

    async def run(self, statements: Sequence[tuple[str, Any]]) -> tuple[Any, list[Any]]:
        """A connection, and the cursors of these statements, which were its first."""
        for _ in range(MAX_CONNECTIONS + 1):
            try:
                connection = self._at_hand.pop() if self._at_hand else await self._from_pool()
            except self._none_free:
                break
            try:
                return connection, await sent(connection, statements)
            except BaseException as error:
                await self.give_back(connection)
                # One of those that the server had before it was started again; the pool drops it.
                if not (isinstance(error, self._lost) and connection.broken):
                    raise
        raise TimedOut("The database does not answer; try again.")

    async def _from_pool(self) -> Any:
        self._wanted += 1
        try:
            return await self._pool.getconn()
        finally:
            self._wanted -= 1

    async def give_back(self, connection: Any, *, is_long: bool = False) -> None:
        """Takes a connection back; the pool drops one that is lost, and a long answer is not kept with it."""
        if is_long:
            vars(connection).pop(_CURSOR, None)
        try:
            if connection.pgconn.transaction_status:
                await connection.rollback()
        except Exception:  # noqa: BLE001 - with the connection its transaction is gone
            _log.debug("A connection was lost", exc_info=True)
        finally:
            if self._wanted or connection.closed or len(self._at_hand) >= MAX_AT_HAND:
                await self._pool.putconn(connection)
            else:
                self._at_hand.append(connection)

    async def close(self) -> None:
        while self._at_hand:
            await self._pool.putconn(self._at_hand.pop())
        if self._pool is not None:
            await self._pool.close()


async def _configure(connection: Any) -> None:
    # Compiling a statement takes longer than any of ours does.
    await connection.execute("SET jit = off")


_CURSOR = "lineage_api.cursor"
_LONG = 100_000
"""A cursor that holds so many bytes is not kept."""

_BEGIN = ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", None)


async def sent(connection: Any, statements: Sequence[tuple[str, Any]]) -> list[Any]:
    """The cursors of statements that were sent together."""
    if len(statements) == 1:
        # Making a cursor takes longer than all else that the driver does here for a short answer.
        kept = vars(connection)
        cursor = kept[_CURSOR] = kept.pop(_CURSOR, None) or connection.cursor()
        return [await cursor.execute(*statements[0])]
    async with connection.pipeline():
        return [await connection.execute(*statement) for statement in statements]


@dataclass(slots=True)
class _Question:
    """A statement that waits to be sent, and what its answer is to be made of."""

    statement: tuple[str, Any]
    answer: asyncio.Future[Any]
    is_json: bool


class PostgreSQLSnapshot(Snapshot):
    """A read-only transaction at REPEATABLE READ, begun with the first statement.

    Statements that are asked for at the same time are sent together.
    """

    def __init__(self, database: PostgreSQL) -> None:
        self.dialect = database.dialect
        self.backend = database.backend
        self._database = database
        self._connection: Any = None
        self._waiting: list[_Question] = []
        self._sending: asyncio.Task[None] | None = None
        self._failure: TimedOut | None = None

    def fetch(self, statement: Statement, values: Mapping[str, Any]) -> Awaitable[Sequence[Row]]:
        return self._asked(statement, values, is_json=False)

    def fetch_json(
        self, statement: Statement, values: Mapping[str, Any], *, is_all: bool = False
    ) -> Awaitable[Sequence[bytes | None]]:
        """The only column of the rows of a statement, as it came; in no transaction where it is all that is read."""
        return self._alone(statement, values) if is_all else self._asked(statement, values, is_json=True)

    async def _alone(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[bytes | None]:
        self._database.observe(statement.text)
        try:
            connection, [cursor] = await self._database.run([(statement.text, statement.parameters(values))])
        except TimedOut as error:
            self._failure = error
            raise
        found = _as_it_came(cursor)
        await self._database.give_back(connection, is_long=sum(len(each or b"") for each in found) > _LONG)
        return found

    def _asked(self, statement: Statement, values: Mapping[str, Any], *, is_json: bool) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Question((statement.text, statement.parameters(values)), answer, is_json))
        if self._sending is None:
            self._sending = asyncio.ensure_future(self._send())
        return answer

    async def _send(self) -> None:
        """Sends what waits, and what comes to wait meanwhile."""
        while self._waiting:
            questions, self._waiting = self._waiting, []
            try:
                answers = await self._answers(questions)
            except BaseException as error:
                for question in questions:
                    if not question.answer.done():
                        question.answer.set_exception(error)
                        question.answer.exception()  # asked for, so that nobody is told of one who has gone
                if not isinstance(error, Exception):
                    raise
            else:
                for question, answer in zip(questions, answers, strict=True):
                    if not question.answer.done():
                        question.answer.set_result(answer)
        self._sending = None

    async def _answers(self, questions: Sequence[_Question]) -> list[Any]:
        statements = [question.statement for question in questions]
        for text, _ in statements:
            self._database.observe(text)
        if self._failure is not None:
            raise self._failure
        if self._connection is not None:
            cursors = await sent(self._connection, statements)
        else:
            self._connection, [_, *cursors] = await self._database.run([_BEGIN, *statements])
        pairs = zip(questions, cursors, strict=True)
        return [_as_it_came(cursor) if each.is_json else await cursor.fetchall() for each, cursor in pairs]

    async def close(self) -> None:
        if self._sending is not None:
            # Whoever asked has gone.
            self._sending.cancel()
            await asyncio.wait([self._sending])
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await self._database.give_back(connection, is_long=True)


def _as_it_came(cursor: Any) -> list[bytes | None]:
    result = cursor.pgresult
    return [result.get_value(row, 0) for row in range(result.ntuples)]
