"""Cursors: the sort key of a row, opaque to callers, and good for the order that they came from alone."""

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import orjson

from lineage_api.errors import Unreadable

REFUSAL = "`after` is no cursor of this list in this order; pass an `endCursor` or `cursor` as it was given."


def fingerprint(order: Sequence[Any]) -> int:
    """What tells cursors of one order from those of another."""
    return zlib.crc32("\n".join(map(str, order)).encode())


def encoded(mark: int, key: Sequence[Any]) -> str:
    """The cursor of a row with this sort key."""
    return base64.urlsafe_b64encode(orjson.dumps([mark, *key])).decode().rstrip("=")


def decoded(cursor: str, mark: int, types: Sequence[type]) -> list[Any]:
    """The sort key in a cursor; refused when it is not of this order, or not a cursor at all."""
    try:
        parts = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True))
    except ValueError:
        raise Unreadable(REFUSAL) from None
    if not isinstance(parts, list) or parts[:1] != [mark] or len(parts) != len(types) + 1:
        raise Unreadable(REFUSAL)
    if not all(_is_fit(part, type_) for part, type_ in zip(parts[1:], types, strict=True)):
        raise Unreadable(REFUSAL)
    return parts[1:]


def _is_fit(value: Any, type_: Any) -> bool:
    if value is None:
        return True
    if type_ is float:
        return type(value) in (int, float)
    if type(value) is not type_:
        return False
    return not isinstance(value, int) or -(2**63) <= value < 2**63
