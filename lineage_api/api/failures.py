"""Errors as clients see them: what they can act on in full, everything else masked, with an ID that is in the log."""

import logging
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from graphql import GraphQLError

from lineage_api.errors import LineageError

BAD_USER_INPUT = "BAD_USER_INPUT"
INTERNAL = "INTERNAL"

_log = logging.getLogger(__name__)


def told(errors: Sequence[GraphQLError], code: str = BAD_USER_INPUT) -> list[dict[str, Any]]:
    """Errors for an answer; `code` is that of errors in the request itself."""
    defects: dict[int, str] = {}
    return [_told(error, code, defects) for error in errors]


def _told(error: GraphQLError, code: str, defects: dict[int, str]) -> dict[str, Any]:
    formatted: dict[str, Any] = dict(error.formatted)
    cause = _cause(error)
    if isinstance(cause, LineageError):
        return formatted | {"message": str(cause), "extensions": {"code": cause.code}}
    if isinstance(cause, GraphQLError) and (cause.nodes or not error.path):
        return formatted | {"extensions": {"code": code}}
    if isinstance(cause, RecursionError):
        return formatted | {"message": "This is nested too deeply.", "extensions": {"code": BAD_USER_INPUT}}
    # What fails for a whole level fails once, however many objects of the answer lack it.
    if id(cause) not in defects:
        defects[id(cause)] = uuid4().hex
        _log.error("Error %s at %s", defects[id(cause)], error.path, exc_info=cause)
    id_ = defects[id(cause)]
    message = f"Something went wrong here; the log has it as {id_}."
    return formatted | {"message": message, "extensions": {"code": INTERNAL, "id": id_}}


def _cause(error: Exception) -> Exception:
    """What was raised first; an error of GraphQL itself names a place in the document, unless a value was not fit."""
    while isinstance(error, GraphQLError) and error.original_error is not None:
        error = error.original_error
    return error
