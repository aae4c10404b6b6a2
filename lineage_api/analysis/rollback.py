"""Rollback: which version a stage or an alias is to be given back to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

_ARCHIVED = "Archived"
_DELETED = "Deleted_Internal"


@dataclass(frozen=True, slots=True)
class Held:
    """A stay of a version in the place, which is a stage or an alias."""

    version: int
    since: int
    """When it began, in milliseconds."""
    until: int | None
    """When it ended, in milliseconds; None while it lasts."""
    event: int
    """The ID of the event that it began with."""
    was_rolled_away: bool
    """Whether a rollback ended it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version of the model, with its stage as MLflow writes it."""

    version: int
    stage: str


class Basis(Enum):
    """Why a version is the one to go back to."""

    HISTORY = "HISTORY"
    NEWEST_ARCHIVED = "NEWEST_ARCHIVED"
    CHOSEN = "CHOSEN"


@dataclass(frozen=True, slots=True)
class Choice:
    """The version to go back to, and those that could be instead."""

    target: int | None
    basis: Basis | None
    """None when there is no target."""
    last: Held | None
    """The target's last stay in the place that ended; None when there was none."""
    alternatives: list[int]
    """The best first: those that history names, then archived ones, then those that were rolled away from."""


def choice(
    held: Sequence[Held], versions: Sequence[Candidate], current: Collection[int], to: int | None = None
) -> Choice:
    """The version to go back to from the current ones: `to`, else what history names, else the newest archived one.

    The stays are those in the place, in the order in which they began. A version that was rolled away from is not
    gone back to, unless it was given the place again and left it in another way.
    """
    last = _last_stays(held)
    possible = {each.version: each.stage for each in versions if each.stage != _DELETED and each.version not in current}
    promoted = [version for version in last if version in possible and not last[version].was_rolled_away]
    rolled_away = [version for version in last if version in possible and last[version].was_rolled_away]
    archived = [version for version, stage in possible.items() if stage == _ARCHIVED and version not in last]
    archived.sort(reverse=True)
    target, basis = _target(to, promoted, archived)
    ranked = [version for version in (*promoted, *archived, *rolled_away) if version != target]
    return Choice(target, basis, None if target is None else last.get(target), ranked)


def _target(to: int | None, promoted: list[int], archived: list[int]) -> tuple[int | None, Basis | None]:
    """The version to go back to, and why."""
    if to is not None:
        return to, Basis.CHOSEN
    if promoted:
        return promoted[0], Basis.HISTORY
    return (archived[0], Basis.NEWEST_ARCHIVED) if archived else (None, None)


def _last_stays(held: Sequence[Held]) -> dict[int, Held]:
    """The last stay of each version that ended; the version whose stay ended last comes first."""
    ended = {stay.version: (stay.until, place, stay) for place, stay in enumerate(held) if stay.until is not None}
    return {stay.version: stay for *_, stay in sorted(ended.values(), key=lambda end: end[:2], reverse=True)}
