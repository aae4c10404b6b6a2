"""Pages of lists that grow: the same page of each parent's list, in one statement."""

import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Dialect, Select, and_, bindparam, func, or_, select, tuple_

from lineage_api.engine import cursors
from lineage_api.engine.arrows import Arrow, By, fetched, is_null, kept_statement
from lineage_api.engine.levels import Call, Lookahead
from lineage_api.engine.sql import Reader, among, equals, key_values, one_key_values
from lineage_api.engine.steps import Steps
from lineage_api.engine.tables import Grouped, Table, grouped, key_of
from lineage_api.errors import Unreadable

PAGE_SIZE = 20
"""How many items a page has when nobody says."""

After = Annotated[str, strawberry.argument(description="Only what comes after this cursor.")]


class Page(Arrow):
    """A page of the rows of each parent.

    `most` is how large a page may be, where it is not what the context says; `size` how large it is by default.
    """

    def __init__(self, rows: Any, *, size: int = PAGE_SIZE, most: int | None = None, **options: Any) -> None:
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
        first = self._first(call)
        terms = self.terms(call.arguments)
        after = self._after(call.arguments.get("after"), terms)
        keys = self.keys(call) if self.to else [None]
        wanted = [key for key in dict.fromkeys(keys) if not is_null(key)] if self.to else keys
        columns: dict[str, Any] = {}
        below = call.below
        if below.selects("nodes") or below.selects("edges") or below.selects("pageInfo"):
            columns |= yield from self._page(call, keys, wanted, terms, first, after)
        if below.selects("totalCount"):
            columns["totalCount"] = yield from self._counts(call, keys, wanted)
        return Table(columns, len(keys))

    def _first(self, call: Call) -> int:
        first: int = call.arguments.get("first", self.size)
        most = call.context.max_page if self.most is None else self.most
        if not 1 <= first <= most:
            raise Unreadable(f"`first` must be between 1 and {most}, not {first}.")
        return first

    def _after(self, cursor: str | None, terms: Sequence[By]) -> list[Any] | None:
        if cursor is None:
            return None
        return cursors.decoded(cursor, _mark(terms), [term.expression.type.python_type for term in terms])

    def _page(
        self,
        call: Call,
        keys: Sequence[Any],
        wanted: Sequence[Any],
        terms: Sequence[By],
        first: int,
        after: list[Any] | None,
    ) -> Steps[dict[str, Any]]:
        names = self._wanted_names(call.below)
        labels = [*(f"key_{i}" for i in range(len(self.to))), *_order_names(terms), *names]
        rows: Sequence[Sequence[Any]] = ()
        if wanted:
            reader: Reader = call.context.reader
            shape, values = self.bound(call.arguments)
            missing = None if after is None else tuple(value is None for value in after)
            is_single = len(wanted) == 1
            kept = ("page", is_single, missing, _mark(terms), shape, *names)
            make = partial(self._statement, names, terms, missing, call.arguments, reader.dialect, is_single=is_single)
            statement = kept_statement(call.memo, kept, make, reader.dialect)
            values |= self._key_values(wanted, reader.dialect, is_single=is_single)
            values |= {"limit": first + 1, **{f"after_{i}": value for i, value in enumerate(after or ())}}
            rows = yield from fetched(reader, statement, values)
        return self._pages(keys, labels, rows, first, terms, is_first=after is None, below=call.below)

    def _wanted_names(self, below: Lookahead) -> list[str]:
        nodes = below.below("nodes").columns()
        node = below.below("edges").below("node").columns()
        return self.names(None if nodes is None or node is None else nodes | node)

    def _key_values(self, wanted: Sequence[Any], dialect: Dialect, *, is_single: bool) -> dict[str, Any]:
        if not self.to:
            return {}
        width = len(self.to)
        return one_key_values(wanted[0], width) if is_single else key_values(wanted, width, dialect)

    def _statement(
        self,
        names: Sequence[str],
        terms: Sequence[By],
        missing: tuple[bool, ...] | None,
        arguments: Mapping[str, Any],
        dialect: Dialect,
        *,
        is_single: bool,
    ) -> Select[Any]:
        keys = self.labelled_keys()
        order = [term.expression.label(f"order_{i}") for i, term in enumerate(terms)]
        rows = self.selected(arguments, *keys, *order, *(self.rows.columns[name] for name in names))
        if missing is not None:
            rows = rows.where(_follows(terms, missing))
        limit = bindparam("limit", None)
        if is_single:
            clauses = [term.clause(label) for term, label in zip(terms, order, strict=True)]
            return rows.where(*equals(self.to)).order_by(*clauses).limit(limit)
        clauses = [term.clause() for term in terms]
        place = func.row_number().over(partition_by=list(self.to), order_by=clauses).label("place")
        placed = rows.where(among(self.to, dialect)).add_columns(place).subquery()
        kept = [column for column in placed.c if column.name != "place"]
        return select(*kept).where(placed.c.place <= limit).order_by(*kept[: len(keys)], placed.c.place)

    def _pages(
        self,
        keys: Sequence[Any],
        labels: Sequence[str],
        rows: Sequence[Sequence[Any]],
        first: int,
        terms: Sequence[By],
        *,
        is_first: bool,
        below: Lookahead,
    ) -> dict[str, Any]:
        width = len(self.to)
        lists, more = _cut(keys, rows, width, first)
        page = grouped(keys, labels, lists, width) if width else Grouped(Table.of(labels, lists), [len(lists)])
        columns: dict[str, Any] = {"nodes": page}
        if not (below.selects("edges") or below.selects("pageInfo")):
            return columns
        order = [page.rows.columns[name] for name in _order_names(terms)]
        mark = _mark(terms)
        marks = [cursors.encoded(mark, key) for key in zip(*order, strict=True)]
        columns["edges"] = Grouped(Table({"cursor": marks, "node": page.rows}, len(page.rows)), page.lengths)
        ends = list(accumulate(page.lengths))
        spans = [(end - length, end) for end, length in zip(ends, page.lengths, strict=True)]
        info = {
            "hasNextPage": [key in more for key in keys],
            "hasPreviousPage": [not is_first] * len(keys),
            "startCursor": [marks[start] if start < end else None for start, end in spans],
            "endCursor": [marks[end - 1] if start < end else None for start, end in spans],
        }
        columns["pageInfo"] = Table(info, len(keys))
        return columns

    def _counts(self, call: Call, keys: Sequence[Any], wanted: Sequence[Any]) -> Steps[list[int]]:
        if not wanted:
            return [0] * len(keys)
        reader: Reader = call.context.reader
        shape, values = self.bound(call.arguments)
        make = partial(self._count_statement, call.arguments, reader.dialect)
        statement = kept_statement(call.memo, ("count", shape), make, reader.dialect)
        values |= self._key_values(wanted, reader.dialect, is_single=False)
        rows = yield from fetched(reader, statement, values)
        width = len(self.to)
        counts = {key_of(width)(row) if width else None: row[-1] for row in rows}
        return [counts.get(key, 0) for key in keys]

    def _count_statement(self, arguments: Mapping[str, Any], dialect: Dialect) -> Select[Any]:
        rows = self.selected(arguments, *self.labelled_keys(), func.count())
        return rows.where(among(self.to, dialect)).group_by(*self.to) if self.to else rows


