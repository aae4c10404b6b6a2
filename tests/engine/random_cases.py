"""A random schema with random data behind it, and a random document to execute on it."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLSchema,
    parse,
    print_type,
)
from hypothesis import strategies as st

from tests.engine.random_data import Graph, Node, drawn_nodes
from tests.engine.random_documents import Writer
from tests.engine.random_schemas import RARELY, SchemaSpec, drawn_schema


@dataclass
class Case:
    """A schema, data, and a document with the variables to execute it with."""

    spec: SchemaSpec
    nodes: list[Node]
    document: str
    operations: list[str]
    variables: list[dict[str, Any]]
    has_middleware: bool
    kind: str
    """What its operations are: `query` or `mutation`."""

    @cached_property
    def schema(self) -> GraphQLSchema:
        return self.spec.build()

    @cached_property
    def parsed(self) -> DocumentNode:
        return parse(self.document)

    @property
    def runs(self) -> list[tuple[str, dict[str, Any]]]:
        """The executions that it asks for; the first twice, for what is kept from one to the next."""
        runs = [(name, values) for name in self.operations for values in self.variables]
        return [*runs, runs[0]]

    def graph(self, *, is_async: bool = False) -> Graph:
        """The data, made anew."""
        return Graph(self.nodes, is_async=is_async)

    def root(self, graph: Graph) -> Any:
        """The root value of its operations."""
        return graph[f"{self.kind.capitalize()}0"]

    def _repr_pretty_(self, printer: Any, _is_cycle: bool) -> None:
        printer.text("\n" + repr(self))

    def __repr__(self) -> str:
        functions = [
            f"{type_.name}: {'is_type_of' if type_.kind == 'object' else 'resolve_type'}{' (async)' * type_.is_async}"
            for type_ in self.spec.types.values()
            if type_.is_proven
        ]
        functions += [
            f"{part.owner}.{part.name}: {'echo' if part.is_echo else 'resolver'}{' (async)' * part.is_async}"
            for type_ in self.spec.types.values()
            for part in type_.fields.values()
            if part.has_resolver and type_.kind == "object"
        ]
        types = [print_type(self.schema.type_map[name]) for name in self.spec.types]
        parts = [*types, *functions, *map(repr, self.nodes), self.document]
        parts += [f"operations: {self.operations}", f"variables: {self.variables}"]
        return "\n".join([*parts, "with middleware"] if self.has_middleware else parts)


@st.composite
def cases(draw: Any, *, operation: str = "query", is_async: bool = False) -> Case:
    """Cases of one kind of operation, `query` or `mutation`; asynchronous ones have awaitable values in all places."""
    spec = drawn_schema(draw, is_async=is_async)
    writer = Writer(draw, spec)
    names = ["One", "Two"][: draw(st.sampled_from([1, 1, 2]))]
    bodies = {name: writer.operation(operation) for name in names}
    document = writer.document(operation, bodies)
    nodes = drawn_nodes(draw, spec, set(re.findall(r"\w+", document)), is_async=is_async)
    variables = [writer.values() for _ in range(draw(st.sampled_from([1, 2])))]
    has_middleware = draw(RARELY)
    return Case(spec, nodes, document, names, variables, has_middleware, operation)
