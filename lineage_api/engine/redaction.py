"""What those who ask may not see: texts of an answer are shown to them through a function of the context.

The function is given the names of what the texts are of, where something names them, and the texts: a column at a time.
"""

from collections.abc import Callable, Sequence
from typing import Any

from lineage_api.engine.levels import Column
from lineage_api.engine.plans import FieldPlan
from lineage_api.engine.tables import Table

Redact = Callable[[Sequence[str] | None, Sequence[Any]], Sequence[Any]]
"""Texts, lists of them and JSON documents as they may be seen."""

KEY = "key"
"""The argument, or the attribute of an object, that names what its texts are of."""

_TEXTS = frozenset({"String", "JSON"})


def redactor_of(context: Any) -> Redact | None:
    """What an operation's texts are shown through; None where they are shown as they are."""
    return getattr(context, "redact", None)


def is_text(field: FieldPlan) -> bool:
    """Whether a field is a text, or holds some; what the schema says of itself is no secret."""
    if field.name.startswith("__") or field.parent_type.name.startswith("__"):
        return False
    shape = field.shape
    while shape.item is not None:
        shape = shape.item
    return shape.leaf is not None and shape.leaf.name in _TEXTS and field.name != KEY


def names_of(field: FieldPlan, parents: Any, arguments: Callable[[], dict[str, Any]]) -> Sequence[str] | None:
    """What the values of a field are of, one for each parent; None where nothing names them."""
    if KEY in field.field.args:
        return [arguments()[KEY]] * len(parents)
    if isinstance(parents, Table):
        named_by = field.level.named_by if isinstance(field.level, Column) else None
        return None if named_by is None else parents.column(named_by)
    return [getattr(parent, KEY) for parent in parents] if KEY in field.parent_type.fields else None