def _order_names(terms: Sequence[By]) -> list[str]:
    return [f"order_{i}" for i in range(len(terms))]


def _mark(terms: Sequence[By]) -> int:
    return cursors.fingerprint([f"{term.clause()}" for term in terms])


def _cut(
    keys: Sequence[Any], rows: Sequence[Sequence[Any]], width: int, first: int
) -> tuple[Sequence[Sequence[Any]], set[Any]]:
    """The rows of pages without the one more that says that a list goes on, and the keys of the lists that do."""
    if not width:
        return (rows[:first], set(keys)) if len(rows) > first else (rows, set())
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


def _follows(terms: Sequence[By], missing: Sequence[bool]) -> ColumnElement[bool]:
    """That a row comes after the one whose sort key is bound; `missing` says which parts of that are null."""
    binds = [bindparam(f"after_{i}", None, type_=term.expression.type) for i, term in enumerate(terms)]
    directions = {term.is_descending for term in terms}
    if len(directions) == 1 and not any(term.can_be_null for term in terms):
        # As one comparison of rows, which an index can follow.
        left, right = tuple_(*(term.expression for term in terms)), tuple_(*binds)
        return left < right if directions == {True} else left > right
    cases = []
    for depth, term in enumerate(terms):
        equal = [_equals(terms[i], binds[i], is_missing=missing[i]) for i in range(depth)]
        if not missing[depth]:  # nothing comes after null but what is null too
            cases.append(and_(*equal, _beyond(term, binds[depth])))
    return or_(*cases)


def _equals(term: By, bind: ColumnElement[Any], *, is_missing: bool) -> ColumnElement[bool]:
    return term.expression.is_(None) if is_missing else term.expression == bind


def _beyond(term: By, bind: ColumnElement[Any]) -> ColumnElement[bool]:
    beyond = term.expression < bind if term.is_descending else term.expression > bind
    return or_(beyond, term.expression.is_(None)) if term.can_be_null else beyond
