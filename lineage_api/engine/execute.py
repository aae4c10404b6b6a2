"""Execution of an operation, a level at a time, as an execution context of graphql-core."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionContext,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    TypeNameMetaFieldDef,
    default_field_resolver,
    default_type_resolver,
)
from graphql.execution.execute import SELECTIONS_NESTED_TOO_DEEPLY, CollectedErrors

from lineage_api.engine.completion import NONE, Completed, Completion
from lineage_api.engine.json_answers import JsonAnswers
from lineage_api.engine.levels import Call, Column, settled
from lineage_api.engine.operations import Operation
from lineage_api.engine.places import Field, Place, located
from lineage_api.engine.plans import FieldPlan, Selection, plan_of
from lineage_api.engine.redaction import Redact, is_text, names_of, redactor_of
from lineage_api.engine.response import objects
from lineage_api.engine.steps import Steps, drive, together
from lineage_api.engine.tables import Table, as_objects

_USUAL = ((), (None, None, None, 50, None, None))
"""The further options of graphql-core where nobody asks for anything."""


class ColumnarExecutionContext(ExecutionContext):
    """Executes any schema; fields that have a Level, and plain attributes, for a whole level of the response at once.

    Equal to graphql-core's own but for this: sibling fields are resolved level by level, and which of several errors
    below a nulled position is told is settled by document order, also where fields are asynchronous.
    """

    writes_json = True
    """Whether parts of the data may be JSON that the database writes, where it does."""

    @classmethod
    def build(
        cls,
        schema: GraphQLSchema,
        document: DocumentNode,
        root_value: Any = None,
        context_value: Any = None,
        raw_variable_values: dict[str, Any] | None = None,
        operation_name: str | None = None,
        *options: Any,
        **more: Any,
    ) -> Any:
        """As graphql-core builds it; of an operation that is known, and asks for nothing special, it costs less."""
        operation = Operation.of(schema, document, operation_name) if options in _USUAL and not more else None
        variables = None if operation is None else operation.variables.values(raw_variable_values or {})
        if operation is None or variables is None:
            given = (root_value, context_value, raw_variable_values, operation_name)
            return super().build(schema, document, *given, *options, **more)
        resolvers = (default_field_resolver, default_type_resolver, default_field_resolver)
        parts = (operation.operation, variables, *resolvers, CollectedErrors(), None, None)
        return cls(schema, operation.fragments, root_value, context_value, *parts)

    def execute_operation(self, operation: OperationDefinitionNode, root_value: Any) -> Any:
        """The data of the response, or an awaitable that gives them; errors are collected."""
        steps = self._data(operation, root_value)
        try:
            wanted = next(steps)
        except StopIteration as end:
            return end.value
        return drive(steps, wanted)

    def _data(self, operation: OperationDefinitionNode, root_value: Any) -> Steps[Any]:
        execution = Execution(self)
        selection = self._root_selection(operation)
        if operation.operation is OperationType.MUTATION:
            data = yield from execution.one_by_one(selection, root_value)
        else:
            [data], nulled = yield from execution.select(selection, [root_value], Place())
            data = None if nulled else data
        self.collected_errors.errors.extend(located(execution.problems))
        return data

    def _root_selection(self, operation: OperationDefinitionNode) -> Selection:
        root_type = self.schema.get_root_type(operation.operation)
        if root_type is None:
            kind = operation.operation.value
            raise GraphQLError(f"Schema is not configured to execute {kind} operation.", operation)
        try:
            return plan_of(self).root(root_type)
        except RecursionError:
            pass
        # Raised here, so that it does not keep all the frames of the recursion alive.
        raise GraphQLError(SELECTIONS_NESTED_TOO_DEEPLY, operation)


class RowsExecutionContext(ColumnarExecutionContext):
    """The same from rows alone."""

    writes_json = False


class Execution(Completion):
    """One run of an operation."""

    def __init__(self, execution: ColumnarExecutionContext) -> None:
        super().__init__(execution)
        may_write = execution.writes_json and not execution.middleware_manager
        self.json = JsonAnswers.of(execution.context_value, execution.variable_values) if may_write else None
        """What the database answers by itself, where it can."""
        self.redact = redactor_of(execution.context_value)

    def select(self, selection: Selection, parents: Any, place: Place) -> Steps[Completed]:
        """The objects of the response for some parents, and the indices of those that become null."""
        columns: list[Any] = [None] * len(selection.fields)
        waiting, parts = [], []
        for rank, field in enumerate(selection.fields):
            column = _ready(field, parents)
            if column is None:
                waiting.append(rank)
                parts.append(self.field(field, rank, parents, place))
            else:
                columns[rank] = column
        nulled = NONE
        if parts:
            results = yield from together(parts)
            for rank, (column, failed) in zip(waiting, results, strict=True):
                columns[rank] = column
                nulled |= failed
        if self.redact is not None:
            self._hide_secrets(self.redact, selection, parents, columns)
        return objects(selection.names, columns, len(parents)), nulled

    def _hide_secrets(self, redact: Redact, selection: Selection, parents: Any, columns: list[Any]) -> None:
        variables = self.execution.variable_values
        for rank, field in enumerate(selection.fields):
            # Where none is there, it may be because the arguments that would name them are wrong.
            if is_text(field) and any(value is not None for value in columns[rank]):
                columns[rank] = redact(names_of(field, parents, partial(field.values, variables)), columns[rank])

    def one_by_one(self, selection: Selection, root_value: Any) -> Steps[Any]:
        """The data of a mutation: each root field when the one before it is done; none once the data are null."""
        data = {}
        for rank, field in enumerate(selection.fields):
            column, nulled = yield from self.field(field, rank, [root_value], Place())
            if nulled:
                return None
            data[field.key] = column[0]
        return data

    def field(self, field: FieldPlan, rank: int, parents: Any, above: Place) -> Steps[Completed]:
        """A column of the response: resolved and completed."""
        where = Field(above, rank, field.key, field.parent_type.name, is_required=field.shape.is_required)
        try:
            if self.json is not None and (fragments := (yield from self.json.related(field, parents))) is not None:
                self.tally.is_whole = False
                return fragments, NONE
            values = yield from self._resolved(field, parents, where)
        except Exception as error:  # noqa: BLE001 - resolvers are anybody's code; their errors are answers
            values = [error] * len(parents)
        try:
            return (yield from self.complete(field, field.shape, values, where))
        except Exception as error:  # noqa: BLE001 - such as a RecursionError, at the deepest field that can say so
            for index in range(len(parents)):
                self.fail(field, where, index, error)
            return [None] * len(parents), set(range(len(parents))) if field.shape.is_required else NONE

    def _resolved(self, field: FieldPlan, parents: Any, place: Place) -> Steps[Any]:
        if field.field is TypeNameMetaFieldDef:
            return [field.parent_type.name] * len(parents)
        if field.level is None or self.execution.middleware_manager:
            return self._one_by_one(field, as_objects(parents), place)
        arguments = field.arguments(self.execution.variable_values)
        call = Call(parents, arguments, self.execution.context_value, field.below, field.memo)
        values = yield from settled(field.level.resolve(call))
        if len(values) != len(parents):
            raise ValueError(f"{field.label} was resolved for {len(parents)} parents and gave {len(values)} values.")
        return values

    def _one_by_one(self, field: FieldPlan, parents: Sequence[Any], place: Place) -> list[Any]:
        """The values that an ordinary resolver gives, what it raises among them."""
        execution = self.execution
        resolve = field.field.resolve or execution.field_resolver
        if execution.middleware_manager:
            resolve = execution.middleware_manager.get_field_resolver(resolve)
        if resolve is default_field_resolver and not any(issubclass(kind, Mapping) for kind in set(map(type, parents))):
            field.values(execution.variable_values)  # what is wrong with them is an error, used or not
            values = _attributes(parents, field.name)
            if not any(callable(value) for value in values):
                return values
            return [
                self._called(value, (), field, place, index) if callable(value) else value
                for index, value in enumerate(values)
            ]
        return [self._called(resolve, (parent,), field, place, index) for index, parent in enumerate(parents)]

    def _called(self, function: Any, before: tuple[Any, ...], field: FieldPlan, place: Place, index: int) -> Any:
        try:
            arguments = field.values(self.execution.variable_values)
            return function(*before, self._info(field, place, index), **arguments)
        except Exception as error:  # noqa: BLE001 - resolvers are anybody's code; their errors are answers
            return error


def _ready(field: FieldPlan, parents: Any) -> Any:
    """The column of the response where it is a column of the parents just as it is; else None."""
    leaf = field.shape.leaf
    if leaf is None or not isinstance(parents, Table):
        return None
    level = field.level
    if type(level) is not Column or not level.is_bare:
        return None
    column = parents.columns.get(level.needs[0])
    if column is None or not leaf.is_serialised(column, is_required=field.shape.is_required):
        return None
    return column


def _attributes(parents: Sequence[Any], name: str) -> list[Any]:
    """An attribute of each parent; None where it has none, the exception where a property raises."""
    values: list[Any] = []
    rest: Iterator[Any] = iter(parents)
    while len(values) < len(parents):
        try:
            for parent in rest:
                values.append(getattr(parent, name, None))  # noqa: PERF401 - what was read stays when one raises
        except Exception as error:  # noqa: BLE001 - properties are anybody's code; their errors are answers
            values.append(error)
    return values
