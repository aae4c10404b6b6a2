"""Differences between texts under the same keys, and between the numbers that they may be."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from enum import Enum
from typing import Any, NamedTuple

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_MOST_DIGITS = 1_000
# As people write them: with floats, 0.3 - 0.1 would be 0.19999999999999998.
_AS_WRITTEN = Context(prec=60, traps=[])


class Kind(Enum):
    """What became of a value."""

    ADDED = "ADDED"
    REMOVED = "REMOVED"
    CHANGED = "CHANGED"


@dataclass(frozen=True, slots=True)
class ValueChange:
    """One difference."""

    key: str
    base: str | None
    """None when it was added."""
    head: str | None
    """None when it was removed."""
    are_names: bool = False
    """Whether they are no numbers, even where they look like some, as versions and digests may."""

    @property
    def kind(self) -> Kind:
        """What became of it."""
        if self.base is None:
            return Kind.ADDED
        return Kind.REMOVED if self.head is None else Kind.CHANGED

    @property
    def delta(self) -> float | None:
        """Head less base; None unless both are numbers."""
        difference = self._difference()
        return None if difference is None else _finite(difference)

    @property
    def relative(self) -> float | None:
        """Delta over base; None unless both are numbers and base is not 0."""
        difference, base = self._difference(), number(self.base)
        return _finite(_AS_WRITTEN.divide(difference, base)) if difference is not None and base else None

    def _difference(self) -> Decimal | None:
        base, head = number(self.base), number(self.head)
        if self.are_names or base is None or head is None:
            return None
        return _AS_WRITTEN.subtract(head, base)


class Found(NamedTuple):
    """What was found in one part of a comparison."""

    differences: Any = None
    """None when there are none, or none are known."""
    unknown: Sequence[str] = ()
    """What could not be compared, and why."""


def number(text: str | None) -> Decimal | None:
    """The finite number that a text is, in decimal or exponent notation; None when it is none."""
    if text is None or len(text) > _MOST_DIGITS or not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        return None
    return _AS_WRITTEN.create_decimal(text)


def _finite(value: Decimal) -> float | None:
    found = float(value)
    return found if math.isfinite(found) else None


def differing(base: Mapping[str, str], head: Mapping[str, str], *, are_names: bool = False) -> list[ValueChange]:
    """What is not the same in both, by key."""
    keys = sorted(base.keys() | head.keys())
    changes = (ValueChange(key, base.get(key), head.get(key), are_names) for key in keys)
    return [change for change in changes if change.base != change.head]
