"""Plans: when one serves again, and how many are kept."""

import gc
import weakref

import pytest
from graphql import build_schema, execute_sync, parse

from lineage_api.engine import plans
from tests.engine.context import OURS

QUERY = (
    "query ($yes: Boolean!, $n: Int) { a @include(if: $yes) b(n: $n) ...F } fragment F on Query { c @skip(if: $yes) }"
)


@pytest.fixture
def made(monkeypatch):
    """The plans that are made."""
    made = []

    class Plan(plans.Plan):
        def __init__(self, *arguments):
            made.append(self)
            super().__init__(*arguments)

    monkeypatch.setattr(plans, "Plan", Plan)
    return made


@pytest.fixture
def schema():
    return build_schema("type Query { a: Int b(n: Int): Int c: Int }")


def ask(schema, document, **variables):
    root = {"a": 1, "b": lambda _info, n=None: n, "c": 3}
    result = execute_sync(schema, document, root, variable_values=variables, execution_context_class=OURS)
    assert not result.errors
    return result.data


def test_a_plan_serves_again(schema, made):
    """With other values of variables, but for those in directives."""
    document = parse(QUERY)

    assert ask(schema, document, yes=True, n=1) == {"a": 1, "b": 1}
    assert ask(schema, document, yes=True, n=2) == {"a": 1, "b": 2}
    assert ask(schema, document, yes=False) == {"b": None, "c": 3}
    assert ask(schema, document, yes=False, n=4) == {"b": 4, "c": 3}
    assert len(made) == 2


def test_a_plan_is_that_of_one_schema_and_document(schema, made):
    """Equal ones have plans of their own."""
    other = build_schema("type Query { a: Int b(n: Int): Int c: Int d: Int }")
    for document in (parse("{ a }"), parse("{ a }")):
        for each in (schema, other, schema):
            assert ask(each, document) == {"a": 1}
    assert len(made) == 4


def test_plans_that_are_kept_are_bounded(schema, made, monkeypatch):
    """Those that were used last stay."""
    monkeypatch.setattr(plans, "MAX_PLANS", 2)
    document = parse("query ($a: Boolean!, $b: Boolean!) { a @include(if: $a) b @include(if: $b) c }")
    a, b, c = ({"a": True, "b": True}, {"a": False, "b": True}, {"a": True, "b": False})
    for variables in (a, b, a, c, a):
        ask(schema, document, **variables)
    assert len(made) == 3
    ask(schema, document, **b)
    assert len(made) == 4


def test_a_plan_goes_with_its_document(schema, made):
    """Whoever keeps documents decides how many plans there are."""
    document = parse("{ a }")
    ask(schema, document)
    alive = weakref.ref(made.pop())
    assert alive() is not None
    del document
    gc.collect()

    assert alive() is None


def test_a_schema_goes_with_its_plans(schema):
    """Nothing keeps a schema that nobody has any more."""
    schema = build_schema("type Query { a: Int }")
    ask(schema, parse("{ a }"))
    alive = weakref.ref(schema)
    del schema
    gc.collect()

    assert alive() is None
