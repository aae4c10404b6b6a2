"""What an operation returns, counted while it is worked out, so that the cost that was allowed for it can be compared.

An object counts where it is an item of a list that an argument bounds (a page, the nodes of a graph), or where a field
leads to it. What stands in lists without pages, and below them, counts as rows, of which there may only be so many.
"""

import sys

from graphql import GraphQLField, GraphQLList, GraphQLNonNull, GraphQLObjectType

from lineage_api.errors import TooMuch

BOUNDED = "lineage_api.bounded"
"""Extension of a GraphQL field: whether an argument bounds the length of its list."""

FRAME = "lineage_api.frame"
"""Extension of a GraphQL type: whether its objects are but the frame of a page, such as its edges."""


_INTROSPECTED = 40


class Tally:
    """The counts of one operation."""

    __slots__ = ("is_whole", "max_rows", "objects", "rows")

    def __init__(self, max_rows: int = sys.maxsize) -> None:
        self.max_rows = max_rows
        self.objects = 0
        self.rows = 0
        self.is_whole = True
        """Whether all of the answer was counted; what the database wrote as JSON was not seen."""

    def add_rows(self, count: int) -> None:
        """Counts values of lists without pages; raises TooMuch where there are too many in all."""
        self.rows += count
        if self.rows > self.max_rows:
            what = "values of lists without pages"
            raise TooMuch(f"{self.rows} {what}, at most {self.max_rows} are answered; ask for fewer objects at a time.")


def weight(type_: GraphQLObjectType) -> int:
    """How many rows an item of a list of a type counts as: what a schema says of itself is worked out one by one."""
    return _INTROSPECTED if type_.name.startswith("__") else 1


def is_bounded(field: GraphQLField) -> bool:
    """Whether no list of a field, if it has one, is longer than an argument says."""
    type_ = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    return not isinstance(type_, GraphQLList) or BOUNDED in field.extensions


def is_counted(type_: GraphQLObjectType) -> bool:
    """Whether objects of a type count: neither the frames of pages do, nor what the schema says of itself."""
    return FRAME not in type_.extensions and not type_.name.startswith("__")
