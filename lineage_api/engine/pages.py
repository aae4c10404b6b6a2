"""Pages of lists that grow: the same page of each parent's list, in one statement."""

import inspect
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Annotated, Any

import strawberry
from sqlalchemy import Dialect, Select, func

from lineage_api.engine import cursors, tables
from lineage_api.engine.arrows import Arrow, distinct, fetched, kept_statement
from lineage_api.engine.levels import Call, Lookahead
from lineage_api.engine.narrowing import Narrowed
from lineage_api.engine.orders import Order
from lineage_api.engine.page_statements import LIMIT, PageStatement
from lineage_api.engine.sql import Reader, Rows, Statement, key_values, one_key_values
from lineage_api.engine.steps import Steps
from lineage_api.engine.tables import Grouped, grouped, key_of
from lineage_api.errors import Unreadable

PAGE_SIZE = 20
"""How many items a page has when nobody says."""

After = Annotated[str, strawberry.argument(description="Only what comes after this cursor.")]


class Page(Arrow):
    """A page of the rows of each parent.

    `most` is how large a page may be, where it is not what the context says; `size` how large it is by default.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        size: int = PAGE_SIZE,
        most: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(rows, **options)
        self.size = size
        self.most = most

    def parameters(self) -> dict[str, inspect.Parameter]:
        found = super().parameters()
        limit = "100" if self.most is None else f"{self.most:,}".replace(",", "")
        description = f"Size of the page, 1 to {limit}."
        first = Annotated[int, strawberry.argument(description=description)]
        keyword = inspect.Parameter.KEYWORD_ONLY
        page = [
            inspect.Parameter("first", keyword, default=self.size, annotation=first),
            inspect.Parameter("after", keyword, default=None, annotation=After | None),
        ]
        return {**found, **{parameter.name: parameter for parameter in page}}

    def resolve(self, call: Call) -> Steps[Any]:
        first, order, after = self.asked(call)
        keys = self.keys(call) if self.to else [()] * len(call.parents)
        wanted = distinct(keys)
        columns: dict[str, Any] = {}
        below = call.below
        is_read, is_counted = any(map(below.selects, ("nodes", "edges", "pageInfo"))), below.selects("totalCount")
        if is_read:
            columns |= yield from self._page(call, keys, wanted, order, first, after)
        if is_counted:
            columns["totalCount"] = yield from self._counts(call, keys, wanted)
        if not (is_read or is_counted) and wanted:
            # Who selects neither is told all the same what is wrong with the arguments.
            narrowed = self.narrowed(call.arguments, call.memo)
            Statement.of(self.selected(narrowed), call.context.reader.dialect)
        return tables.Table(columns, len(keys))

    def asked(self, call: Call) -> tuple[int, Order, list[Any] | None]:
        """How many rows are asked for, in what order, and after which."""
        first, order, cursor = self._first(call), self.sorting(call), call.arguments.get("after")
        return first, order, None if cursor is None else order.key(cursor)

    def _first(self, call: Call) -> int:
        first: int = call.arguments.get("first", self.size)
        most = call.context.max_page if self.most is None else self.most
        if not 1 <= first <= most:
            raise Unreadable(f"`first` must be between 1 and {most}, not {first}.")
        return first

    def _page(
        self,
        call: Call,
        keys: Sequence[Any],
        wanted: Sequence[Any],
        order: Order,
        first: int,
        after: list[Any] | None,
    ) -> Steps[dict[str, Any]]:
        names = self._wanted_names(call.below)
        rows: Sequence[Sequence[Any]] = ()
        if wanted:
            reader: Reader = call.context.reader
            narrowed = self.narrowed(call.arguments, call.memo)
            missing = None if after is None else tuple(value is None for value in after)
            is_single = len(wanted) == 1
            kept = ("page", is_single, missing, order.mark, *names)
            page = PageStatement(self, names, order, missing, narrowed, reader.dialect)
            make = page.of_one if is_single else page.of_each if self.is_joined else page.of_all
            statement = kept_statement(call.memo, kept, make, reader.dialect, narrowed)
            values = key_values(wanted, len(self.to), reader.dialect)
            values |= one_key_values(wanted[0], len(self.to))
            values |= {LIMIT: first + 1, **order.values(after or ())}
            rows = yield from fetched(reader, statement, values, narrowed)
        marks = self.marks_of(keys, wanted)
        labels = [*self.marks, *order.names, *names]
        return self._pages(marks, labels, rows, first, order, is_first=after is None, below=call.below)

    def _wanted_names(self, below: Lookahead) -> list[str]:
        nodes = below.below("nodes").columns()
        node = below.below("edges").below("node").columns()
        return self.names(None if nodes is None or node is None else nodes | node)

    def _pages(
        self,
        marks: Sequence[Any],
        labels: Sequence[str],
        rows: Sequence[Sequence[Any]],
        first: int,
        order: Order,
        *,
        is_first: bool,
        below: Lookahead,
    ) -> dict[str, Any]:
        width = len(self.marks)
        kept, more = _cut(rows, width, first)
        page = grouped(marks, labels, kept, width)
        columns: dict[str, Any] = {"nodes": page}
        if not (below.selects("edges") or below.selects("pageInfo")):
            return columns
        sort_keys = zip(*(page.rows.columns[name] for name in order.names), strict=True)
        places = [cursors.encoded(order.mark, key) for key in sort_keys]
        columns["edges"] = Grouped(tables.Table({"cursor": places, "node": page.rows}, len(page.rows)), page.lengths)
        ends = list(accumulate(page.lengths))
        spans = [(end - length, end) for end, length in zip(ends, page.lengths, strict=True)]
        info = {
            "hasNextPage": [mark in more for mark in marks],
            "hasPreviousPage": [not is_first] * len(marks),
            "startCursor": [places[start] if start < end else None for start, end in spans],
            "endCursor": [places[end - 1] if start < end else None for start, end in spans],
        }
        columns["pageInfo"] = tables.Table(info, len(marks))
        return columns

    def _counts(self, call: Call, keys: Sequence[Any], wanted: Sequence[Any]) -> Steps[list[int]]:
        if not wanted:
            return [0] * len(keys)
        reader: Reader = call.context.reader
        narrowed = self.narrowed(call.arguments, call.memo)
        make = partial(self._count_statement, narrowed, reader.dialect)
        statement = kept_statement(call.memo, "count", make, reader.dialect, narrowed)
        values = key_values(wanted, len(self.to), reader.dialect)
        rows = yield from fetched(reader, statement, values, narrowed)
        key = key_of(len(self.marks))
        counts = {key(row): row[-1] for row in rows}
        return [counts.get(mark, 0) for mark in self.marks_of(keys, wanted)]

    def _count_statement(self, narrowed: Narrowed, dialect: Dialect) -> Select[Any]:
        rows, marks = self.marked(narrowed, [func.count()], dialect)
        return rows.group_by(*marks) if marks else rows


def _cut(rows: Sequence[Sequence[Any]], width: int, first: int) -> tuple[Sequence[Sequence[Any]], set[Any]]:
    """The rows of pages without the one more that says that a list goes on, and the marks of the lists that do."""
    if len(rows) <= first:
        return rows, set()
    key = key_of(width)
    kept, more, last, length = [], set(), object(), 0
    for row in rows:
        current = key(row)
        length = length + 1 if current == last else 1
        last = current
        if length > first:
            more.add(current)
        else:
            kept.append(row)
    return kept, more
