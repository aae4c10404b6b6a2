"""Pages of lists: which rows are on them, in what order, and what cursors are good for."""

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
import pytest
from graphql import execute_sync, parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Double, Integer, MetaData, String, Table

from lineage_api.engine import tables
from lineage_api.engine.levels import Call, Everything, settled
from lineage_api.engine.orders import By
from lineage_api.engine.pages import Page
from lineage_api.engine.sql import Rows
from tests.engine.context import OURS
from tests.engine.library import Context, new_schema, opened
from tests.stores import POSTGRESQL, has_postgresql

REFUSED = "`after` is no cursor of this list in this order; pass an `endCursor` or `cursor` as it was given."


def items(name: str, *, is_indexed: bool) -> Table:
    return Table(
        name,
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("parent", Integer, index=is_indexed),
        Column("rank", Integer),
        Column("number", Integer),
        Column("size", Double),
        Column("word", String),
    )


INDEXED, PLAIN = items("indexed", is_indexed=True), items("plain", is_indexed=False)
PARENTS = [1, 2, 3, 4]


class Sort(NamedTuple):
    """A part of an order; `rank` and `id` are never null."""

    place: int
    is_descending: bool

    @property
    def can_be_null(self) -> bool:
        return self.place > 2


Row = tuple[Any, ...]

rows = st.lists(
    st.tuples(
        st.sampled_from(PARENTS[:3]),
        st.sampled_from([0, 1, 2**31 - 1]),
        st.sampled_from([0, 1, -1, None]),
        st.sampled_from([0.5, -1.5, 1e300, None]),
        st.sampled_from(["a", "b", "", None]),
    ),
    max_size=14,
).map(lambda made: [(number, *row) for number, row in enumerate(made)])
orders = st.tuples(
    st.lists(
        st.builds(Sort, st.sampled_from([2, 3, 4, 5]), st.booleans()), max_size=3, unique_by=lambda sort: sort.place
    ),
    st.builds(Sort, st.just(0), st.booleans()),
).map(lambda parts: [*parts[0], parts[1]])


def in_order(found: Sequence[Row], order: Sequence[Sort]) -> list[Row]:
    """Rows in an order, nulls last."""
    result = list(found)
    for sort in reversed(order):
        there = [row for row in result if row[sort.place] is not None]
        there.sort(key=lambda row: row[sort.place], reverse=sort.is_descending)
        result = there + [row for row in result if row[sort.place] is None]
    return result


class Read(NamedTuple):
    """A page of one parent."""

    ids: list[int]
    cursors: list[str]
    has_next: bool
    has_previous: bool


def read(
    reader: Any, table: Table, order: Sequence[Sort], parents: Sequence[int], first: int, after: Any
) -> list[Read]:
    """The same page of some parents."""
    columns = list(table.c)
    terms = [By(columns[sort.place], sort.is_descending, sort.can_be_null) for sort in order]
    page = Page(Rows.of(table), of=[Column("id")], to=[table.c.parent], order=terms)
    arguments = {"first": first, "after": after}
    call = Call(tables.Table({"id": parents}, len(parents)), arguments, Context(reader), Everything(), {})
    found = finished(settled(page.resolve(call)))
    ids, cursors = found.columns["nodes"].rows.column("id"), found.columns["edges"].rows.column("cursor")
    lengths, info = found.columns["nodes"].lengths, found.columns["pageInfo"]
    assert lengths == found.columns["edges"].lengths
    ends = [sum(lengths[: place + 1]) for place in range(len(lengths))]
    spans = [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]
    flags = zip(spans, info.column("hasNextPage"), info.column("hasPreviousPage"), strict=True)
    return [Read(list(ids[span]), list(cursors[span]), *others) for span, *others in flags]


def finished(steps: Any) -> Any:
    """What steps return that wait for nothing."""
    with pytest.raises(StopIteration) as stop:
        next(steps)
    return stop.value.value


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def reader(request):
    """A reader of both tables, on each database."""
    if request.param == "postgresql" and not has_postgresql():
        pytest.skip(f"no PostgreSQL answers at {POSTGRESQL}")
    with opened(request.param, {INDEXED: [], PLAIN: []}) as reader:
        yield reader


def fill(reader, made):
    for table in (INDEXED, PLAIN):
        reader.run(f"DELETE FROM {table.name}")
        for row in made:
            reader.run(f"INSERT INTO {table.name} VALUES (?, ?, ?, ?, ?, ?)", row)


often = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@often
@given(made=rows, order=orders, first=st.integers(1, 4), table=st.sampled_from([INDEXED, PLAIN]))
def test_reading_page_after_page(reader, made, order, first, table):
    """Each row comes once, in order, whatever the order; the last page says that it is the last."""
    fill(reader, made)
    for parent in PARENTS:
        expected = [row[0] for row in in_order([row for row in made if row[1] == parent], order)]
        found: list[int] = []
        after = None
        for _ in range(len(expected) + 1):
            [page] = read(reader, table, order, [parent], first, after)
            found += page.ids
            assert page.has_previous == (after is not None)
            assert page.has_next == (len(found) < len(expected))
            if not page.has_next:
                break
            assert len(page.ids) == first
            after = page.cursors[-1]
        assert found == expected


