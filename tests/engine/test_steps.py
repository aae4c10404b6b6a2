"""Computations that wait, in rounds."""

import asyncio

import pytest

from lineage_api.engine.steps import awaited, drive, together


def asks(*questions):
    """Waits for one thing after the other; returns all answers."""
    answers = []
    for question in questions:
        [answer] = yield [question]
        answers.append(answer)
    return answers


def returns(value):
    """Waits for nothing."""
    return value
    yield


async def eventually(value):
    await asyncio.sleep(0)
    if isinstance(value, BaseException):
        raise value
    return value


def finished(steps):
    with pytest.raises(StopIteration) as stop:
        next(steps)
    return stop.value.value


async def driven(steps):
    return await drive(steps, next(steps))


def test_what_waits_for_nothing():
    """It returns without having yielded, alone and with others."""
    assert finished(together([])) == []
    assert finished(together([returns(1)])) == [1]
    assert finished(together([returns(1), returns(2)])) == [1, 2]


def test_rounds():
    """What all wait for is awaited at once; who is done is not asked again, and results keep their places."""
    steps = together([asks("a", "b", "c"), returns(0), asks("d"), asks("e", "f")])

    assert next(steps) == ["a", "d", "e"]
    assert steps.send([1, 2, 3]) == ["b", "f"]
    assert steps.send([4, 5]) == ["c"]
    with pytest.raises(StopIteration) as stop:
        steps.send([6])
    assert stop.value.value == [[1, 4, 6], 0, [2], [3, 5]]


async def test_what_is_awaited_may_fail():
    """Failures are answers; only `awaited` raises them."""
    error, other = ValueError("a"), ValueError("b")

    assert await driven(asks(eventually(1), eventually(error))) == [1, error]
    both = [asks(eventually(error)), asks(eventually(other), eventually(2))]
    assert await driven(together(both)) == [[error], [other, 2]]
    with pytest.raises(ValueError, match="a"):
        await driven(awaited(eventually(error)))
    assert await driven(awaited(eventually(3))) == 3


@pytest.mark.parametrize("others", [0, 1])
async def test_who_cancels_is_obeyed(others):
    """A cancellation is nobody's value: it ends all, and what was begun is closed."""
    closed = []

    def closes():
        try:
            yield [asyncio.sleep(60)]
        finally:
            closed.append(True)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(driven(together([closes() for _ in range(others + 1)])), 0.01)
    assert closed == [True] * (others + 1)
