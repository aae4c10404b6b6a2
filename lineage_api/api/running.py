"""How operations run: each in a place of its kind, for a limited time, and with one line in the log."""

import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, OperationType

from lineage_api.api.admission import Admission
from lineage_api.api.deadlines import in_time
from lineage_api.errors import TimedOut

MAX_NAME = 100
"""How many characters of an operation's name are logged."""

_log = logging.getLogger(__name__)


class Running:
    """Runs operations."""

    def __init__(self, *, time_limit_s: float, max_running: int, max_waiting: int) -> None:
        self._time_limit_s = time_limit_s
        self._admission = Admission(max_running=max_running, max_waiting=max_waiting, wait_s=time_limit_s)

    def require_room(self, shape: int) -> None:
        """Raises Overloaded where a query would not be begun now."""
        self._admission.queries.require_room(shape)

    @property
    def is_waited_for(self) -> bool:
        """Whether queries wait for places."""
        return self._admission.queries.is_waited_for

    def lets_in(self, shape: int) -> bool:
        """Whether a query that comes in this turn of the loop will find room."""
        return self._admission.queries.lets_in(shape)

    async def run(
        self, shape: int, operation: OperationDefinitionNode | None, work: Callable[[], Awaitable[ExecutionResult]]
    ) -> ExecutionResult:
        """The result of an operation in a document of a shape, of which no data are there where it takes too long.

        Raises Overloaded where it was not begun, or was a query that kept its place from others for long.
        """
        kind = operation.operation if operation else OperationType.QUERY
        async with self._admission.place(kind, shape):
            began = monotonic()
            try:
                result = await in_time(work(), self._time_limit_s, kind)
            except TimedOut as error:
                result = ExecutionResult(None, [GraphQLError(str(error), original_error=error)])
        if _log.isEnabledFor(logging.INFO):
            # Neither variables nor the document, in which people write what is nobody else's business.
            name = operation.name.value[:MAX_NAME] if operation and operation.name else "without a name"
            took_ms, errors = (monotonic() - began) * 1000, len(result.errors or ())
            _log.info("A %s %s took %.1f ms and had %d errors", kind.value, name, took_ms, errors)
        return result
