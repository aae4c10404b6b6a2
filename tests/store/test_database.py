"""Snapshots of a database, on each of the two that are supported."""

import asyncio
import logging
import shutil
import sqlite3
import time
from collections.abc import Sequence
from contextlib import aclosing, asynccontextmanager, closing, suppress
from pathlib import Path
from random import Random

import psycopg
import pytest
from sqlalchemy import make_url

from lineage_api.engine.sql import Statement
from lineage_api.errors import TimedOut
from lineage_api.store.database import LOCK_WAIT_S, MAX_CONNECTIONS
from lineage_api.store.opening import head_revision
from lineage_api.store.postgresql import MAX_AT_HAND
from lineage_api.store.reading import database_of
from lineage_api.store.sqlite import MAX_SLOW
from tests.api import slow
from tests.conftest import Templates
from tests.processes import locked
from tests.stores import POSTGRESQL, Store, has_postgresql

NAMES = "SELECT name FROM experiments ORDER BY name"


@asynccontextmanager
async def opened(uri, **more):
    """A database, open."""
    database = database_of(uri, **more)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def snapshot_of(database):
    """A snapshot, closed in the end."""
    snapshot = database.snapshot()
    try:
        yield snapshot
    finally:
        await snapshot.close()


async def rows(snapshot, text):
    """What a statement without parameters gives."""
    found = snapshot.fetch(Statement(text, {}, ()), {})
    return [tuple(row) for row in (found if isinstance(found, Sequence) else await found)]


async def names(database):
    """The experiments that a new snapshot shows."""
    async with snapshot_of(database) as snapshot:
        return [name for [name] in await rows(snapshot, NAMES)]


