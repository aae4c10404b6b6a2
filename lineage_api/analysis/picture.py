"""Pictures of lineage, before anybody has chosen how to draw them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """Something in a picture."""

    key: str
    """What lines know it by, and nobody sees."""
    kind: str
    """The type of node that it stands for: Dataset, Run, LoggedModel or ModelVersion."""
    label: str
    """What a person calls it; any text, since it comes from whoever logged it."""


@dataclass(frozen=True, slots=True)
class Line:
    """What one box did for another."""

    source: str
    """The key of the box that was there first."""
    target: str
    """The key of the box that came of it."""
    kind: str
    """Such as READ_BY."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes, and the lines between them: whose ends are all among the boxes."""

    boxes: Sequence[Box]
    lines: Sequence[Line]
