"""Scalars and enums, a column at a time: the same forms and errors as value by value."""

import math
from enum import Enum

import pytest
from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLScalarType,
    GraphQLString,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_api.engine.leaves import KINDS, Leaf, is_plain


class Colour(Enum):
    RED = 1
    BLUE = 2


COLOUR = GraphQLEnumType("Colour", Colour)
BIG = GraphQLScalarType("Big", extensions={KINDS: frozenset({int})})
NUMBERS = [0, 1, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**70, True, False, 1.0, 1.5, math.nan, math.inf]
VALUES = st.sampled_from([*NUMBERS, "", "a", "1", b"a", [1], {"a": 1}, Colour.RED, "RED", "PINK", None])


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(
    type_=st.sampled_from([GraphQLInt, GraphQLFloat, GraphQLString, GraphQLID, GraphQLBoolean, COLOUR]),
    values=st.lists(VALUES, max_size=4),
)
def test_a_column_is_serialised_as_its_values_are(type_, values):
    """A column that can stand as it is, stands so only if each value is its own form; the others one by one."""
    leaf = Leaf(type_)
    forms = [form(type_, value) for value in values]

    for is_required in (True, False):
        if leaf.is_serialised(values, is_required=is_required):
            assert repr(values) == repr(
                [value if value is None else made for value, made in zip(values, forms, strict=True)]
            )
            assert not (is_required and None in values)
    there = [value for value in values if value is not None]
    assert list(map(repr, leaf.serialised(there))) == [repr(form(type_, value)) for value in there]


def form(type_, value):
    """What graphql-core makes of a value."""
    try:
        return type_.serialize(value)
    except Exception as error:
        return error


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        (GraphQLString, ["a", ""]),
        (GraphQLInt, [1, 2**31 - 1]),
        (GraphQLFloat, [1.5, -0.0]),
        (BIG, [2**70]),
        (GraphQLID, []),
    ],
)
def test_what_stands_as_it_is(type_, values):
    """Columns of the type's own form, with nulls where they are allowed."""
    leaf = Leaf(type_)

    assert leaf.is_serialised(values, is_required=True)
    assert leaf.is_serialised([*values, None], is_required=False)
    assert not leaf.is_serialised([*values, None], is_required=True)


def test_a_value_without_a_form():
    """A serializer that gives nothing is an error, as in graphql-core."""
    nothing = GraphQLScalarType("Nothing", serialize=lambda value: None)
    [error] = Leaf(nothing).serialised([1])

    assert str(error) == "Expected `Nothing.serialize(1)` to return non-nullable value, returned: None"


class Later:
    def __await__(self):
        yield


async def coroutine():
    """Never awaited."""


@pytest.mark.parametrize("value", [None, ValueError(), Later(), (x for x in ())])
def test_values_that_need_attention(value):
    """Nulls, errors, and what is to be awaited; of anything else a column is taken as a whole."""
    assert not is_plain(type(value))
    assert all(map(is_plain, (int, str, list, dict, Colour, object)))


def test_coroutines_need_attention():
    """They are awaited."""
    made = coroutine()
    made.close()
    assert not is_plain(type(made))
