"""Answers about events, made once for all who ask the same about the same event at the same time."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable

_KEPT_S = 1.0
"""How long an answer is kept: what an event leads to may change after it."""


class SharedAnswers:
    """The answers that are being made, and those that were a moment ago."""

    def __init__(self) -> None:
        self._known: dict[Hashable, asyncio.Future[str]] = {}
        self._waiting: Counter[asyncio.Future[str]] = Counter()

    async def answer(self, key: Hashable, make: Callable[[], Awaitable[str]]) -> str:
        """The answer of this key; who stops waiting for it does not stop it for others."""
        doing = self._known.get(key)
        if doing is None:
            doing = self._known[key] = asyncio.ensure_future(make())
            doing.add_done_callback(lambda _: self._forget_later(key))
        self._waiting[doing] += 1
        try:
            return await asyncio.shield(doing)
        finally:
            self._leave(key, doing)

    def _leave(self, key: Hashable, doing: "asyncio.Future[str]") -> None:
        self._waiting[doing] -= 1
        if self._waiting[doing]:
            return
        del self._waiting[doing]
        if not doing.done():
            doing.cancel()
            self._known.pop(key, None)

    def _forget_later(self, key: Hashable) -> None:
        asyncio.get_running_loop().call_later(_KEPT_S, self._known.pop, key, None)
