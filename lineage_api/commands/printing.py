"""What other people have written, as it may be printed to a terminal."""

import json
import sys

import click

_WIDEST = 200


def printable(text: str) -> str:
    """A text on one line, in which nothing speaks to the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def cut(text: str) -> str:
    """A text that leaves room for others: its beginning, where it is long."""
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def escaped(document: str) -> str:
    """The same JSON, in which nothing speaks to the terminal either."""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in document)


def say(line: str) -> None:
    """Prints a line at once; what the terminal has no letters for is written as escapes."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(line.encode(encoding, "backslashreplace"))


def say_json(document: str) -> None:
    """Prints a JSON document as a line at once, in UTF-8 whatever the terminal has letters for."""
    click.echo(escaped(document).encode())
