"""Trade-offs: of candidates with several values, which are better than which, and which are worth a look at all."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

Costs = tuple[float, ...]
"""What a candidate has on each axis; less is better."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Point:
    """A candidate among others."""

    key: str
    values: Sequence[float]
    dominators: int
    """Who dominates it, as bits: the lowest stands for the first point."""

    @property
    def is_optimal(self) -> bool:
        """Whether nobody dominates it."""
        return not self.dominators


def weighed(candidates: Mapping[str, Sequence[float]], are_maximised: Sequence[bool], first: int) -> list[Point]:
    """The best of them: on the first axis, among equal ones on the next, and so on, then by key.

    Who dominates somebody comes before them in this order, so what is cut off at the end dominates nobody here.
    """
    costs = {key: _costs(values, are_maximised) for key, values in candidates.items()}
    best = sorted(costs, key=lambda key: (costs[key], key))[:first]
    dominating = dominators([costs[key] for key in best])
    return [Point(key, candidates[key], bits) for key, bits in zip(best, dominating, strict=True)]


def dominators(points: Sequence[Costs]) -> list[int]:
    """For each point the others that are nowhere worse and somewhere better, as bits."""
    found = [-1] * len(points)
    for axis in zip(*points, strict=True):
        for places, no_worse in _no_worse(axis):
            for place in places:
                found[place] &= no_worse
    equal: dict[Costs, int] = {}
    for place, point in enumerate(points):
        equal[point] = equal.get(point, 0) | 1 << place
    return [bits & ~equal[point] for bits, point in zip(found, points, strict=True)]


def places_of(bits: int) -> list[int]:
    """Which bits are set, the lowest first."""
    return [place for place, bit in enumerate(reversed(f"{bits:b}")) if bit == "1"]


def number(text: str | None) -> float | None:
    """The finite number that a text is; None when it is none."""
    if text is None or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _costs(values: Sequence[float], are_maximised: Sequence[bool]) -> Costs:
    return tuple(-value if is_maximised else value for value, is_maximised in zip(values, are_maximised, strict=True))


def _no_worse(axis: Sequence[float]) -> Iterator[tuple[list[int], int]]:
    """The places of each value, the best first, and as bits all that are as good or better."""
    bits = 0
    for _, group in groupby(sorted(range(len(axis)), key=axis.__getitem__), key=axis.__getitem__):
        places = [*group]
        for place in places:
            bits |= 1 << place
        yield places, bits
