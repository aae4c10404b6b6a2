"""How much a document asks for is told as a naive walk tells it, where that ends at all."""

import pytest
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    ListValueNode,
    OperationDefinitionNode,
    Visitor,
    get_introspection_query,
    parse,
    visit,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_api.api.measuring import Measures, measured
from lineage_api.api.schema import executable
from tests.api.random_operations import operations


def naive(document):
    """The measures of each operation, by walking all that is executed as often as it is."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}

    def walked(selection_set, depth):
        for node in selection_set.selections:
            yield from (("directive", depth) for _ in node.directives)
            if isinstance(node, FieldNode):
                yield "field", depth
                if node.alias:
                    yield "alias", depth
                yield from walked(node.selection_set, depth + 1) if node.selection_set else ()
            elif isinstance(node, FragmentSpreadNode):
                fragment = fragments[node.name.value]
                yield from (("directive", depth) for _ in fragment.directives)
                yield from walked(fragment.selection_set, depth)
            else:
                yield from walked(node.selection_set, depth)

    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode):
            found = list(walked(operation.selection_set, 1))
            definitions = operation.variable_definitions
            own = len(operation.directives) + sum(len(each.directives) for each in definitions)
            fields = [depth for what, depth in found if what == "field"]
            kinds = [what for what, _ in found]
            aliases, directives = kinds.count("alias"), kinds.count("directive") + own
            yield Measures(max(fields), fields.count(1), len(fields), aliases, directives)


def longest_list(document):
    """How many items the longest list in a document has."""
    lengths = [0]

    class Lists(Visitor):
        def enter_list_value(self, node: ListValueNode, *_):
            lengths.append(len(node.values))

    visit(document, Lists())
    return max(lengths)


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(st.data())
def test_random_documents(data):
    """All numbers are those of a naive walk."""
    document = parse(data.draw(operations(executable(), {"DateTime": ["2020-01-01T00:00:00Z"]})).document)
    found, each = measured(document), list(naive(document))

    assert found.most == Measures(*map(max, zip(*each, strict=True)))
    assert (found.operations, found.list_items) == (len(each), longest_list(document))


def test_what_is_counted():
    """Fields as often as they are executed; directives of operations, variables, fragments and spreads too."""
    document = parse("""
      query A($n: Int @x, $ids: [ID!]! = ["a", "b"]) @x {
        runs(first: $n) { nodes { ...F @include(if: $is) ... @x { one: id } } }
        nodes(ids: $ids) { id @skip(if: true) }
      }
      fragment F on Run @x { id parent { ...G ...G } }
      fragment G on Run { two: name tags(keys: [["a"], "b", "c"]) }
      query B { a: __typename b: __typename c: __typename }""")

    assert measured(document) == (2, 2, 3, Measures(4, 3, 11, 3, 6), frozenset({"n", "ids", "is"}))


def test_introspection_is_as_deep_as_is_allowed():
    """The document by which every tool asks for the schema."""
    assert measured(parse(get_introspection_query())).most.depth == 15


def doubling(times, one, *, end="fragment F{} on Query {{ __typename }}"):
    """A document in which each fragment spreads the next one twice."""
    fragments = [one.format(n, n + 1) for n in range(times)]
    return "{ ...F0 } " + " ".join(fragments) + " " + end.format(times)


@pytest.mark.parametrize(
    ("one", "times", "expected"),
    [
        ("fragment F{0} on Query {{ ...F{1} ...F{1} }}", 20, Measures(1, 2**20, 2**20, 0, 0)),
        ("fragment F{0} on Query {{ a:b{{...F{1}}} c:d{{...F{1}}} }}", 20, Measures(21, 2, 3 * 2**20 - 2, 2**21 - 2)),
        ("fragment F{0} on Query {{ ... {{...F{1}}} ... {{...F{1}}} }}", 20, Measures(1, 2**20, 2**20)),
        ("fragment F{0} on Query {{ ...F{1} @x ...F{1} @x }}", 20, Measures(1, 2**20, 2**20, 0, 2**21 - 2)),
        ("fragment F{0} on Query @x {{ ...F{1} ...F{1} }}", 20, Measures(1, 2**20, 2**20, 0, 2**20 - 1)),
        ("fragment F{0} on Query {{ ...F{1} ...F{1} }}", 200, Measures(1, 2**200, 2**200)),
    ],
)
def test_fragments_that_double_are_multiplied(one, times, expected):
    """Exactly, though nobody could walk it."""
    assert measured(parse(doubling(times, one))).most == expected


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("{ ...A } fragment A on Query { a ...A }", 1),
        ("{ ...A } fragment A on Query { a ...B ...B } fragment B on Query { b ...A c { ...A } }", 5),
        ("{ ...Missing nothing { ...Missing } }", 1),
        ("{ ...A } fragment A on Query { a } fragment A on Query { a b }", 1),
        ("fragment A on Query { a }", 0),
        ("type A { b: Int }", 0),
    ],
)
def test_documents_that_are_not_valid(text, fields):
    """They are measured all the same; validation says what is wrong with them."""
    assert measured(parse(text)).most.fields == fields


def test_it_is_kept_by_the_document():
    """Who asks again is told at once."""
    document = parse("{ a }")

    assert measured(document) is measured(document)
