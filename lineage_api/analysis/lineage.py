"""Walking the lineage: breadth first from some nodes at once, to a depth and a number of nodes.

The walk reads nothing itself: it asks for the links around some nodes, and is sent them.
"""

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    """What a walk asks for: the links that lead this way from these nodes.

    Of those that lead downstream from one node, as many as are asked for will do.
    """

    nodes: Mapping[Way, Collection[Node]]
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


class _Links:
    """Links by their ends."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._by_end: dict[tuple[Node, Way], list[Link]] = {}
        for link in links:
            self._by_end.setdefault((link.target, Way.UPSTREAM), []).append(link)
            self._by_end.setdefault((link.source, Way.DOWNSTREAM), []).append(link)

    def of(self, nodes: Iterable[Node], way: Way) -> list[Link]:
        """Those that lead from nodes this way."""
        return [link for node in nodes for link in self._by_end.get((node, way), ())]


_Frontier = dict[Way, set[Node]]
"""The nodes from which to go on, by the way that led to them: what was reached upstream leads on upstream only."""


class _Part:
    """What has been reached from one node so far."""

    def __init__(self, start: Node, ways: Sequence[Way]) -> None:
        self.found = {start: None}
        self.frontier: _Frontier = {way: {start} for way in ways}
        self.is_truncated = False
        self._reached = {way: {start} for way in ways}
        self._links: set[Link] = set()

    def grow(self, links: _Links, most: int, *, is_last: bool) -> None:
        """Takes in what is one link further, where there is room for it."""
        ends: _Frontier = {}
        for way, nodes in self.frontier.items():
            around = links.of(nodes, way)
            self._links.update(around)
            far = (link.source if way is Way.UPSTREAM else link.target for link in around)
            ends[way] = set(far) - self._reached[way]
            self._reached[way] |= ends[way]
        new = sorted(set().union(*ends.values()) - self.found.keys(), key=lambda node: node.rank)
        room = 0 if is_last else most - len(self.found)
        self.is_truncated = len(new) > room
        self.found.update(dict.fromkeys(new[:room]))
        self.frontier = {} if is_last or self.is_truncated else {way: nodes for way, nodes in ends.items() if nodes}

    def complete(self, links: _Links) -> None:
        """Takes in the links that lead upstream from all nodes."""
        self._links.update(links.of(self.found, Way.UPSTREAM))

    def graph(self) -> Graph:
        """What was reached, and the links between."""
        inside = (link for link in self._links if link.source in self.found and link.target in self.found)
        return Graph([*self.found], sorted(inside, key=lambda link: link.rank), self.is_truncated)


def walks(starts: Sequence[Node], ways: Sequence[Way], depth: int, most: int) -> Walk[list[Graph]]:
    """The graph around each of some nodes, all walked at once; links are asked for once for each distance."""
    parts = [_Part(start, ways) for start in starts]
    for distance in range(depth + 1):
        growing = [part for part in parts if part.frontier]
        if not growing:
            break
        # A node with more links than a graph may have nodes leads to a new one, whichever are looked at.
        links = _Links((yield Around(_together(growing), most + 1)))
        for part in growing:
            part.grow(links, most, is_last=distance == depth)
    # Not every node was looked at where something is cut, nor from both ends what was reached by two ways.
    incomplete = [part for part in parts if part.is_truncated or len(ways) > 1]
    if incomplete:
        nodes = {node for part in incomplete for node in part.found}
        links = _Links((yield Around({Way.UPSTREAM: nodes}, most + 1)))  # upstream, nodes have few links
        for part in incomplete:
            part.complete(links)
    return [part.graph() for part in parts]


def _together(parts: Sequence[_Part]) -> _Frontier:
    ways = dict.fromkeys(way for part in parts for way in part.frontier)
    return {way: set().union(*(part.frontier.get(way, set()) for part in parts)) for way in ways}