def open_files():
    """How many this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def file(templates: Templates, tmp_path):
    """The file of a store on SQLite."""
    templates.copy("sqlite", tmp_path)
    return tmp_path / "mlflow.db"


@pytest.fixture
def on_postgresql(templates: Templates, tmp_path):
    """A store on PostgreSQL."""
    if not has_postgresql():
        pytest.skip(f"no PostgreSQL answers at {POSTGRESQL}")
    made = Store(templates.copy("postgresql", tmp_path), tmp_path / "artifacts")
    yield made
    made.close()


async def test_a_snapshot_does_not_change(store):
    """It shows what was there at its first statement, whatever is written meanwhile; the next one shows that too."""
    async with opened(store.uri) as database:
        async with snapshot_of(database) as snapshot:
            store.experiment("before")
            assert await rows(snapshot, NAMES) == [("Default",), ("before",)]
            store.experiment("meanwhile")
            assert await rows(snapshot, NAMES) == [("Default",), ("before",)]

        assert await names(database) == ["Default", "before", "meanwhile"]


async def test_nothing_can_be_written(store):
    """A snapshot reads, and does nothing else."""
    async with opened(store.uri) as database, snapshot_of(database) as snapshot:
        with pytest.raises((sqlite3.OperationalError, psycopg.errors.ReadOnlySqlTransaction)):
            await rows(snapshot, "DELETE FROM experiments")


async def test_each_statement_is_told(store):
    """Whoever observes the database is told the statements, and nothing of how transactions are made."""
    told = []
    async with opened(store.uri, observe=told.append) as database:
        assert await names(database) == ["Default"]

    assert told == [NAMES]


async def test_the_revision(store):
    """That of the store, read anew each time."""
    async with opened(store.uri) as database:
        assert await database.revision() == head_revision()
        store.sql("UPDATE alembic_version SET version_num = 'another'")
        assert await database.revision() == "another"


async def test_a_database_that_was_never_opened(store):
    """It can be closed."""
    await database_of(store.uri).close()


async def test_an_unused_snapshot_costs_nothing(store):
    """Only a statement takes a connection."""
    async with opened(store.uri) as database:
        for _ in range(3 * MAX_CONNECTIONS):
            database.snapshot()

        assert await names(database) == ["Default"]


async def test_a_statement_that_fails(store):
    """Its snapshot can be closed, and its connection serves the next one."""
    async with opened(store.uri) as database:
        for _ in range(2 * MAX_CONNECTIONS):
            with pytest.raises((sqlite3.OperationalError, psycopg.errors.UndefinedTable)):
                async with snapshot_of(database) as snapshot:
                    await rows(snapshot, "SELECT * FROM nothing")

        assert await names(database) == ["Default"]


async def test_more_snapshots_than_connections(store, caplog):
    """Fifty at once are all served; those that must wait, wait. Nothing of that is in the log."""
    async with opened(store.uri) as database:
        assert await asyncio.gather(*(names(database) for _ in range(50))) == [["Default"]] * 50
        # The pool of PostgreSQL is tidied by tasks of its own.
        await asyncio.sleep(0.05)

    assert [record.getMessage() for record in caplog.records] == []


async def test_the_turn_of_one_snapshot_is_not_that_of_the_next_on_sqlite(file):
    """A connection is used again and again; when its last turn was over, the next one begins all the same."""
    async with opened(f"sqlite:///{file}") as database:
        connection = database.take()
        connection.rows_until(time.monotonic(), "SELECT 1", ())
        database.give_back(connection)
        for _ in range(2_000):  # SQLite counts steps on, from one run of a statement to the next
            connection = database.take()
            connection.execute("BEGIN")
            database.give_back(connection)


async def test_many_snapshots_side_by_side_on_sqlite(file):
    """More than are kept: each has a connection of its own, and those beyond the limit are closed in the end."""
    before = open_files()
    async with opened(f"sqlite:///{file}") as database:
        snapshots = [database.snapshot() for _ in range(MAX_CONNECTIONS + 4)]
        for snapshot in snapshots:
            assert await rows(snapshot, NAMES) == [("Default",)]
        for snapshot in snapshots:
            await snapshot.close()
        assert await names(database) == ["Default"]

    assert open_files() == before


async def test_a_file_that_vanished(file):
    """A file that is gone is not read any more, although it is still open; once it is back, it is."""
    async with opened(f"sqlite:///{file}") as database:
        assert await names(database) == ["Default"]
        file.rename(file.with_name("away.db"))
        with pytest.raises(FileNotFoundError):
            await names(database)
        file.with_name("away.db").rename(file)
        assert await names(database) == ["Default"]


async def test_a_file_that_was_replaced(file):
    """Who puts a backup in the place of the file is shown the backup, also by snapshots that come in between."""
    backup = shutil.copy(file, file.with_name("backup.db"))
    with closing(sqlite3.connect(backup)) as connection, connection:
        connection.execute("UPDATE experiments SET name = 'of the backup'")
    async with opened(f"sqlite:///{file}") as database, snapshot_of(database) as open_meanwhile:
        assert await rows(open_meanwhile, NAMES) == [("Default",)]
        backup.replace(file)
        assert await rows(open_meanwhile, NAMES) == [("Default",)]

        assert await names(database) == ["of the backup"]
        await open_meanwhile.close()
        assert await names(database) == ["of the backup"]


async def test_a_file_is_never_made(tmp_path):
    """Reading what is not there does not make it."""
    async with opened(f"sqlite:///{tmp_path}/none.db") as database:
        with pytest.raises(FileNotFoundError):
            await names(database)

    assert list(tmp_path.iterdir()) == []


async def test_a_folder_in_its_place(tmp_path):
    """It is an error at once: only for a lock there is waiting."""
    (tmp_path / "mlflow.db").mkdir()
    async with opened(f"sqlite:///{tmp_path}/mlflow.db") as database:
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            await names(database)


async def test_a_path_with_marks_of_uris(file):
    """A path is a path, whatever stands in it."""
    folder = file.parent / "100% für #1?"
    folder.mkdir()
    shutil.copy(file, folder / "a b.db")

    async with opened(f"sqlite:///{file.parent}/100%25 für #1%3F/a b.db") as database:
        assert await names(database) == ["Default"]


async def test_a_damaged_file(file):
    """It is an error that says so, each time, and the connection can be given back."""
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    file.write_bytes(content)
    async with opened(f"sqlite:///{file}") as database:
        for _ in range(3):
            with pytest.raises(sqlite3.DatabaseError, match="malformed"):
                await names(database)


# In WAL mode nobody can be kept out who is already in.
@pytest.mark.parametrize(("mode", "is_known"), [("DELETE", True), ("DELETE", False), ("WAL", False)])
async def test_a_lock_that_ends(file, mode, is_known):
    """While another process keeps everybody out, a snapshot waits, and everything else goes on; then it reads.

    It is all the same whether the connection was opened before or has to be opened now.
    """
    async with opened(f"sqlite:///{file}") as database:
        with locked(file, mode) as release:
            if is_known:
                release()
                assert await names(database) == ["Default"]
        with locked(file, mode) as release:
            reading = asyncio.create_task(names(database))
            for _ in range(20):
                await asyncio.sleep(0.01)
                assert not reading.done()
            release()
            assert await reading == ["Default"]


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "new"])
async def test_a_lock_that_does_not_end(file, is_known):
    """After two seconds nobody waits any more; statements of the same snapshot wait side by side."""
    async with opened(f"sqlite:///{file}") as database:
        with locked(file, "DELETE") as release:
            if is_known:
                release()
                assert await names(database) == ["Default"]
        with locked(file, "DELETE"):
            start = time.monotonic()
            async with snapshot_of(database) as snapshot:
                ends = await asyncio.gather(rows(snapshot, NAMES), rows(snapshot, NAMES), return_exceptions=True)
            assert LOCK_WAIT_S <= time.monotonic() - start < LOCK_WAIT_S + 0.5
            assert [(type(end), str(end)) for end in ends] == [
                (TimedOut, "The database is locked by another process; try again.")
            ] * 2
        assert await names(database) == ["Default"]


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
async def test_a_lock_where_following_begins(file, mode):
    """Whoever begins to follow while others are kept out is told as soon as they are let in."""
    async with opened(f"sqlite:///{file}") as database, aclosing(database.signals()) as signals:
        with locked(file, mode) as release:
            told = asyncio.ensure_future(anext(signals))
            for _ in range(20):
                await asyncio.sleep(0.01)
                assert not told.done()
            release()
            await asyncio.wait_for(told, 5)


async def test_who_is_cancelled_gives_its_connection_back(on_postgresql):
    """Questions that nobody waits for any more take no connection from others."""
    async with opened(on_postgresql.uri) as database:

        async def slow():
            async with snapshot_of(database) as snapshot:
                await rows(snapshot, "SELECT pg_sleep(5)")

        for delay in (0, 0.001, 0.05):
            tasks = [asyncio.create_task(slow()) for _ in range(MAX_CONNECTIONS)]
            await asyncio.sleep(delay)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        start = time.monotonic()
        assert await asyncio.gather(*(names(database) for _ in range(2 * MAX_CONNECTIONS))) == [["Default"]] * 64
        assert time.monotonic() - start < 1.5


async def test_who_is_stopped_while_connections_are_scarce(on_postgresql, caplog):
    """Whoever goes, at whatever moment, leaves as many connections to others as there were."""
    caplog.set_level(logging.CRITICAL, "psycopg.pool")
    random = Random(7)
    async with opened(on_postgresql.uri) as database:

        async def asks():
            while True:
                with suppress(TimedOut):
                    await names(database)

        async def is_stopped():
            for _ in range(20):
                with suppress(TimeoutError):
                    async with asyncio.timeout(random.uniform(0, 0.05)):
                        await asks()

        await asyncio.gather(*(is_stopped() for _ in range(3 * MAX_CONNECTIONS)))

        snapshots = [database.snapshot() for _ in range(MAX_CONNECTIONS)]
        found = await asyncio.gather(*(rows(snapshot, NAMES) for snapshot in snapshots))
        assert found == [[("Default",)]] * MAX_CONNECTIONS
        for snapshot in snapshots:
            await snapshot.close()


async def test_a_pool_that_is_empty(on_postgresql):
    """Who cannot have a connection of PostgreSQL within two seconds is told so."""
    async with opened(on_postgresql.uri) as database:
        taken = [database.snapshot() for _ in range(MAX_CONNECTIONS)]
        await asyncio.gather(*(rows(snapshot, NAMES) for snapshot in taken))
        start = time.monotonic()
        with pytest.raises(TimedOut, match=r"^The database does not answer; try again\.$"):
            await names(database)
        assert LOCK_WAIT_S <= time.monotonic() - start < LOCK_WAIT_S + 1
        for snapshot in taken:
            await snapshot.close()

        assert await names(database) == ["Default"]


async def test_connections_that_the_server_ended(on_postgresql, caplog):
    """A server that was started again has none of the connections that were idle: nobody notices."""
    caplog.set_level(logging.CRITICAL, "psycopg.pool")
    async with opened(on_postgresql.uri) as database:
        await asyncio.gather(*(names(database) for _ in range(MAX_CONNECTIONS)))
        on_postgresql.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await asyncio.sleep(0.1)

        for _ in range(MAX_CONNECTIONS):
            assert await names(database) == ["Default"]


class Road:
    """A way to the server of PostgreSQL that can be closed, as by a restart, and on which is seen what passes."""

    def __init__(self):
        self.seen = b""
        self._url = make_url(POSTGRESQL)
        self._server = None
        self._travellers = set()
        self.port = 0
        self.stops_at = b""

    async def open(self):
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self):
        self._server.close()
        for writer in self._travellers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _copy(self, reader, writer):
        try:
            while (part := await reader.read(2**16)) and not (self.stops_at and self.stops_at in part):
                self.seen += part
                writer.write(part)
        except ConnectionError:
            pass
        writer.close()

    async def _pass(self, reader, writer):
        there, back = await asyncio.open_connection(self._url.host, self._url.port or 5432)
        self._travellers |= {writer, back}
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer))
        self._travellers -= {writer, back}


@pytest.fixture
async def road():
    road = Road()
    await road.open()
    yield road
    await road.close()


@pytest.fixture
def far(on_postgresql, road):
    """The URI of the store on PostgreSQL, by that road."""
    return make_url(on_postgresql.uri).set(host="127.0.0.1", port=road.port).render_as_string(hide_password=False)


SYNC = b"S\x00\x00\x00\x04"
"""What PostgreSQL is sent after what it is to answer."""


async def test_what_is_asked_together_is_sent_together(far, road):
    """With the beginning of the transaction; what is asked after that, with nothing."""
    async with opened(far) as database:
        assert await names(database) == ["Default"]
        async with snapshot_of(database) as snapshot:
            road.seen = b""
            found = await asyncio.gather(*(rows(snapshot, f"SELECT {number}") for number in range(3)))
            assert road.seen.count(SYNC) == 1
            assert found == [[(0,)], [(1,)], [(2,)]]
            road.seen = b""
            assert await rows(snapshot, "SELECT $1::int".replace("$1", "4")) == [(4,)]
            assert road.seen.count(SYNC) + road.seen.count(b"Q\x00") == 1


async def test_one_of_those_that_were_sent_together_fails(on_postgresql):
    """The transaction is over for all of them; the next snapshot has another."""
    async with opened(on_postgresql.uri) as database:
        async with snapshot_of(database) as snapshot:
            asked = (rows(snapshot, text) for text in ("SELECT 1", "SELECT * FROM nothing", "SELECT 2"))
            ends = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(end) for end in ends} == {psycopg.errors.UndefinedTable}

        assert await names(database) == ["Default"]


async def test_json_as_it_came(on_postgresql):
    """The only column of the rows, in a transaction beside other statements, or in none where it is all."""
    texts = Statement("SELECT v FROM (VALUES ('{\"a\": 1}'), (NULL), ('é')) AS t (v)", {}, ())
    async with opened(on_postgresql.uri) as database:
        for is_all in (True, False):
            async with snapshot_of(database) as snapshot:
                found = await snapshot.fetch_json(texts, {}, is_all=is_all)
            assert found == [b'{"a": 1}', None, "é".encode()]


async def test_a_connection_that_is_left_in_a_pipeline(on_postgresql):
    """psycopg leaves it so where somebody is stopped who just enters one; nobody is to be given it."""
    async with opened(on_postgresql.uri) as database:
        connection, _ = await database.run([("SELECT 1", None)])
        pipeline = connection.pipeline()
        await pipeline.__aenter__()
        await database.give_back(connection)
        for _ in range(3):
            async with snapshot_of(database) as snapshot:
                assert await snapshot.fetch_json(Statement("SELECT '1'", {}, ()), {}, is_all=True) == [b"1"]
        assert connection.closed


async def test_connections_at_hand(on_postgresql):
    """Some are kept, more are given back to the pool, and those that wait come first."""
    async with opened(on_postgresql.uri) as database:
        for _ in range(3):
            assert await asyncio.gather(*(names(database) for _ in range(3 * MAX_CONNECTIONS))) == [["Default"]] * 96
        assert len(database._at_hand) <= MAX_AT_HAND

    assert database._at_hand == []


async def test_a_server_that_ends_each_connection(far, road, caplog):
    """It is not tried for ever."""
    caplog.set_level(logging.CRITICAL, "psycopg.pool")
    road.stops_at = b"BEGIN"
    async with opened(far) as database:
        with pytest.raises(TimedOut):
            await names(database)
        road.stops_at = b""
        assert await names(database) == ["Default"]


async def test_an_outage(far, road, caplog):
    """While the server is away each question ends within some seconds; soon after it is back, answers are as before."""
    caplog.set_level(logging.CRITICAL, "psycopg.pool")
    async with opened(far) as database:
        assert await names(database) == ["Default"]
        await road.close()
        for _ in range(2):
            start = time.monotonic()
            with pytest.raises(TimedOut):
                await names(database)
            assert time.monotonic() - start < 3
        await road.open()
        start = time.monotonic()
        while True:
            try:
                assert await names(database) == ["Default"]
                break
            except TimedOut:
                assert time.monotonic() - start < 4


COUNTING = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT max(i) FROM n"
ENDLESS = COUNTING.format(10**12)


def running(uri):
    """How many statements run in a database of PostgreSQL that count for ever."""
    with psycopg.connect(uri) as connection:
        [[found]] = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state = 'active' AND query LIKE 'WITH RECURSIVE n%'"
        )
        return found


async def until(condition):
    """Waits for something to become true, for as long as a busy machine may take."""
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.01)


async def longest_hold(work):
    """The result of work, and the longest time, in seconds, for which it did not let others run."""
    longest, doing = 0.0, asyncio.ensure_future(work)
    while not doing.done():
        start = time.monotonic()
        await asyncio.sleep(0)
        longest = max(longest, time.monotonic() - start)
    return await doing, longest


async def test_a_slow_statement_keeps_its_snapshot(file):
    """It is begun on the event loop, interrupted, and run again in a thread, in the same transaction."""
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        text = COUNTING.format(3_000_000).replace("max(i)", "max(i), (SELECT name FROM experiments LIMIT 1)")
        async with opened(f"sqlite:///{file}") as database, snapshot_of(database) as snapshot:
            later = snapshot.fetch(Statement(text, {}, ()), {})
            assert not isinstance(later, Sequence)
            assert database.is_slow(text)
            # Interrupted was the first statement: what it would have seen is kept to all the same.
            writer.execute("UPDATE experiments SET name = 'changed'")
            writer.commit()
            assert [tuple(row) for row in await later] == [(3_000_000, "Default")]
            assert await rows(snapshot, NAMES) == [("Default",)]
            assert await names(database) == ["changed"]


async def test_a_statement_is_slow_as_long_as_it_is(file):
    """What was slow is begun in a thread, until it is fast again."""
    async with opened(f"sqlite:///{file}") as database:
        database.note(NAMES, is_slow=True)
        async with snapshot_of(database) as snapshot:
            assert not isinstance(later := snapshot.fetch(Statement(NAMES, {}, ()), {}), Sequence)
            assert await later == [("Default",)]
        async with asyncio.timeout(30):
            while database.is_slow(NAMES):  # for a moment, on a busy machine, it may have been
                assert await names(database) == ["Default"]
        async with snapshot_of(database) as snapshot:
            assert snapshot.fetch(Statement(NAMES, {}, ()), {}) == [("Default",)]


async def test_who_waits_for_the_interpreter_is_not_slow(file):
    """Else what is fast would be read in threads for as long as others have much to do."""
    text = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i FROM n"
    async with opened(f"sqlite:///{file}") as database:
        for _ in range(10):
            database.note(text, is_slow=True)
            async with snapshot_of(database) as snapshot:
                reading = asyncio.create_task(rows(snapshot, text))
                await asyncio.sleep(0)
                until = time.monotonic() + 0.05
                while time.monotonic() < until:
                    pass  # nobody else has the interpreter for long
                assert len(await reading) == 500
            assert not database.is_slow(text)


async def test_only_so_many_statements_are_known_to_be_slow(file):
    """The one that was slow longest ago is forgotten."""
    async with opened(f"sqlite:///{file}") as database:
        for number in range(MAX_SLOW + 1):
            database.note(str(number), is_slow=True)
        assert [database.is_slow(str(number)) for number in (0, 1, MAX_SLOW)] == [False, True, True]


async def test_what_is_asked_beside_a_slow_statement_waits_for_it(file):
    """A connection runs one statement at a time, and each gets its own rows."""
    async with opened(f"sqlite:///{file}") as database, snapshot_of(database) as snapshot:
        found = await asyncio.gather(
            rows(snapshot, COUNTING.format(1_000_000)),
            rows(snapshot, NAMES),
            rows(snapshot, COUNTING.format(1_000_001)),
        )
        assert found == [[(1_000_000,)], [("Default",)], [(1_000_001,)]]
        with pytest.raises(sqlite3.OperationalError, match="no such table: missing"):
            await asyncio.gather(rows(snapshot, COUNTING.format(1_000_002)), rows(snapshot, "SELECT 1 FROM missing"))
        assert await rows(snapshot, NAMES) == [("Default",)]


async def test_slow_statements_do_not_hold_others_up(file):
    """The event loop goes on while they run."""
    async with opened(f"sqlite:///{file}") as database:

        async def slow():
            async with snapshot_of(database) as snapshot:
                return await rows(snapshot, COUNTING.format(5_000_000))

        start = time.monotonic()
        [_, held] = await longest_hold(slow())
        assert held < max(0.25, (time.monotonic() - start) / 2)


async def test_who_stops_waiting_for_a_slow_statement(store):
    """It is stopped in the database as well, and its connection is there for the next one."""
    async with opened(store.uri) as database:

        async def endless():
            async with snapshot_of(database) as snapshot:
                await rows(snapshot, ENDLESS)

        async def are_running():
            return await asyncio.to_thread(running, store.uri) == 8

        async def is_stopped():
            if store.kind == "postgresql":
                return await asyncio.to_thread(running, store.uri) == 0
            return slow.running(store) == 0

        tasks = [asyncio.create_task(endless()) for _ in range(8)]
        if store.kind == "postgresql":
            await until(are_running)
        await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)

        assert [type(end) for end in ends] == [asyncio.CancelledError] * 8
        await until(is_stopped)
        assert await asyncio.gather(*(names(database) for _ in range(40))) == [["Default"]] * 40


async def test_who_stops_waiting_twice(store):
    """As when an operation's time is over at the moment at which its client leaves: nothing is lost."""
    async with opened(store.uri) as database:

        async def endless():
            async with snapshot_of(database) as snapshot:
                await rows(snapshot, ENDLESS)

        for _ in range(MAX_CONNECTIONS + 1):
            task = asyncio.create_task(endless())
            await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        assert (
            await asyncio.gather(*(names(database) for _ in range(MAX_CONNECTIONS))) == [["Default"]] * MAX_CONNECTIONS
        )


