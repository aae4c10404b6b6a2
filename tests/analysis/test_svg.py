"""Pictures as SVG, and the layers in which boxes stand."""

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_api.analysis.labels import label
from lineage_api.analysis.layers import layers
from lineage_api.analysis.picture import Box, Line, Picture
from lineage_api.analysis.svg import svg
from tests.analysis.pictures import SMALL, pictures

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "title", "style", "defs", "marker", "path", "rect", "g", "text"}
ATTRIBUTES = {
    *("class", "role", "width", "height", "viewBox", "color", "font-family", "font-size", "id", "refX", "refY"),
    *("markerWidth", "markerHeight", "orient", "d", "fill", "rx", "x", "y", "fill-opacity", "stroke", "stroke-width"),
    *("stroke-opacity", "text-anchor", "opacity", "marker-end", "paint-order"),
}


def drawn(picture):
    """The picture as a tree; it is well formed, and nothing in it runs, is fetched or leads elsewhere."""
    tree = ET.fromstring(svg(picture))
    every = [*tree.iter()]
    assert {element.tag.removeprefix(SVG) for element in every} <= ELEMENTS
    assert {name for element in every for name in element.attrib} <= ATTRIBUTES
    assert {element.get("marker-end") for element in every} <= {None, "url(#lineage-arrow)"}
    return tree


def boxes_of(tree):
    """Each box as it is seen: what it is called in full, what is written in it, and where it is."""
    for group in tree.findall(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        left, top, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
        texts = [text.text for text in group.findall(f"{SVG}text")]
        yield group.find(f"{SVG}title").text, texts, (left, top, left + width, top + height)


def test_a_picture():
    """Boxes from left to right with their kinds, and lines with theirs; readers that cannot see are told what it is."""
    tree = drawn(SMALL)

    assert (tree.get("role"), tree.find(f"{SVG}title").text) == ("img", "Lineage from left to right: 5 boxes, 3 lines")
    assert [(name, texts) for name, texts, _ in boxes_of(tree)] == [
        ("flights (1a2b)", ["flights (1a2b)", "dataset"]),
        ('a "good" run', ['a "good" run', "run"]),
        ("model", ["model", "logged model"]),
        ("m v1", ["m v1", "model version"]),
        ("Other", ["Other", "Other"]),
    ]
    lefts = [place[0] for _, _, place in boxes_of(tree)]
    assert lefts[:4] == sorted({*lefts[:4]})
    assert lefts[4] == lefts[0]
    assert [text.text for text in tree.findall(f"{SVG}text")] == ["read by", "produced", "registered as"]
    assert "prefers-color-scheme: dark" in tree.find(f"{SVG}style").text


@settings(deadline=None, max_examples=100)
@given(pictures())
def test_any_picture(picture):
    """Every box and line is there; boxes do not cover each other, and nothing reaches over the edge."""
    tree = drawn(picture)
    found = [*boxes_of(tree)]
    width, height = float(tree.get("width")), float(tree.get("height"))

    assert [name for name, _, _ in found] == [label(box.label) or box.kind for box in picture.boxes]
    assert len(tree.findall(f"{SVG}path")) == len(picture.lines)
    for _, (text, _), (left, top, right, bottom) in found:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert len(text) <= 40
    for (_, _, one), (_, _, other) in combinations(found, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    for path in tree.findall(f"{SVG}path"):
        numbers = [*map(float, re.findall(r"-?[0-9.]+", path.get("d")))]
        assert 0 <= min(numbers) <= max(numbers) <= max(width, height)


ends = st.integers(1, 9).flatmap(
    lambda size: st.tuples(st.just(size), st.lists(st.tuples(*[st.integers(0, size - 1)] * 2), max_size=20))
)


@settings(deadline=None, max_examples=100)
@given(ends)
def test_any_layers(given_):
    """Each box stands once; lines lead on from layer to layer, but for as few as close a ring."""
    size, lines = given_
    found = layers(size, lines)
    depths = {item: depth for depth, layer in enumerate(found.items) for item in layer}

    assert sorted(depths) == [*range(len(depths))]
    assert sum(map(len, found.items)) == len(depths)
    ahead = [(source, target) for source, target in lines if depths[source] < depths[target]]
    for (source, target), way in zip(lines, found.ways, strict=True):
        assert (way[0], way[-1]) == (source, target)
        assert (source, target) not in ahead or all(depths[b] == depths[a] + 1 for a, b in pairwise(way))
    for item in range(size):
        assert depths[item] == max((depths[source] + 1 for source, target in ahead if target == item), default=0)


def test_lines_that_cross_nothing():
    """Each box stands across from what it is joined to; a long line passes between the boxes."""
    crossed = [(0, 3), (1, 2), (2, 5), (3, 4), (0, 5)]

    assert layers(6, crossed).items == [[0, 1], [3, 6, 2], [4, 5]]


def test_a_ring():
    """It ends: the line that leads back goes below the boxes."""
    ring = Picture(
        [Box("r", "Run", "r"), Box("m", "LoggedModel", "m")], [Line("r", "m", "PRODUCED"), Line("m", "r", "USED_BY")]
    )
    on, back = (path.get("d") for path in drawn(ring).findall(f"{SVG}path"))

    assert "H" in on
    assert "H" not in back
    lowest = max(place[3] for _, _, place in boxes_of(drawn(ring)))
    assert float(re.findall(r"[0-9.]+", back)[3]) > lowest
