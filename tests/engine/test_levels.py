"""Fields that are resolved for a whole level: columns, batch functions, rows of many types, changes and events."""

import pytest
from graphql import parse

from lineage_api.engine import subscribe
from lineage_api.engine.levels import LEVEL
from tests.engine.context import OURS
from tests.engine.library import Context, LaterReader, new_schema, told

NO_NULL = "Cannot return null for non-nullable field {}."


def test_columns(library):
    """As they are, converted one by one, made of several, or converted a column at a time."""
    assert library.ask("{ books { name year price century: century @skip(if: true) label initial } }")["books"][:2] == [
        {"name": "notes", "year": 1843, "price": 9.5, "label": "notes (1843)", "initial": "n"},
        {"name": "engine", "year": 1842, "price": None, "label": "engine (1842)", "initial": "e"},
    ]


def test_a_value_that_cannot_be_converted(library):
    """It is an error of its own row; the others are as they were."""
    data, errors = library.tell("{ books { century } }")

    assert [book["century"] for book in data["books"]] == [19, 19, None, 19, None]
    assert errors == [("1950 is in doubt", ["books", 4, "century"])]


def test_null_where_it_is_not_allowed(library):
    """The object above is null, or what is above that, up to where null is allowed."""
    first, second = {"shelf": {"label": "first"}}, {"shelf": {"label": "second"}}
    assert library.tell("{ books { shelf { label } } }") == (
        {"books": [first, second, {"shelf": None}, first, {"shelf": None}]},
        [(NO_NULL.format("Shelf.label"), ["books", 2, "shelf", "label"])],
    )
    assert library.tell("{ authors { birth } }") == (
        None,
        [(NO_NULL.format("Author.birth"), ["authors", 1, "birth"])],
    )


def test_a_field_that_is_resolved_in_two_ways(library):
    """By a relation where the argument is given; else, and where it is null, by a column, at no further cost."""
    query = "query ($before: Int) { books { older null: older(before: null) year: older(before: $before) } }"

    titles = ["notes", "engine", "letters", "algebra", "stars"]
    each = [{"older": title, "null": title, "year": title} for title in titles]
    assert library.ask(query) == {"books": each}
    assert library.cost == 1

    older = ["engine", "engine", "engine", "none", "none"]
    for book, title in zip(each, older, strict=True):
        book["year"] = title
    assert library.ask(query, before=1842) == {"books": each}
    assert library.cost == 2


def test_a_batch_function(library):
    """It is called once for a level, at once or later; what it returns may be errors."""
    data, errors = library.tell("{ books { length laterLength } }")

    assert data["books"][1:3] == [{"length": 6, "laterLength": 6}, {"length": 7, "laterLength": None}]
    assert errors == [("too long", ["books", 2, "laterLength"])]


def test_a_batch_function_with_arguments_and_a_service(library):
    """The service comes from the context, the arguments from the query."""
    query = "query ($n: Int) { book(id: 4) { repeated twice: repeated(times: 2) some: repeated(times: $n) } }"

    assert library.ask(query, n=3)["book"] == {
        "repeated": "algebra!",
        "twice": "algebraalgebra!",
        "some": "algebraalgebraalgebra!",
    }


def test_a_batch_function_that_fails(library):
    """That is an error of each parent."""
    data, errors = library.tell("{ authors { books(first: 1) { nodes { failing failingLater } } } }")

    assert data["authors"][1] == {"books": {"nodes": [{"failing": None, "failingLater": None}]}}
    paths = [["authors", i, "books", "nodes", 0] for i in range(3)]
    today = [("no batch today", [*path, "failing"]) for path in paths]
    assert errors == today + [("no batch tomorrow", [*path, "failingLater"]) for path in paths]


def test_a_batch_function_that_gives_too_little(library):
    """What it gave is not taken for others' values."""
    data, errors = told(library.executed("{ books { tooFew } }", {}, OURS))

    assert data == {"books": [{"tooFew": None}] * 5}
    message = "Book.tooFew was resolved for 5 parents and gave 4 values."
    assert errors == [(message, ["books", i, "tooFew"]) for i in range(5)]


def test_a_column_that_a_level_did_not_name(library):
    """The programmer is told which."""
    _, errors = told(library.executed("{ book(id: 1) { careless } }", {}, OURS))

    message = "The column price was not read: the field that uses it does not name it."
    assert errors == [(message, ["book", "careless"])]


def test_columns_that_rows_lack(library):
    """An arrow to the wrong rows says which columns it misses."""
    _, errors = told(library.executed("{ authors { mislaid { name } } }", {}, OURS))

    assert errors == [("reviews has no column title.", ["authors", 0, "mislaid"])]


def test_rows_of_several_types(library):
    """Each is of its own type, in its place; nulls and errors keep theirs."""
    query = """query ($ids: [String!]!) { things(ids: $ids) {
        name __typename ... on Author { books { totalCount } teacher { ...N } } ... on Book { century author { ...N } }
    } } fragment N on Named { name }"""
    data, errors = library.tell(query, ids=["b5", "a1", "x1", "b1", "a1"])

    ada = {"name": "ada", "__typename": "Author", "books": {"totalCount": 3}, "teacher": None}
    assert data["things"] == [
        {"name": "stars", "__typename": "Book", "century": None, "author": {"name": "eve"}},
        ada,
        None,
        {"name": "notes", "__typename": "Book", "century": 19, "author": {"name": "ada"}},
        ada,
    ]
    assert errors == [("1950 is in doubt", ["things", 0, "century"])]