async def test_a_database_is_closed_while_a_statement_runs(file):
    """The thread is not left behind, nor the file open."""
    before = open_files()
    async with opened(f"sqlite:///{file}") as database:
        snapshot = database.snapshot()
        task = asyncio.create_task(rows(snapshot, ENDLESS))
        await asyncio.sleep(0.1)
        task.cancel()
        await snapshot.close()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert open_files() == before


async def test_the_server_stops_what_takes_too_long(on_postgresql):
    """It has the time limit too, for when nobody is left who would cancel."""
    async with opened(on_postgresql.uri, time_limit_s=0.2) as database:
        async with snapshot_of(database) as snapshot:
            with pytest.raises(TimedOut, match=r"^This takes too long; ask for less\.$"):
                await rows(snapshot, "SELECT pg_sleep(20)")
        async with snapshot_of(database) as snapshot:
            with pytest.raises(TimedOut, match=r"^This takes too long; ask for less\.$"):
                await snapshot.fetch_json(Statement("SELECT pg_sleep(20)", {}, ()), {}, is_all=True)
        assert await names(database) == ["Default"]


async def test_a_table_that_is_locked(on_postgresql, monkeypatch):
    """A lock on PostgreSQL is waited for, but not for ever."""
    monkeypatch.setattr("lineage_api.store.postgresql.LOCK_TIMEOUT_S", 0.2)
    with psycopg.connect(on_postgresql.uri) as other:
        other.execute("LOCK TABLE experiments")
        async with opened(on_postgresql.uri) as database:
            with pytest.raises(TimedOut, match=r"^The database is locked; try again\.$"):
                await names(database)
            other.rollback()
            assert await names(database) == ["Default"]
