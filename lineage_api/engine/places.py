"""Where a column of values stands in the response, and which errors of a column the response tells.

A path is worked out only for an error: a place knows the place above it, and how an index of its column becomes an
index there.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from graphql import FieldNode, GraphQLError
from graphql.error import located_error
from graphql.pyutils import Path

Key = str | int


class Step(NamedTuple):
    """A part of a path: its place in document order, its key, and whether null is not allowed there."""

    rank: int
    key: Key
    is_required: bool


Trail = tuple[Step, ...]


class Place:
    """A position of the response, however often it occurs there; as it stands, the root's."""

    __slots__ = ()

    is_free = False
    """Whether it is in a list without pages, or below one."""

    def trails(self, index: int) -> Iterator[Trail]:  # noqa: ARG002 - the root is one
        """All ways from the root to a value of the column; several where parents share a row."""
        yield ()

    def path(self, index: int) -> Path | None:  # noqa: ARG002 - the root has none
        """The (first) path to a value of the column, as resolvers are given it."""
        return None


class Field(Place):
    """The values of a field, one for each parent."""

    __slots__ = ("above", "is_free", "is_required", "key", "rank", "type_name")

    def __init__(self, above: Place, rank: int, key: str, type_name: str, *, is_required: bool) -> None:
        self.above = above
        self.rank = rank
        self.key = key
        self.type_name = type_name
        self.is_required = is_required
        self.is_free = above.is_free

    def trails(self, index: int) -> Iterator[Trail]:
        step = Step(self.rank, self.key, self.is_required)
        return ((*trail, step) for trail in self.above.trails(index))

    def path(self, index: int) -> Path | None:
        return Path(self.above.path(index), self.key, self.type_name)


class Items(Place):
    """The items of lists, one list after the other; `starts` are the indices at which lists begin."""

    __slots__ = ("above", "is_free", "is_required", "starts")

    def __init__(self, above: Place, starts: Sequence[int], *, is_required: bool, is_bounded: bool = True) -> None:
        self.above = above
        self.starts = starts
        self.is_required = is_required
        self.is_free = above.is_free or not is_bounded

    def owner(self, index: int) -> int:
        """Which list an item is in."""
        return bisect_right(self.starts, index) - 1

    def trails(self, index: int) -> Iterator[Trail]:
        owner = self.owner(index)
        place = index - self.starts[owner]
        step = Step(place, place, self.is_required)
        return ((*trail, step) for trail in self.above.trails(owner))

    def path(self, index: int) -> Path | None:
        owner = self.owner(index)
        return Path(self.above.path(owner), index - self.starts[owner], None)


class Some(Place):
    """Some of the values above, in the same order: those that are there, or those of one type."""

    __slots__ = ("above", "indices", "is_free")

    def __init__(self, above: Place, indices: Sequence[int]) -> None:
        self.above = above
        self.indices = indices
        self.is_free = above.is_free

    def trails(self, index: int) -> Iterator[Trail]:
        return self.above.trails(self.indices[index])

    def path(self, index: int) -> Path | None:
        return self.above.path(self.indices[index])


class Shared(Place):
    """Rows that are the value of several parents each; `picks` says for each parent which row it has."""

    def __init__(self, above: Place, picks: Sequence[object]) -> None:
        self.above = above
        self.picks = picks
        self.is_free = above.is_free

    @cached_property
    def owners(self) -> Mapping[object, Sequence[int]]:
        """The parents of each row; worked out only where there is an error to tell."""
        found: dict[object, list[int]] = {}
        for owner, row in enumerate(self.picks):
            found.setdefault(row, []).append(owner)
        return found

    def trails(self, index: int) -> Iterator[Trail]:
        owners = self.owners.get(index, ())
        return (trail for owner in owners for trail in self.above.trails(owner))

    def path(self, index: int) -> Path | None:
        return self.above.path(self.picks.index(index))


class Problem(NamedTuple):
    """An error at one value of a column."""

    place: Place
    at: int
    error: Exception
    nodes: list[FieldNode]


def located(problems: Sequence[Problem]) -> list[GraphQLError]:
    """The errors that the response tells, in document order.

    An error below a position that an earlier one nulled is not told: an executor that goes depth first and stops
    there, as the specification describes, never meets it.
    """
    ways = [(trail, problem) for problem in problems for trail in problem.place.trails(problem.at)]
    ways.sort(key=lambda way: [step.rank for step in way[0]])
    nulled: set[tuple[Key, ...]] = set()
    errors = []
    for trail, problem in ways:
        keys = tuple(step.key for step in trail)
        if any(keys[:length] in nulled for length in range(len(keys) + 1)):
            continue
        nulled.add(keys[: _depth_of_null(trail)])
        errors.append(located_error(problem.error, problem.nodes, list(keys)))
    return errors


def _depth_of_null(trail: Trail) -> int:
    """How many steps lead to the position that becomes null: the nearest one where null is allowed, or the root."""
    return next((depth for depth in range(len(trail), 0, -1) if not trail[depth - 1].is_required), 0)
