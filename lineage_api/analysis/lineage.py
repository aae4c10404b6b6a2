"""Walking the lineage: breadth first from some nodes at once, to a depth and a number of nodes.

The walk reads nothing itself: it asks for the links around some nodes, and is sent them.
"""

from collections.abc import Collection, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, TypeVar

ORDER = ("Dataset", "Run", "LoggedModel", "ModelVersion")
"""The types of nodes, from the data to what is served."""


class Node(NamedTuple):
    """A step on the way from data to a served model."""

    type: str
    key: tuple[Any, ...]
    """What tells it from others of its type."""

    @property
    def rank(self) -> tuple[Any, ...]:
        """By what nodes that are equally near are ordered."""
        return ORDER.index(self.type), self.key


class Link(NamedTuple):
    """One thing made from, or read by, another."""

    kind: str
    source: Node
    """The end that was there first."""
    target: Node
    """The end that came of it."""

    @property
    def rank(self) -> tuple[Any, ...]:
        """By what links are ordered."""
        return self.source.rank, self.target.rank, self.kind


class Way(Enum):
    """Towards which end of links to go."""

    UPSTREAM = "UPSTREAM"
    DOWNSTREAM = "DOWNSTREAM"


BOTH = (Way.UPSTREAM, Way.DOWNSTREAM)


class Around(NamedTuple):
    """What a walk asks for: the links that lead from these nodes this way.

    Of those that lead downstream from one node, as many as are asked for will do.
    """

    nodes: Collection[Node]
    ways: Sequence[Way]
    most: int


@dataclass(frozen=True, slots=True)
class Graph:
    """The part of the lineage around one node."""

    nodes: Sequence[Node]
    """The one asked about first, then the others, nearest first."""
    links: Sequence[Link]
    """Those between these nodes."""
    is_truncated: bool
    """Whether there are more nodes, which the depth or the number of nodes left out."""


Answer = TypeVar("Answer")
Walk = Generator[Around, Iterable[Link], Answer]
"""Asks for links and is sent them."""


@dataclass
class _Part:
    """What has been reached from one node so far."""

    start: Node
    found: dict[Node, None] = field(default_factory=dict)
    frontier: list[Node] = field(default_factory=list)
    links: set[Link] = field(default_factory=set)
    is_truncated: bool = False

    def __post_init__(self) -> None:
        self.found[self.start] = None
        self.frontier = [self.start]

    def grow(self, links: "_Links", ways: Sequence[Way], most: int, *, is_last: bool) -> None:
        """Takes in what is one link further, where there is room for it."""
        around = [link for node in self.frontier for way in ways for link in links.of(node, way)]
        self.links.update(around)
        new = sorted({end for link in around for end in link[1:] if end not in self.found}, key=lambda node: node.rank)
        room = 0 if is_last else most - len(self.found)
        self.is_truncated = len(new) > room
        self.frontier = [] if self.is_truncated else new
        self.found.update(dict.fromkeys(new[:room]))

    def graph(self) -> Graph:
        """What was reached, and the links between."""
        inside = (link for link in self.links if link.source in self.found and link.target in self.found)
        return Graph([*self.found], sorted(inside, key=lambda link: link.rank), self.is_truncated)


class _Links:
    """Links by their ends."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._by_end: dict[tuple[Node, Way], list[Link]] = {}
        for link in links:
            self._by_end.setdefault((link.target, Way.UPSTREAM), []).append(link)
            self._by_end.setdefault((link.source, Way.DOWNSTREAM), []).append(link)

    def of(self, node: Node, way: Way) -> list[Link]:
        """Those that lead from a node this way."""
        return self._by_end.get((node, way), [])


def walks(starts: Sequence[Node], ways: Sequence[Way], depth: int, most: int) -> Walk[list[Graph]]:
    """The graph around each of some nodes, all walked at once; links are asked for once for each distance."""
    parts = [_Part(start) for start in starts]
    for distance in range(depth + 1):
        frontier = {node for part in parts for node in part.frontier}
        if not frontier:
            break
        # A node with more links than a graph may have nodes leads to a new one, whichever are looked at.
        links = _Links((yield Around(frontier, ways, most + 1)))
        for part in parts:
            part.grow(links, ways, most, is_last=distance == depth)
    truncated = [part for part in parts if part.is_truncated]
    if truncated:
        # Not every node has been looked at, and of some not every link. Upstream they have few.
        nodes = {node for part in truncated for node in part.found}
        links = _Links((yield Around(nodes, [Way.UPSTREAM], most + 1)))
        for part in truncated:
            part.links.update(link for node in part.found for link in links.of(node, Way.UPSTREAM))
    return [part.graph() for part in parts]
