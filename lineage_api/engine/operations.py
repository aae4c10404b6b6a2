"""Operations of documents: what depends on the document alone is worked out once, and kept by the document."""

from functools import cached_property
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_operation_ast,
    get_variable_values,
)

from lineage_api.engine.plans import Selection, plan_of, variables_in_directives
from lineage_api.engine.variables import PlainVariables

MAX_OPERATIONS = 10
"""How many operations of one document are kept."""

_KEPT = "lineage_api.operations"


class Operation:
    """One operation of a document."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self.schema = schema
        self.operation = operation
        fragments = (each for each in document.definitions if isinstance(each, FragmentDefinitionNode))
        self.fragments = {each.name.value: each for each in fragments}
        self.variables = PlainVariables(schema, operation)
        self.variable_values: dict[str, Any] = {}
        """None of those that decide about its plan: it is only planned here where there are none."""

    @classmethod
    def of(cls, schema: GraphQLSchema, document: DocumentNode, name: str | None) -> "Operation | None":
        """The operation of a name, or the only one; None where there is none."""
        kept: dict[Any, Operation] = vars(document).setdefault(_KEPT, {})
        known = kept.get(name)
        if known is not None and known.schema is schema:
            return known
        node = get_operation_ast(document, name)
        if node is None:
            return None
        if len(kept) >= MAX_OPERATIONS:
            kept.clear()
        made = kept[name] = cls(schema, document, node)
        return made

    def coerced(self, given: dict[str, Any]) -> dict[str, Any] | None:
        """The values of its variables; None where something is wrong with them."""
        values = self.variables.values(given)
        if values is not None:
            return values
        coerced = get_variable_values(self.schema, self.operation.variable_definitions or (), given)
        if isinstance(coerced, dict):
            return coerced
        coerced.clear()  # errors know the frames in which they were raised, and these know them
        return None

    @cached_property
    def selection(self) -> Selection | None:
        """What it selects, where it is a query and selects the same whatever its variables are."""
        nodes = [self.operation, *self.fragments.values()]
        root_type = self.schema.query_type
        is_query = self.operation.operation is OperationType.QUERY
        if root_type is None or not is_query or any(map(variables_in_directives, nodes)):
            return None
        try:
            return plan_of(self).root(root_type)
        except RecursionError:
            return None
