"""What the conversions that several nouns use make, as SQL, where PostgreSQL writes the answer."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, Double, Text, and_, case, cast, func, literal_column, or_

from lineage_api.engine.forms import LEFT, LEFT_JSON, array_of, base64_of, form, literal, number
from lineage_api.graph import identity
from lineage_api.store import convert, origins

_LATEST = literal(9_007_199_254_740)
"""Up to this millisecond, in 2255, PostgreSQL's arithmetic with intervals is exact."""
_TRUE, _FALSE = literal_column("true", Boolean), literal_column("false", Boolean)
_LARGEST = literal_column("1.7976931348623157e308::float8", Double)


def _written(milliseconds: ColumnElement[int]) -> ColumnElement[str]:
    moment: Any = literal_column("timestamp 'epoch'") + milliseconds * literal_column("interval '1 millisecond'")
    return func.to_char(moment, literal('YYYY-MM-DD"T"HH24:MI:SS.MS"+00:00"'), type_=Text)


@form(convert.moment)
def _moment(milliseconds: ColumnElement[int]) -> ColumnElement[str]:
    is_usual = milliseconds.between(literal(1), _LATEST)
    return case((is_usual, _written(milliseconds)), (milliseconds != literal(0), LEFT))


@form(convert.recorded)
def _recorded(milliseconds: ColumnElement[int]) -> ColumnElement[str]:
    return case((milliseconds.between(literal(1), _LATEST), _written(milliseconds)), else_=LEFT)


@form(convert.seconds_between)
def _seconds_between(start: ColumnElement[int], end: ColumnElement[int]) -> ColumnElement[Any]:
    is_usual = and_(start.between(literal(1), _LATEST), end.between(literal(1), _LATEST))
    seconds = cast(end - start, Double) / literal(1000)
    return case((is_usual, number(seconds)), (and_(start != literal(0), end != literal(0)), LEFT_JSON))


@form(convert.text)
def _text(value: ColumnElement[str]) -> ColumnElement[str]:
    return func.nullif(value, literal(""), type_=Text)


@form(convert.written)
def _written_text(value: ColumnElement[str]) -> ColumnElement[str]:
    return func.coalesce(value, literal(""))


@form(convert.in_trash)
def _in_trash(stage: ColumnElement[str]) -> ColumnElement[bool]:
    return func.coalesce(stage == literal("deleted"), _FALSE)


@form(convert.truth)
def _truth(value: ColumnElement[str]) -> ColumnElement[Any]:
    is_true = value.in_([literal(text) for text in ("True", "true", "1")])
    is_false = value.in_([literal(text) for text in ("False", "false", "0", "")])
    return case((is_true, number(_TRUE)), (is_false, number(_FALSE)), (value.is_not(None), LEFT_JSON))


@form(convert.numbers)
def _numbers(value: ColumnElement[float], is_nan: ColumnElement[Any]) -> ColumnElement[float]:
    return case((and_(~func.coalesce(cast(is_nan, Boolean), _FALSE), _is_finite(value)), value))


@form(convert.finite)
def _finite(value: ColumnElement[float]) -> ColumnElement[float]:
    return case((_is_finite(value), value))


def _is_finite(value: ColumnElement[float]) -> ColumnElement[bool]:
    return and_(value > -_LARGEST, value < _LARGEST)


@form(convert.number_text)
def _number_text(value: ColumnElement[float], is_nan: ColumnElement[Any]) -> ColumnElement[str]:
    written = cast(value, Text)
    # PostgreSQL writes whole numbers without a point, and begins earlier than Python to write exponents.
    is_written_alike = written.like(literal("%.%"))
    has_exponent = written.like(literal("%e%"))
    size = func.abs(value)
    return case(
        (or_(value.is_(None), cast(is_nan, Boolean), value == literal_column("'NaN'::float8")), literal("NaN")),
        (value >= _LARGEST, literal("Infinity")),
        (value <= -_LARGEST, literal("-Infinity")),
        (and_(has_exponent, size.between(literal_column("1e14"), literal_column("1e17"))), LEFT),
        (or_(has_exponent, is_written_alike), written),
        else_=written + literal(".0"),
    )


@form(str)
def _str(value: ColumnElement[int]) -> ColumnElement[str]:
    return cast(value, Text)


@form(origins.copied_version)
def _copied_version(source: ColumnElement[str]) -> list[ColumnElement[Any]]:
    name = func.substring(source, literal("^models:/+([^/].*)/[0-9]{1,10}$"), type_=Text)
    version = cast(func.substring(source, literal("^models:/+[^/].*/([0-9]{1,10})$"), type_=Text), BigInteger)
    return [name, version]


@form(identity.encoded)
def _identity(type_name: str, *key: ColumnElement[Any]) -> ColumnElement[str]:
    return base64_of(array_of(type_name, *key))
