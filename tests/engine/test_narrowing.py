"""What narrows rows is told by its structure: one statement serves all values of it."""

import pytest
from sqlalchemy import Integer, String, bindparam, column, func, or_, select, table, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from lineage_api.engine.narrowing import Narrowed
from lineage_api.engine.sql import Statement
from lineage_api.errors import Unreadable

ROWS = table("rows", column("a", String), column("b", Integer))
A, B = ROWS.c.a, ROWS.c.b
DIALECTS = {"sqlite": sqlite.dialect(paramstyle="qmark"), "postgresql": postgresql.dialect(paramstyle="numeric_dollar")}


def narrowed(condition):
    return Narrowed.by(condition, None)


ALIKE = [
    (A == "x", A == "y"),
    (A.in_(["x", "y"]), A.in_(["z", "x"])),
    (A.in_([]), A.in_([])),
    (or_(A == "x", B > 1), or_(A == "y", B > 2)),
    (tuple_(A, B).in_([("x", 1), ("y", 2)]), tuple_(A, B).in_([("z", 3), ("x", 4)])),
    (select(A).where(B == 1).exists(), select(A).where(B == 2).exists()),
    (func.lower(A) == "x", func.lower(A) == "y"),
    (bindparam("late", None) == A, bindparam("late", None) == A),
]
OTHERS = [
    (A == "x", A != "x"),
    (A == "x", B == 1),
    (A.in_(["x"]), A.in_(["x", "y"])),
    (A.in_(["x"]), A.in_([])),
    (or_(A == "x"), or_(A == "x", A == "y")),
    (B == 1, B == 1.0),
    (A == "x", None),
    (bindparam("late", None) == A, bindparam("other", None) == A),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_values_do_not_tell_conditions_apart(one, other):
    """Equal shapes have as many values."""
    assert narrowed(one).shape == narrowed(other).shape
    assert hash(narrowed(one).shape) == hash(narrowed(other).shape)
    assert len(narrowed(one).values) == len(narrowed(other).values)


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_all_else_does(one, other):
    """What is compared and how, how many values, of which type."""
    assert narrowed(one).shape != narrowed(other).shape


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_a_statement_is_filled_with_other_values(one, other, dialect):
    """It is then what would have been compiled for them."""
    before, after = narrowed(one), narrowed(other)
    statement = Statement.of(select(A).where(B != 7, one), dialect, before.binds)
    compiled = Statement.of(select(A).where(B != 7, other), dialect)

    assert statement.text == compiled.text
    assert statement.parameters(statement.filled(after.values)) == compiled.parameters({})
    itself = Statement.of(select(A).where(B != 7, one), dialect)
    assert statement.parameters(statement.filled(before.values)) == itself.parameters({})


def test_a_value_that_no_database_takes():
    """It is refused when it is put in."""
    statement = Statement.of(select(A).where(A == "x"), DIALECTS["sqlite"], [])
    held = narrowed(A == "x")
    with_slot = Statement.of(select(A).where(held.condition), DIALECTS["sqlite"], held.binds)

    assert statement.filled([]) == {}
    with pytest.raises(Unreadable, match="NUL"):
        with_slot.filled(["a\0"])


def test_what_has_names():
    """The values of parameters with names come beside; they are no part of the shape."""
    every = Narrowed()
    late = narrowed(bindparam("late", None) == A).also({"late": "x"})

    assert late.late == {"late": "x"}
    assert not late.values
    assert every.also({}) is every
    assert late.also({"more": 1}).late == {"late": "x", "more": 1}
