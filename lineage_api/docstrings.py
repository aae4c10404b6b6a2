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
    for statement, following in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign | ast.Assign) and isinstance(following, ast.Expr):
            target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
            if isinstance(target, ast.Name) and isinstance(following.value, ast.Constant):
                found[target.id] = on_one_line(str(following.value.value))
    return found


def on_one_line(docstring: str) -> str:
    """A docstring without its line breaks and indentation; paragraphs stay apart."""
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
