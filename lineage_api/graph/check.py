"""Checks: what was looked at, and what was found."""

from enum import Enum

import strawberry
from sqlalchemy import column as named

from lineage_api.analysis.checks import Status
from lineage_api.engine.nouns import column, noun


@strawberry.enum(description="How a check came out.")
class CheckStatus(Enum):
    PASS = strawberry.enum_value("PASS", description="All is well.")
    WARN = strawberry.enum_value("WARN", description="A person should look at it.")
    FAIL = strawberry.enum_value("FAIL", description="It is not safe.")
    UNKNOWN = strawberry.enum_value("UNKNOWN", description="It could not be looked at.")


def _status(status: Status) -> CheckStatus:
    return CheckStatus(status.value)


@noun
class Check:
    """One thing that was looked at."""

    name: str
    """What was looked at, such as `artifacts are there`."""
    status: CheckStatus = column(named("status"), convert=_status)
    """How it came out."""
    detail: str | None
    """What was found."""
