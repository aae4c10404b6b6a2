"""What is begun in one turn of the event loop, and what waits for the next."""

import asyncio
import socket

import pytest

from lineage_api.api import slices
from lineage_api.api.executor import Question
from lineage_api.api.slices import MAX_SLICE_S, SLICE_S, Slices
from lineage_api.app import create_app
from lineage_api.config import Settings
from tests.attacks.attack import ANSWERED, asked
from tests.serving import served_here


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless work is done."""

    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(slices, "monotonic", clock)
    return clock


async def begun(clock, count, work_s, others_s=0.0):
    """Which works were begun in each turn, where all else takes so long in each."""
    turns, slices_ = [[]], Slices()

    async def work(number):
        await slices_.begin()
        turns[-1].append(number)
        clock.now += work_s

    async def others():
        while True:
            clock.now += others_s
            turns.append([])
            await asyncio.sleep(0)

    working = [asyncio.create_task(work(number)) for number in range(count)]
    elsewhere = asyncio.create_task(others())
    await asyncio.gather(*working)
    elsewhere.cancel()
    return [turn for turn in turns if turn]


async def test_work_begins_until_the_slice_is_over(clock):
    """In the order in which it came; what has begun goes on."""
    assert await begun(clock, 7, SLICE_S * 0.4) == [[0, 1, 2], [3, 4, 5], [6]]


async def test_long_work_begins_alone(clock):
    """One at each turn."""
    assert await begun(clock, 3, SLICE_S * 7) == [[0], [1], [2]]


async def test_the_slice_is_as_long_as_all_else_takes(clock):
    """Those who are refused leave half of the time to those who are not, unless it is so much that nobody is heard."""
    assert await begun(clock, 7, SLICE_S * 1.01, SLICE_S * 3) == [[0], [1, 2, 3], [4, 5, 6]]
    assert [len(turn) for turn in await begun(clock, 100, SLICE_S * 1.01, 1000)][1:3] == [MAX_SLICE_S / SLICE_S] * 2


async def test_a_crowd_is_told_that_it_is_one(small, monkeypatch):
    """What can be answered at once takes a place as well, while it waits for the next turn."""
    monkeypatch.setattr(slices, "SLICE_S", 0)
    app = create_app(Settings(backend_store_uri=small.uri, max_running=1, max_waiting=1))
    async with served_here(app) as address:
        at, one = ("127.0.0.1", int(address.rpartition(":")[2])), asked("", "{ __typename }", ANSWERED).request
        crowd = [socket.create_connection(at) for _ in range(10)]
        for each in crowd:
            each.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(each, one)
            assert b" 200 " in await asyncio.get_running_loop().sock_recv(each, 2**16)
        for each in crowd:
            each.sendall(one)
        answers = [await asyncio.get_running_loop().sock_recv(each, 2**16) for each in crowd]
        for each in crowd:
            each.close()

    statuses = [answer.split(b" ", 2)[1] for answer in answers]
    assert statuses.count(b"200") == 3  # one had been answered when the second took its place, and the third the queue
    assert statuses.count(b"503") == 7


async def test_documents_that_are_not_known_are_read_one_after_the_other(small, monkeypatch):
    """Each in a turn of its own, once its slice is over; whoever asks for what is known is answered meanwhile."""
    monkeypatch.setattr(slices, "SLICE_S", 0)
    app = create_app(Settings(backend_store_uri=small.uri))
    executor, turns, read = app.state.executor, 0, []

    async def kind(number):
        await executor.kind(Question(f"{{ a{number}: __typename }}"))
        read.append(turns)

    asking = [asyncio.create_task(kind(number)) for number in range(5)]
    while len(read) < 5:
        await asyncio.sleep(0)
        turns += 1
    await asyncio.gather(*asking)
    assert len(set(read)) == 5
    await asyncio.gather(*(kind(number) for number in range(5)))
    assert len(set(read)) == 5 + 1
