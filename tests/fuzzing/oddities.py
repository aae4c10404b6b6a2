"""Values that nobody expects."""

import base64
import json
from random import Random
from typing import Any

from graphql import GraphQLSchema

NUMBERS = [
    0, -1, 1, 2, 100, 101, 1000, 2**31 - 1, 2**31, -(2**31) - 1, 2**32, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64,
    10**30, 10**400, 0.5, -0.0, 1e-320, 1e308, -1.7976931348623157e308, 253402300800, 253402300800000,
]  # fmt: skip
TEXTS = [
    "", " ", "\0", "a\0b", "\ud800", "x\udfff", "\U0001f600", "\u202e", "\ufeff", "e\u0301", "\r\n", "\x1b[0m", "\\",
    '"', "'",
    "%", "%%s", "{}", "{0.__class__}", "${x}", "'; --", "NaN", "null", "true", "-1", "0", "1e999", "9" * 30,
    "9" * 5000, "a" * 300, "b" * 5001, "\u00e9" * 70_000, "../..", "/etc/passwd", "file:///etc/passwd", "runs:/x/../..",
    "models:/m/1", "models:/m@champion", "s3://b/../x", "http://127.0.0.1/", "http://[::1", "https://user:pw@h/", "//",
    "2020-01-01", "2020-13-45T99:99:99Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59.999999999+23:59",
    "0001-01-01T00:00:00+14:00", "1970-01-01T00:00:00", "metrics.a < ", "tags.`x", "(" * 500, "a" + " AND a" * 500,
    "metrics.m > 1e999", "params.p LIKE '%'", "attributes.status = 'FAILED'", "mlflow.user", "mlflow.note.content",
]  # fmt: skip
NESTED_DEEPLY = 5_000


def number(chance: Random) -> Any:
    """A number at some border, or any."""
    return chance.choice(NUMBERS) if chance.random() < 0.7 else chance.randint(-(2**40), 2**40) >> chance.randint(0, 40)


def text(chance: Random) -> str:
    """A text that is hard to keep, to read or to show."""
    if chance.random() < 0.8:
        return chance.choice(TEXTS)
    return "".join(chr(chance.choice([chance.randrange(128), chance.randrange(0x11_0000)])) for _ in range(5))


def value(chance: Random) -> Any:
    """A JSON value of any type."""
    plain: list[Any] = [None, True, False, [], {}, [None], [[]], {"a": 1}, [1, "a"], ["a"] * 101, {"__proto__": {}}]
    return chance.choice([number, text, text, lambda chance: chance.choice(plain)])(chance)


def opaque(chance: Random, known: str) -> str | None:
    """An ID or a cursor with one part changed; None for what is neither."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(known + "=" * (-len(known) % 4)))
    except (ValueError, RecursionError):
        return None
    if not isinstance(parts, list):
        return None
    place = chance.randrange(len(parts) + 1)
    parts[place : place + chance.randrange(2)] = [value(chance)]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def names(schema: GraphQLSchema) -> list[str]:
    """All names of a schema: of types, fields, arguments and values."""
    found = {directive.name for directive in schema.directives}
    for name, type_ in schema.type_map.items():
        found |= {name, *getattr(type_, "fields", {}), *getattr(type_, "values", {})}
        for field in getattr(type_, "fields", {}).values():
            found |= set(getattr(field, "args", {}))
    return sorted(found | {"__typename", "__schema", "on", "fragment", "query", "mutation", "subscription", "no_such"})
