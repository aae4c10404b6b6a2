"""Pages, as PostgreSQL writes them into JSON."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, Double, FromClause, Select, func, literal_column, select

from lineage_api.engine.forms import array_of, base64_of, literal
from lineage_api.engine.json_parts import LeftToRows, Part
from lineage_api.engine.json_rows import JsonRows, Scope, Value, object_of, selection_of
from lineage_api.engine.orders import Order
from lineage_api.engine.page_statements import worked_out
from lineage_api.engine.pages import Page
from lineage_api.engine.plans import FieldPlan, Selection

_NUMBER = "number_of_row"


class JsonPages(JsonRows, ABC):
    """Connections: the rows of a page are read once, whatever is selected of them."""

    @abstractmethod
    def object(self, selection: Selection, scope: Scope, source: FromClause | None = None) -> Value:
        """The selected fields of a row; null where it comes from a source that has none."""

    @abstractmethod
    def objects(self, selection: Selection, scope: Scope, source: FromClause) -> Value:
        """The selected fields of rows, as a list."""

    def page(self, plan: FieldPlan, part: Part, scope: Scope, keys: Sequence[Value]) -> Value:
        """A page of the rows that have these keys."""
        fields = selection_of(plan).fields
        read = [each for each in fields if each.name in {"nodes", "edges", "pageInfo"}]
        source = None
        listed: Mapping[FieldPlan, Value] = {}
        if [each.name for each in read] == ["nodes"]:
            listed = {read[0]: self._nodes(part, scope, keys, selection_of(read[0]))}
        elif read:
            listed, source = self._several(part, scope, keys, read)
        values = [(each.key, self._value(part, keys, each, listed)) for each in fields]
        return object_of(*self.made(values, source))

    def _value(self, part: Part, keys: Sequence[Value], field: FieldPlan, listed: Mapping[FieldPlan, Value]) -> Value:
        match field.name:
            case "totalCount":
                return self.rows(part, keys, [func.count()]).scalar_subquery()
            case "__typename":
                return literal(field.parent_type.name)
        return listed[field]

    def _page_rows(self, part: Part, keys: Sequence[Value], columns: Sequence[Value], most: int) -> Select[Any]:
        rows, order = self.rows(part, keys, columns), part.order
        if part.after is not None:
            if not order.is_stored:
                rows, order = worked_out(rows, part.level.rows.source, order, f"w{next(self.numbers)}")
            rows = rows.where(order.follows([value is None for value in part.after], part.prefix))
        return rows.order_by(*order.clauses()).limit(literal(most))

    def _nodes(self, part: Part, scope: Scope, keys: Sequence[Value], nodes: Selection) -> Value:
        page: Page = part.level
        columns = list(map(page.rows.column, page.names(nodes.columns)))
        source, below = self.below(page, self._page_rows(part, keys, columns, part.first), scope)
        return self.objects(nodes, below, source)

    def _several(
        self, part: Part, scope: Scope, keys: Sequence[Value], fields: Sequence[FieldPlan]
    ) -> tuple[Mapping[FieldPlan, Value], FromClause]:
        """Nodes, edges and where the page stands, by columns of a row that holds what is gathered from the page."""
        page: Page = part.level
        nodes = [each for field in fields for each in _node_selections(field)]
        names = page.names(frozenset().union(*(each.columns for each in nodes)))
        columns = [*part.order.columns(), *map(page.rows.column, names)]
        _, page_rows = self.derived("p", self._page_rows(part, keys, columns, part.first + 1))
        numbered = select(*page_rows.c, func.row_number().over().label(_NUMBER))
        source, below = self.below(page, numbered, scope)
        is_kept = below.columns[_NUMBER] <= literal(part.first)
        cursor = _cursor(part.order, below)
        lists = {
            each: self.object(selection_of(each), below) if each.name == "nodes" else self._edge(each, below, cursor)
            for each in fields
            if each.name != "pageInfo"
        }
        gathered: list[Value] = [func.count().label("size"), func.array_agg(cursor).filter(is_kept).label("cursors")]
        gathered += [
            func.array_to_json(func.array_agg(each).filter(is_kept)).label(f"list_{index}")
            for index, each in enumerate(lists.values())
        ]
        name, gathering = self.derived("g", select(*gathered).select_from(source))
        empty = literal_column("'[]'::json", JSON)
        found: dict[FieldPlan, Value] = {
            each: func.coalesce(literal_column(f"{name}.list_{index}", JSON), empty) for index, each in enumerate(lists)
        }
        info = _page_info(name, part.first, is_first=part.after is None)
        found |= {each: self._page_info(each, info) for each in fields if each.name == "pageInfo"}
        return found, gathering

    def _edge(self, edges: FieldPlan, scope: Scope, cursor: Value) -> Value:
        values = []
        for part in selection_of(edges).fields:
            match part.name:
                case "cursor":
                    value = cursor
                case "node":
                    value = self.object(selection_of(part), scope)
                case _:
                    value = literal(part.parent_type.name)
            values.append((part.key, value))
        return object_of(*self.made(values, None))

    def _page_info(self, part: FieldPlan, info: Mapping[str, Value]) -> Value:
        fields = selection_of(part).fields
        values = [(each.key, info.get(each.name, literal(each.parent_type.name))) for each in fields]
        return object_of(*self.made(values, None))


def _node_selections(part: FieldPlan) -> list[Selection]:
    if part.name == "nodes":
        return [selection_of(part)]
    if part.name == "edges":
        return [selection_of(each) for each in selection_of(part).fields if each.name == "node"]
    return []


def _cursor(order: Order, scope: Scope) -> Value:
    """The cursor of a row; orjson writes floats in another way, so those are left to rows."""
    keys = scope.values(order.names)
    if any(isinstance(key.type, Double) for key in keys):
        raise LeftToRows("A cursor names a float.")
    return base64_of(array_of(order.mark, *keys))


def _page_info(name: str, first: int, *, is_first: bool) -> dict[str, Value]:
    cursors = f"{name}.cursors"
    return {
        "hasNextPage": literal_column(f"{name}.size > {first}"),
        "hasPreviousPage": literal_column("false" if is_first else "true"),
        "startCursor": literal_column(f"{cursors}[1]"),
        "endCursor": literal_column(f"{cursors}[array_upper({cursors}, 1)]"),
    }
