"""Words of a shell: values that stand in a script, and cannot become anything else there."""

import unicodedata

from lineage_api.analysis.secrets import holds_secret

_CONTROLS = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""The categories of Unicode for controls, formats, halves of characters, and ends of lines."""


def quoted(value: str) -> str:
    """One word, whatever is in it."""
    return "'" + value.replace("'", "'\"'\"'") + "'"


def has_controls(value: str) -> bool:
    """Whether it has characters that are instructions: to a terminal, or to whatever lays out a text.

    A script may be pasted into a terminal, where quotes do not keep them from acting.
    """
    if value.isascii():
        return not value.isprintable()
    return any(unicodedata.category(character) in _CONTROLS for character in value)


def is_showable(name: str) -> bool:
    """Whether a thing may be called by its name."""
    return not has_controls(name) and not holds_secret(name)


def showable(name: str) -> str:
    """What a thing is called, where it may be."""
    return name if is_showable(name) else "(a name that cannot be shown)"
