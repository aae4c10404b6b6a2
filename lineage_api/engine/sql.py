"""Statements for whole levels: rows of a noun, narrowed to those that some parents have."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol, TypeVar

import orjson
from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Dialect,
    FromClause,
    Join,
    Select,
    Table,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from lineage_api.engine.kept import bytes_of
from lineage_api.engine.narrowing import names_of
from lineage_api.errors import Unreadable

T = TypeVar("T")


@dataclass(frozen=True)
class Late:
    """Marks an argument whose value is bound when a statement runs, so that one statement serves all values."""

    convert: Callable[[Any], Any] | None = None
    """From the argument to the value that is bound."""

    def bound(self, value: Any) -> Any:
        """What is bound for an argument."""
        return checked(value if self.convert is None else self.convert(value))


Bound = Annotated[T, Late()]
"""An argument that its function may only put into SQL expressions: it is given a bound parameter, not the value."""


@dataclass(frozen=True)
class Rows:
    """Where rows come from, and what each of their columns is there."""

    source: FromClause
    columns: Mapping[str, ColumnElement[Any]]
    conditions: tuple[ColumnElement[bool], ...] = ()

    @classmethod
    def of(cls, table: FromClause, **columns: ColumnElement[Any]) -> "Rows":
        """The rows of a table, with further columns that are worked out in SQL."""
        return cls(table, {**dict(table.c), **{name: column.label(name) for name, column in columns.items()}})

    def column(self, name: str) -> ColumnElement[Any]:
        """The column of a name."""
        try:
            return self.columns[name]
        except KeyError:
            raise LookupError(f"{self.source} has no column {name}.") from None

    @property
    def c(self) -> "Columns":
        """Its columns as attributes."""
        return Columns(self.columns)

    def through(self, table: FromClause, on: ColumnElement[bool], *, is_outer: bool = False) -> "Rows":
        """The same rows, joined to a table that leads to them."""
        return replace(self, source=self.source.join(table, on, isouter=is_outer))

    def where(self, *conditions: ColumnElement[bool]) -> "Rows":
        """Those that meet the conditions."""
        return replace(self, conditions=(*self.conditions, *conditions))

    def select(self, *columns: ColumnElement[Any], beside: "FromClause | None" = None, on: Any = None) -> Select[Any]:
        """A statement that reads these columns of them, and of what stands beside them."""
        source = self.source if beside is None else KeysFirst(beside, self.source, on)
        return select(*columns).select_from(source).where(*self.conditions)

    def is_indexed_by(self, columns: Sequence[ColumnElement[Any]]) -> bool:
        """Whether they are a table with an index that leads to the rows with some values of these columns."""
        return isinstance(self.source, Table) and any(
            getattr(column, "index", False) and column.table is self.source for column in columns
        )


class Columns:
    """Columns as attributes."""

    def __init__(self, columns: Mapping[str, ColumnElement[Any]]) -> None:
        self._columns = columns

    def __getattr__(self, name: str) -> Any:
        try:
            return self._columns[name]
        except KeyError:
            raise AttributeError(name) from None


class KeysFirst(Join):
    """A join that looks up rows for one key after the other.

    SQLite, lacking statistics, may think better of another order, such as all rows first; it obeys a CROSS JOIN.
    """

    inherit_cache = True


@compiles(KeysFirst, "sqlite")
def _keys_first(join: KeysFirst, compiler: Any, asfrom: bool = False, **options: Any) -> str:  # noqa: ARG001
    left = compiler.process(join.left, asfrom=True, **options)
    right = compiler.process(join.right, asfrom=True, **options)
    return f"{left} CROSS JOIN {right} ON {compiler.process(join.onclause, **options)}"


def name_of(column: ColumnElement[Any]) -> str:
    """The name that a column has in its Rows."""
    return str(column.name)


@dataclass(frozen=True)
class Statement:
    """A statement in a database's own words, compiled once and run with many values."""

    text: str
    constants: Mapping[str, Any]
    positions: tuple[str, ...] | None
    slots: tuple[str, ...] = ()
    """The names of the parameters that are filled with the values of what narrows its rows."""

    @classmethod
    def of(cls, query: Select[Any], dialect: Dialect, binds: Sequence[BindParameter[Any]] = ()) -> "Statement":
        """A query's statement, to be filled with other values of these parameters in it."""
        compiled = query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        assert isinstance(compiled, SQLCompiler)
        positions = tuple(compiled.positiontup) if compiled.positional and compiled.positiontup is not None else None
        slots = tuple(name for bind in binds for name in names_of(bind, compiled.bind_names[bind]))
        always = compiled.params.keys() - set(slots)
        constants = {name: checked(value) for name, value in compiled.params.items() if name in always}
        return cls(str(compiled), constants, positions, slots)

    @property
    def size_bytes(self) -> int:
        """How much it keeps in memory, about: its text, the names in it, and what is always the same in it."""
        return 4 * len(self.text) + bytes_of(tuple(self.constants.values()))

    def filled(self, values: Sequence[Any]) -> dict[str, Any]:
        """The parameters that hold these values."""
        return dict(zip(self.slots, map(checked, values), strict=True))

    def parameters(self, values: Mapping[str, Any]) -> Mapping[str, Any] | list[Any]:
        """Its parameters as the driver takes them."""
        merged = {**self.constants, **values}
        return merged if self.positions is None else [merged[name] for name in self.positions]


