"""Docstrings of attributes, which are the descriptions of fields and the help of settings."""

import enum
from dataclasses import dataclass
from typing import ClassVar

from lineage_api import docstrings


@dataclass(frozen=True)
class Documented:
    """This one is the class's own."""

    plain: int
    """A plain one."""
    with_a_default: str | None = None
    """One with a default."""
    undocumented: int = 0
    after_a_gap: int = 0

    """A blank line
    and a line break within."""
    shared: ClassVar[list[int]] = []
    """First paragraph,
    of two lines.

        Second paragraph, indented."""
    unannotated = 7
    """Without a type; “quoted” \N{SNOWMAN}."""
    elided: int = 0
    ...  # noqa: PIE790, PYI013 - it is no string

    def method(self):
        """A method is no attribute."""
        local: int = 0
        """Nor is a variable."""
        return local

    last: int = 0


class Derived(Documented):
    """Has one of its own."""

    own: int = 1
    """Its own."""


class Colour(enum.Enum):
    """Values of an enum are attributes too."""

    RED = 1
    """Like a rose."""
    BLUE = 2


def test_each_attribute_has_the_string_below_it():
    """On one line, paragraphs apart; an attribute without a string has none, whatever stands below it."""
    assert docstrings.of_attributes(Documented) == {
        "plain": "A plain one.",
        "with_a_default": "One with a default.",
        "after_a_gap": "A blank line and a line break within.",
        "shared": "First paragraph, of two lines.\n\nSecond paragraph, indented.",
        "unannotated": "Without a type; “quoted” \N{SNOWMAN}.",
    }


def test_those_of_base_classes_are_not_among_them():
    """Whoever wants them asks the base class."""
    assert docstrings.of_attributes(Derived) == {"own": "Its own."}


def test_values_of_an_enum():
    """The same for them."""
    assert docstrings.of_attributes(Colour) == {"RED": "Like a rose."}


def test_a_class_inside_of_a_function():
    """Indentation is not part of it."""

    class Local:
        x: int
        """Here
        too."""

    assert docstrings.of_attributes(Local) == {"x": "Here too."}


def test_a_class_without_attributes():
    """Nothing is found, and nothing goes wrong."""

    class Empty:
        """Only this."""

    assert docstrings.of_attributes(Empty) == {}


def test_on_one_line():
    """Line breaks and indentation go, paragraphs and what is inside of a line stay."""
    assert docstrings.on_one_line("One.\n    Two `a  b`.\n\n    Three.\n    ") == "One. Two `a b`.\n\nThree."
