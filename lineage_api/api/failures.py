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
    return [_told(error, code) for error in errors]


def _told(error: GraphQLError, code: str) -> dict[str, Any]:
    formatted: dict[str, Any] = dict(error.formatted)
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if cause is None:
        return formatted | {"extensions": {"code": code}}
    if isinstance(cause, LineageError):
        return formatted | {"message": str(cause), "extensions": {"code": cause.code}}
    id_ = uuid4().hex
    _log.error("Error %s at %s", id_, error.path, exc_info=cause)
    message = f"Something went wrong here; the log has it as {id_}."
    return formatted | {"message": message, "extensions": {"code": INTERNAL, "id": id_}}
