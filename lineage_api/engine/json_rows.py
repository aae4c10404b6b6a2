"""Rows of statements by which PostgreSQL writes JSON: each level of a query is a derived table with a name of its own.

What a level leads to are subqueries about its rows, named by that name. So the statements of arrows stand in there as
they are, whatever tables they read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from sqlalchemy import JSON, ColumnElement, Select, Text, case, cast, func, literal_column, quoted_name, select
from sqlalchemy import Column as TableColumn
from sqlalchemy.sql.selectable import FromClause

from lineage_api.engine.arrows import Arrow, One
from lineage_api.engine.forms import LEFT_JSON
from lineage_api.engine.json_parts import LeftToRows, Part
from lineage_api.engine.plans import FieldPlan, Selection

MAX_NAME = 63
"""How long a name may be in PostgreSQL."""

Value = ColumnElement[Any]


@dataclass(frozen=True)
class Scope:
    """Where an expression stands: the columns of the row that it is about."""

    columns: Mapping[str, Value] = field(default_factory=dict)
    certain: frozenset[str] = frozenset()
    """The columns that are never null."""
    is_single: bool = True
    """Whether there is just one such row."""
    is_shared: bool = False
    """Whether rows above it may share it."""

    def values(self, names: Sequence[str]) -> list[Value]:
        """The columns of these names."""
        return [self.columns[name] for name in names]


class JsonRows:
    """The derived tables of one statement."""

    def __init__(self, parts: Mapping[FieldPlan, Part]) -> None:
        self.parts = parts
        """The relations in it."""
        self.numbers = count(1)

    def derived(self, letter: str, rows: Select[Any]) -> tuple[str, FromClause]:
        """A derived table, and its name."""
        name = f"{letter}{next(self.numbers)}"
        return name, rows.subquery(name)

    def made(self, values: Sequence[tuple[str, Value]], source: FromClause | None) -> tuple[str, FromClause]:
        """A derived table whose rows are objects with these values by key, and its name."""
        if not values or any(len(key) > MAX_NAME for key, _ in values):
            raise LeftToRows("An object is empty, or a name in it is too long.")
        row = select(*(value.label(quoted_name(key, quote=True)) for key, value in values))
        return self.derived("o", row if source is None else row.select_from(source))

    def rows(self, part: Part, keys: Sequence[Value], columns: Sequence[Value]) -> Select[Any]:
        """The rows of a relation that have these keys."""
        rows: Select[Any] = part.level.selected(part.narrowed, *columns)
        return rows.where(*(column == key for column, key in zip(part.level.to, keys, strict=True)))

    def below(self, arrow: Arrow, rows: Select[Any], scope: Scope) -> tuple[FromClause, Scope]:
        """A derived table of an arrow's rows, and the scope of one of them."""
        name, source = self.derived("l", rows)
        columns = dict(zip(source.c.keys(), in_words(name, source), strict=True))
        keys = (name for name, c in arrow.rows.columns.items() if isinstance(c, TableColumn) and not c.nullable)
        is_one = isinstance(arrow, One)
        is_shared = scope.is_shared or (is_one and not scope.is_single)
        return source, Scope(columns, frozenset(keys), scope.is_single and is_one, is_shared)


def in_words(name: str, source: FromClause) -> list[Value]:
    """The columns of a derived table for the subqueries about its rows, which are not to read from it."""
    return [literal_column(f'{name}."{column.name}"', column.type) for column in source.c]


def selection_of(plan: FieldPlan) -> Selection:
    """What a field selects of the objects that it gives, which are of one type."""
    type_ = (plan.shape.item or plan.shape).object_type
    if type_ is None:
        raise LeftToRows(f"{plan.label} may be of several types.")
    return plan.plan.selection(type_, plan.nodes)


def list_of(rows: Select[Any]) -> Value:
    """The only column of rows as an array, in their order."""
    return func.array_to_json(func.array(rows.scalar_subquery()), type_=JSON)


def object_of(name: str, row: FromClause) -> Value:
    """The row of a derived table as an object; null where there is none."""
    return select(func.row_to_json(literal_column(name), type_=JSON)).select_from(row).scalar_subquery()


def only(rows: Select[Any]) -> Value:
    """The JSON in the only column, `found`, of the only row; where there are several, they are left to rows."""
    found = rows.subquery()
    one = cast(func.min(cast(found.c.found, Text)), JSON)
    return select(case((func.count() > literal_column("1"), LEFT_JSON), else_=one)).select_from(found).scalar_subquery()
