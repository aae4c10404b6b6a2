"""How fast webhooks are sent, and for how long it is tried."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Tempo:
    """Times, in seconds, and how much is done at once."""

    time_limit_s: float = 10
    """How long one attempt may take."""
    lease_s: float = 20
    """For how long whoever sends keeps others from it, from each sign of life; longer than an attempt."""
    pauses_s: tuple[float, ...] = (5, 30, 120, 600, 1_800, 3_600)
    """How long it is waited after each failure; the last one again and again."""
    longest_pause_s: float = 3_600
    """How long a receiver may ask to be left alone."""
    give_up_s: float = 24 * 3_600
    """After what time of failures a webhook is disabled."""
    interval_s: float = 30
    """How often is looked for what others have enabled."""
    trouble_s: float = 5
    """How long it is waited when the database does not answer."""
    turn_s: float = 60
    """After what time one webhook makes room for others."""
    at_once: int = 16
    """How many receivers are sent to at the same time."""

    def pause_ms(self, failures: int, retry_after_s: int | None) -> int:
        """How long to wait after so many failures, when the receiver asked for so much."""
        usual_s = self.pauses_s[min(failures, len(self.pauses_s)) - 1] * random.uniform(1, 1.1)  # noqa: S311
        asked_s = min(retry_after_s or 0, self.longest_pause_s)
        return round(1_000 * max(usual_s, asked_s))

    def end(self, failing_ms: int, status: int | None, error: str) -> str | None:
        """Why a webhook is disabled that has failed for so long, at last with this; None while it is not."""
        if status == GONE:
            return "answered 410: its receiver wants nothing more"
        hours = f"{self.give_up_s / 3_600:g} h"
        return f"not taken for {hours}, at last: {error}" if failing_ms >= 1_000 * self.give_up_s else None


GONE = 410
"""The status by which a receiver says that it wants nothing more."""
