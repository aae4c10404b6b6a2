"""Slices of time: how much is begun in one turn of the event loop, before it is heard what else has come.

What is read from SQLite at once is read on the loop. A crowd would be answered one after the other within one turn,
and nobody be told meanwhile that there are too many; and where it is told to thousands, it would leave no time for
those who have been let in.
"""

import asyncio
from time import monotonic

SLICE_S = 0.005
"""For how long things are begun in each turn of the loop; for longer where all else took longer."""
MAX_SLICE_S = 0.05
"""The longest that a slice becomes by that."""


class Slices:
    """Lets work begin as long as there is time left in this turn of the loop, the rest in the next ones, in order."""

    def __init__(self, max_s: float = MAX_SLICE_S) -> None:
        self._max_s = max_s
        self._ends: float | None = None
        """When the slice of this turn is over; None where nothing has been begun in it."""
        self._over_since: float | None = None
        """Since when something waits for the next slice."""

    async def begin(self) -> None:
        """Returns when something may begin."""
        while self._ends is not None and (now := monotonic()) >= self._ends:
            self._over_since = self._over_since or now
            await asyncio.sleep(0)
        if self._ends is None:
            now = monotonic()
            others_s = now - self._over_since if self._over_since else 0.0
            self._ends = now + min(max(SLICE_S, others_s), self._max_s)
            self._over_since = None
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._ends = None