@often
@given(made=rows, order=orders, first=st.integers(1, 4), data=st.data())
def test_the_same_page_of_many_parents(reader, made, order, first, data):
    """It is that of each alone, with an index and without; a cursor may be that of a row of any parent."""
    fill(reader, made)
    all_rows = in_order(made, order)
    place = data.draw(st.integers(-1, len(made) - 1))
    rest = all_rows[place + 1 :]
    lists = [[row[0] for row in rest if row[1] == parent] for parent in PARENTS]

    for table in (INDEXED, PLAIN):
        after = cursor_at(reader, table, order, all_rows[place]) if place >= 0 else None
        pages = read(reader, table, order, PARENTS, first, after)
        assert [page.ids for page in pages] == [each[:first] for each in lists]
        assert [page.has_next for page in pages] == [len(each) > first for each in lists]
        assert pages == [page for parent in PARENTS for page in read(reader, table, order, [parent], first, after)]


def cursor_at(reader: Any, table: Table, order: Sequence[Sort], row: Row) -> str:
    """The cursor of a row in the list of its parent."""
    [page] = read(reader, table, order, [row[1]], 25, None)
    return page.cursors[page.ids.index(row[0])]


def test_all_that_a_page_says(library):
    """Items with and without cursors, where the page stands, and how many items there are."""
    query = """query ($after: String) { authors(ids: [1, 2, 4]) { books(first: 2, after: $after) {
        totalCount nodes { name } edges { cursor node { name } }
        pageInfo { startCursor endCursor hasNextPage hasPreviousPage }
    } } }"""
    ada, bob, kim = (author["books"] for author in library.ask(query)["authors"])

    assert ada["nodes"] == [edge["node"] for edge in ada["edges"]] == [{"name": "notes"}, {"name": "engine"}]
    start, end = (edge["cursor"] for edge in ada["edges"])
    assert ada["pageInfo"] == {"startCursor": start, "endCursor": end, "hasNextPage": True, "hasPreviousPage": False}
    assert (ada["totalCount"], bob["totalCount"], kim["totalCount"]) == (3, 1, 0)
    assert kim["pageInfo"] == {"startCursor": None, "endCursor": None, "hasNextPage": False, "hasPreviousPage": False}
    assert library.cost == 3

    ada, bob, _ = (author["books"] for author in library.ask(query, after=end)["authors"])
    assert (ada["nodes"], bob["nodes"]) == ([{"name": "letters"}], [{"name": "algebra"}])
    assert ada["pageInfo"]["hasPreviousPage"]
    assert ada["totalCount"] == 3


@pytest.mark.parametrize(
    ("fields", "cost"), [("totalCount", 2), ("nodes { name }", 2), ("pageInfo { hasNextPage }", 2), ("__typename", 1)]
)
def test_what_a_page_costs(library, fields, cost):
    """One statement for the items of all parents, one for counting; each only where it is asked for."""
    library.ask(f"{{ authors {{ books {{ {fields} }} }} }}")
    assert library.cost == cost


def test_counting_what_is_left(library):
    """The total is that of the items that the arguments ask for."""
    answer = library.ask("{ authors { books(year: 1843, first: 1) { totalCount } } books { reviews { totalCount } } }")

    assert [author["books"]["totalCount"] for author in answer["authors"]] == [1, 1, 0, 0]
    assert [book["reviews"]["totalCount"] for book in answer["books"]] == [3, 0, 0, 1, 2]
    assert library.ask("{ authorPages(first: 1) { totalCount } }") == {"authorPages": {"totalCount": 4}}


def test_an_order_by_arguments(library):
    """Nulls last, whatever the direction, and ties by the last part."""
    query = "query ($by: [BookOrder!]) { authors(ids: [1]) { books(orderBy: $by) { nodes { id } } } }"

    def ids(*by):
        found = library.ask(query, by=[{"field": field, "isDescending": down} for field, down in by])
        return [book["id"] for book in found["authors"][0]["books"]["nodes"]]

    assert ids(("YEAR", False)) == [2, 1, 3]
    assert ids(("YEAR", True)) == [1, 2, 3]
    assert ids(("PRICE", True), ("TITLE", False)) == [1, 3, 2]
    assert ids() == [1, 2, 3]


def test_a_wrong_argument_where_nothing_of_the_page_is_asked_for(library):
    """It is refused all the same."""
    data, errors = library.tell(r'{ authors(ids: [1]) { books(title: "\u0000") { __typename } } }')

    message = "A text must not contain the character NUL."
    assert (data, errors) == (None, [(message, ["authors", 0, "books"])])


