"""A small library, for tests of the engine: tables, nouns over them, and readers that give rows at once or later.

Authors lead to their books by an index, books to their reviews without one, books to shelves by two columns, to tags
through a table between, and authors to their teachers in the same table.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Annotated, Any

import strawberry
from graphql import ExecutionContext, ExecutionResult, GraphQLSchema, execute, parse, validate
from sqlalchemy import Column, Double, Integer, MetaData, Select, String, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from lineage_api.engine import tables
from lineage_api.engine.levels import Call, Level
from lineage_api.engine.nouns import Connection, arrow, batch, column, either, given, interface, noun, resolved
from lineage_api.engine.orders import By
from lineage_api.engine.schema import columnar
from lineage_api.engine.sql import Bound, Late, Rows, Statement
from tests.engine.context import OURS
from tests.stores import POSTGRESQL

metadata = MetaData()


def table(name: str, *columns: Column[Any]) -> Table:
    return Table(name, metadata, *columns)


authors = table(
    "authors",
    Column("id", Integer, primary_key=True, index=True),
    Column("name", String),
    Column("born", Integer),
    Column("teacher_id", Integer),
)
books = table(
    "books",
    Column("id", Integer, primary_key=True, index=True),
    Column("author_id", Integer, index=True),
    Column("title", String),
    Column("year", Integer),
    Column("price", Double),
    Column("room", String),
    Column("number", Integer),
    Column("next_to", String),
)
shelves = table(
    "shelves",
    Column("room", String, primary_key=True, index=True),
    Column("number", Integer, primary_key=True),
    Column("label", String),
)
reviews = table(
    "reviews",
    Column("id", Integer, primary_key=True),
    Column("book_id", Integer),
    Column("number", Integer),
    Column("stars", Integer),
)
book_tags = table("book_tags", Column("book_id", Integer), Column("key", String))
tags = table("tags", Column("key", String, primary_key=True), Column("meaning", String))

ROWS: Mapping[Table, Sequence[tuple[Any, ...]]] = {
    authors: [(1, "ada", 1815, None), (2, "bob", None, 1), (3, "eve", 1903, 1), (4, "kim", 1990, 9)],
    books: [
        (1, 1, "notes", 1843, 9.5, "A", 1, "A/2"),
        (2, 1, "engine", 1842, None, "A", 2, "nowhere"),
        (3, 1, "letters", None, 3.0, "B", 1, None),
        (4, 2, "algebra", 1843, 7.0, "A", 1, "A/2"),
        (5, 3, "stars", 1950, 12.0, None, 1, "C/9"),
    ],
    shelves: [("A", 1, "first"), ("A", 2, "second"), ("B", 1, None)],
    reviews: [(1, 1, 1, 5), (2, 1, 2, 3), (3, 1, 3, None), (4, 4, 1, 4), (5, 5, 1, 4), (6, 5, 2, 5)],
    book_tags: [(1, "math"), (1, "old"), (2, "old"), (4, "math"), (4, "lost")],
    tags: [("math", "of numbers"), ("old", "of another century")],
}

AUTHORS, BOOKS, SHELVES, REVIEWS, TAGS = map(Rows.of, (authors, books, shelves, reviews, tags))
TAGGED = TAGS.through(book_tags, book_tags.c.key == tags.c.key)


class Loud:
    """A service."""

    def all(self, words: Sequence[str]) -> list[str]:
        return [f"{word}!" for word in words]


class BookField(Enum):
    TITLE = "title"
    YEAR = "year"
    PRICE = "price"


BookField = strawberry.enum(BookField, description="What books are sorted by.")  # type: ignore[misc]


@given
class BookOrder:
    """An order of books."""

    field: BookField
    """By what."""
    is_descending: bool = False
    """Whether the greatest come first."""


def described(text: str) -> Any:
    return strawberry.argument(description=text)


Title = Annotated[Bound[str], described("Its title.")]
Year = Annotated[int, described("Its year.")]
Ids = Annotated[list[int], described("Some IDs.")]
Id = Annotated[int, described("An ID.")]
Times = Annotated[int, described("How often.")]
OrderBy = Annotated[list[BookOrder], described("In what order.")]


def narrow_books(rows: Select[Any], title: Title | None = None, year: Year | None = None) -> Select[Any]:
    if title is not None:
        rows = rows.where(books.c.title == title)
    return rows if year is None else rows.where(books.c.year == year)


def book_order(order_by: OrderBy | None = None) -> list[By]:
    terms = [By(books.c[o.field.value], o.is_descending, o.field is not BookField.TITLE) for o in order_by or ()]
    return [*terms, By(books.c.id)]


def with_ids(rows: Select[Any], ids: Ids | None = None) -> Select[Any]:
    return rows if ids is None else rows.where(authors.c.id.in_(ids))


def with_id(rows: Select[Any], id: Id) -> Select[Any]:
    return rows.where(books.c.id == id)


Before = Annotated[int, Late(lambda year: year + 1), described("Books of this year or of one before it.")]


def written_before(rows: Select[Any], before: Before | None = None) -> Select[Any]:
    return rows.where(books.c.year < before)


def of_tag(rows: Select[Any], title: Title) -> Select[Any]:
    return rows.where(books.c.title == title)


def century(year: int | None) -> int | None:
    if year == 1950:
        raise ValueError("1950 is in doubt")
    return None if year is None else year // 100 + 1


def rated(stars: int | None) -> str | None:
    if stars == 4:
        raise ValueError("4 is not enough to say")
    return stars and "*" * stars


def beside(text: str | None) -> tuple[str, int] | None:
    room, _, number = (text or "").partition("/")
    return (room, int(number)) if number else None


def several_books(titles: Sequence[str]) -> ValueError:
    return ValueError(f"There are several: {', '.join(sorted(titles))}.")


def lengths(titles: Sequence[str]) -> list[int]:
    return list(map(len, titles))


async def later_lengths(titles: Sequence[str]) -> list[Any]:
    await asyncio.sleep(0)
    return [ValueError("too long") if title == "letters" else len(title) for title in titles]


def failing(titles: Sequence[str]) -> list[str]:
    raise ValueError("no batch today")


async def failing_later(titles: Sequence[str]) -> list[str]:
    await asyncio.sleep(0)
    raise ValueError("no batch tomorrow")


def too_few(titles: Sequence[str]) -> list[str]:
    return list(titles)[1:]


def repeated(loud: Loud, titles: Sequence[str], times: Times = 1) -> list[str]:
    return loud.all([title * times for title in titles])


class Careless(Level):
    """Uses a column that it does not name."""

    def resolve(self, call: Call) -> Any:
        return call.column("price")


def _things(ids: Annotated[list[str], described("Such as `a1`.")]) -> None:
    """The arguments of `things`."""


class Things(Level):
    """Authors and books by names such as `a1` and `b2`; null for what is neither."""

    def resolve(self, call: Call) -> Any:
        named = [(id_[:1], int(id_[1:])) for id_ in call.arguments["ids"]]
        parts, places = {}, {}
        for letter, name, source in (("a", "Author", authors), ("b", "Book", books)):
            rows = ROWS[source]
            parts[name] = tables.Table.of([column.name for column in source.c], rows)
            places |= {(letter, row[0]): (name, index) for index, row in enumerate(rows)}
        return tables.Grouped(
            tables.Mixed(parts, [places.get(each) for each in named]), [len(named)] * len(call.parents)
        )


@interface
class Named:
    """What has a name."""

    name: str
    """Its name."""


@noun
class Tag:
    """A tag."""

    key: str = column(TAGS.c.key)
    """What it is called."""
    meaning: str = column(TAGS.c.meaning)
    """What it says."""


@noun
class Shelf:
    """A shelf."""

    room: str = column(SHELVES.c.room)
    """Its room."""
    label: str = column(SHELVES.c.label)
    """What is written on it: for one, nothing, which the schema does not allow."""
    tags: Connection[Tag] = arrow(
        TAGGED.through(books, books.c.id == book_tags.c.book_id).where(tags.c.key != "lost"),
        of=[SHELVES.c.room, SHELVES.c.number],
        to=[books.c.room, books.c.number],
        order=[tags.c.key, books.c.id],
    )
    """Those of its books."""


@noun
class Review:
    """A review."""

    number: int = column(REVIEWS.c.number)
    """The how many-th of its book it is."""
    stars: int | None = column(REVIEWS.c.stars)
    """How good the book is."""


@noun
class Book(Named):
    """A book."""

    id: int = column(BOOKS.c.id)
    """Its ID."""
    name: str = column(BOOKS.c.title)
    """Its title."""
    year: int | None = column(BOOKS.c.year)
    """When it was written."""
    price: float | None = column(BOOKS.c.price)
    """What it costs."""
    century: int | None = column(BOOKS.c.year, convert=century)
    """When, by and large; for one year nobody can say."""
    older: str = either(
        "before",
        arrow(
            BOOKS,
            of=BOOKS.c.author_id,
            to=BOOKS.c.author_id,
            order=[BOOKS.c.year],
            narrow=written_before,
            value=BOOKS.c.title,
            default="none",
        ),
        column(BOOKS.c.title),
    )
    """The oldest book of its author, of a year at most; itself, where none is given."""
    label: str = column(BOOKS.c.title, BOOKS.c.year, convert=lambda title, year: f"{title} ({year or '?'})")
    """Its title and year."""
    initial: str = column(BOOKS.c.title, convert_all=lambda titles: [title[0] for title in titles])
    """How its title begins."""
    author: "Author" = arrow(AUTHORS, of=BOOKS.c.author_id, to=AUTHORS.c.id)
    """Who wrote it."""
    shelf: Shelf | None = arrow(SHELVES, of=[BOOKS.c.room, BOOKS.c.number], to=[SHELVES.c.room, SHELVES.c.number])
    """Where it is."""
    beside: Shelf | None = arrow(SHELVES, of=BOOKS.c.next_to, to=[SHELVES.c.room, SHELVES.c.number], key=beside)
    """Where it is next to, as somebody wrote down."""
    tags: list[Tag] = arrow(TAGGED, of=BOOKS.c.id, to=book_tags.c.book_id, order=[TAGS.c.key])
    """Its tags."""
    tag_keys: list[str] = arrow(
        TAGGED, of=BOOKS.c.id, to=book_tags.c.book_id, order=[TAGS.c.key], value=TAGS.c.key, convert=str.upper
    )
    """What they are called."""
    reviews: Connection[Review] = arrow(
        REVIEWS, of=BOOKS.c.id, to=REVIEWS.c.book_id, order=[By(REVIEWS.c.stars, True, True), By(REVIEWS.c.number)]
    )
    """The best first."""
    stars: int | None = arrow(
        REVIEWS, of=BOOKS.c.id, to=REVIEWS.c.book_id, order=[REVIEWS.c.number], value=REVIEWS.c.stars
    )
    """What the first review says."""
    rating: str | None = arrow(
        REVIEWS, of=BOOKS.c.id, to=REVIEWS.c.book_id, order=[REVIEWS.c.number], value=REVIEWS.c.stars, convert=rated
    )
    """The same as stars; for some reviews nobody can say."""
    length: int = batch(lengths, BOOKS.c.title)
    """How long its title is."""
    later_length: int | None = batch(later_lengths, BOOKS.c.title)
    """The same, later."""
    failing: str | None = batch(failing, BOOKS.c.title)
    """What cannot be told."""
    failing_later: str | None = batch(failing_later, BOOKS.c.title)
    """What cannot be told later."""
    too_few: str | None = batch(too_few, BOOKS.c.title)
    """What is told of too few."""
    repeated: str = batch(repeated, BOOKS.c.title, service=Loud)
    """Its title, aloud."""
    careless: float | None = resolved(Careless())
    """What was not read."""


@noun
class Author(Named):
    """An author."""

    id: int = column(AUTHORS.c.id)
    """Their ID."""
    name: str = column(AUTHORS.c.name)
    """Their name."""
    born: int | None = column(AUTHORS.c.born)
    """When they were born."""
    birth: int = column(AUTHORS.c.born)
    """The same, though not all of them say so."""
    teacher: "Author | None" = arrow(AUTHORS, of=AUTHORS.c.teacher_id, to=AUTHORS.c.id)
    """Who taught them."""
    pupils: "list[Author]" = arrow(AUTHORS, of=AUTHORS.c.id, to=AUTHORS.c.teacher_id, order=[AUTHORS.c.name])
    """Whom they taught."""
    books: "Connection[Book]" = arrow(
        BOOKS, of=AUTHORS.c.id, to=BOOKS.c.author_id, order=book_order, narrow=narrow_books, size=10, most=10
    )
    """What they wrote."""
    all_books: "list[Book]" = arrow(
        BOOKS, of=AUTHORS.c.id, to=BOOKS.c.author_id, order=[BOOKS.c.title], narrow=narrow_books
    )
    """The same as a list."""
    book: "Book | None" = arrow(
        BOOKS, of=AUTHORS.c.id, to=BOOKS.c.author_id, narrow=narrow_books, ambiguous=(BOOKS.c.title, several_books)
    )
    """The only one."""
    mislaid: "list[Book]" = arrow(REVIEWS, of=AUTHORS.c.id, to=REVIEWS.c.book_id)
    """Books, as a programmer thinks who took the wrong table."""


@noun
class Query:
    """What can be asked."""

    authors: list[Author] = arrow(AUTHORS, order=[AUTHORS.c.id], narrow=with_ids)
    """Authors by their IDs, or all."""
    author_pages: Connection[Author] = arrow(AUTHORS, order=[AUTHORS.c.name])
    """Authors by name."""
    books: list[Book] = arrow(BOOKS, order=[BOOKS.c.id])
    """All books."""
    book: Book | None = arrow(BOOKS, narrow=with_id)
    """A book by its ID."""
    things: list[Named | None] = resolved(Things(), _things)
    """Whatever has a name."""


@strawberry.type
class Mutation:
    @strawberry.mutation
    def review(self, info: strawberry.Info, book: int, stars: int) -> Book:
        info.context.reader.run("INSERT INTO reviews VALUES (?, ?, 9, ?)", (100 + stars, book, stars))
        if stars < 0:
            raise ValueError("That bad?")
        return SimpleNamespace(id=book)  # type: ignore[return-value]


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def written(self, ids: list[int]) -> AsyncIterator[Book]:
        for id_ in ids:
            await asyncio.sleep(0)
            yield SimpleNamespace(id=id_, title=f"book {id_}", author_id=id_)  # type: ignore[misc]


def new_schema() -> GraphQLSchema:
    """The schema of the library, with memos and plans of its own."""
    return columnar(strawberry.Schema(Query, Mutation, Subscription, types=[Author, Book]))


SCHEMA = new_schema()


class SQLiteReader:
    """Gives rows of a SQLite database at once, and notes the statements."""

    dialect = sqlite.dialect(paramstyle="qmark")

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:")
        self.statements: list[Statement] = []

    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        self._connection.execute(statement, values)

    def fill(self, rows: Mapping[Table, Sequence[Sequence[Any]]]) -> None:
        """Makes tables with some rows."""
        for source, values in rows.items():
            self.run(f"{CreateTable(source).compile(dialect=self.dialect)}")
            self._insert(source, values)

    def _insert(self, source: Table, values: Sequence[Sequence[Any]]) -> None:
        marks = ", ".join("?" * len(source.c))
        self._connection.executemany(f"INSERT INTO {source.name} VALUES ({marks})", values)

    def fetch(self, statement: Statement, values: Mapping[str, Any]) -> Any:
        self.statements.append(statement)
        return self._connection.execute(statement.text, statement.parameters(values)).fetchall()

    def close(self) -> None:
        self._connection.close()


class PostgreSQLReader(SQLiteReader):
    """The same of PostgreSQL, in tables that nobody else sees."""

    dialect = postgresql.psycopg.dialect()

    def __init__(self) -> None:
        import psycopg

        self._connection: Any = psycopg.connect(f"{POSTGRESQL}/postgres", autocommit=True)
        self.statements = []

    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        statement = statement.replace("CREATE TABLE", "CREATE TEMPORARY TABLE")
        super().run(statement.replace("?", "%s"), values)

    def _insert(self, source: Table, values: Sequence[Sequence[Any]]) -> None:
        marks = ", ".join(["%s"] * len(source.c))
        with self._connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {source.name} VALUES ({marks})", values)


class LaterReader:
    """The same rows, later."""

    def __init__(self, reader: Any) -> None:
        self.dialect = reader.dialect
        self._reader = reader

    async def fetch(self, statement: Statement, values: Mapping[str, Any]) -> Any:
        await asyncio.sleep(0)
        return self._reader.fetch(statement, values)


@contextmanager
def opened(kind: str, rows: Mapping[Table, Sequence[Sequence[Any]]] = ROWS) -> Iterator[Any]:
    """A reader of tables with these rows."""
    reader = SQLiteReader() if kind == "sqlite" else PostgreSQLReader()
    try:
        reader.fill(rows)
        yield reader
    finally:
        reader.close()


@dataclass
class Context:
    """What an operation has at hand."""

    reader: Any
    max_page: int = 25
    services: Mapping[type, Any] = field(default_factory=lambda: {Loud: Loud()})

    def service(self, kind: type) -> Any:
        return self.services[kind]


@dataclass
class Library:
    """The library, to be asked; each answer is compared with graphql-core's own."""

    reader: Any
    schema: GraphQLSchema = SCHEMA

    @property
    def cost(self) -> int:
        """How many statements our last answer took."""
        return len(self.statements)

    def tell(self, query: str, **variables: Any) -> tuple[Any, list[tuple[str, Any]]]:
        """Data and errors, each as its message and path."""
        theirs = told(self.executed(query, variables, ExecutionContext))
        self.reader.statements.clear()
        ours = told(self.executed(query, variables, OURS))
        self.statements = list(self.reader.statements)
        assert (repr(ours[0]), ours[1]) == (repr(theirs[0]), theirs[1]), f"{ours}\nis not\n{theirs}"
        return ours

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        data, errors = self.tell(query, **variables)
        assert errors == []
        return data

    def executed(self, query: str, variables: Any, context: type[ExecutionContext], reader: Any = None) -> Any:
        """What an executor makes of a query."""
        document = parse(query)
        assert not validate(self.schema, document)
        result = execute(
            self.schema,
            document,
            context_value=Context(reader or self.reader),
            variable_values=variables,
            execution_context_class=context,
        )
        return result if isinstance(result, ExecutionResult) else asyncio.run(awaited(result))


async def awaited(result: Any) -> ExecutionResult:
    return await result  # type: ignore[no-any-return]


def told(result: ExecutionResult) -> tuple[Any, list[tuple[str, Any]]]:
    """Data and errors of a result, in the order of paths."""
    return result.data, sorted(((e.message, e.path) for e in result.errors or ()), key=repr)
