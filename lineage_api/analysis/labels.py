"""What a box of a picture is called, as every picture can write it."""

import unicodedata

from lineage_api.analysis.picture import Box

MOST = 100
"""How many characters of a label are shown."""


def label(text: str, most: int = MOST) -> str:
    """A text on one line, at most so long: whatever can't be seen, or turns what follows it around, is a space."""
    seen = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    line = " ".join(seen.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def called(box: Box, most: int = MOST) -> str:
    """What a box is called; its kind, where its label can't be seen."""
    return label(box.label, most) or box.kind


def words(kind: str) -> str:
    """A kind of link in words, such as `read by`."""
    return kind.replace("_", " ").lower()
