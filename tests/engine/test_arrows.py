"""Relations: what they find, what they cost, and which statements they run."""

import pytest
from graphql import execute_sync, parse

from lineage_api.engine import kept
from tests.engine.context import OURS
from tests.engine.library import Context, books, new_schema

NO_NULL = "Cannot return null for non-nullable field {}."


def test_one_for_each_parent(library):
    """By one column or by several; none where a part of the key is null, or nothing has that key."""
    answer = library.ask("{ books { author { name } shelf { room } } }")

    rooms = ["A", "A", "B", "A", None]
    assert [book["shelf"] and book["shelf"]["room"] for book in answer["books"]] == rooms
    assert [book["author"]["name"] for book in answer["books"]] == ["ada", "ada", "ada", "bob", "eve"]
    assert library.cost == 3


def test_a_key_that_is_worked_out(library):
    """From the parent's columns, by a function; where it gives None there is nothing."""
    answer = library.ask("{ books { beside { label } } }")

    assert [book["beside"] and book["beside"]["label"] for book in answer["books"]] == [
        "second", None, None, "second", None,
    ]  # fmt: skip


def test_nothing_to_look_for(library):
    """Where no parent has a key, no statement is run."""
    assert library.ask("{ book(id: 3) { beside { label } } }") == {"book": {"beside": None}}
    assert library.cost == 1
    assert library.ask("{ book(id: 5) { shelf { room } } }") == {"book": {"shelf": None}}
    assert library.cost == 1
    assert library.ask("{ authors(ids: []) { teacher { name } pupils { name } books { totalCount } } }") == {
        "authors": []
    }
    assert library.cost == 1


def test_a_list_for_each_parent(library):
    """In its order, by an index, without one, and through a table between; empty where there is nothing."""
    query = "{ authors { allBooks { name tags { key meaning } } pupils { name } } }"

    assert library.ask(query)["authors"] == [
        {
            "allBooks": [
                {"name": "engine", "tags": [{"key": "old", "meaning": "of another century"}]},
                {"name": "letters", "tags": []},
                {
                    "name": "notes",
                    "tags": [{"key": "math", "meaning": "of numbers"}, {"key": "old", "meaning": "of another century"}],
                },
            ],
            "pupils": [{"name": "bob"}, {"name": "eve"}],
        },
        {"allBooks": [{"name": "algebra", "tags": [{"key": "math", "meaning": "of numbers"}]}], "pupils": []},
        {"allBooks": [{"name": "stars", "tags": []}], "pupils": []},
        {"allBooks": [], "pupils": []},
    ]
    assert library.cost == 4


def test_values_in_place_of_rows(library):
    """A list of values, converted, or the first of them."""
    assert library.ask("{ books { tagKeys stars } }")["books"] == [
        {"tagKeys": ["MATH", "OLD"], "stars": 5},
        {"tagKeys": ["OLD"], "stars": None},
        {"tagKeys": [], "stars": None},
        {"tagKeys": ["MATH"], "stars": 4},
        {"tagKeys": [], "stars": 4},
    ]


def test_a_value_of_a_row_that_cannot_be_converted(library):
    """It is an error of its own parent."""
    data, errors = library.tell("{ books { rating } }")

    assert [book["rating"] for book in data["books"]] == ["*****", None, None, None, None]
    assert errors == [("4 is not enough to say", ["books", place, "rating"]) for place in (3, 4)]


def test_parents_with_the_same_key(library):
    """They have the same rows, which are read once; lists are not mixed up."""
    query = "{ books { author { name allBooks { name } pupils { name } } } }"
    found = library.ask(query)["books"]

    assert [len(book["author"]["allBooks"]) for book in found] == [3, 3, 3, 1, 1]
    assert found[0] == found[1] == found[2]
    assert library.cost == 4


def test_the_same_row_in_many_places_below(library):
    """Teachers of pupils are one row again and again, each with its own list."""
    answer = library.ask("{ authors { pupils { teacher { name pupils { name } tagged: allBooks { tagKeys } } } } }")

    ada = {"name": "ada", "pupils": [{"name": "bob"}, {"name": "eve"}]}
    ada["tagged"] = [{"tagKeys": ["OLD"]}, {"tagKeys": []}, {"tagKeys": ["MATH", "OLD"]}]
    assert answer["authors"][0]["pupils"] == [{"teacher": ada}, {"teacher": ada}]


def test_an_error_in_a_row_that_parents_share(library):
    """It is told for each of them."""
    data, errors = library.tell("{ authors { pupils { name teacher { name pupils { birth } } } } }")

    assert data["authors"][0]["pupils"] == [{"name": "bob", "teacher": None}, {"name": "eve", "teacher": None}]
    assert errors == [
        (NO_NULL.format("Author.birth"), ["authors", 0, "pupils", pupil, "teacher", "pupils", 0, "birth"])
        for pupil in (0, 1)
    ]


