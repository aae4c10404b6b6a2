"""What depends on a document alone is worked out once, and kept by the document."""

from graphql import build_schema, parse

from lineage_api.engine.operations import MAX_OPERATIONS, Operation

SCHEMA = build_schema("type Query { a: Int, b(c: Float, d: String): Int } type Mutation { b: Int }")


def test_an_operation_is_known():
    """By its name, or as the only one."""
    document = parse("query A { a } query B { a }")

    assert Operation.of(SCHEMA, document, "A") is Operation.of(SCHEMA, document, "A")
    assert Operation.of(SCHEMA, document, "A") is not Operation.of(SCHEMA, document, "B")
    assert Operation.of(SCHEMA, document, None) is None
    assert Operation.of(SCHEMA, document, "C") is None
    assert Operation.of(SCHEMA, parse("{ a }"), None).operation.selection_set.selections[0].name.value == "a"


def test_another_schema():
    """It has its own."""
    document, other = parse("{ a }"), build_schema("type Query { a: Int }")

    assert Operation.of(SCHEMA, document, None).schema is SCHEMA
    assert Operation.of(other, document, None).schema is other


def test_how_many_are_kept():
    """A document with many keeps some."""
    document = parse(" ".join(f"query Q{number} {{ a }}" for number in range(3 * MAX_OPERATIONS)))
    for number in range(3 * MAX_OPERATIONS):
        assert Operation.of(SCHEMA, document, f"Q{number}").operation.name.value == f"Q{number}"

    assert len(vars(document)["lineage_api.operations"]) <= MAX_OPERATIONS


def test_what_is_selected_whatever_the_variables():
    """Of a query without variables in directives, and of nothing else."""
    selections = {
        text: Operation.of(SCHEMA, parse(text), None).selection
        for text in (
            "{ a }",
            "query ($v: Boolean!) { a @skip(if: $v) }",
            "query ($v: Boolean!) { ...F } fragment F on Query { a @include(if: $v) }",
            "{ a @skip(if: true) }",
            "mutation { b }",
        )
    }

    assert [selection is not None for selection in selections.values()] == [True, False, False, True, False]
    assert selections["{ a }"].names == ["a"]


def test_values_of_variables():
    """Those that are plain as they are, others as GraphQL coerces them; None where it refuses them."""
    operation = Operation.of(SCHEMA, parse('query ($a: String!, $b: String = "x", $c: Float) { a }'), None)

    assert operation.coerced({"a": "y", "c": 1}) == {"a": "y", "b": "x", "c": 1.0}
    assert operation.coerced({"a": None}) is None
    assert operation.coerced({}) is None
