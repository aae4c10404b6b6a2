"""The docstrings of a class and of its attributes, from its source."""

import ast
import inspect
import textwrap
from collections.abc import Mapping


def of_attributes(cls: type) -> Mapping[str, str]:
    """The string that stands under each attribute of a class, by the attribute's name, on one line.

    Attributes of its base classes are not among them.
    """
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for pair in zip(definition.body, definition.body[1:], strict=False):
        match pair:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = on_one_line(text)
    return found


def on_one_line(docstring: str) -> str:
    """A docstring without its line breaks and indentation; paragraphs stay apart."""
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
