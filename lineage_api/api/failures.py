"""Errors as clients see them: what they can act on in full, everything else masked, with an ID that is in the log."""

import logging
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from graphql import GraphQLError

from lineage_api.errors import LineageError

BAD_USER_INPUT = "BAD_USER_INPUT"
INTERNAL = "INTERNAL"
MAX_ERRORS = 8
"""How many errors of an answer are told; the others are only counted."""

_log = logging.getLogger(__name__)


def told(errors: Sequence[GraphQLError], code: str = BAD_USER_INPUT) -> list[dict[str, Any]]:
    """Errors for an answer, of which a few are told and the others counted; `code` is that of errors in the request.

    Whatever is unexpected among them is logged once, under an ID that is told instead.
    """
    id_ = _logged([error for error in errors if _extensions(error, code) is None])
    shown = [_told(error, code, id_) for error in errors[:MAX_ERRORS]]
    more = len(errors) - len(shown)
    if more:
        extensions = _extensions(errors[MAX_ERRORS], code) or {"code": INTERNAL, "id": id_}
        shown.append({"message": f"{more} more errors are not told.", "extensions": extensions})
    _forget_frames(errors)
    return shown


def _forget_frames(errors: Sequence[BaseException]) -> None:
    """Lets go of where errors were raised: these frames know them, and all that was asked.

    Each would be kept by the other, until the garbage is collected.
    """
    waiting = list(errors)
    while waiting:
        error = waiting.pop()
        error.__traceback__ = None
        raised_by = (getattr(error, "original_error", None), error.__cause__, error.__context__)
        error.__cause__ = error.__context__ = None
        waiting.extend(each for each in raised_by if each is not None)


def _told(error: GraphQLError, code: str, id_: str) -> dict[str, Any]:
    formatted: dict[str, Any] = dict(error.formatted)
    cause, extensions = _cause(error), _extensions(error, code)
    if extensions is None:
        message = f"Something went wrong here; the log has it as {id_}."
        return formatted | {"message": message, "extensions": {"code": INTERNAL, "id": id_}}
    if isinstance(cause, RecursionError):
        formatted["message"] = "This is nested too deeply."
    elif not isinstance(cause, GraphQLError):
        formatted["message"] = str(cause)
    return formatted | {"extensions": extensions}


def _extensions(error: GraphQLError, code: str) -> dict[str, Any] | None:
    """What programs know an error by; None for one that nobody expected."""
    cause = _cause(error)
    if isinstance(cause, LineageError):
        return {"code": cause.code}
    if isinstance(cause, GraphQLError) and (cause.nodes or not error.path):
        return {"code": code}
    return {"code": BAD_USER_INPUT} if isinstance(cause, RecursionError) else None


def _logged(defects: Sequence[GraphQLError]) -> str:
    """The ID under which the log has what nobody expected, in one entry: each kind of it once, however often it was."""
    if not defects:
        return ""
    id_ = uuid4().hex
    kinds: dict[tuple[type, str, int], Exception] = {}
    for error in defects:
        kinds.setdefault(_kind(cause := _cause(error)), cause)
    first, *others = list(kinds.values())[:MAX_ERRORS]
    shown = ExceptionGroup(f"{len(kinds)} kinds of defects", [first, *others]) if others else first
    more = f" and {len(defects) - 1} more places" if len(defects) > 1 else ""
    _log.error("Error %s at %s%s", id_, defects[0].path, more, exc_info=shown)
    return id_


def _kind(defect: Exception) -> tuple[type, str, int]:
    """What tells a defect from others: its class, and the line on which it was raised."""
    trace = defect.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (type(defect), trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else (type(defect), "", 0)


def _cause(error: Exception) -> Exception:
    """What was raised first; an error of GraphQL itself names a place in the document, unless a value was not fit."""
    while isinstance(error, GraphQLError) and error.original_error is not None:
        error = error.original_error
    return error
