"""What conversions make of columns, said in PostgreSQL's SQL: what has a form, the database puts into an answer itself.

A form is given the columns as SQL, and gives what PostgreSQL writes into JSON as the conversion's result is written. A
value that it cannot tell, it leaves to rows: they tell it, or say what is wrong with it.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    Double,
    Integer,
    String,
    Text,
    case,
    cast,
    func,
    literal_column,
)
from sqlalchemy.types import TypeEngine

Form = Callable[..., Any]

MARK = "lineage_api leaves this to rows"
"""Stands in an answer for what only rows can tell. Where it comes by chance, rows give the same answer."""

LEFT: ColumnElement[str] = literal_column(f"'{MARK}'", Text)
"""The mark as a text."""
LEFT_JSON: ColumnElement[Any] = cast(literal_column(f"'\"{MARK}\"'", Text), JSON)
"""The mark beside values that are no texts."""

_FORMS: dict[Any, Form] = {}


def form(convert: Callable[..., Any]) -> Callable[[Form], Form]:
    """Declares the form of a conversion."""

    def declared(made: Form) -> Form:
        _FORMS[convert] = made
        return made

    return declared


def form_of(convert: Any) -> Form | None:
    """The form of a conversion; enums have one by nature."""
    if isinstance(convert, partial) and convert.func in _FORMS:
        return partial(_FORMS[convert.func], *convert.args)
    if isinstance(convert, type) and issubclass(convert, Enum):
        return partial(named, {member.value: member for member in convert})
    return _FORMS.get(convert)


def named(members: Mapping[Any, Enum], value: ColumnElement[Any]) -> ColumnElement[str]:
    """The names of an enum's members, by the values that stand for them."""
    return case(*((value == literal(each), literal(member.name)) for each, member in members.items()), else_=LEFT)


def literal(value: str | int) -> ColumnElement[Any]:
    """A constant, as part of the statement."""
    if isinstance(value, int):
        return literal_column(str(value), Integer)
    return literal_column("'" + value.replace("'", "''") + "'", Text)


def base64_of(text: ColumnElement[str]) -> ColumnElement[str]:
    """A text in the alphabet for URLs, without what fills it up, as IDs and cursors are written."""
    encoded = func.encode(func.convert_to(text, literal("UTF8")), literal("base64"))
    return func.translate(encoded, literal_column("E'+/=\\n'", Text), literal("-_"), type_=Text)


def array_of(*parts: ColumnElement[Any] | str | int) -> ColumnElement[str]:
    """An array in JSON, written as orjson writes it."""
    written = literal("[")
    for index, part in enumerate(parts):
        written += literal("," if index else "") + _in_array(part)
    return written + literal("]")


def _in_array(part: ColumnElement[Any] | str | int) -> ColumnElement[str]:
    if not isinstance(part, ColumnElement):
        return literal(orjson.dumps(part).decode())
    return func.coalesce(cast(func.to_json(part), Text), literal("null"))


def number(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """A number beside which a mark may stand."""
    return func.to_json(value, type_=JSON)


_PLAIN: dict[str, Sequence[type[TypeEngine[Any]]]] = {
    "String": (String,),
    "ID": (String,),
    "Boolean": (Boolean,),
    "Int": (Integer,),
    "BigInt": (Integer,),
}


def bare(scalar: str, value: ColumnElement[Any]) -> ColumnElement[Any] | None:
    """A column as it is, as a value of a scalar; None where it might not be one."""
    if scalar == "Float" and isinstance(value.type, Double):
        is_finite = value.between(literal_column("-1.7976931348623157e308"), literal_column("1.7976931348623157e308"))
        return case((is_finite, number(value)), (value.is_not(None), LEFT_JSON))
    if scalar == "Int" and isinstance(value.type, BigInteger):
        return None
    return value if isinstance(value.type, tuple(_PLAIN.get(scalar, ()))) else None


def required(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """A value that must not be null."""
    if isinstance(value.type, String):
        return func.coalesce(value, LEFT)
    return func.coalesce(value if isinstance(value.type, JSON) else number(value), LEFT_JSON)
