"""Conditions of filters, in SQL, and what filters of several nouns are made of."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, Table, and_, false, func, not_, or_, select

from lineage_api.engine.nouns import given
from lineage_api.errors import Unreadable
from lineage_api.graph.redaction import is_readable
from lineage_api.store.functions import there_are


@strawberry.enum(description="Ascending or descending.")
class SortDirection(Enum):
    ASC = strawberry.enum_value("ASC", description="From the least to the greatest.")
    DESC = strawberry.enum_value("DESC", description="From the greatest to the least.")


@given
class TextCondition:
    """A condition on the text under a key: every comparison that is given holds, and with none the key is there."""

    key: str
    """The key."""
    eq: str | None = None
    """The text is this."""
    ne: str | None = None
    """The text is another one."""
    in_: list[str] | None = None
    """The text is one of these."""
    contains: str | None = None
    """The text contains this, upper and lower case told apart."""


@given
class NumberCondition:
    """A condition on the number under a key: every comparison that is given holds, and with none the key is there."""

    key: str
    """The key."""
    eq: float | None = None
    """The number is this."""
    ne: float | None = None
    """The number is another one."""
    gt: float | None = None
    """The number is greater."""
    gte: float | None = None
    """The number is greater or equal."""
    lt: float | None = None
    """The number is less."""
    lte: float | None = None
    """The number is less or equal."""


def is_given(value: object) -> bool:
    """Whether a field of an input was given, null being as good as left out."""
    return value is not None and value is not strawberry.UNSET


def alternatives(filter_by: Any, meets: Callable[[Any], ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    """The conditions that `or` and `not` of a filter add."""
    found: list[ColumnElement[bool]] = []
    if is_given(filter_by.or_):
        found.append(or_(false(), *map(meets, filter_by.or_ or ())))
    if is_given(filter_by.not_):
        # A filter that is unknown in SQL's logic is not met, so its opposite is.
        found.append(not_(func.coalesce(meets(filter_by.not_), false())))
    return found


def given_conditions(filter_by: object, conditions: Mapping[str, Callable[[Any], Any]]) -> list[Any]:
    """What the fields of a filter that were given make, each by its own function."""
    values = {name: getattr(filter_by, name) for name in conditions}
    return [conditions[name](value) for name, value in values.items() if is_given(value)]


def text_meets(value: ColumnElement[str], condition: TextCondition) -> list[ColumnElement[bool]]:
    """What a condition says of a text."""
    found: list[ColumnElement[bool]] = []
    if is_given(condition.eq):
        found.append(value == condition.eq)
    if is_given(condition.ne):
        found.append(value != condition.ne)
    if is_given(condition.in_):
        found.append(value.in_(condition.in_ or []))
    if is_given(condition.contains):
        found.append(func.contains(value, condition.contains))
    return found


_COMPARED: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "eq": lambda value, other: value == other,
    "ne": lambda value, other: value != other,
    "gt": lambda value, other: value > other,
    "gte": lambda value, other: value >= other,
    "lt": lambda value, other: value < other,
    "lte": lambda value, other: value <= other,
}


def number_meets(value: ColumnElement[float], condition: NumberCondition) -> list[ColumnElement[bool]]:
    """What a condition says of a number."""
    comparisons = {name: getattr(condition, name) for name in _COMPARED}
    return [_COMPARED[name](value, other) for name, other in comparisons.items() if is_given(other)]


def has_texts(
    table: Table,
    owner: Sequence[ColumnElement[bool]],
    conditions: Sequence[TextCondition],
    key: str = "key",
    value: str = "value",
) -> list[ColumnElement[bool]]:
    """For each condition, whether its owner has a row of a table of keys and texts that meets it."""
    keys, texts = table.c[key], table.c[value]
    found = []
    for condition in conditions:
        compared = text_meets(texts, condition)
        may_be_compared = [is_readable(condition.key, texts)] if compared else []
        rows = select(keys).where(*owner, keys == condition.key, *may_be_compared, *compared)
        found.append(there_are(rows, len(conditions)))
    return found


def only_one(names: Sequence[str], values: Sequence[object]) -> None:
    """Refuses when not exactly one of some arguments is given."""
    if sum(map(is_given, values)) != 1:
        raise Unreadable(f"Give exactly one of {_listed(names)}.")


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def all_of(conditions: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """That every one of the conditions holds."""
    return and_(True, *conditions)
