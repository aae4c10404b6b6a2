"""Pictures in Graphviz's language, DOT."""

from lineage_api.analysis.labels import called, words
from lineage_api.analysis.picture import Box, Picture

_SHAPES = {
    "Dataset": "shape=cylinder",
    "Run": "shape=box style=rounded",
    "LoggedModel": "shape=hexagon",
    "ModelVersion": "shape=ellipse",
}
_SETTINGS = ["    rankdir=LR;", '    node [fontname="sans-serif"];', '    edge [fontname="sans-serif" fontsize=10];']
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "&": "&amp;"})  # Graphviz reads entities in texts too


def dot(picture: Picture) -> str:
    """A picture as a directed graph, in which each kind of box has its own shape."""
    names = {box.key: f"n{index}" for index, box in enumerate(picture.boxes)}
    boxes = [f"    {names[box.key]} [label={_quoted(called(box))} {_shape(box)}];" for box in picture.boxes]
    lines = [
        f"    {names[line.source]} -> {names[line.target]} [label={_quoted(words(line.kind))}];"
        for line in picture.lines
    ]
    return "\n".join(["digraph lineage {", *_SETTINGS, *boxes, *lines, "}", ""])


def _shape(box: Box) -> str:
    return _SHAPES.get(box.kind, "shape=box")


def _quoted(text: str) -> str:
    """A text in quotes, in which no escape acts."""
    return f'"{text.translate(_ESCAPES)}"'
