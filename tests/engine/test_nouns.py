"""Nouns as GraphQL types: what stands in a class is what stands in the schema."""

from typing import Annotated, Any

import pytest
import strawberry
from graphql import print_type
from sqlalchemy import Select

from lineage_api.engine.nouns import Connection, arrow, batch, column, given, interface, noun
from lineage_api.engine.schema import columnar
from lineage_api.engine.sql import Bound
from tests.engine.library import AUTHORS, BOOKS, SCHEMA


@interface
class Titled:
    """What has a title."""

    title: str
    """Its title."""


@given
class Wishes:
    """What somebody wants."""

    most: int = 3
    """How many at most."""
    in_: list[str] | None = None
    """One of
    these."""
    key: str
    """Under this key."""


def _wanted(
    rows: Select[Any],
    wishes: Annotated[Wishes, strawberry.argument(description="What is wanted.")] | None = None,
    title: Annotated[Bound[str], strawberry.argument(description="Its title.")] | None = None,
    count: Annotated[int, strawberry.argument(description="How many.")] = 2,
) -> Select[Any]:
    return rows


def _shouted(titles: list[str], times: Annotated[int, strawberry.argument(description="How often.")]) -> list[str]:
    return titles


@noun
class Volume(Titled):
    """A volume.

    Of a work."""

    title: str = column(BOOKS.c.title)
    """Its title, in one
    or more lines."""
    plain: int
    """An attribute."""
    next: "Volume | None" = arrow(BOOKS, of=BOOKS.c.number, to=BOOKS.c.id)
    """The next one."""
    others: "Connection[Volume]" = arrow(BOOKS, of=BOOKS.c.author_id, to=BOOKS.c.author_id, narrow=_wanted, most=1_000)
    """The others."""
    lines: list[str] = arrow(BOOKS, of=BOOKS.c.id, to=BOOKS.c.id, value=BOOKS.c.title)
    """What is printed."""
    shouted: str = batch(_shouted, BOOKS.c.title)
    """Its title, aloud."""


@strawberry.type
class Root:
    volume: Volume | None = None


TYPES = columnar(strawberry.Schema(Root)).type_map


def test_a_noun():
    """Its docstrings are descriptions; arrows and batch functions bring the arguments of their functions."""
    assert (
        print_type(TYPES["Volume"])
        == '''"""
A volume.

Of a work.
"""
type Volume implements Titled {
  """Its title, in one or more lines."""
  title: String!

  """An attribute."""
  plain: Int!

  """The next one."""
  next: Volume

  """The others."""
  others(
    """What is wanted."""
    wishes: Wishes

    """Its title."""
    title: String

    """How many."""
    count: Int! = 2

    """Size of the page, 1 to 1000."""
    first: Int! = 20

    """Only what comes after this cursor."""
    after: String
  ): VolumeConnection!

  """What is printed."""
  lines: [String!]!

  """Its title, aloud."""
  shouted(
    """How often."""
    times: Int!
  ): String!
}'''
    )


def test_an_interface():
    """It says what its types have in common."""
    assert (
        print_type(TYPES["Titled"])
        == '"""What has a title."""\ninterface Titled {\n  """Its title."""\n  title: String!\n}'
    )


def test_an_input():
    """None as a default means that nothing was given; a word that Python keeps has its underscore taken off."""
    assert (
        print_type(TYPES["Wishes"])
        == '''"""What somebody wants."""
input Wishes {
  """How many at most."""
  most: Int! = 3

  """One of these."""
  in: [String!]

  """Under this key."""
  key: String!
}'''
    )


def test_a_connection():
    """It is made for the noun that it is of."""
    assert [*TYPES["VolumeConnection"].fields] == ["edges", "nodes", "pageInfo", "totalCount"]
    assert print_type(TYPES["VolumeEdge"]).endswith(
        '  """Where it stands in its list: what `after` takes."""\n  cursor: String!\n\n'
        '  """The item."""\n  node: Volume!\n}'
    )


def test_what_an_input_is_for_python(library):
    """Input objects and enums come as objects; what was not given does not come at all."""
    answer = library.ask(
        "{ authors(ids: [1]) { books(orderBy: {field: PRICE, isDescending: true}) { nodes { id } } } }"
    )

    assert answer == {"authors": [{"books": {"nodes": [{"id": 1}, {"id": 3}, {"id": 2}]}}]}


@pytest.mark.parametrize("name", ["Author", "Book", "Shelf", "BookConnection", "BookEdge", "PageInfo"])
def test_fields_name_what_they_need(name):
    """Each field of a noun has a level, whose columns are those of its rows."""
    rows = {"Author": AUTHORS, "Book": BOOKS}
    for field in SCHEMA.type_map[name].fields.values():
        level = field.extensions["lineage_api.level"]
        assert name not in rows or set(level.needs) <= set(rows[name].columns)
