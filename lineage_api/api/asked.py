"""What a change is asked for with: its texts are looked at, and one request is told from another."""

import hashlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import orjson

from lineage_api.api.context import Context
from lineage_api.graph.conditions import is_given
from lineage_api.registry import texts
from lineage_api.registry.outcome import Asked
from lineage_api.registry.reasons import require


def asked_for(mutation: str, context: Context, given: Any) -> Asked:
    """Who asks for what; refuses texts that no database keeps."""
    require_storable(given)
    reason, key = (given_or_none(getattr(given, name, None)) for name in ("reason", "idempotency_key"))
    require(texts.reason(reason or "", "reason"), [] if key is None else texts.idempotency_key(key, "idempotencyKey"))
    caller = context.caller
    return Asked(mutation, caller.name, caller.role, reason, key, _digest(given), context.asked_at)


def require_storable(given: Any) -> None:
    """Refuses an input with texts that no database keeps."""
    require(*(texts.storable(text, *path) for path, text in _texts(given)))


def given_or_none(value: Any) -> Any:
    """A value of an input; None where it was left out."""
    return value if is_given(value) else None


def _texts(value: Any, *path: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """All texts of an input, each with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, *path, str(index))
    elif is_dataclass(value):
        for part in fields(value):
            yield from _texts(getattr(value, part.name), *path, _camel(part.name))


def _camel(name: str) -> str:
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(map(str.capitalize, rest))


def _digest(given: Any) -> str:
    """What tells an input from another one, the key apart."""
    plain = {name: value for name, value in _plain(given).items() if name != "idempotency_key"}
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if is_dataclass(value):
        return {part.name: _plain(getattr(value, part.name)) for part in fields(value)}
    return given_or_none(value)
