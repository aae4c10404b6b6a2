"""Arrows: relations, one SQL statement for all parents of a level."""

import inspect
from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, get_args, get_origin, get_type_hints

from sqlalchemy import ColumnElement, Dialect, Select, bindparam, literal_column, select

from lineage_api.engine.kept import keep
from lineage_api.engine.levels import Call, Level, outcome
from lineage_api.engine.narrowing import Narrowed
from lineage_api.engine.orders import By, Order
from lineage_api.engine.sql import Keys, Late, Reader, Rows, Statement, among, key_values, name_of
from lineage_api.engine.steps import Steps, awaited
from lineage_api.engine.tables import Picked, grouped, key_of, picked

EVERY_ROW = Narrowed()
"""What narrows no rows."""


Ordering = Sequence[By | ColumnElement[Any]] | Callable[..., Sequence[By]]


class Arrow(Level):
    """A relation from parents to rows: which columns meet, which rows, in what order, and what arguments do to them.

    `narrow` is given the statement and the field's arguments, and `order` may be a function of arguments too. Their
    signatures are the field's arguments. With `value`, each row stands for the value of that column alone.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        of: Sequence[ColumnElement[Any]] = (),
        to: Sequence[ColumnElement[Any]] = (),
        key: Callable[..., Any] | None = None,
        order: Ordering = (),
        narrow: Callable[..., Select[Any]] | None = None,
        value: ColumnElement[Any] | None = None,
        convert: Callable[..., Any] | None = None,
    ) -> None:
        self.rows = rows
        self.needs = tuple(map(name_of, of))
        self.to = to
        self.key = key
        self.order = order if callable(order) else Order(tuple(By(t) if not isinstance(t, By) else t for t in order))
        self.narrow = narrow
        self.value = value
        self.convert = convert
        self._late = _late_arguments(narrow) if narrow else {}
        self._narrowing = _parameters(narrow, skip=1)
        self._ordering = _parameters(order) if callable(order) else ()

    def parameters(self) -> dict[str, inspect.Parameter]:
        """The field's arguments."""
        functions = [self.narrow, self.order if callable(self.order) else None]
        found: dict[str, inspect.Parameter] = {}
        for function, skip in zip(functions, (1, 0), strict=True):
            if function is not None:
                parameters = list(inspect.signature(function).parameters.values())[skip:]
                hints = get_type_hints(function, include_extras=True)
                found |= {p.name: p.replace(annotation=hints[p.name]) for p in parameters}
        return found

    def keys(self, call: Call) -> Sequence[Any]:
        """The key of each parent."""
        columns = [call.column(name) for name in self.needs]
        if self.key is not None:
            return list(map(self.key, *columns))
        if len(columns) == 1:
            return columns[0]  # type: ignore[no-any-return]
        return list(zip(*columns, strict=True))

    def sorting(self, call: Call) -> Order:
        """The order that the arguments ask for."""
        if not callable(self.order):
            return self.order
        wanted = _those(self._ordering, call.arguments)
        key = ("order", frozen(wanted.items()))
        order: Order | None = call.memo.get(key)
        if order is None:
            order = Order(tuple(self.order(**wanted)))
            keep(call.memo, key, order, order.size_bytes)
        return order

    def names(self, wanted: frozenset[str] | None) -> list[str]:
        """The columns to read, in a settled order; all of them where it is not known which are wanted."""
        if wanted is None:
            return sorted(self.rows.columns)
        # Where none is wanted, one says that the row is there.
        return sorted(wanted) or [next(iter(self.rows.columns))]

    def narrowed(self, arguments: Mapping[str, Any], memo: dict[Any, Any], prefix: str = "") -> Narrowed:
        """What the arguments say of the rows; the names of its parameters have a prefix."""
        if self.narrow is None:
            return EVERY_ROW
        late, given = {}, []
        for name in self._narrowing:
            value = arguments.get(name)
            if value is not None and name in self._late:
                late[prefix + name] = self._late[name].bound(value)
                given.append((name, Late))
            elif name in arguments:
                given.append((name, frozen(value)))
        known = memo.setdefault((self, prefix), {})
        key = tuple(given)
        narrowed: Narrowed | None = known.get(key)
        if narrowed is None:
            narrowed = Narrowed.by(self._condition(arguments, prefix), key)
            keep(known, key, narrowed, narrowed.size_bytes)
        return narrowed.also(late)

    def _condition(self, arguments: Mapping[str, Any], prefix: str) -> ColumnElement[bool] | None:
        assert self.narrow is not None
        rows: Select[Any] = select(literal_column("1")).select_from(self.rows.source)
        return self.narrow(rows, **self._given(arguments, prefix)).whereclause

    def is_sql(self, arguments: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Whether one statement tells all of it; those that work anything out beside their statements say so."""
        return True

    def _given(self, arguments: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        """The arguments as `narrow` takes them."""
        given = _those(self._narrowing, arguments)
        return {
            name: bindparam(prefix + name, None) if name in self._late and value is not None else value
            for name, value in given.items()
        }

    def selected(self, narrowed: Narrowed, *columns: ColumnElement[Any], **source: Any) -> Select[Any]:
        """A statement that reads these columns of the rows that are asked for."""
        rows = self.rows.select(*columns, **source)
        return rows if narrowed.condition is None else rows.where(narrowed.condition)

    @property
    def is_joined(self) -> bool:
        """Whether rows are marked with the place of their parent's key, and not with the key itself.

        Only where an index leads from keys to rows are both joined: else each key would cost a scan.
        """
        return not self.to or self.rows.is_indexed_by(self.to)

    @property
    def has_index(self) -> bool:
        """Whether an index leads to the rows of one parent after the other."""
        return not self.to or any(getattr(column, "index", False) for column in self.to)

    @property
    def marks(self) -> list[str]:
        """The names of the columns that say which parent a row belongs to; they come first."""
        return ["place"] if self.is_joined else [f"key_{i}" for i in range(len(self.to))]

    def labelled_keys(self) -> list[ColumnElement[Any]]:
        """The columns that parents' keys meet, as marks."""
        return [column.label(name) for column, name in zip(self.to, self.marks, strict=True)]

    def marks_of(self, keys: Sequence[Any], wanted: Sequence[Any]) -> Sequence[Any]:
        """What the rows of each parent are marked with."""
        if not self.is_joined:
            return keys
        if len(keys) == len(wanted):
            return range(len(keys))
        places = {key: place for place, key in enumerate(wanted)}
        return [places.get(key) for key in keys]

    def marked(
        self, narrowed: Narrowed, columns: Sequence[ColumnElement[Any]], dialect: Dialect
    ) -> tuple[Select[Any], Sequence[ColumnElement[Any]]]:
        """A statement that reads these columns for any number of parents, after the marks; and the marks."""
        if not self.to:
            return self.selected(narrowed, literal_column("0").label("place"), *columns), ()
        if not self.is_joined:
            rows = self.selected(narrowed, *self.labelled_keys(), *columns)
            return rows.where(among(self.to, dialect)), self.to
        beside = Keys.of(self.to, dialect)
        place = beside.place.label("place")
        rows = self.selected(narrowed, place, *columns, beside=beside.source, on=beside.meets(self.to))
        return rows, [beside.place]


class Many(Arrow):
    """A list of rows for each parent, or of values where the arrow has a value."""

    is_list = True
    default: Any = None
    """The value of a parent that has no row, where a row stands for a value."""

    def resolve(self, call: Call) -> Steps[Any]:
        keys = self.keys(call) if self.to else [()] * len(call.parents)
        wanted = distinct(keys)
        names = [name_of(self.value)] if self.value is not None else self.names(call.below.columns())
        rows: Sequence[Sequence[Any]] = ()
        if wanted:
            reader: Reader = call.context.reader
            narrowed = self.narrowed(call.arguments, call.memo)
            order = self.sorting(call)
            make = partial(self.statement, names, order, narrowed, reader.dialect)
            statement = kept_statement(call.memo, (order.mark, *names), make, reader.dialect, narrowed)
            values = key_values(wanted, len(self.to), reader.dialect)
            rows = yield from fetched(reader, statement, values, narrowed)
        return self.outcome(self.marks_of(keys, wanted), [*self.marks, *names], rows)

    def statement(self, names: Sequence[str], order: Order, narrowed: Narrowed, dialect: Dialect) -> Select[Any]:
        """The statement that reads these columns for any number of parents."""
        rows, marks = self.marked(narrowed, list(map(self.rows.column, names)), dialect)
        # By the marks first: by the children's columns alone, databases walk the wrong index.
        return rows.order_by(*marks, *order.clauses()) if self.is_list or order.terms else rows

    def outcome(self, marks: Sequence[Any], names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
        """The rows as values of the field."""
        width = len(self.marks)
        if self.value is None:
            return (grouped if self.is_list else picked)(marks, names, rows, width)
        key, convert = key_of(width), self.convert or (lambda value: value)
        lists: dict[Any, list[Any]] = {}
        for row in rows:
            lists.setdefault(key(row), []).append(outcome(convert, row[-1]))
        if self.is_list:
            return [lists.get(mark, []) for mark in marks]
        return [lists[mark][0] if mark in lists else self.default for mark in marks]


class One(Many):
    """At most one row for each parent, or the value of that row.

    With `ambiguous`, a parent for which there are several has the exception that it makes of the values that they
    have in a column, instead of the first row. With `default`, that is the value of a parent that has no row.
    """

    is_list = False

    def __init__(
        self,
        rows: Rows,
        *,
        ambiguous: tuple[ColumnElement[Any], Callable[[Sequence[Any]], Exception]] | None = None,
        default: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(rows, **options)
        self.ambiguous = ambiguous
        self.default = default

    def names(self, wanted: frozenset[str] | None) -> list[str]:
        names = super().names(wanted)
        return sorted({*names, name_of(self.ambiguous[0])}) if self.ambiguous else names

    def outcome(self, marks: Sequence[Any], names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
        result = super().outcome(marks, names, rows)
        if self.ambiguous is None or len(rows) < 2:
            return result
        column, refusal = self.ambiguous
        key, at = key_of(len(self.marks)), names.index(name_of(column))
        found: dict[Any, list[Any]] = {}
        for row in rows:
            found.setdefault(key(row), []).append(row[at])
        several = {mark: refusal(values) for mark, values in found.items() if len(values) > 1}
        return Picked(
            result.rows, [several.get(mark, index) for mark, index in zip(marks, result.indices, strict=True)]
        )


def fetched(
    reader: Reader, statement: Statement, values: Mapping[str, Any], narrowed: Narrowed = EVERY_ROW
) -> Steps[Sequence[Sequence[Any]]]:
    """The rows of a statement, narrowed or not, whether the driver gives them at once or later."""
    if narrowed is not EVERY_ROW:
        values = {**values, **narrowed.late, **statement.filled(narrowed.values)}
    rows = reader.fetch(statement, values)
    if isinstance(rows, Sequence):
        return rows
    return (yield from awaited(rows))


def kept_statement(
    memo: dict[Any, Any],
    key: Any,
    make: Callable[[], Select[Any]],
    dialect: Dialect,
    narrowed: Narrowed = EVERY_ROW,
) -> Statement:
    """The statement under a key of a memo, made when it is not there; one for all values of what narrows it."""
    key = (key, narrowed.shape)
    statement: Statement | None = memo.get(key)
    if statement is None:
        statement = Statement.of(make(), dialect, narrowed.binds)
        keep(memo, key, statement, statement.size_bytes)
    return statement


def distinct(keys: Sequence[Any]) -> list[Any]:
    """The keys that meet something, each once."""
    unique = dict.fromkeys(keys)
    unique.pop(None, None)
    if unique and isinstance(next(iter(unique)), tuple):
        return [key for key in unique if None not in key]
    return list(unique)


def _those(names: Sequence[str], arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: arguments[name] for name in names if name in arguments}


def _parameters(function: Any, skip: int = 0) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)[skip:] if function is not None else ()


def _late_arguments(function: Callable[..., Any]) -> Mapping[str, Late]:
    hints = get_type_hints(function, include_extras=True)
    return {name: mark for name, hint in hints.items() for mark in _late_marks(hint)}


def _late_marks(hint: Any) -> Iterator[Late]:
    yield from (mark for mark in getattr(hint, "__metadata__", ()) if isinstance(mark, Late))
    for part in () if get_origin(hint) is None else get_args(hint):
        yield from _late_marks(part)


def frozen(value: Any) -> Any:
    """A value as part of a key: equal for equal values, also of the fields of inputs."""
    if isinstance(value, list | tuple | ItemsView):
        return tuple(map(frozen, value))
    if hasattr(value, "__dataclass_fields__"):
        return (type(value), *(frozen(getattr(value, name)) for name in value.__dataclass_fields__))
    # 1, 1.0 and True are equal, but not the same in SQL.
    return (type(value), value)
