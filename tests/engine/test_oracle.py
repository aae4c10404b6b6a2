"""graphql-core's own executor is the oracle: random operations on random schemas are answered alike by both.

LINEAGE_API_EXAMPLES sets how many examples each property is tried with; with any number set they differ from run to
run.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from graphql import (
    ExecutionContext,
    ExecutionResult,
    GraphQLResolveInfo,
    execute,
    execute_sync,
    get_introspection_query,
    parse,
    validate,
    validate_schema,
)
from hypothesis import HealthCheck, assume, given, settings

from tests.abandoned import ABANDONED
from tests.engine.context import OURS
from tests.engine.random_cases import Case, cases
from tests.engine.random_data import Graph

EXAMPLES = os.environ.get("LINEAGE_API_EXAMPLES")

often = settings(
    max_examples=int(EXAMPLES or 200),
    derandomize=EXAMPLES is None,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)

pytestmark = ABANDONED


class Answer(NamedTuple):
    """All that can be told of an execution."""

    data: str
    """As Python writes it, so that the order of keys, and 1, 1.0 and True, are told apart."""
    errors: list[Any]
    calls: list[tuple[Any, ...]]
    """The resolvers that were called, in their order."""


@often
@given(cases())
def test_queries(case):
    """The same data in the same order, and the same errors; where there are none, also the same calls."""
    for run in checked(case):
        ours, theirs = answers(case, *run)
        assert ours[:2] == theirs[:2]
        if not theirs.errors:
            assert sorted(map(repr, ours.calls)) == sorted(map(repr, theirs.calls))


@often
@given(cases(operation="mutation"))
def test_mutations(case):
    """The same, and the fields of the root are resolved one after the other, none after one that nulls the data."""
    for run in checked(case):
        ours, theirs = answers(case, *run)
        assert ours[:2] == theirs[:2]
        assert changes(ours) == changes(theirs)


@often
@given(cases(is_async=True))
def test_asynchronous_queries(case):
    """The same data; graphql-core's errors depend on timing, ours are those of the same data without waiting."""
    for run in checked(case):
        ours, theirs = asyncio.run(later(case, OURS, *run)), asyncio.run(later(case, ExecutionContext, *run))
        # Below async iterables and asynchronous `is_type_of` graphql-core forgets to await: it answers with coroutines.
        if "<coroutine object" not in theirs.data:
            assert ours.data == theirs.data
            assert bool(ours.errors) == bool(theirs.errors)
        assert ours[:2] == at_once(case, ExecutionContext, *run)[:2]


@often
@given(cases(operation="mutation", is_async=True))
def test_asynchronous_mutations(case):
    """All as if there were nothing to wait for: each change begins when the one before it is done."""
    for run in checked(case):
        ours, theirs = asyncio.run(later(case, OURS, *run)), at_once(case, ExecutionContext, *run)
        assert ours[:2] == theirs[:2]
        assert changes(ours) == changes(theirs)


@settings(often, max_examples=max(20, int(EXAMPLES or 0) // 20))
@given(cases())
def test_introspection(case):
    """The schema is described alike."""
    query = parse(get_introspection_query(specified_by_url=True, input_value_deprecation=True))
    ours = execute_sync(case.schema, query, execution_context_class=OURS)
    theirs = execute_sync(case.schema, query)
    assert ours.errors is theirs.errors is None
    assert repr(ours.data) == repr(theirs.data)


def checked(case: Case) -> list[tuple[str, dict[str, Any]]]:
    """What is to be executed, once the schema and the document are known to be valid."""
    assert not validate_schema(case.schema)
    assume(not validate(case.schema, case.parsed))
    return case.runs


def answers(case: Case, operation: str, variables: dict[str, Any]) -> tuple[Answer, Answer]:
    """Our answer and graphql-core's."""
    return at_once(case, OURS, operation, variables), at_once(case, ExecutionContext, operation, variables)


def at_once(case: Case, context: type[ExecutionContext], operation: str, variables: dict[str, Any]) -> Answer:
    """The answer of one executor where nothing is waited for."""
    graph = case.graph()
    return answer(graph, execute_sync(*arguments(case, graph, operation, variables), **options(case, context)))


async def later(case: Case, context: type[ExecutionContext], operation: str, variables: dict[str, Any]) -> Answer:
    """The answer of one executor where there is something to wait for in many places."""
    graph = case.graph(is_async=True)
    result = execute(*arguments(case, graph, operation, variables), **options(case, context))
    return answer(graph, result if isinstance(result, ExecutionResult) else await result)


def arguments(case: Case, graph: Graph, operation: str, variables: dict[str, Any]) -> tuple[Any, ...]:
    return case.schema, case.parsed, case.root(graph), graph, variables, operation


def options(case: Case, context: type[ExecutionContext]) -> dict[str, Any]:
    return {"execution_context_class": context, "middleware": [emphasised] if case.has_middleware else None}


def emphasised(following: Callable[..., Any], source: Any, info: GraphQLResolveInfo, **values: Any) -> Any:
    """A middleware that changes what it can be seen to change."""

    def changed(value: Any) -> Any:
        return value + "!" if isinstance(value, str) and info.field_name in ("a", "p") else value

    async def changed_later(value: Any) -> Any:
        return changed(await value)

    found = following(source, info, **values)
    return changed_later(found) if hasattr(found, "__await__") else changed(found)


def answer(graph: Graph, result: ExecutionResult) -> Answer:
    errors = [(error.formatted, type(error.original_error).__name__) for error in result.errors or ()]
    assert result.errors is None or errors
    return Answer(repr(result.data), errors, graph.calls)


def changes(found: Answer) -> list[tuple[Any, ...]]:
    """The calls of a mutation's root fields."""
    return [call for call in found.calls if call[0] == "Mutation"]
