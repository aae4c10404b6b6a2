"""Checks: things that were looked at, and what was found."""

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """How a check came out."""

    PASS = "PASS"  # noqa: S105 - no password
    WARN = "WARN"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    """What was looked at, such as `artifacts are there`."""
    status: Status
    detail: str | None = None
    """What was found."""
