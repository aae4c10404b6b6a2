"""Pictures as Mermaid text. What Mermaid itself makes of such labels was tried by hand, in a browser."""

import html
import re

from hypothesis import given, settings

from lineage_api.analysis.labels import label
from lineage_api.analysis.mermaid import mermaid
from tests.analysis.pictures import SMALL, pictures

TEXT = r'"((?:#[0-9]+;|[ ,/]|(?<=[^\W_])[-._](?=[^\W_])|[^\W_]|[^\x00-\x7f])*)"'
BOXES = [rf"\[\({TEXT}\)\]", rf"\({TEXT}\)", rf"\{{\{{{TEXT}\}}\}}", rf"\(\[{TEXT}\]\)", rf"\[{TEXT}\]"]
BOX = re.compile(rf"    n([0-9]+)(?:{'|'.join(BOXES)})")
LINE = re.compile(r'    n([0-9]+) -->\|"([a-z ]+)"\| n([0-9]+)')


def test_a_picture():
    """A flow chart, with a shape for each kind; where there is no label, the kind has to do."""
    assert mermaid(SMALL).splitlines() == [
        "flowchart LR",
        '    n0[("flights #40;1a2b#41;")]',
        '    n1("a #34;good#34; run")',
        '    n2{{"model"}}',
        '    n3(["m v1"])',
        '    n4["Other"]',
        '    n0 -->|"read by"| n1',
        '    n1 -->|"produced"| n2',
        '    n2 -->|"registered as"| n3',
    ]


@settings(deadline=None, max_examples=100)
@given(pictures())
def test_no_label_breaks_out(picture):
    """Every line has one of the few forms, and says what the label says, as far as it can be seen."""
    first, *rest = mermaid(picture).split("\n")
    boxes, lines = rest[: len(picture.boxes)], rest[len(picture.boxes) :]

    assert first == "flowchart LR"
    assert lines.pop() == ""
    for index, (box, line) in enumerate(zip(picture.boxes, boxes, strict=True)):
        found = BOX.fullmatch(line)
        assert found, line
        number, *texts = found.groups()
        [text] = [text for text in texts if text is not None]
        said = label(box.label) or box.kind
        assert (int(number), html.unescape(text.replace("#", "&#"))) == (index, said.replace("ﬂ", "fl"))
    keys = [box.key for box in picture.boxes]
    for drawn, line in zip(picture.lines, lines, strict=True):
        source, kind, target = LINE.fullmatch(line).groups()
        assert (keys[int(source)], keys[int(target)]) == (drawn.source, drawn.target)
        assert kind == drawn.kind.lower().replace("_", " ")


def test_long_and_invisible_labels():
    """What can't be seen is a space, and no label is longer than a hundred characters."""
    assert label(" a\n\tb\u202e\u2028c\x00 ") == "a b c"
    assert (label("x" * 100), label("x" * 101)) == ("x" * 100, "x" * 99 + "…")
    assert label("one two", 5) == "one…"
