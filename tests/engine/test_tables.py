"""Rows by column, and the same rows as objects."""

import pytest

from lineage_api.engine.tables import Grouped, Mixed, Picked, Row, Table, as_objects, grouped, picked, several

NAMES = ["key", "name"]
ROWS = [("a", 1), ("a", 2), ("b", 3)]


def names(table):
    return list(table.column("name"))


def test_a_table():
    """It has a column for each name, also where there are no rows."""
    assert Table.of(NAMES, ROWS).columns == {"key": ("a", "a", "b"), "name": (1, 2, 3)}
    assert Table.of(NAMES, []).columns == {"key": (), "name": ()}
    assert len(Table.of(NAMES, ROWS)) == 3


def test_a_column_that_is_not_there():
    """The error names it."""
    with pytest.raises(LookupError, match="The column other was not read"):
        Table.of(NAMES, ROWS).column("other")


def test_rows_that_do_not_fit_their_names():
    """They are refused, and not cut off."""
    with pytest.raises(ValueError, match="zip"):
        Table.of(["key"], ROWS)


def test_groups():
    """Each key has its rows, in their order; keys that come twice have them twice, others none."""
    found = grouped(["b", "x", "a", None, "b"], NAMES, ROWS)

    assert (names(found.rows), found.lengths) == ([3, 1, 2, 3], [1, 0, 2, 0, 1])
    assert grouped([], NAMES, []).lengths == []


def test_groups_by_place():
    """Where rows are marked with places, keys count from 0."""
    found = grouped(range(4), ["place", "name"], [(1, "a"), (1, "b"), (3, "c")])

    assert (names(found.rows), found.lengths) == (["a", "b", "c"], [0, 2, 0, 1])


def test_groups_by_several_columns():
    """A key of two columns is a tuple."""
    rows = [("a", 1, "x"), ("a", 2, "y"), ("a", 2, "z")]
    found = grouped([("a", 2), ("a", 1), ("b", 1)], ["k", "l", "name"], rows, 2)

    assert (names(found.rows), found.lengths) == (["y", "z", "x"], [2, 1, 0])


def test_picks():
    """Each key has its first row, which others may have too; no other row is kept."""
    found = picked(["b", "a", "x", "a"], NAMES, ROWS)

    assert names(found.rows) == [1, 3]
    assert found.indices == [1, 0, None, 0]
    assert picked([("a", 1)], NAMES, ROWS, 2).indices == [0]


def nested():
    """Two parents with lists, of which the items have one other row or none."""
    inner = Table.of(["name"], [("x",), ("y",)])
    items = Table({"name": ["a", "b", "c"], "other": Picked(inner, [1, None, 0])}, 3)
    mixed = Mixed({"Item": items, "Other": inner}, [("Other", 1), None])
    return Table({"items": Grouped(items, [1, 2]), "mixed": mixed, "count": [1, 2]}, 2)


def test_some_neighbours():
    """A part of a table has the part of each column, relations among them."""
    part = several(nested(), range(1, 2))

    assert len(part) == 1
    assert part.column("count") == [2]
    assert part.column("items").lengths == [2]
    assert names(part.column("items").rows) == ["b", "c"]
    assert part.column("items").rows.column("other").indices == [None, 0]
    assert part.column("mixed").places == [None]


def test_objects():
    """A row stands for itself alone, and knows its type where there are several."""
    parents = as_objects(nested())
    first, second = as_objects(nested().column("items"))
    [item, nothing, other] = as_objects(nested().column("items").rows.column("other"))

    assert [parent.as_table().column("count") for parent in parents] == [[1], [2]]
    assert [names(row.as_table()) for row in first + second] == [["a"], ["b"], ["c"]]
    assert (names(item.as_table()), nothing, names(other.as_table())) == (["y"], None, ["x"])
    mixed = as_objects(nested().column("mixed"))
    assert (mixed[0].type_name, names(mixed[0].as_table()), mixed[1]) == ("Other", ["y"], None)
    assert as_objects([1, 2]) == [1, 2]


def test_objects_that_are_errors():
    """Why a row cannot be told stays in its place."""
    error = ValueError("several")
    row, nothing = as_objects(Picked(Table.of(NAMES, ROWS), [2, error]))

    assert isinstance(row, Row)
    assert nothing is error
