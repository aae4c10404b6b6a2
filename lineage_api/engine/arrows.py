"""Arrows: relations, one SQL statement for all parents of a level."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args, get_origin, get_type_hints

from sqlalchemy import ColumnElement, Dialect, Select, bindparam

from lineage_api.engine.levels import Call, Level
from lineage_api.engine.sql import Late, Reader, Rows, Statement, among, checked, key_values, name_of
from lineage_api.engine.steps import Steps, awaited
from lineage_api.engine.tables import Grouped, Picked, grouped, key_of, picked

MAX_STATEMENTS = 100
"""How many statements a field of a plan keeps, for different arguments."""


@dataclass(frozen=True)
class By:
    """A part of an order."""

    expression: ColumnElement[Any]
    is_descending: bool = False
    can_be_null: bool = False
    """Nulls come last, whatever the direction."""

    def clause(self, expression: ColumnElement[Any] | None = None) -> ColumnElement[Any]:
        """For ORDER BY."""
        column = self.expression if expression is None else expression
        directed = column.desc() if self.is_descending else column.asc()
        return directed.nulls_last() if self.can_be_null else directed


Order = Sequence[By | ColumnElement[Any]] | Callable[..., Sequence[By]]


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
        order: Order = (),
        narrow: Callable[..., Select[Any]] | None = None,
        value: ColumnElement[Any] | None = None,
        convert: Callable[..., Any] | None = None,
    ) -> None:
        self.rows = rows
        self.needs = tuple(map(name_of, of))
        self.to = to
        self.key = key
        self.order = order
        self.narrow = narrow
        self.value = value
        self.convert = convert
        self._late = frozenset(_late_arguments(narrow) if narrow else ())
        self._narrowing = _parameters(narrow, skip=1)
        self._ordering = _parameters(order) if callable(order) else ()

    @property
    def width(self) -> int:
        """How many columns its keys have."""
        return len(self.to)

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

    def terms(self, arguments: Mapping[str, Any]) -> list[By]:
        """The order that these arguments ask for."""
        order = self.order(**_those(self._ordering, arguments)) if callable(self.order) else self.order
        return [term if isinstance(term, By) else By(term) for term in order]

    def names(self, wanted: frozenset[str] | None) -> list[str]:
        """The columns to read, in a settled order; all of them where it is not known which are wanted."""
        if wanted is None:
            return sorted(self.rows.columns)
        # Where none is wanted, one says that the row is there.
        return sorted(wanted) or [next(iter(self.rows.columns))]

    def bound(self, arguments: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What tells one statement from another, and the values that are bound when it runs."""
        values, shape = {}, []
        for name in self._narrowing:
            value = arguments.get(name)
            if value is not None and name in self._late:
                values[name] = checked(value)
                shape.append((name, Late))
            elif name in arguments:
                shape.append((name, _frozen(value)))
        return tuple(shape), values

    def _given(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as `narrow` takes them."""
        given = _those(self._narrowing, arguments)
        return {
            name: bindparam(name, None) if name in self._late and value is not None else value
            for name, value in given.items()
        }

    def selected(self, arguments: Mapping[str, Any], *columns: ColumnElement[Any]) -> Select[Any]:
        """A statement that reads these columns of the rows that the arguments ask for."""
        rows = self.rows.select(*columns)
        return rows if self.narrow is None else self.narrow(rows, **self._given(arguments))

    def labelled_keys(self) -> list[ColumnElement[Any]]:
        """The columns that parents' keys meet."""
        return [column.label(f"key_{i}") for i, column in enumerate(self.to)]


class Many(Arrow):
    """A list of rows for each parent, or at most one row; of values where the arrow has a value."""

    is_list = True

    def resolve(self, call: Call) -> Steps[Any]:
        keys = self.keys(call) if self.to else [()] * len(call.parents)
        shape, values = self.bound(call.arguments)
        names = [name_of(self.value)] if self.value is not None else self.names(call.below.columns())
        wanted = [key for key in dict.fromkeys(keys) if not is_null(key)]
        if not wanted:
            return self.outcome(keys, names, [], call)
        reader: Reader = call.context.reader
        kept = (shape, _frozen([call.arguments.get(name) for name in self._ordering]), *names)
        make = partial(self.statement, names, call.arguments, reader.dialect)
        statement = kept_statement(call.memo, kept, make, reader.dialect)
        if self.to:
            values |= key_values(wanted, self.width, reader.dialect)
        rows = yield from fetched(reader, statement, values)
        return self.outcome(keys, names, rows, call)

    def statement(self, names: Sequence[str], arguments: Mapping[str, Any], dialect: Dialect) -> Select[Any]:
        """The statement that reads these columns for any number of parents."""
        keys = self.labelled_keys()
        columns = [self.rows.columns[name] for name in names]
        rows = self.selected(arguments, *keys, *columns)
        if self.to:
            rows = rows.where(among(self.to, dialect))
        # By the parents' key first: by the children's alone, databases walk the wrong index.
        return rows.order_by(*self.to, *(term.clause() for term in self.terms(arguments)))

    def outcome(self, keys: Sequence[Any], names: Sequence[str], rows: Sequence[Sequence[Any]], call: Call) -> Any:
        """The rows as values of the field."""
        width = self.width
        if not self.to:
            keys, width, rows = [None], 1, [(None, *row) for row in rows]
        labels = [*(f"key_{i}" for i in range(width)), *names]
        if self.value is None:
            related = grouped if self.is_list else picked
            return related(keys, labels, rows, width)
        return self.values(keys, rows, width)

    def values(self, keys: Sequence[Any], rows: Sequence[Sequence[Any]], width: int) -> list[Any]:
        """The values that stand for the rows."""
        key = key_of(width)
        convert = self.convert or (lambda value: value)
        lists: dict[Any, list[Any]] = {}
        for row in rows:
            lists.setdefault(key(row), []).append(convert(row[-1]))
        if self.is_list:
            return [lists.get(key, []) for key in keys]
        return [lists[key][0] if key in lists else None for key in keys]


class One(Many):
    """At most one row for each parent.

    With `ambiguous`, a parent for which there are several has the exception that it makes of the values that they
    have in a column, instead of the first row.
    """

    is_list = False

    def __init__(
        self,
        rows: Rows,
        *,
        ambiguous: tuple[ColumnElement[Any], Callable[[Sequence[Any]], Exception]] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(rows, **options)
        self.ambiguous = ambiguous

    def names(self, wanted: frozenset[str] | None) -> list[str]:
        names = super().names(wanted)
        return sorted({*names, name_of(self.ambiguous[0])}) if self.ambiguous else names

    def outcome(self, keys: Sequence[Any], names: Sequence[str], rows: Sequence[Sequence[Any]], call: Call) -> Any:
        result = super().outcome(keys, names, rows, call)
        if self.ambiguous is None or len(rows) < 2 or not isinstance(result, Picked):
            return result
        column, refusal = self.ambiguous
        lists = grouped(
            keys, [*(f"key_{i}" for i in range(self.width or 1)), *names], self._keyed(rows), self.width or 1
        )
        return Picked(result.rows, _unambiguous(result, lists, name_of(column), refusal))

    def _keyed(self, rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
        return rows if self.to else [(None, *row) for row in rows]


def _unambiguous(
    picks: Picked, lists: Grouped, name: str, refusal: Callable[[Sequence[Any]], Exception]
) -> list[int | Exception | None]:
    start, indices = 0, []
    for index, length in zip(picks.indices, lists.lengths, strict=True):
        several = lists.rows.columns[name][start : start + length]
        indices.append(refusal(several) if length > 1 else index)
        start += length
    return indices


def fetched(reader: Reader, statement: Statement, values: Mapping[str, Any]) -> Steps[Sequence[Sequence[Any]]]:
    """The rows of a statement, whether the driver gives them at once or later."""
    rows = reader.fetch(statement, values)
    if isinstance(rows, Sequence):
        return rows
    return (yield from awaited(rows))


def kept_statement(memo: dict[Any, Any], key: Any, make: Callable[[], Select[Any]], dialect: Dialect) -> Statement:
    """The statement under a key of a memo, made when it is not there."""
    statement: Statement | None = memo.get(key)
    if statement is None:
        if len(memo) >= MAX_STATEMENTS:
            memo.clear()
        statement = memo[key] = Statement.of(make(), dialect)
    return statement


def is_null(key: Any) -> bool:
    """Whether a key meets nothing."""
    return key is None or (isinstance(key, tuple) and None in key)


def _those(names: Sequence[str], arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: arguments[name] for name in names if name in arguments}


def _parameters(function: Any, skip: int = 0) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)[skip:] if function is not None else ()


def _late_arguments(function: Callable[..., Any]) -> list[str]:
    hints = get_type_hints(function, include_extras=True)
    return [name for name, hint in hints.items() if _is_late(hint)]


def _is_late(hint: Any) -> bool:
    metadata = getattr(hint, "__metadata__", ())
    parts = () if get_origin(hint) is None else get_args(hint)
    return any(isinstance(mark, Late) for mark in metadata) or any(_is_late(part) for part in parts)


def _frozen(value: Any) -> Any:
    """A value as part of a key: equal for equal values, also of the fields of inputs."""
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    if hasattr(value, "__dataclass_fields__"):
        return (type(value), *(_frozen(getattr(value, name)) for name in value.__dataclass_fields__))
    # 1, 1.0 and True are equal, but not the same in SQL.
    return (type(value), value)
