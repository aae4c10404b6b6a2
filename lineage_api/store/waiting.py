"""Questions to systems that may hang: many at once, answered by a few threads, within one time limit."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Any

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """Something to be asked of a system."""

    system: str
    """Its name, also in the log: what hangs or fails, hangs or fails for all that have the same."""
    ask: Callable[[], Any]


class Patience:
    """A few threads that ask, and a memory of the systems that did not answer in time."""

    def __init__(self, threads: int, *, left_alone_s: float = 0, questions_a_thread: int = 1) -> None:
        """At most so many threads, half of them for one system: one that hangs leaves some to the others.

        A system that does not answer in time is left alone for so long. A thread is only worth its cost when there
        are so many questions for it.
        """
        self._threads = _Threads(threads)
        self._share = max(1, threads // 2)
        self._left_alone_s = left_alone_s
        self._questions_a_thread = questions_a_thread
        self._late: dict[str, _Late] = {}

    def close(self) -> None:
        """End the threads that are idle; what hangs is abandoned."""
        self._threads.close()

    async def answers(self, questions: Sequence[Question | None], limit_s: float, *, is_fair: bool = True) -> list[Any]:
        """The answers, each in its place; None for those that fail, that are not there in time, that ask nothing.

        A limit is fair that a system keeps which is well: only then is one that does not left alone.
        """
        if limit_s <= 0:
            return [None] * len(questions)
        errands = _errands(questions)
        for errand in errands:
            threads = range(self._threads_for(errand))
            errand.started = [self._threads.start(errand.run) for _ in threads]
        await _ended([future for errand in errands for future in errand.started], limit_s, errands)
        answers: list[Any] = [None] * len(questions)
        for errand in errands:
            self._remember(errand, limit_s, is_fair=is_fair)
            for place, answer in dict(errand.answers).items():
                answers[place] = answer
        return answers

    def _threads_for(self, errand: "_Errand") -> int:
        """How many threads may go; none to a system that is left alone, or whose share hangs there already."""
        late = self._late.get(errand.system, _NEVER_LATE)
        if time.monotonic() < late.until:
            return 0
        free = self._share - sum(future.running() for future in late.hanging)
        return min(free, -(-len(errand.questions) // self._questions_a_thread))

    def _remember(self, errand: "_Errand", limit_s: float, *, is_fair: bool) -> None:
        """How it went: a line in the log when it did not go well, and what hangs."""
        hanging = [future for future in errand.started if future.running()]
        if hanging:
            _log.warning("%s did not answer within %g s", errand.system, limit_s)
            hanging += [future for future in self._late.get(errand.system, _NEVER_LATE).hanging if future.running()]
            # What answers, only not often enough, does not hang.
            pause_s = self._left_alone_s if is_fair and not errand.answers else 0
            self._late[errand.system] = _Late(time.monotonic() + pause_s, hanging)
        elif errand.failures:
            causes = ", ".join(sorted(dict(errand.failures)))
            _log.warning("%s failed to answer %d times: %s", errand.system, errand.failures.total(), causes)
        elif errand.started and len(errand.answers) < len(errand.questions):
            _log.warning("no thread was free to ask %s within %g s", errand.system, limit_s)


@dataclass(frozen=True, slots=True)
class _Late:
    """What is known of a system that did not answer in time."""

    until: float
    """When it may be asked again, by the monotonic clock."""
    hanging: list[Future[None]]


_NEVER_LATE = _Late(0, [])


@dataclass(slots=True)
class _Errand:
    """All that one call asks of one system."""

    system: str
    questions: list[tuple[int, Callable[[], Any]]] = field(default_factory=list)
    answers: dict[int, Any] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    """How often what was raised: only its kind, since messages of clients hold addresses and credentials."""
    is_over: bool = False
    started: list[Future[None]] = field(default_factory=list)
    _left: Iterator[tuple[int, Callable[[], Any]]] = field(default_factory=lambda: iter(()))

    def begin(self) -> None:
        """Have the threads share what is to be asked."""
        self._left = iter(self.questions)

    def run(self) -> None:
        """Ask what is left, one after the other, until nobody waits any more."""
        for place, ask in self._left:
            if self.is_over:
                return
            try:
                self.answers[place] = ask()
            except Exception as error:  # noqa: BLE001 (the clients of such systems raise whatever they like)
                self.failures[type(error).__name__] += 1


def _errands(questions: Sequence[Question | None]) -> list[_Errand]:
    """The questions by system."""
    errands: dict[str, _Errand] = {}
    for place, question in enumerate(questions):
        if question is not None:
            errand = errands.setdefault(question.system, _Errand(question.system))
            errand.questions.append((place, question.ask))
    for errand in errands.values():
        errand.begin()
    return list(errands.values())


async def _ended(futures: Sequence[Future[None]], limit_s: float, errands: Sequence[_Errand]) -> None:
    """Wait for them, and no longer than the limit; what has not begun by then never does."""
    waited = [asyncio.wrap_future(future) for future in futures]
    try:
        if waited:
            await asyncio.wait(waited, timeout=limit_s)
    finally:
        for errand in errands:
            errand.is_over = True
        for future in waited:
            future.cancel()


class _Threads:
    """At most so many threads, started when there is work. One that hangs does not keep the process from ending."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._work: _Work = SimpleQueue()

    def start(self, work: Callable[[], None]) -> Future[None]:
        """Have it done when a thread is free."""
        if self._count < self._most:
            self._count += 1
            Thread(target=_serve, args=(self._work,), name="waiting", daemon=True).start()
        future: Future[None] = Future()
        self._work.put((future, work))
        return future

    def close(self) -> None:
        """End them, each when it is done with what it does; later work has new ones."""
        for _ in range(self._count):
            self._work.put(None)
        self._count, self._work = 0, SimpleQueue()


_Work = SimpleQueue[tuple[Future[None], Callable[[], None]] | None]


def _serve(queue: _Work) -> None:
    """What a thread does: the work in the queue, until there is None."""
    while (item := queue.get()) is not None:
        future, work = item
        if future.set_running_or_notify_cancel():
            work()
            future.set_result(None)
        del item, future, work  # else an idle thread would keep the answers
