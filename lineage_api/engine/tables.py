"""Rows by column, as statements bring them: how a level holds its parents until the response is built."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, chain, groupby
from operator import itemgetter
from typing import Any

Key = Any
"""What parents and children meet by: a value, or a tuple of several."""


class Table:
    """Rows of one type, by column. A column may itself be one of the classes below: a relation, already followed."""

    __slots__ = ("columns", "size")

    def __init__(self, columns: Mapping[str, Any], size: int) -> None:
        self.columns = columns
        self.size = size

    @classmethod
    def of(cls, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> "Table":
        """Rows whose values come in the order of these names."""
        columns = zip(*rows, strict=True) if rows else ((),) * len(names)
        return cls(dict(zip(names, columns, strict=True)), len(rows))

    def __len__(self) -> int:
        return self.size

    def column(self, name: str) -> Any:
        """The values of a column, one for each row."""
        try:
            return self.columns[name]
        except KeyError:
            raise LookupError(f"The column {name} was not read: the field that uses it does not name it.") from None


class Grouped:
    """A list for each parent: the items of all lists, one after the other, and the length of each list."""

    __slots__ = ("lengths", "rows")

    def __init__(self, rows: Any, lengths: Sequence[int]) -> None:
        self.rows = rows
        self.lengths = lengths

    def __len__(self) -> int:
        return len(self.lengths)


class Picked:
    """At most one row for each parent, which parents may share: its index, None, or why it cannot be told."""

    __slots__ = ("indices", "rows")

    def __init__(self, rows: Table, indices: Sequence[int | Exception | None]) -> None:
        self.rows = rows
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)


class Mixed:
    """At most one row of any type for each parent: tables by type name, and for each parent its type and index."""

    __slots__ = ("parts", "places")

    def __init__(self, parts: Mapping[str, Table], places: Sequence[tuple[str, int] | None]) -> None:
        self.parts = parts
        self.places = places

    def __len__(self) -> int:
        return len(self.places)


RELATED = (Table, Grouped, Picked, Mixed)


def grouped(keys: Sequence[Key], names: Sequence[str], rows: Sequence[Sequence[Any]], width: int = 1) -> Grouped:
    """The rows of each key, whose first `width` values are the key; rows of a key stand together."""
    if isinstance(keys, range):
        # Keys that count parents from 0 come back in the parents' order.
        counts = Counter(map(itemgetter(0), rows))
        return Grouped(Table.of(names, rows), [counts[key] for key in keys])
    groups = {key: list(group) for key, group in groupby(rows, key_of(width))}
    lists = [groups.get(key, ()) for key in keys]
    return Grouped(Table.of(names, list(chain.from_iterable(lists))), list(map(len, lists)))


def picked(keys: Sequence[Key], names: Sequence[str], rows: Sequence[Sequence[Any]], width: int = 1) -> Picked:
    """The row of each key, whose first `width` values are the key; the first where there are several."""
    key = key_of(width)
    places: dict[Key, int] = {}
    kept: list[Sequence[Any]] = []
    for row in rows:
        if places.setdefault(key(row), len(kept)) == len(kept):
            kept.append(row)
    return Picked(Table.of(names, kept), [places.get(each) for each in keys])


def key_of(width: int) -> Callable[[Sequence[Any]], Key]:
    """The key of a row, which its first values are."""
    return itemgetter(*range(width))


class Row:
    """One row of a table, for those who resolve objects one by one."""

    __slots__ = ("index", "table", "type_name")

    def __init__(self, table: Table, index: int, type_name: str | None = None) -> None:
        self.table = table
        self.index = index
        self.type_name = type_name

    def as_table(self) -> Table:
        """A table of this row alone."""
        return several(self.table, range(self.index, self.index + 1))  # type: ignore[no-any-return]


def several(column: Any, indices: range) -> Any:
    """The same column with some neighbours of its values alone."""
    part = slice(indices.start, indices.stop)
    match column:
        case Table():
            return Table({name: several(c, indices) for name, c in column.columns.items()}, len(indices))
        case Grouped():
            starts = [0, *accumulate(column.lengths)]
            below = range(starts[indices.start], starts[indices.stop])
            return Grouped(several(column.rows, below), column.lengths[part])
        case Picked():
            return Picked(column.rows, column.indices[part])
        case Mixed():
            return Mixed(column.parts, column.places[part])
        case _:
            return column[part]


def as_objects(values: Any) -> Sequence[Any]:
    """The same values with rows as objects."""
    match values:
        case Table():
            return [Row(values, index) for index in range(values.size)]
        case Grouped():
            items, ends = as_objects(values.rows), list(accumulate(values.lengths))
            return [items[end - length : end] for end, length in zip(ends, values.lengths, strict=True)]
        case Picked():
            return [Row(values.rows, index) if isinstance(index, int) else index for index in values.indices]
        case Mixed():
            return [there and Row(values.parts[there[0]], there[1], there[0]) for there in values.places]
        case _:
            return values  # type: ignore[no-any-return]
