"""How long one operation may wait for systems that may hang, however many of its fields ask them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic


class _Waits:
    """How long an operation has waited; what it waits for at the same time counts once."""

    def __init__(self) -> None:
        self._before_s = 0.0
        self._since = 0.0
        self._waiting = 0

    @property
    def spent_s(self) -> float:
        """So long until now."""
        return self._before_s + (monotonic() - self._since if self._waiting else 0)

    def begin(self) -> None:
        """Wait for one more thing."""
        if not self._waiting:
            self._since = monotonic()
        self._waiting += 1

    def end(self) -> None:
        """Wait for one thing less."""
        if self._waiting == 1:
            self._before_s = self.spent_s
        self._waiting -= 1


_of_operation: ContextVar[_Waits | None] = ContextVar("waits", default=None)


@contextmanager
def one_operation() -> Iterator[None]:
    """All that is waited for inside, in tasks of its own too, counts towards one limit."""
    token = _of_operation.set(_Waits())
    try:
        yield
    finally:
        _of_operation.reset(token)


@contextmanager
def waiting(limit_s: float) -> Iterator[float]:
    """How long one may wait inside: what the operation has left of the limit, or all of it outside of operations."""
    waits = _of_operation.get() or _Waits()
    left_s = max(0.0, limit_s - waits.spent_s)
    waits.begin()
    try:
        yield left_s
    finally:
        waits.end()
