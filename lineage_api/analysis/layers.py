"""Where the boxes of a picture stand: in layers, from what was there first to what came of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise

Ends = tuple[int, int]
"""Where a line begins and where it ends, by the boxes' indices."""

_SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Layers:
    """What stands where. Where a line passes a layer it has a bend, which takes its place there as a box does."""

    items: list[list[int]]
    """What stands in each layer, from top to bottom: boxes by their indices, and bends by the numbers after these."""
    ways: list[list[int]]
    """Through which items each line leads, its ends among them."""


def layers(size: int, ends: Sequence[Ends]) -> Layers:
    """Each of so many boxes as far to the right as the longest way to it is; lines that close a ring do not count."""
    depths = _depths(size, _ahead(size, ends))
    ways = []
    for source, target in ends:
        passed = range(depths[source] + 1, depths[target])
        ways.append([source, *range(len(depths), len(depths) + len(passed)), target])
        depths.extend(passed)
    items: list[list[int]] = [[] for _ in range(max(depths, default=-1) + 1)]
    for item, depth in enumerate(depths):
        items[depth].append(item)
    _untangle(items, [pair for way in ways for pair in pairwise(way) if depths[pair[0]] < depths[pair[1]]])
    return Layers(items, ways)


def _ahead(size: int, ends: Sequence[Ends]) -> set[Ends]:
    """The lines, but for those that lead back to where one came from."""
    after = _neighbours(size, ends)
    ahead: set[Ends] = set()
    entered: set[int] = set()
    for start in range(size):
        way: dict[int, Iterator[int]] = {} if start in entered else {start: iter(after[start])}
        while way:
            item = next(reversed(way))
            entered.add(item)
            target = next((target for target in way[item] if target not in way), None)
            if target is None:
                del way[item]
                continue
            ahead.add((item, target))
            if target not in entered:
                way[target] = iter(after[target])
    return ahead


def _depths(size: int, ends: set[Ends]) -> list[int]:
    """The length of the longest way to each."""
    before = _neighbours(size, [(target, source) for source, target in ends])
    depths = [0] * size
    for item in TopologicalSorter(dict(enumerate(before))).static_order():
        depths[item] = max((depths[source] + 1 for source in before[item]), default=0)
    return depths


def _untangle(items: list[list[int]], lines: Sequence[Ends]) -> None:
    """Bring each item beside the middle of those that it is joined to in the layer before, then in the one after."""
    size = sum(map(len, items))
    before = _neighbours(size, [(target, source) for source, target in lines])
    after = _neighbours(size, lines)
    places = {item: place for layer in items for place, item in enumerate(layer)}
    for beside, order in [(before, items), (after, items[::-1])] * _SWEEPS:
        for layer in order:
            middles = {item: _middle([places[other] for other in beside[item]], places[item]) for item in layer}
            layer.sort(key=middles.__getitem__)
            places.update((item, place) for place, item in enumerate(layer))


def _neighbours(size: int, ends: Sequence[Ends]) -> list[list[int]]:
    """Where the lines from each lead."""
    found: list[list[int]] = [[] for _ in range(size)]
    for source, target in ends:
        found[source].append(target)
    return found


def _middle(places: Sequence[int], otherwise: int) -> float:
    return sum(places) / len(places) if places else otherwise
