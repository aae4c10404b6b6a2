"""Rows, keys and statements, in the words of each database."""

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, column, func, select

from lineage_api.engine.sql import Keys, Rows, Statement, among, checked, key_values
from lineage_api.errors import Unreadable
from tests.engine.library import BOOKS, book_tags, books, opened, tags


@pytest.fixture
def run(kind):
    """Runs a statement on each database."""
    with opened(kind) as reader:
        yield lambda query, **values: reader.fetch(Statement.of(query, reader.dialect), values)


@pytest.fixture
def dialect(kind):
    with opened(kind, {}) as reader:
        return reader.dialect


def test_rows():
    """Columns of a table and others that are worked out, by name; conditions add up, and joins lead further."""
    rows = Rows.of(books, loud=func.upper(books.c.title)).where(books.c.year > 1800).where(books.c.price > 5)
    through = rows.through(book_tags, book_tags.c.book_id == books.c.id, is_outer=True)

    assert rows.c.loud.name == "loud"
    assert rows.c.title is books.c.title
    text = str(through.select(rows.c.loud))
    assert "LEFT OUTER JOIN book_tags" in text
    assert "books.year > :year_1 AND books.price > :price_1" in text


def test_a_column_that_rows_lack():
    """It is an error that names both."""
    with pytest.raises(LookupError, match="books has no column stars"):
        BOOKS.column("stars")
    with pytest.raises(AttributeError, match="stars"):
        _ = BOOKS.c.stars


def test_where_an_index_leads():
    """To rows of one table by one of its indexed columns; not through other tables."""
    through = BOOKS.through(book_tags, book_tags.c.book_id == books.c.id)

    assert BOOKS.is_indexed_by([books.c.author_id])
    assert BOOKS.is_indexed_by([books.c.title, books.c.author_id])
    assert not BOOKS.is_indexed_by([books.c.title])
    assert not BOOKS.is_indexed_by([tags.c.key])
    assert not through.is_indexed_by([books.c.author_id])


KEYS = [
    ([books.c.id], [3, 1, 9]),
    ([books.c.title], ["stars", "it's", 'é\n"\\', ""]),
    ([books.c.room, books.c.number], [("A", 1), ("B", 1), ("é", 7)]),
    ([books.c.id], []),
]


@pytest.mark.parametrize(("columns", "given"), KEYS)
def test_keys_as_rows(run, dialect, columns, given):
    """They come back as they were, in their places, however many there are."""
    keys = Keys.of(columns, dialect)
    found = run(select(keys.place, *keys.columns).order_by(keys.place), **key_values(given, len(columns), dialect))

    expected = given if len(columns) > 1 else [(key,) for key in given]
    assert [tuple(row) for row in found] == [(place, *key) for place, key in enumerate(expected)]


@pytest.mark.parametrize(("columns", "ids"), [(KEYS[0], [1, 3]), (KEYS[1], [5]), (KEYS[2], [1, 3, 4]), (KEYS[3], [])])
def test_rows_among_keys(run, dialect, columns, ids):
    """Those that have one of the keys, each once."""
    to, given = columns
    query = select(books.c.id).where(among(to, dialect)).order_by(books.c.id)

    assert [row[0] for row in run(query, **key_values(given, len(to), dialect))] == ids


def test_a_statement_takes_many_values(run):
    """Constants of its own beside those that are bound when it runs; also a list, and a percent sign."""
    query = select(books.c.title).where(books.c.id.in_([1, 2, 4]), books.c.title.like("%e%"), books.c.title != "notes")
    assert [tuple(row) for row in run(query.order_by(books.c.id))] == [("engine",), ("algebra",)]


def test_the_character_nul():
    """It is refused in values and in constants: PostgreSQL has no texts with it, and others cut them off."""
    assert checked("a") == "a"
    assert checked(0) == 0
    with pytest.raises(Unreadable):
        checked("a\0b")


def test_constants_are_checked(dialect):
    """Before the statement can be run."""
    with pytest.raises(Unreadable):
        Statement.of(select(column("a")).where(column("a") == "\0"), dialect)


def test_a_table_of_two_keys_of_one_name(run):
    """Parameters of ours are never called as SQLAlchemy calls its own after columns."""
    odd = Table("odd", MetaData(), Column("key", Integer), Column("keys", String))
    text = str(select(odd).where(odd.c.key == 1, odd.c["keys"] == "a"))

    assert ":key_1" in text
    assert ":keys_1" in text