def test_an_error_in_a_row_of_several_types(library):
    """It is told wherever the row stands."""
    data, errors = library.tell("""{ things(ids: ["a2", "b1", "a2"]) { name ... on Author { birth } } }""")

    assert data == {"things": [None, {"name": "notes"}, None]}
    assert errors == [(NO_NULL.format("Author.birth"), ["things", place, "birth"]) for place in (0, 2)]


def test_a_row_that_must_be_there(library):
    """Where it has an error that nulls it, its parent is null too."""
    data, errors = library.tell("""{ things(ids: ["b4", "b1"]) { ... on Book { author { name birth } } } }""")

    assert data == {"things": [None, {"author": {"name": "ada", "birth": 1815}}]}
    assert errors == [(NO_NULL.format("Author.birth"), ["things", 0, "author", "birth"])]


EVERYTHING = """query ($skip: Boolean = false, $title: String = "notes") {
    authors { name pupils { name } teacher { name } ...A
        books(first: 2, orderBy: {field: PRICE}) { totalCount edges { cursor node { ...B } } pageInfo { endCursor } } }
    authorPages(first: 2) { nodes { allBooks(title: $title) { ...B } } pageInfo { hasNextPage } }
    things(ids: ["b3", "a3", "b1"]) { name ...A ...B }
}
fragment A on Author { born @skip(if: $skip) book(title: $title) { ...B } }
fragment B on Book {
    name year shelf { room } beside { label } tags { key meaning } tagKeys stars laterLength repeated(times: 2)
    reviews(first: 2) { nodes { number stars } totalCount }
}"""


@pytest.mark.parametrize("skip", [True, False])
def test_no_field_is_resolved_one_by_one(library, skip):
    """Whatever is asked for, the resolvers that other executors call are not called by ours."""
    library.tell(EVERYTHING, skip=skip)
    expected = told(library.executed(EVERYTHING, {"skip": skip}, OURS))
    library.schema = new_schema()
    for type_ in library.schema.type_map.values():
        for field in getattr(type_, "fields", {}).values():
            if LEVEL in field.extensions:
                field.resolve = None

    assert told(library.executed(EVERYTHING, {"skip": skip}, OURS)) == expected


def test_a_driver_that_gives_rows_later(library):
    """The answer and the statements are the same, whether the driver is asynchronous or not."""
    expected = library.tell(EVERYTHING)
    statements = {statement.text for statement in library.statements}
    library.reader.statements.clear()

    assert told(library.executed(EVERYTHING, {}, OURS, LaterReader(library.reader))) == expected
    assert {statement.text for statement in library.reader.statements} == statements


def test_a_statement_that_fails(library):
    """It is an error of all that it was to be read for, at once or later."""
    library.reader.run("DROP TABLE book_tags")
    data, errors = library.tell("{ authors { allBooks { tagKeys } } }")

    assert data is None
    [[message, path]] = errors
    assert "book_tags" in message
    assert path == ["authors", 0, "allBooks", 0, "tagKeys"]
    later = told(library.executed("{ authors { allBooks { tagKeys } } }", {}, OURS, LaterReader(library.reader)))
    assert later == (data, errors)


def test_changes_are_made_before_the_next_is_read(library):
    """Each root field of a mutation is answered, with all below it, before the next is begun."""
    document = """mutation {
        one: review(book: 2, stars: 4) { reviews { totalCount } }
        two: review(book: 2, stars: 5) { reviews(first: 1) { totalCount nodes { stars } } }
    }"""
    assert told(library.executed(document, {}, OURS)) == (
        {"one": {"reviews": {"totalCount": 1}}, "two": {"reviews": {"totalCount": 2, "nodes": [{"stars": 5}]}}},
        [],
    )


def test_changes_end_with_the_first_that_fails(library):
    """What was done before it stays, what stands after it is not done."""
    changes = (f"at{place}: review(book: 2, stars: {stars}) {{ id }}" for place, stars in enumerate([1, -1, 3]))
    document = f"mutation {{ {' '.join(changes)} }}"
    assert told(library.executed(document, {}, OURS)) == (None, [("That bad?", ["at1"])])
    assert library.ask("{ book(id: 2) { reviews { nodes { stars } } } }") == {
        "book": {"reviews": {"nodes": [{"stars": 1}, {"stars": -1}]}}
    }


async def test_each_event_of_a_subscription_is_answered_by_levels(library):
    """Also where the object that the event brings has attributes instead of columns."""
    document = parse("subscription { written(ids: [1, 5, 2]) { name length author { name books { totalCount } } } }")
    answers = await subscribe(library.schema, document, context_value=Context(LaterReader(library.reader)))

    assert [told(answer) async for answer in answers] == [
        ({"written": {"name": "book 1", "length": 6, "author": {"name": "ada", "books": {"totalCount": 3}}}}, []),
        (None, [(NO_NULL.format("Book.author"), ["written", "author"])]),
        ({"written": {"name": "book 2", "length": 6, "author": {"name": "bob", "books": {"totalCount": 1}}}}, []),
    ]
