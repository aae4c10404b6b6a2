"""Opaque IDs: the type of an object and its key in MLflow."""

import base64
from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Integer

from lineage_api.engine.nouns import column


def encoded(type_name: str, *key: Any) -> str:
    """The ID of an object."""
    return base64.urlsafe_b64encode(orjson.dumps([type_name, *key])).decode().rstrip("=")


def decoded(id_: str) -> tuple[str, list[Any]] | None:
    """The type and the key that an ID names; None for what is no ID."""
    try:
        parts = orjson.loads(base64.b64decode(id_ + "=" * (-len(id_) % 4), altchars="-_", validate=True))
    except ValueError:
        return None
    if not isinstance(parts, list) or len(parts) < 2 or not isinstance(parts[0], str):
        return None
    return parts[0], parts[1:]


def identity(type_name: str, *key: ColumnElement[Any]) -> Any:
    """The field `id` of a noun: which columns its key is."""
    return column(*key, convert=partial(encoded, type_name))


def is_key(key: Sequence[Any], columns: Sequence[ColumnElement[Any]]) -> bool:
    """Whether values can be a key of these columns."""
    if len(key) != len(columns):
        return False
    return all(_is_fit(value, c.type) for value, c in zip(key, columns, strict=True))


def _is_fit(value: Any, kind: Any) -> bool:
    if type(value) is not kind.python_type:
        return False
    bits = 32 if type(kind) is Integer else 64
    return "\0" not in value if isinstance(value, str) else -(2 ** (bits - 1)) <= int(value) < 2 ** (bits - 1)
