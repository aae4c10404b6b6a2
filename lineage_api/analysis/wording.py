"""How findings are worded."""

from collections.abc import Iterable

_MOST_NAMED = 10


def named(items: Iterable[str]) -> str:
    """The first of them, and how many more there are."""
    every = [*items]
    more = len(every) - _MOST_NAMED
    return ", ".join(every[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
