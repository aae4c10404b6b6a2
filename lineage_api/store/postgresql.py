"""PostgreSQL, read in snapshots through psycopg, or by single statements that need none."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, make_url

from lineage_api.errors import TimedOut
from lineage_api.store.database import LOCK_WAIT_S, MAX_CONNECTIONS, Database, Observer, Row, Snapshot
from lineage_api.store.statements import Statement
from lineage_api.store.to_the_end import to_the_end
from lineage_api.store.trigger_forms import CHANNEL

_log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How long to wait to be told of something, before looking all the same."""
LOCK_TIMEOUT_S = 5.0
"""How long a statement may wait for a lock, such as that of somebody who changes a table."""
MAX_AT_HAND = 4
"""How many connections are kept at hand; the pool closes others after a while."""


class PostgreSQL(Database):
    """PostgreSQL, through a pool of psycopg 3."""

    kind = "postgresql"

    def __init__(
        self, uri: str, observe: Observer | None = None, backend: str = "best", time_limit_s: float = 10.0
    ) -> None:
        super().__init__(observe)
        self.backend = backend
        """How its snapshots are read: as `rows`, as `json` wherever it can write that, or as is `best`."""
        self._time_limit_s = time_limit_s
        """After how long the server stops a statement; who waits for one may stop waiting before."""
        self._uri = make_url(uri).set(drivername="postgresql").render_as_string(hide_password=False)
        self._pool: Any = None
        self._at_hand: list[Any] = []
        """Connections of the pool that were used last: taking one of these costs next to nothing."""
        self._wanted = 0
        """How many wait for a connection."""

    def snapshot(self, *, hides_secrets: bool = False) -> "PostgreSQLSnapshot":
        # Only rows are looked through for secrets.
        backend = "rows" if hides_secrets else self.backend
        return PostgreSQLSnapshot(self, self.dialect(hides_secrets=hides_secrets), backend)

    async def open(self) -> None:
        from psycopg import AsyncRawCursor, OperationalError  # noqa: PLC0415 - an extra that SQLite does without
        from psycopg_pool import AsyncConnectionPool, PoolTimeout  # noqa: PLC0415

        self._lost, self._none_free = OperationalError, PoolTimeout
        self._pool = AsyncConnectionPool(
            self._uri,
            # A statement that comes again is planned by the server, which takes it for one that will come often.
            kwargs={"autocommit": True, "cursor_factory": AsyncRawCursor, "prepare_threshold": 1},
            configure=self._configure,
            min_size=1,
            max_size=MAX_CONNECTIONS,
            open=False,
            timeout=LOCK_WAIT_S,
            reconnect_timeout=LOCK_WAIT_S,
        )
        await self._pool.open()

    async def _configure(self, connection: Any) -> None:
        # Compiling a statement takes longer than any of ours does.
        limits = (("statement_timeout", self._time_limit_s), ("lock_timeout", LOCK_TIMEOUT_S))
        set_ = ", ".join(f"set_config('{name}', '{limit_s * 1000:.0f}', false)" for name, limit_s in limits)
        await connection.execute(f"SELECT set_config('jit', 'off', false), {set_}")

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
        pgconn = connection.pgconn
        if pgconn.transaction_status or pgconn.pipeline_status or not self._kept(connection):
            # A connection that its pool is only half given back is lost to it.
            await to_the_end(asyncio.ensure_future(self._give_back(connection)))

    async def _give_back(self, connection: Any) -> None:
        try:
            if connection.pgconn.pipeline_status:
                # psycopg does not leave a pipeline that somebody is stopped in who just enters it.
                await connection.close()
            elif connection.pgconn.transaction_status:
                await connection.rollback()
        except Exception:  # noqa: BLE001 - with the connection its transaction is gone
            _log.debug("A connection was lost", exc_info=True)
        if connection.pgconn.transaction_status or not self._kept(connection):
            await self._pool.putconn(connection)

    def _kept(self, connection: Any) -> bool:
        """Keeps a connection at hand unless somebody waits for one, or enough are; says whether it did."""
        if self._wanted or connection.closed or len(self._at_hand) >= MAX_AT_HAND:
            return False
        self._at_hand.append(connection)
        return True

    async def signals(self) -> AsyncGenerator[None, None]:
        """It tells whoever listens; a look now and then is for those whom a pooler between, or a standby, lets not."""
        from psycopg import AsyncConnection  # noqa: PLC0415 - as in `open`
        from psycopg.errors import ReadOnlySqlTransaction  # noqa: PLC0415

        connection = await AsyncConnection.connect(self._uri, autocommit=True)
        try:
            with suppress(ReadOnlySqlTransaction):
                await connection.execute(f"LISTEN {CHANNEL}")
            while True:
                yield
                async for _ in connection.notifies(timeout=LOOK_S, stop_after=1):
                    pass
        finally:
            await connection.close()

    async def close(self) -> None:
        while self._at_hand:
            await self._pool.putconn(self._at_hand.pop())
        if self._pool is not None:
            await self._pool.close()


_CURSOR = "lineage_api.cursor"
_LONG = 100_000
"""A cursor that holds so many bytes is not kept."""

_BEGIN = ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", None)


_STOPPED = {"57014": "This takes too long; ask for less.", "55P03": "The database is locked; try again."}
"""What the server says where it has stopped a statement: because of its time limit, or that of a lock."""


async def sent(connection: Any, statements: Sequence[tuple[str, Any]]) -> list[Any]:
    """The cursors of statements that were sent together; raises TimedOut where the server has stopped one."""
    try:
        return await _sent(connection, statements)
    except Exception as error:
        said = _STOPPED.get(getattr(error, "sqlstate", None) or "")
        if said is None:
            raise
        raise TimedOut(said) from None


async def _sent(connection: Any, statements: Sequence[tuple[str, Any]]) -> list[Any]:
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

    def __init__(self, database: PostgreSQL, dialect: Dialect, backend: str) -> None:
        self.dialect = dialect
        self.backend = backend
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
        if self._sending is None:
            await self._end()
        else:
            # Whoever asked has gone, and whoever is told so again meanwhile still gives the connection back.
            self._sending.cancel()
            await asyncio.shield(self._end_after(self._sending))

    async def _end_after(self, sending: asyncio.Task[None]) -> None:
        await asyncio.wait([sending])
        await self._end()

    async def _end(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await self._database.give_back(connection, is_long=True)


def _as_it_came(cursor: Any) -> list[bytes | None]:
    result = cursor.pgresult
    return [result.get_value(row, 0) for row in range(result.ntuples)]
