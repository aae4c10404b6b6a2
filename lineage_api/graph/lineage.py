"""Lineage: what something came from, and what came of it."""

from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import Any

import strawberry
from sqlalchemy import ColumnElement
from sqlalchemy import column as named

from lineage_api.analysis.lineage import BOTH, Around, Graph, Link, Node, Walk, Way, walks
from lineage_api.analysis.mermaid import mermaid
from lineage_api.analysis.picture import Box, Line, Picture
from lineage_api.engine.levels import Call, Level, Lookahead
from lineage_api.engine.nouns import column, noun, resolved
from lineage_api.engine.sql import name_of
from lineage_api.engine.steps import Steps, together
from lineage_api.errors import Unreadable
from lineage_api.graph.abilities import DEEPEST, MOST_NODES, LineageDirection, LineageNode
from lineage_api.graph.labels import LABELS
from lineage_api.graph.links import LINKS, links_of
from lineage_api.graph.node import Objects, objects


@strawberry.enum(description="What one end of a link did for the other.")
class LineageLinkKind(Enum):
    READ_BY = strawberry.enum_value("READ_BY", description="A run read a dataset.")
    PRODUCED = strawberry.enum_value("PRODUCED", description="A run made a logged model.")
    USED_BY = strawberry.enum_value(
        "USED_BY", description="A run used a logged model that was there before, to evaluate it or to build on it."
    )
    STARTED = strawberry.enum_value("STARTED", description="A run started another run.")
    REGISTERED_AS = strawberry.enum_value(
        "REGISTERED_AS", description="A logged model or a run became a version of a registered model."
    )
    COPIED_TO = strawberry.enum_value("COPIED_TO", description="A version was copied to another registered model.")


class _Mermaid(Level):
    """The Mermaid texts of graphs; the labels of all their nodes are read together."""

    needs = ("nodes",)

    def resolve(self, call: Call) -> Steps[list[str]]:
        lists: Sequence[Sequence[Node]] = call.column("nodes")
        nodes = list(dict.fromkeys(node for nodes in lists for node in nodes))
        found = yield from objects(call, nodes, _Labels())
        labels = {
            name: LABELS[name].resolve(Call(rows, {}, call.context, call.below, {}))
            for name, rows in found.parts.items()
        }
        texts = {node: labels[at[0]][at[1]] if at else "" for node, at in zip(nodes, found.places, strict=True)}
        drawn = zip(lists, call.column("links"), strict=True)
        return [mermaid(_picture(nodes, links, texts)) for nodes, links in drawn]


class _Labels:
    """A lookahead at labels alone."""

    def columns(self, type_name: str | None = None) -> frozenset[str]:
        return frozenset(LABELS[type_name].needs if type_name else ())

    def below(self, field: str) -> Lookahead:  # noqa: ARG002
        return self

    def selects(self, field: str) -> bool:
        return field == "label"


def _picture(nodes: Sequence[Node], links: Sequence[Link], labels: Mapping[Node, str]) -> Picture:
    keys = {node: str(index) for index, node in enumerate(nodes)}
    boxes = [Box(keys[node], node.type, labels[node]) for node in nodes]
    return Picture(boxes, [Line(keys[link.source], keys[link.target], link.kind) for link in links])


@noun
class LineageLink:
    """One thing made from, or read by, another."""

    source: LineageNode = resolved(Objects("source"))
    """The end that was there first."""
    target: LineageNode = resolved(Objects("target"))
    """The end that came of it."""
    kind: LineageLinkKind = column(named("kind"), convert=LineageLinkKind)
    """What the source did for the target."""


@noun
class LineageGraph:
    """The part of the lineage around one node."""

    nodes: list[LineageNode] = resolved(Objects("nodes", is_list=True))
    """The node asked about first, then the others, nearest first; no node twice."""
    links: list[LineageLink]
    """The links between these nodes, each in the direction in which things came about."""
    is_truncated: bool
    """Whether the walk stopped, at `depth` or `maxNodes`, before it ran out of nodes."""
    mermaid: str = resolved(_Mermaid())
    """The same graph as Mermaid text, ready to draw."""


class Lineages(Level):
    """The lineage around each parent: a statement for each kind of link, way and distance."""

    def __init__(self, type_name: str, *key: ColumnElement[Any]) -> None:
        self._type_name = type_name
        self.needs = tuple(map(name_of, key))

    def resolve(self, call: Call) -> Steps[list[Graph]]:
        depth = _within(call.arguments["depth"], DEEPEST, "depth")
        most = _within(call.arguments["max_nodes"], MOST_NODES, "maxNodes")
        keys = zip(*map(call.column, self.needs), strict=True)
        starts = [Node(self._type_name, key) for key in keys]
        return (yield from _walked(call, walks(starts, _WAYS[call.arguments["direction"]], depth, most)))


_WAYS: Mapping[LineageDirection, Sequence[Way]] = {
    LineageDirection.UPSTREAM: [Way.UPSTREAM],
    LineageDirection.DOWNSTREAM: [Way.DOWNSTREAM],
    LineageDirection.BOTH: BOTH,
}


def _within(number: int, most: int, name: str) -> int:
    if not 1 <= number <= most:
        raise Unreadable(f"`{name}` must be between 1 and {most}, not {number}.")
    return number


def _walked(call: Call, walk: Walk[list[Graph]]) -> Steps[list[Graph]]:
    """What comes of a walk that is sent the links that it asks for."""
    wanted = next(walk, None)
    try:
        while True:
            assert wanted is not None
            wanted = walk.send((yield from around(call, wanted)))
    except StopIteration as end:
        graphs: list[Graph] = end.value
        return graphs


def around(call: Call, wanted: Around) -> Steps[list[Link]]:
    """The links around some nodes: a statement for each kind and way that these nodes can have."""
    by_way = {way: _by_type(nodes) for way, nodes in wanted.nodes.items()}
    asked = [
        links_of(call, kind, way, nodes, wanted.most)
        for kind in LINKS
        for way, nodes in by_way.items()
        if not nodes.keys().isdisjoint(kind.begins_at(way))
    ]
    lists = yield from together(asked)
    return [link for links in lists for link in links]


def _by_type(nodes: Collection[Node]) -> dict[str, list[tuple[Any, ...]]]:
    """The keys of nodes, by their type."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for node in sorted(nodes, key=lambda node: node.rank):
        found.setdefault(node.type, []).append(node.key)
    return found
