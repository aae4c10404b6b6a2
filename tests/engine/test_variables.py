"""Variables that are what they are declared to be are taken as they are; GraphQL coerces, or refuses, all others."""

import pytest
from graphql import build_schema, get_variable_values, parse

from lineage_api.engine.variables import PlainVariables

SCHEMA = build_schema("""
    enum Color { RED }
    input Point { x: Int }
    type Query { a: Int, id: ID, text: String, truth: Boolean, number: Float, color(of: Point): Color }
""")


def operation(variables):
    return parse(f"query ({variables}) {{ a }}").definitions[0]


GIVEN = [
    "a",
    "",
    1,
    0,
    -1,
    2**31 - 1,
    2**31,
    -(2**31) - 1,
    1.0,
    1.5,
    True,
    False,
    None,
    [],
    ["a"],
    ["a", 1],
    [["a"]],
    {},
]


@pytest.mark.parametrize("value", GIVEN, ids=repr)
@pytest.mark.parametrize(
    "type_",
    [
        "String",
        "String!",
        "ID!",
        "Int",
        "Int!",
        "Boolean!",
        "[String!]!",
        "[Int]",
        "[[ID]]",
        "Float!",
        "Color",
        "Point",
    ],
)
def test_a_value_is_what_graphql_makes_of_it(type_, value):
    """Where it is taken as it is; a null, and what is not plain, never is."""
    node = operation(f"$v: {type_}")

    values = PlainVariables(SCHEMA, node).values({"v": value})

    if values is not None:
        assert values == get_variable_values(SCHEMA, node.variable_definitions, {"v": value})
        assert type(values["v"]) is type(value)
        assert value is not None


@pytest.mark.parametrize(
    ("type_", "value"),
    [("String!", "a"), ("ID", "a"), ("Int", 1), ("Boolean", True), ("[String!]!", ["a"]), ("[[Int!]]", [[1], []])],
)
def test_what_is_taken(type_, value):
    """Texts, IDs, integers, truths and lists of them."""
    assert PlainVariables(SCHEMA, operation(f"$v: {type_}")).values({"v": value}) == {"v": value}


@pytest.mark.parametrize("variables", ["$v: String", '$v: String = "a"', "$v: String!", "$v: String, $c: Color"])
def test_what_is_left_out(variables):
    """It has a default, or is an error, or is left out: GraphQL knows."""
    assert PlainVariables(SCHEMA, operation(variables)).values({}) is None


def test_what_is_not_declared():
    """It is no variable."""
    assert PlainVariables(SCHEMA, operation("$v: String")).values({"v": "a", "w": 1}) == {"v": "a"}
