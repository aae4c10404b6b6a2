"""Computations that yield what they await, so that one piece of code runs with and without an event loop."""

import asyncio
from collections.abc import Awaitable, Generator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

Steps = Generator[list[Awaitable[Any]], list[Any], T]
"""Yields awaitables and is sent their results in the same places, exceptions as values; returns a T."""


def together(parts: Sequence[Steps[T]]) -> Steps[list[T]]:
    """Runs computations side by side, in rounds: what all of them await is awaited at once."""
    if len(parts) == 1:
        return [(yield from parts[0])]
    results: list[Any] = [None] * len(parts)
    waiting = []
    for index, part in enumerate(parts):
        try:
            waiting.append((index, part, next(part)))
        except StopIteration as end:
            results[index] = end.value
    while waiting:
        answers = yield [awaitable for _, _, wanted in waiting for awaitable in wanted]
        still, used = [], 0
        for index, part, wanted in waiting:
            own = answers[used : used + len(wanted)]
            used += len(wanted)
            try:
                still.append((index, part, part.send(own)))
            except StopIteration as end:
                results[index] = end.value
        waiting = still
    return results


def awaited(awaitable: Awaitable[T]) -> Steps[T]:
    """The result of one awaitable; its exception is raised."""
    [result] = yield [awaitable]
    if isinstance(result, BaseException):
        raise result
    return result  # type: ignore[no-any-return]


async def drive(steps: Steps[T], wanted: list[Awaitable[Any]]) -> T:
    """Runs a computation that has yielded `wanted` to its end; the one place where anything is awaited."""
    try:
        while True:
            wanted = steps.send(await _results(wanted))
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        steps.close()


async def _results(wanted: list[Awaitable[Any]]) -> list[Any]:
    """The results of awaitables, exceptions as values."""
    if len(wanted) > 1:
        results = await asyncio.gather(*wanted, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, Exception):
                raise result  # a cancellation is nobody's value
        return results
    try:
        return [await wanted[0]]
    except Exception as error:  # noqa: BLE001 - every failure belongs to the value that it is the failure of
        return [error]
