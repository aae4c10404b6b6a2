"""Pictures as Mermaid text, which GitHub, GitLab and notebooks draw."""

from lineage_api.analysis.labels import called, words
from lineage_api.analysis.picture import Box, Picture

_SHAPES = {
    "Dataset": ("[(", ")]"),
    "Run": ("(", ")"),
    "LoggedModel": ("{{", "}}"),
    "ModelVersion": ("([", "])"),
}
_BARE = frozenset(" ,/")
_BARE_IN_WORDS = frozenset("-._")  # elsewhere they may mean something in Markdown: a list, a line, stress


def mermaid(picture: Picture) -> str:
    """A picture as a flow chart, in which each kind of box has its own shape."""
    names = {box.key: f"n{index}" for index, box in enumerate(picture.boxes)}
    boxes = (f"    {names[box.key]}{_shape(box)}" for box in picture.boxes)
    lines = (
        f"    {names[line.source]} -->|{_quoted(words(line.kind))}| {names[line.target]}" for line in picture.lines
    )
    return "\n".join(["flowchart LR", *boxes, *lines, ""])


def _shape(box: Box) -> str:
    opening, closing = _SHAPES.get(box.kind, ("[", "]"))
    return f"{opening}{_quoted(called(box))}{closing}"


def _quoted(text: str) -> str:
    """A text in which letters stand as they are, and whatever may mean something to anybody as an entity."""
    plain = text.replace("ﬂ", "fl")  # Mermaid begins entities with this letter while it works, and would read ours so
    around = zip(f" {plain}", plain, f"{plain[1:]} ", strict=False)
    return f'"{"".join(_written(*each) for each in around)}"'


def _written(before: str, character: str, after: str) -> str:
    is_bare = character.isalnum() or character in _BARE or not character.isascii()
    if is_bare or (character in _BARE_IN_WORDS and before.isalnum() and after.isalnum()):
        return character
    return f"#{ord(character)};"
