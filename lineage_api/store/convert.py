"""From what MLflow writes into its tables to what a reader of them means."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import orjson

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_RANGE = range(-62_135_596_800_000, 253_402_300_800_000)
_MAX_DEPTH = 200
_LARGEST = 1.7976931348623157e308


def moment(milliseconds: int | None) -> datetime | None:
    """A time of MLflow's; None when it wrote none, or one that no calendar has."""
    if not milliseconds or milliseconds not in _EPOCH_RANGE:
        return None
    seconds, rest = divmod(milliseconds, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)


def milliseconds(moment: datetime) -> int:
    """The first time of MLflow's that is not before a moment."""
    return -((_EPOCH - moment) // timedelta(milliseconds=1))


def millisecond_of(moment: datetime) -> int:
    """The time of MLflow's that a moment lies in."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def recorded(milliseconds: int) -> datetime:
    """A time of our own, which is always there."""
    return moment(milliseconds) or _EPOCH


def seconds_between(start: int | None, end: int | None) -> float | None:
    """How long something took that began and ended at these times of MLflow's."""
    return None if not start or not end else (end - start) / 1000


def in_trash(lifecycle_stage: str | None) -> bool:
    """Whether a lifecycle stage is that of the trash."""
    return lifecycle_stage == "deleted"


# MLflow writes NaN as 0 with a flag, and infinities as the largest numbers.
def numbers(values: Sequence[float | None], are_nan: Sequence[object]) -> list[float | None]:
    """Metrics' values; None for those that are not finite numbers."""
    return [
        value if value is not None and not is_nan and -_LARGEST < value < _LARGEST else None
        for value, is_nan in zip(values, are_nan, strict=True)
    ]


def number_text(value: float | None, is_nan: object) -> str:
    """A metric's value in writing."""
    if value is None or is_nan or math.isnan(value):
        return "NaN"
    if abs(value) >= _LARGEST:
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def text(value: str | None) -> str | None:
    """A text that somebody wrote; None for the empty one, which MLflow's REST API leaves where there is none."""
    return value or None


def written(value: str | None) -> str:
    """A text that is always there; the empty one where MLflow left it out."""
    return value or ""


def truth(value: str | None) -> bool | None:
    """A yes or no that was written down as a text; None when it was not."""
    return None if value is None else value.strip().lower() in {"true", "1", "yes"}


def finite(value: float | None) -> float | None:
    """A metric's value without its flag; None when it is not a finite number."""
    return value if value is not None and -_LARGEST < value < _LARGEST else None


def document(value: str | None) -> object:
    """A JSON document that was written down as a text; None where it is empty.

    The text itself where it is no JSON, or is nested so deeply that it could not be written again.
    """
    if not value:
        return None
    try:
        found = orjson.loads(value)
    except ValueError:
        return value
    return value if _is_deep(value, found) else found


def _is_deep(text: str, document: object) -> bool:
    if text.count("[") + text.count("{") <= _MAX_DEPTH:
        return False
    level = [document]
    for _ in range(_MAX_DEPTH):
        parts = (part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list))
        level = [inner for part in parts for inner in part]
    return bool(level)


def stated_document(value: str) -> object:
    """A JSON document that is always there; the text itself where it is no JSON, or says null."""
    found = document(value)
    return value if found is None else found