def test_several_where_there_may_be_one(library):
    """That parent has an error that names them; the others have theirs."""
    library.reader.run("INSERT INTO books (id, author_id, title) VALUES (6, 2, 'more')")
    data, errors = library.tell("{ authors { book { year } } }")

    assert [author["book"] for author in data["authors"]] == [None, None, {"year": 1950}, None]
    assert errors == [
        ("There are several: algebra, more.", ["authors", 1, "book"]),
        ("There are several: engine, letters, notes.", ["authors", 0, "book"]),
    ]


def test_the_only_one_that_is_left(library):
    """Arguments narrow what there may be one of."""
    answer = library.ask('{ authors { book(title: "notes") { name } other: book(year: 1843) { name } } }')

    assert answer["authors"][:2] == [
        {"book": {"name": "notes"}, "other": {"name": "notes"}},
        {"book": None, "other": {"name": "algebra"}},
    ]


@pytest.fixture
def texts(library):
    """The statements of a document, run again and again with other variables; plans are kept in between."""
    schema = new_schema()

    def texts(query, *variables):
        document, found = parse(query), []
        for values in variables:
            library.reader.statements.clear()
            context = Context(library.reader)
            execute_sync(schema, document, None, context, values, execution_context_class=OURS)
            found.append(library.reader.statements[-1])
        return found

    return texts


def test_a_statement_is_compiled_once(texts):
    """For all values of arguments that are bound late, as many parents as there are."""
    query = "query ($ids: [Int!], $title: String) { authors(ids: $ids) { book(title: $title) { name } } }"
    first, second, third = texts(
        query, {"title": "notes"}, {"title": "x", "ids": [1, 2]}, {"title": "algebra", "ids": [2]}
    )

    assert first is second is third


def test_other_arguments_make_other_statements(texts):
    """Which are given makes one, and not their values, also where the function is given these."""
    query = "query ($title: String, $year: Int) { authors { book(title: $title, year: $year) { name } } }"
    given = [{}, {"title": None}, {"title": "x"}, {"year": 1843}, {"year": 1950}, {"year": 1843}]
    none, null, late, early, other, again = texts(query, *given)

    assert early is other is again
    assert len({statement.text for statement in (none, null)}) == 1
    assert len({statement.text for statement in (none, late, early)}) == 3


def test_values_of_one_statement(library):
    """Each question has its own, of one value or several, in one field or several."""
    query = """query ($ids: [Int!], $year: Int, $other: Int) {
        authors(ids: $ids) { name a: book(year: $year) { name } b: book(year: $other) { name } }
    }"""
    for ids in ([1], [2], [3], [1, 2], [2, 3], []):
        for year, other in ((1843, 1950), (1950, 1843), (1843, 1843)):
            library.ask(query, ids=ids, year=year, other=other)


def test_statements_that_are_kept_are_bounded(texts, monkeypatch):
    """However many values are asked for."""
    monkeypatch.setattr(kept, "MAX_OF_A_MEMO", 3)
    query = "query ($ids: [Int!]) { authors(ids: $ids) { name } }"
    found = texts(query, *({"ids": list(range(count))} for count in [1, 1, 2, 3, 4, 1]))

    assert found[0] is found[1]
    assert found[0] is not found[5]
    assert found[0].text == found[5].text


def test_a_text_that_databases_do_not_take(library):
    """It is refused before it comes to them, whether it is bound late or part of the statement."""
    data, errors = library.tell(
        r'{ authors { book(title: "a\u0000") { name } books(title: "\u0000") { totalCount } } }'
    )

    assert data is None
    assert {message for message, _ in errors} == {"A text must not contain the character NUL."}


FRAGMENTS = """{ authors { books { edges { node { ...N } } ...P } } } fragment N on Named { name }
fragment P on BookConnection { edges { cursor node { id } } nodes { year } }"""


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("{ books { name } }", {"title"}),
        ("{ books { label again: year @skip(if: true) } }", {"title", "year"}),
        ("{ books { __typename } }", {"id"}),
        ("{ books { ...N ... { i: initial } } } fragment N on Named { n: name }", {"title"}),
        ("{ books { shelf { room } repeated } }", {"title", "room", "number"}),
        ("{ authors { allBooks { author { name } } } }", {"author_id"}),
        ("{ authors { books { nodes { price } edges { node { tags { key } a: year } } } } }", {"price", "id", "year"}),
        (FRAGMENTS, {"title", "id", "year"}),
        ("{ books { older } }", {"title"}),
        ("{ books { older(before: null) } }", {"title", "author_id"}),
        ("{ authors { books { edges { node { year } } } books { edges { node { price } } } } }", {"year", "price"}),
    ],
)
def test_only_what_is_needed_is_read(library, query, columns):
    """The columns that the selected fields need, wherever they are selected, and no others."""
    library.ask(query)
    [text] = [each.text for each in library.statements if " books" in each.text]
    selected = [part.strip() for part in text.split("FROM")[0].split(",") if " AS order_" not in part]

    assert {c.name for c in books.c if any(part.endswith(f".{c.name}") for part in selected)} == columns
