"""Secrets in what people log: what looks like one is not shown to those who may only read, and to nobody in events.

What is withheld cannot be found out either: no condition is met by it, and nothing is ordered by it.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, case, func

from lineage_api.analysis.secrets import MAY_BE_SECRET, SHAPES, is_secret_name, looks_secret
from lineage_api.engine.forms import LEFT, form, literal

REDACTED = "[redacted]"
"""Stands where a secret would."""

_MAX_KNOWN = 10_000
_MAX_KNOWN_LENGTH = 100
"""Longer values are looked at each time: all that are known are to be a few megabytes."""

_known = lru_cache(_MAX_KNOWN)(looks_secret)


def redacted(names: Sequence[str] | None, values: Sequence[Any]) -> Sequence[Any]:
    """Texts, lists and JSON documents without secrets; the names, where there are any, say what the values are of."""
    if names is None:
        return [_redacted("", value) for value in values]
    return [_redacted(name or "", value) for name, value in zip(names, values, strict=True)]


def _looks_secret(name: str, value: str) -> bool:
    return (_known if len(name) + len(value) <= _MAX_KNOWN_LENGTH else looks_secret)(name, value)


def _redacted(name: str, value: Any) -> Any:
    match value:
        case str():
            return REDACTED if _looks_secret(name, value) else value
        case list():
            return [_redacted(name, part) for part in value]
        case dict():
            return {key: _redacted(str(key), part) for key, part in value.items()}
        case int() | float() if not isinstance(value, bool):
            return REDACTED if is_secret_name(name) else value
        case _:
            return value


def told(key: str | None, value: str | None) -> str | None:
    """What events tell of a value: they are sent to others, and outlast what somebody takes away again."""
    return value if value is None or not _looks_secret(key or "", value) else REDACTED


@form(told)
def _told_form(key: ColumnElement[str], value: ColumnElement[str]) -> ColumnElement[Any]:
    named = func.coalesce(key, literal("")).concat(literal("=")).concat(value)
    return case((func.in_path(named, literal(MAY_BE_SECRET)).is_not(None), LEFT), else_=value)


def is_readable(key: str | None, value: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether whoever asks may know how the value under a key compares with others."""
    return func.withheld() if is_secret_name(key or "") else func.readable(value, literal(SHAPES))
