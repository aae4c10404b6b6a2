"""Pictures in Graphviz's language. What Graphviz itself makes of such labels was tried by hand."""

import html
import re

from hypothesis import given, settings

from lineage_api.analysis.dot import dot
from lineage_api.analysis.labels import label
from tests.analysis.pictures import SMALL, pictures

TEXT = r'"((?:\\\\|\\"|[^"\\\x00-\x1f])*)"'
SHAPE = "shape=cylinder|shape=box style=rounded|shape=hexagon|shape=ellipse|shape=box"
BOX = re.compile(rf"    n([0-9]+) \[label={TEXT} (?:{SHAPE})\];")
LINE = re.compile(r'    n([0-9]+) -> n([0-9]+) \[label="([a-z ]+)"\];')


def test_a_picture():
    """A directed graph, with a shape for each kind; where there is no label, the kind has to do."""
    assert dot(SMALL).splitlines() == [
        "digraph lineage {",
        "    rankdir=LR;",
        '    node [fontname="sans-serif"];',
        '    edge [fontname="sans-serif" fontsize=10];',
        '    n0 [label="flights (1a2b)" shape=cylinder];',
        '    n1 [label="a \\"good\\" run" shape=box style=rounded];',
        '    n2 [label="model" shape=hexagon];',
        '    n3 [label="m v1" shape=ellipse];',
        '    n4 [label="Other" shape=box];',
        '    n0 -> n1 [label="read by"];',
        '    n1 -> n2 [label="produced"];',
        '    n2 -> n3 [label="registered as"];',
        "}",
    ]


@settings(deadline=None, max_examples=100)
@given(pictures())
def test_no_label_breaks_out(picture):
    """Every line has one of the few forms; read as Graphviz reads it, it says what the label says."""
    rest = dot(picture).split("\n")[4:]
    boxes, lines = rest[: len(picture.boxes)], rest[len(picture.boxes) :]

    assert lines[-2:] == ["}", ""]
    for index, (box, line) in enumerate(zip(picture.boxes, boxes, strict=True)):
        number, text = BOX.fullmatch(line).groups()
        said = html.unescape(re.sub(r"\\(.)", r"\1", text))
        assert (int(number), said) == (index, label(box.label) or box.kind)
    keys = [box.key for box in picture.boxes]
    for drawn, line in zip(picture.lines, lines[:-2], strict=True):
        source, target, _ = LINE.fullmatch(line).groups()
        assert (keys[int(source)], keys[int(target)]) == (drawn.source, drawn.target)