class Reader(Protocol):
    """Reads one snapshot of a database."""

    @property
    def dialect(self) -> Dialect:
        """The database's kind."""

    def fetch(
        self, statement: Statement, values: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]] | Awaitable[Sequence[Sequence[Any]]]:
        """The rows that a statement gives."""


class JsonReader(Reader, Protocol):
    """Reads a database that can write answers itself."""

    @property
    def backend(self) -> str:
        """How it is read: as `rows`, as `json` wherever it can write that, or as is `best`."""

    def fetch_json(
        self, statement: Statement, values: Mapping[str, Any], *, is_all: bool = False
    ) -> Awaitable[Sequence[bytes | None]]:
        """The only column of a statement's rows, as it came; `is_all` says that nothing else is to be read."""


def checked(value: Any) -> Any:
    """A value that every database takes."""
    if isinstance(value, str) and "\0" in value:
        raise Unreadable("A text must not contain the character NUL.")
    return value


@dataclass(frozen=True)
class Keys:
    """Any number of keys as rows of a statement, from one parameter, or one for each column (see `key_values`)."""

    source: FromClause
    place: ColumnElement[int]
    """Where a key stands among the others, from 0."""
    columns: Sequence[ColumnElement[Any]]

    @classmethod
    def of(cls, columns: Sequence[ColumnElement[Any]], dialect: Dialect, name: str = "keys") -> "Keys":
        """Keys that these columns may have; parameters begin with the name."""
        names = [f"key_{i}" for i in range(len(columns))]
        if dialect.name == "postgresql":
            binds = [bindparam(f"{name}_{i}_", None, type_=ARRAY(column.type)) for i, column in enumerate(columns)]
            unnested = func.unnest(*binds).table_valued(*names, with_ordinality="place").render_derived()
            # A literal, so that the database sees one expression where it is selected and grouped by.
            return cls(unnested, unnested.c.place - literal_column("1"), [unnested.c[key] for key in names])
        each = func.json_each(bindparam(f"{name}_0_", None)).table_valued("key", "value")
        if len(columns) == 1:
            return cls(each, each.c.key, [each.c.value])
        parts = (func.json_extract(each.c.value, f"$[{i}]").label(key) for i, key in enumerate(names))
        keys = select(each.c.key.label("place"), *parts).subquery()
        return cls(keys, keys.c.place, [keys.c[key] for key in names])

    def meets(self, columns: Sequence[ColumnElement[Any]]) -> ColumnElement[bool]:
        """Whether columns have a key."""
        return and_(*(column == key for column, key in zip(columns, self.columns, strict=True)))


def among(columns: Sequence[ColumnElement[Any]], dialect: Dialect, name: str = "keys") -> ColumnElement[bool]:
    """Whether columns have one of any number of keys; parameters begin with the name."""
    if dialect.name == "postgresql" and len(columns) == 1:
        return columns[0] == any_(bindparam(f"{name}_0_", None, type_=ARRAY(columns[0].type)))
    keys = select(*Keys.of(columns, dialect, name).columns)
    return columns[0].in_(keys) if len(columns) == 1 else tuple_(*columns).in_(keys)


# SQLAlchemy names parameters of its own after columns, with a number at the end, such as `key_1`; ours end otherwise.
def key_values(keys: Sequence[Any], width: int, dialect: Dialect, name: str = "keys") -> dict[str, Any]:
    """The parameters of `Keys` and `among` for these keys."""
    if dialect.name != "postgresql":
        return {f"{name}_0_": orjson.dumps(keys).decode()}
    columns = [keys] if width == 1 else zip(*keys, strict=True)
    return {f"{name}_{i}_": list(column) for i, column in enumerate(columns)}


def equals(columns: Sequence[ColumnElement[Any]]) -> list[ColumnElement[bool]]:
    """That columns have one key (see `one_key_values`)."""
    return [column == bindparam(f"key_{i}_", None, type_=column.type) for i, column in enumerate(columns)]


def one_key_values(key: Any, width: int) -> dict[str, Any]:
    """The parameters of `equals` for this key."""
    return {"key_0_": key} if width == 1 else {f"key_{i}_": part for i, part in enumerate(key)}
