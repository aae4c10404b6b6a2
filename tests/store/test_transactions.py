"""Short transactions in a thread."""

import asyncio
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from threading import Event

import pytest
import sqlalchemy

from lineage_api.store.transactions import Transactions
from lineage_api.webhooks import records, signing
from tests.conftest import file_of

ADD = partial(records.add, url="https://ci.example", secret=signing.new_secret(), head=0)


def reader_of(store):
    """A connection to SQLite that waits for nobody."""
    return sqlite3.connect(file_of(store.uri), isolation_level=None, timeout=0)


def count(connection):
    """How many webhooks there are."""
    return connection.scalar(sqlalchemy.text("SELECT count(*) FROM lineage_webhooks"))


async def test_a_transaction_is_made_as_a_whole(store):
    """What fails leaves nothing behind."""

    def fail(connection):
        ADD(connection)
        raise ValueError

    with ThreadPoolExecutor(1) as thread:
        tables = Transactions(store.uri, thread)
        with pytest.raises(ValueError):
            await tables.write(fail)
        assert await tables.read(count) == 0
        assert (await tables.write(ADD)).url == "https://ci.example"
        assert await tables.read(count) == 1
        tables.close()


async def test_what_is_begun_is_done_to_its_end(store):
    """Also when nobody waits for it any more, and before whatever comes after it."""
    is_free = Event()
    with ThreadPoolExecutor(1) as thread:
        thread.submit(is_free.wait, 60)
        tables = Transactions(store.uri, thread)
        adding = asyncio.create_task(tables.write(ADD))
        await asyncio.sleep(0)
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        counting = asyncio.create_task(tables.read(count))
        await asyncio.sleep(0)
        is_free.set()

        assert await counting == 1
        tables.close()


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_who_reads_for_long_keeps_nobody_out(store):
    """Without WAL, what is written waits for whoever reads; others can read meanwhile, but for moments."""
    looks = Counter()
    with ThreadPoolExecutor(1) as thread, closing(reader_of(store)) as slow, closing(reader_of(store)) as other:
        slow.execute("PRAGMA journal_mode = DELETE")
        slow.execute("BEGIN")
        slow.execute("SELECT * FROM experiments").fetchall()
        tables = Transactions(store.uri, thread)
        adding = asyncio.create_task(tables.write(ADD))
        for _ in range(100):
            try:
                other.execute("SELECT * FROM experiments").fetchall()
                looks["answered"] += 1
            except sqlite3.OperationalError:
                looks["locked"] += 1
            await asyncio.sleep(0.01)
        assert not adding.done()
        slow.execute("ROLLBACK")
        await adding
        assert await tables.read(count) == 1
        tables.close()
    assert looks["answered"] > looks["locked"] > 0


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_who_writes_for_too_long(store):
    """It is waited for, and then refused; nothing is changed."""
    with ThreadPoolExecutor(1) as thread, closing(reader_of(store)) as other:
        other.execute("BEGIN IMMEDIATE")
        tables = Transactions(store.uri, thread, 0.5)
        with pytest.raises(sqlalchemy.exc.OperationalError, match="locked"):
            await tables.write(ADD)
        other.execute("ROLLBACK")
        assert await tables.read(count) == 0
        tables.close()
