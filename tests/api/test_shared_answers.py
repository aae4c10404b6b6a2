"""Answers that are made once for many."""

import asyncio

import pytest

from lineage_api.api.shared_answers import SharedAnswers


class Work:
    """Something that takes a while, and notes what became of it."""

    def __init__(self):
        self.noted = []

    async def __call__(self):
        try:
            await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            self.noted.append("stopped")
            raise
        self.noted.append("done")
        return "answer"


async def test_it_is_made_once():
    """For all who ask at the same time, and a moment later."""
    shared, work = SharedAnswers(), Work()
    answers = await asyncio.gather(*(shared.answer("key", work) for _ in range(3)))
    answers.append(await shared.answer("key", work))
    assert (answers, work.noted) == (["answer"] * 4, ["done"])
    assert await shared.answer("another", work) == "answer"
    assert work.noted == ["done"] * 2


async def test_some_leave():
    """The others are answered all the same; when all have left, it is stopped, and made anew for who comes then."""
    shared, work = SharedAnswers(), Work()
    tasks = [asyncio.create_task(shared.answer("key", work)) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert await tasks[1] == "answer"
    assert await tasks[2] == "answer"
    assert work.noted == ["done"]

    tasks = [asyncio.create_task(shared.answer("other", work)) for _ in range(2)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    await asyncio.sleep(0)
    assert work.noted == ["done", "stopped"]
    assert await shared.answer("other", work) == "answer"
    assert shared._waiting == {}


async def test_what_goes_wrong():
    """Is told to all who wait."""

    async def failing():
        await asyncio.sleep(0)
        raise ValueError("no")

    shared = SharedAnswers()
    told = await asyncio.gather(*(shared.answer("key", failing) for _ in range(3)), return_exceptions=True)
    assert [str(each) for each in told] == ["no"] * 3
