"""Which database an operation reads: the primary of a store, or its read replica."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    is_abstract_type,
    visit,
)
from sqlalchemy import Table
from sqlalchemy.sql.visitors import iterate

from lineage_api.engine.arrows import Arrow
from lineage_api.engine.levels import LEVEL, Either, Level
from lineage_api.engine.sql import Rows
from lineage_api.graph.rollback_plan import Plans
from lineage_api.store import history
from lineage_api.store.database import Database

_Field = tuple[str, str]
"""The names of a type and of a field of it."""

_READS_PRIMARY = "lineage_api.reads_primary"


class Databases:
    """The primary of a store, and the read replica that takes reads off it, where there is one.

    A replica is a moment behind. Who looks around does not mind; who has just changed something, or follows what
    happens, would see it undone. So the primary is read by what changes something, with all that its payload says,
    and by what asks for history: by an argument `at`; by a field whose columns or rows stand in our tables, as the
    schema says; by a rollback plan, which is made from them. An operation reads one snapshot, so the whole of it goes
    there, and with it the other operations of its document.
    """

    def __init__(self, schema: GraphQLSchema, primary: Database, replica: Database | None = None) -> None:
        self.primary = primary
        self.replica = replica
        self._schema = schema
        self._of_history = frozenset(_of_history(schema)) if replica else frozenset()

    def read_by(self, document: DocumentNode) -> Database:
        """The database that the operations of a valid document read."""
        if self.replica is None:
            return self.primary
        # Kept by the document itself, which is kept while it is used.
        known = vars(document)
        if _READS_PRIMARY not in known:
            known[_READS_PRIMARY] = self._reads_primary(document)
        return self.primary if known[_READS_PRIMARY] else self.replica

    def _reads_primary(self, document: DocumentNode) -> bool:
        operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        if any(node.operation is not OperationType.QUERY for node in operations):
            return True
        types = TypeInfo(self._schema)
        asked = _Asked(self._schema, types)
        visit(document, TypeInfoVisitor(types, asked))
        return asked.at_a_moment or not self._of_history.isdisjoint(asked.fields)

    async def open(self) -> None:
        """Opens what is shared by all snapshots."""
        for database in self:
            await database.open()

    async def close(self) -> None:
        """Closes all connections."""
        for database in self:
            await database.close()

    def __iter__(self) -> Iterator[Database]:
        return iter([self.primary] if self.replica is None else [self.primary, self.replica])


class _Asked(Visitor):
    """What a document asks for, of each type that an object may have there."""

    def __init__(self, schema: GraphQLSchema, types: TypeInfo) -> None:
        super().__init__()
        self.fields: set[_Field] = set()
        self.at_a_moment = False
        self._schema = schema
        self._types = types

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        parent: Any = self._types.get_parent_type()
        there = self._schema.get_possible_types(parent) if is_abstract_type(parent) else [parent]
        self.fields.update((type_.name, node.name.value) for type_ in there)
        self.at_a_moment |= any(argument.name.value == "at" for argument in node.arguments)


def _of_history(schema: GraphQLSchema) -> Iterator[_Field]:
    """The fields that are read from our tables."""
    rows = _rows(schema)
    for type_ in _objects(schema):
        found = rows.get(type_.name, [])
        if any(_reads_history([each.source]) for each in found):
            yield type_.name, "__typename"
        for name, field in type_.fields.items():
            level = _level(field)
            if level is not None and _is_of_history(level, found):
                yield type_.name, name


def _rows(schema: GraphQLSchema) -> dict[str, list[Rows]]:
    """The rows that arrows lead to, by the type that they are of."""
    rows: dict[str, list[Rows]] = {}
    for type_ in _objects(schema):
        for field in type_.fields.values():
            level = _level(field)
            if isinstance(level, Arrow):
                leads_to = get_named_type(field.type)
                page = getattr(leads_to, "fields", {}).get("nodes")
                rows.setdefault(get_named_type(page.type if page else leads_to).name, []).append(level.rows)
    return rows


def _objects(schema: GraphQLSchema) -> Iterable[GraphQLObjectType]:
    return [type_ for type_ in schema.type_map.values() if isinstance(type_, GraphQLObjectType)]


def _level(field: GraphQLField) -> Level | None:
    """How a field is resolved where no moment is named."""
    level: Level | None = field.extensions.get(LEVEL)
    return level.otherwise if isinstance(level, Either) else level


def _is_of_history(level: Level, parents: Collection[Rows]) -> bool:
    """Whether a level reads our tables, or a column of the parents' rows that does."""
    if isinstance(level, Plans):
        return True
    sql: list[Any] = [rows.columns[name] for rows in parents for name in level.needs if name in rows.columns]
    if isinstance(level, Arrow):
        sql += [level.rows.source, *level.rows.conditions]
    return _reads_history(sql)


def _reads_history(sql: Iterable[Any]) -> bool:
    parts = (part for each in sql for part in iterate(each))
    found = (part if isinstance(part, Table) else getattr(part, "table", None) for part in parts)
    return any(getattr(each, "metadata", None) is history.metadata for each in found)
