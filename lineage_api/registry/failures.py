"""What went wrong with a change: whether it is worth another try, was refused, or is a defect."""

from typing import Any

from sqlalchemy.exc import DBAPIError, IntegrityError

from lineage_api.errors import TimedOut, Unsuitable
from lineage_api.registry.reasons import AlreadyExists, Invalid, NotFound, Reason, Refused

OTHERS_CHANGE = "Others are changing the registry; try again."

_LOST = {"40001", "40P01", "23505"}
"""PostgreSQL: serialization failure, deadlock, a row that somebody else has just inserted."""
_SILENT = {"55P03", "57014"}
"""PostgreSQL: a lock that was not to be had in time."""
_FULL = "53100"
"""PostgreSQL: there is no room on the disk."""
_KINDS: dict[str, type[Reason]] = {
    "RESOURCE_DOES_NOT_EXIST": NotFound,
    "RESOURCE_ALREADY_EXISTS": AlreadyExists,
    "INVALID_PARAMETER_VALUE": Invalid,
}
"""MLflow's codes of what is a refusal."""


class BusyError(Exception):
    """Others were in the way of a change."""


def of_mlflow(error: Any) -> Exception:
    """What an exception of MLflow's says."""
    cause = error.__cause__ or error.__context__
    if is_lost(cause):
        return BusyError()
    kind = _KINDS.get(error.error_code)
    if kind is not None:
        return Refused(kind(error.message))
    return of_database(cause) if isinstance(cause, DBAPIError) else error


def of_database(error: DBAPIError) -> Exception:
    """What a failure of the database says."""
    code = getattr(error.orig, "sqlite_errorname", "")
    if is_lost(error):
        return BusyError()
    if code.startswith("SQLITE_BUSY") or _state(error) in _SILENT:
        return TimedOut(OTHERS_CHANGE)
    if code == "SQLITE_FULL" or _state(error) == _FULL:
        return Unsuitable("Nothing can be written: the disk of the database is full.")
    if code.startswith("SQLITE_READONLY") or _state(error) == "25006":
        return Unsuitable("This database can only be read.")
    return error


def is_lost(error: BaseException | None) -> bool:
    """Whether a change lost to another one that was made at the same time."""
    return isinstance(error, IntegrityError) or _state(error) in _LOST


def _state(error: BaseException | None) -> str:
    return str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