@pytest.mark.parametrize("first", [0, -1, 11])
def test_a_size_that_is_refused(library, first):
    """The error names the limit; also where nothing of the page is asked for."""
    message = f"`first` must be between 1 and 10, not {first}."
    query = f"{{ authors(ids: [1]) {{ books(first: {first}) {{ __typename }} }} }}"

    assert library.tell(query) == (None, [(message, ["authors", 0, "books"])])


def cursor_of(library, arguments=""):
    query = f"{{ authors(ids: [2]) {{ books{arguments} {{ pageInfo {{ endCursor }} }} }} }}"
    return library.ask(query)["authors"][0]["books"]["pageInfo"]["endCursor"]


def made_up(cursor, *key):
    """A cursor with the mark of a true one and another key."""
    mark = orjson.loads(base64.b64decode(cursor + "==", altchars="-_"))[0]
    return base64.urlsafe_b64encode(orjson.dumps([mark, *key])).decode().rstrip("=")


@pytest.mark.parametrize("key", [[], [1, 2], ["1"], [1.0], [True], [None], [2**31], [-(2**31) - 1], [[1]], [{"id": 1}]])
def test_a_cursor_that_somebody_made_up(library, key):
    """It is refused, before a database could be asked what it makes no sense of."""
    after = made_up(cursor_of(library), *key)
    data, errors = library.tell(f'{{ authors(ids: [1]) {{ books(after: "{after}") {{ nodes {{ id }} }} }} }}')

    assert (data, errors) == (None, [(REFUSED, ["authors", 0, "books"])])


@pytest.mark.parametrize(
    ("order", "key"), [("{field: TITLE}", ["a\0", 1]), ("{field: TITLE}", [None, 1]), ("{field: PRICE}", ["1", 1])]
)
def test_a_cursor_with_a_wrong_part(library, order, key):
    """Each part is one that a row could have there."""
    arguments = f"(orderBy: {order})"
    after = made_up(cursor_of(library, arguments), *key)
    query = f'{{ authors {{ books(orderBy: {order}, after: "{after}") {{ nodes {{ id }} }} }} }}'

    assert library.tell(query) == (None, [(REFUSED, ["authors", 0, "books"])])


@pytest.mark.parametrize("after", ["", "nonsense", "W10", "é", "e30", "{}"])
def test_what_is_no_cursor(library, after):
    """It is refused."""
    data, errors = library.tell(f'{{ authorPages(after: "{after}") {{ nodes {{ id }} }} }}')
    assert (data, errors) == (None, [(REFUSED, ["authorPages"])])


def test_a_cursor_of_another_order(library):
    """It is refused, as is that of the same order the other way round."""
    after = cursor_of(library, "(orderBy: {field: YEAR})")
    query = (
        "query ($after: String, $by: [BookOrder!]) { authors { books(after: $after, orderBy: $by) { nodes { id } } } }"
    )

    assert library.ask(query, after=after, by=[{"field": "YEAR"}])
    for by in ([], [{"field": "PRICE"}], [{"field": "YEAR", "isDescending": True}]):
        assert library.tell(query, after=after, by=by) == (None, [(REFUSED, ["authors", 0, "books"])])


def test_a_cursor_serves_all_sizes_and_filters(library):
    """Who reads on may ask for more at once, or for fewer of the rest."""
    after = cursor_of(library)  # of the book 4
    query = f'{{ authors(ids: [3]) {{ books(after: "{after}", first: 1, year: 1950) {{ nodes {{ id }} }} }} }}'

    assert library.ask(query) == {"authors": [{"books": {"nodes": [{"id": 5}]}}]}


def test_pages_by_a_key_of_several_columns(library):
    """Of one parent and of many; also where the rows' own conditions are on a column that is called `key`."""
    fields = "{ shelf { tags(first: 2) { nodes { key } totalCount } } }"
    full = {"shelf": {"tags": {"nodes": [{"key": "math"}, {"key": "math"}], "totalCount": 3}}}
    half = {"shelf": {"tags": {"nodes": [{"key": "old"}], "totalCount": 1}}}
    empty = {"shelf": {"tags": {"nodes": [], "totalCount": 0}}}

    assert library.ask(f"{{ book(id: 4) {fields} }}") == {"book": full}
    assert library.ask(f"{{ books {fields} }}") == {"books": [full, half, empty, full, {"shelf": None}]}


def test_a_statement_serves_all_pages(library):
    """One for first pages and one for all that follow, whatever their size and cursor."""
    schema, statements = new_schema(), []
    document = parse("query ($n: Int!, $after: String) { authorPages(first: $n, after: $after) { edges { cursor } } }")
    after = None
    for first in (1, 2, 1):
        library.reader.statements.clear()
        values = {"n": first, "after": after}
        context = Context(library.reader)
        answer = execute_sync(schema, document, None, context, values, execution_context_class=OURS)
        after = answer.data["authorPages"]["edges"][-1]["cursor"]
        statements += library.reader.statements

    first, second, third = statements
    assert second is third is not first
