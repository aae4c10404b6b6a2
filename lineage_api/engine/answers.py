"""The answer to a request: by the database itself where that writes it, else a level at a time."""

import logging
from typing import Any

import orjson
from graphql import DocumentNode, ExecutionResult, GraphQLSchema, execute

from lineage_api.engine.execute import ColumnarExecutionContext, RowsExecutionContext
from lineage_api.engine.json_answers import JsonAnswers
from lineage_api.engine.operations import Operation
from lineage_api.errors import LineageError

_log = logging.getLogger(__name__)


async def answer(
    schema: GraphQLSchema,
    document: DocumentNode,
    context_value: Any = None,
    variable_values: dict[str, Any] | None = None,
    operation_name: str | None = None,
    root_value: Any = None,
) -> ExecutionResult:
    """What an operation of a valid document gets. Data, or parts of them, may be JSON that is passed on as it is."""
    context_class: type[ColumnarExecutionContext] = ColumnarExecutionContext
    if getattr(getattr(context_value, "reader", None), "backend", "rows") != "rows":
        try:
            data = await _written(schema, document, context_value, variable_values or {}, operation_name)
        except LineageError:
            data = b""  # rows tell at which fields
        except Exception:  # noqa: BLE001 - whatever went wrong, rows tell at which fields
            _log.warning("A statement that writes JSON failed; rows answer", exc_info=True)
            data = b""
        if data:
            if (tally := getattr(context_value, "tally", None)) is not None:
                tally.is_whole = False
            return ExecutionResult(orjson.Fragment(data))  # type: ignore[arg-type]
        if data is not None:
            context_class = RowsExecutionContext
    result = execute(
        schema,
        document,
        root_value,
        context_value=context_value,
        variable_values=variable_values,
        operation_name=operation_name,
        execution_context_class=context_class,
    )
    return result if isinstance(result, ExecutionResult) else await result


async def _written(
    schema: GraphQLSchema, document: DocumentNode, context: Any, given: dict[str, Any], name: str | None
) -> bytes | None:
    """The data, as the database writes them; nothing where it left something to rows; None where it does not."""
    operation = Operation.of(schema, document, name)
    if operation is None or operation.selection is None:
        return None
    variables = operation.coerced(given)
    answers = None if variables is None else JsonAnswers.of(context, variables)
    return None if answers is None else await answers.data(operation.selection)
