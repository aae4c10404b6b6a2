"""Short transactions in a thread."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

import pytest
import sqlalchemy

from lineage_api.store.transactions import Transactions
from lineage_api.webhooks import records, signing

ADD = partial(records.add, url="https://ci.example", secret=signing.new_secret(), head=0)


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
