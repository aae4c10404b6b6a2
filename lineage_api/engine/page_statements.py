"""Statements that read pages: the same page of each parent's rows, and one row more where a list goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Dialect, FromClause, Select, Table, bindparam, func, literal_column, select, true

from lineage_api.engine.arrows import Arrow
from lineage_api.engine.narrowing import Narrowed
from lineage_api.engine.orders import Order
from lineage_api.engine.sql import Keys, KeysFirst, equals

LIMIT = "limit"
"""The parameter that says how many rows to read for each parent."""


@dataclass(frozen=True)
class PageStatement:
    """What a page is read by: after the marks of parents, the sort key, then the columns of these names.

    `missing` says which parts of the sort key are null of the row that the page comes after; None for a first page.
    """

    arrow: Arrow
    names: Sequence[str]
    order: Order
    missing: Sequence[bool] | None
    narrowed: Narrowed
    dialect: Dialect

    def of_one(self) -> Select[Any]:
        """The page of one parent."""
        place: list[ColumnElement[Any]] = [literal_column("0").label("place")]
        marks = place if self.arrow.is_joined else self.arrow.labelled_keys()
        source = self.arrow.rows.source
        if self.dialect.name == "sqlite" and isinstance(source, Table) and not self._is_found_in(source):
            rows = select(*marks, *self._columns).select_from(source).where(_row_of(source).in_(self._found(source)))
            return rows.order_by(*self.order.clauses())
        if self.missing is not None and not self.order.is_stored and self.dialect.name == "postgresql":
            return self._worked_out(marks)
        by = self.order.clauses(self._columns[: len(self.order.terms)])
        return self._of_key(*marks, *self._columns).order_by(*by).limit(self._limit)

    def _worked_out(self, marks: Sequence[ColumnElement[Any]]) -> Select[Any]:
        """The page after a row, in an order that is worked out: once for each row, before it is compared."""
        rows = self.arrow.selected(self.narrowed, *marks)
        rows, order = worked_out(rows, self.arrow.rows.source, self.order, "worked_out")
        rows = rows.add_columns(*order.columns(), *map(self.arrow.rows.column, self.names))
        assert self.missing is not None
        rows = rows.where(*equals(self.arrow.to), order.follows(self.missing))
        return rows.order_by(*order.clauses()).limit(self._limit)

    def _is_found_in(self, table: Table) -> bool:
        """Whether an index leads to the rows of one parent, or to all rows in their order."""
        return self.arrow.is_joined if self.arrow.to else self.order.is_key_of(table)

    def of_each(self) -> Select[Any]:
        """The page of one parent after the other, found by an index."""
        to, source = self.arrow.to, self.arrow.rows.source
        keys = Keys.of(to, self.dialect)
        place = keys.place.label("place")
        if self.dialect.name == "postgresql":
            page = self._page_of(keys, self._columns).lateral("page")
            by = self.order.clauses([page.c[name] for name in self.order.names])
            return select(place, *page.c).select_from(keys.source.join(page, true())).order_by(keys.place, *by)
        # SQLite has no LATERAL; but it may ask, row by row, whether a row is in the page of a key.
        row = _row_of(source)
        rows = KeysFirst(keys.source, source, row.in_(self._page_of(keys, [row])))
        return select(place, *self._columns).select_from(rows).order_by(keys.place, *self.order.clauses())

    def of_all(self) -> Select[Any]:
        """The rows of all parents, numbered within each."""
        rows, marks = self.arrow.marked(self.narrowed, self._columns, self.dialect)
        number = func.row_number().over(partition_by=list(marks), order_by=self.order.clauses())
        # By its place: any name may be that of a column.
        *kept, number_of_row = rows.where(*self._follows).add_columns(number).subquery().c
        limited = select(*kept).where(number_of_row <= self._limit)
        return limited.order_by(*kept[: len(marks)], number_of_row)

    @property
    def _columns(self) -> list[ColumnElement[Any]]:
        return [*self.order.columns(), *map(self.arrow.rows.column, self.names)]

    @property
    def _follows(self) -> list[ColumnElement[bool]]:
        return [] if self.missing is None else [self.order.follows(self.missing)]

    @property
    def _limit(self) -> ColumnElement[Any]:
        return bindparam(LIMIT, None)

    def _of_key(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """The rows of the one parent that come after the page before."""
        return self._rows_of_key(*columns).where(*self._follows)

    def _rows_of_key(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """All rows of the one parent."""
        return self.arrow.selected(self.narrowed, *columns).where(*equals(self.arrow.to))

    def _page_of(self, keys: Keys, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
        """The page of the key beside it."""
        rows = self.arrow.selected(self.narrowed, *columns).where(*self._follows, keys.meets(self.arrow.to))
        return rows.order_by(*self.order.clauses()).limit(self._limit).correlate(keys.source)

    def _found(self, table: Table) -> Select[Any]:
        """Which rows of a table that SQLite has to scan are the page.

        It sorts as it reads, and works out the columns of each row that is among the first so far. So only the order
        is read here; and what is to come last first is read backwards, since rows lie in a table as they came:
        otherwise each row would be the newest for a moment. Without the LIMIT it would do away with that.
        """
        row, is_stored = _row_of(table), self.order.is_stored
        is_descending = self.order.terms[0].is_descending
        if is_stored and not is_descending:
            return self._of_key(row).order_by(*self.order.clauses()).limit(self._limit)
        # What has to be worked out is so once for each row, and compared after.
        read_from = self._of_key if is_stored else self._rows_of_key
        rows = read_from(row.label("row"), *self.order.columns())
        backwards = rows.order_by(row.desc()) if is_descending else rows
        read = backwards.limit(literal_column("-1")).subquery("read")
        order = self.order.of([read.c[name] for name in self.order.names])
        found = select(read.c["row"]).order_by(*order.clauses()).limit(self._limit)
        return found if is_stored or self.missing is None else found.where(order.follows(self.missing))


def worked_out(rows: Select[Any], source: FromClause, order: Order, name: str) -> tuple[Select[Any], Order]:
    """Rows beside what they are sorted by, which PostgreSQL works out once for each; and the order by that."""
    # Left to itself, it would work it out wherever it stands in a condition.
    terms = select(*order.columns()).offset(literal_column("0")).correlate(source).lateral(name)
    return rows.join(terms, true()), order.of([terms.c[each] for each in order.names])


def _row_of(table: Any) -> ColumnElement[Any]:
    """What SQLite knows a row of a table by."""
    return literal_column(f"{table.name}.rowid")
