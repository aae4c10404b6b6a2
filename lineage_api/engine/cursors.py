"""Cursors: the sort key of a row, opaque to callers, and good for the order that they came from alone."""

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import orjson

from lineage_api.errors import Unreadable


def fingerprint(order: str) -> int:
    """What tells cursors of one order from those of another."""
    return zlib.crc32(order.encode())


def encoded(mark: int, key: Sequence[Any]) -> str:
    """The cursor of a row with this sort key."""
    return base64.urlsafe_b64encode(orjson.dumps([mark, *key])).decode().rstrip("=")


def decoded(cursor: str, mark: int) -> list[Any]:
    """The sort key in a cursor; refused when it has not this mark, or is no cursor at all."""
    try:
        parts = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True))
    except ValueError:
        raise refusal() from None
    if not isinstance(parts, list) or parts[:1] != [mark]:
        raise refusal()
    return parts[1:]


def refusal() -> Unreadable:
    """Why a text is no cursor here."""
    right = "pass an `endCursor` or `cursor` as it was given"
    return Unreadable(f"`after` is no cursor of this list in this order; {right}.")


def is_fit(value: Any, type_: Any, bits: int) -> bool:
    """Whether a value can be one of a column of this type, integers within so many bits."""
    if type_ is float:
        return type(value) in (int, float)
    if type(value) is not type_:
        return False
    if isinstance(value, str):
        return "\0" not in value
    return not isinstance(value, int) or -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)
