"""Scalars that GraphQL lacks."""

from datetime import UTC, datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig

BigInt = NewType("BigInt", int)
"""An integer of up to 64 bits."""

JSON = NewType("JSON", object)
"""Any JSON value."""


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _read_moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise GraphQLError(
            "A DateTime is a moment in ISO 8601 with an offset, such as `2026-03-14T09:00:00.123+00:00`."
        )
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise GraphQLError("A DateTime lies between the years 1 and 9999.") from None


def _read_integer(value: Any) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise GraphQLError("A BigInt is an integer of up to 64 bits.")
    return value


def _unchanged(value: Any) -> Any:
    return value


CONFIG = StrawberryConfig(
    scalar_map={
        datetime: strawberry.scalar(
            name="DateTime",
            description=(
                "A moment in time, in ISO 8601 with an offset, such as `2026-03-14T09:00:00.123+00:00`; "
                "answers are in UTC, to the millisecond."
            ),
            serialize=_written,
            parse_value=_read_moment,
        ),
        BigInt: strawberry.scalar(
            name="BigInt",
            description="An integer of up to 64 bits, written as a JSON number.",
            serialize=_unchanged,
            parse_value=_read_integer,
        ),
        JSON: strawberry.scalar(
            name="JSON", description="Any JSON value.", serialize=_unchanged, parse_value=_unchanged
        ),
    }
)
"""How Strawberry is to make a schema with these scalars."""

OWN_FORM = {"BigInt": frozenset({int})}
"""The Python types whose values need no change for the response, by scalar."""
