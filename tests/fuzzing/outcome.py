"""What came of many examples."""

import heapq
from collections import Counter
from dataclasses import dataclass, field

from tests.fuzzing.failures import Failures

_SLOWEST = 3


@dataclass
class Outcome:
    """What came of many examples."""

    failures: Failures
    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    slowest: list[tuple[float, int, bytes]] = field(default_factory=list)
    """Those that took longest: how many seconds, their numbers, and what was sent."""

    def took(self, seconds: float, number: int, sent: bytes) -> None:
        """Notes how long an example took."""
        heapq.heappush(self.slowest, (seconds, number, sent))
        if len(self.slowest) > _SLOWEST:
            heapq.heappop(self.slowest)
