"""Databases of SQLite on which another process holds a lock, while many of ours want to write."""

import asyncio
import os
import time

import pytest

from tests.api.slow import held
from tests.faults.clients import client_of, require_kept
from tests.processes import locked
from tests.servers import started

LOCKS_S = [float(seconds) for seconds in os.environ.get("LINEAGE_API_LOCKS_S", "1.5").split(",")]
"""`LINEAGE_API_LOCKS_S=3,12 pytest -s tests/faults/test_locks.py` in the long run, which prints figures."""
READERS, WRITERS = 4, 40
"""How many read one question after the other, and how many want to write at once: more than there are threads."""


@pytest.mark.parametrize("lock_s", LOCKS_S)
@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
async def test_a_lock_of_somebody_who_writes(on_sqlite, mode, lock_s):
    """Whoever reads is answered meanwhile; who writes waits, and is told in the end whether it was done."""
    on_sqlite.sql(f"PRAGMA journal_mode = {mode}")
    with started("--backend-store-uri", on_sqlite.uri) as server:
        async with client_of(server.address) as client:
            assert (await client.tag("before", "")).is_good
            with held(on_sqlite) as release:
                end = time.monotonic() + lock_s
                writing = begun(client)
                reading = asyncio.gather(*(read_until(client, end) for _ in range(READERS)))
                while not reading.done():
                    assert await client.is_up()
                    await asyncio.sleep(0.05)
                reads = [heard for each in await reading for heard in each]
                assert all(heard.is_good for heard in reads)
                assert not any(task.done() and task.result().is_good for task in writing)
                release()
            writes = await asyncio.gather(*writing)
            assert (await client.tag("after", "")).is_good
        report(f"{mode}, a write lock of {lock_s:g} s", reads, writes)
    require_kept(on_sqlite.uri, acknowledged(writes))


@pytest.mark.parametrize("lock_s", LOCKS_S)
async def test_a_lock_that_keeps_everybody_out(on_sqlite, tmp_path, lock_s):
    """Readers are told so, and so is in the end who wants to write; the event loop is there for everything else.

    In the other journal mode nobody can be kept out who is in.
    """
    on_sqlite.sql("PRAGMA journal_mode = DELETE")
    with started("--backend-store-uri", on_sqlite.uri) as server:
        async with client_of(server.address) as client:
            assert (await client.tag("before", "")).is_good
            with locked(tmp_path / "mlflow.db", "DELETE") as release:
                end = time.monotonic() + lock_s
                writing = begun(client)
                reading = asyncio.gather(*(read_until(client, end) for _ in range(READERS)))
                seen_up = 0
                while not reading.done():
                    assert await client.is_up()
                    seen_up += 1
                    await asyncio.sleep(0.05)
                reads = [heard for each in await reading for heard in each]
                assert [heard.codes for heard in reads] == [{"TIMEOUT"}] * len(reads)
                assert seen_up > 5
                release()
            writes = await asyncio.gather(*writing)
            assert (await client.read()).is_good
            assert (await client.tag("after", "")).is_good
        report(f"an exclusive lock of {lock_s:g} s", reads, writes)
    require_kept(on_sqlite.uri, acknowledged(writes))


def begun(client):
    """Those who want to write, all at once."""
    return [asyncio.create_task(client.tag(f"writer {number}", "x")) for number in range(WRITERS)]


async def read_until(client, end):
    """What somebody is told who reads one question after the other; at least ten where that goes quickly."""
    heard = []
    while time.monotonic() < end or (len(heard) < 10 and heard[-1].is_good):
        heard.append(await client.read())
        await asyncio.sleep(0.01)
    return heard


def acknowledged(writes):
    """The tags that were set for sure; who was refused was told that it took too long, or was not begun."""
    assert {code for heard in writes for code in heard.codes} <= {"TIMEOUT", "OVERLOADED"}
    return [(f"writer {number}", "x") for number, heard in enumerate(writes) if heard.is_good]


def report(what, reads, writes):
    """Figures, for whoever runs this to have them."""
    times = sorted(heard.took_s for heard in reads)
    made, refused = (sorted(each.took_s for each in writes if each.is_good is good) for good in (True, False))
    p99, slowest = times[int(len(times) * 0.99)], times[-1]
    told = sorted({code for heard in writes for code in heard.codes})
    print(
        f"{what}: {len(times)} reads, p99 {p99 * 1000:.0f} ms, slowest {slowest * 1000:.0f} ms;"
        f" {len(made)} writes made, the slowest in {made[-1] if made else 0:.1f} s;"
        f" {len(refused)} refused ({', '.join(told)}), the slowest in {refused[-1] if refused else 0:.1f} s"
    )
