"""Subscriptions: each event of a stream is mapped through the same plan."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLFieldResolver,
    GraphQLSchema,
    create_source_event_stream,
    execute,
)
from graphql.execution import MapAsyncIterator

from lineage_api.engine.execute import ColumnarExecutionContext


async def subscribe(
    schema: GraphQLSchema,
    document: DocumentNode,
    root_value: Any = None,
    context_value: Any = None,
    variable_values: dict[str, Any] | None = None,
    operation_name: str | None = None,
    field_resolver: GraphQLFieldResolver | None = None,
    subscribe_field_resolver: GraphQLFieldResolver | None = None,
    max_coercion_errors: int = 50,
    hide_suggestions: bool = False,
    answered: Callable[[Any], Awaitable[Any]] | None = None,
) -> AsyncIterator[Any] | ExecutionResult:
    """The answers to a subscription, one for each event; or one result with the errors that kept it from starting.

    As `graphql.subscribe`, which runs its events on graphql-core's own execution context. What answers an event may be
    given, for one answer to be shared by many.
    """
    stream = await create_source_event_stream(
        schema,
        document,
        root_value,
        context_value,
        variable_values,
        operation_name,
        subscribe_field_resolver,
        max_coercion_errors,
        hide_suggestions,
    )
    if isinstance(stream, ExecutionResult):
        return stream

    async def answer(event: Any) -> ExecutionResult:
        result = execute(
            schema,
            document,
            event,
            context_value,
            variable_values,
            operation_name,
            field_resolver,
            max_coercion_errors=max_coercion_errors,
            execution_context_class=ColumnarExecutionContext,
            hide_suggestions=hide_suggestions,
        )
        return result if isinstance(result, ExecutionResult) else await result

    return MapAsyncIterator(stream, answered or answer)
