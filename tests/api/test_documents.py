"""Documents are parsed once, and kept while they are used."""

import gc
import tracemalloc

import pytest
from graphql import GraphQLError, Location, Node, SourceLocation, Token

from lineage_api.api import documents
from lineage_api.api.documents import PARSE_FAILED, VALIDATION_FAILED, Documents, NotValid
from lineage_api.api.limits import limits_of
from lineage_api.api.schema import executable
from lineage_api.config import Settings


@pytest.fixture
def known():
    return Documents(executable(), limits_of(Settings()))


def test_a_document_is_parsed_once(known):
    """The same text is the same document."""
    assert known.document("{ __typename }") is known.document("{ __typename }")
    assert known.document("{ __typename }") is not known.document("{__typename}")


def test_a_document_is_kept_without_its_tokens(known):
    """Not one is left; what is wrong with a value that it gives later is still told with its place."""
    document = known.document('query ($id: ID! = "a") { node(id: $id) { ...F id } } fragment F on Run { name }')
    gc.collect()
    seen, waiting = set(), [document]
    while waiting:
        each = waiting.pop()
        if id(each) not in seen and isinstance(each, Node | Location | Token | tuple):
            seen.add(id(each))
            waiting.extend(gc.get_referents(each))
            assert not isinstance(each, Token)
    field = document.definitions[0].selection_set.selections[0]
    assert GraphQLError("", field).locations == [SourceLocation(1, 26)]


@pytest.mark.parametrize(("text", "code"), [("{", PARSE_FAILED), ("{ nothing }", VALIDATION_FAILED)])
def test_a_document_that_is_refused(known, text, code):
    """Each time anew, with a code and what is wrong."""
    for _ in range(2):
        with pytest.raises(NotValid) as refused:
            known.document(text)
        assert (refused.value.code, len(refused.value.errors)) == (code, 1)


def test_the_least_recently_used_goes_first(known, monkeypatch):
    """However many there are: what is used stays."""
    monkeypatch.setattr(documents, "MAX_DOCUMENTS", 3)
    first, second = (known.document(f"query {name} {{ __typename }}") for name in ("A", "B"))
    known.document("query C { __typename }")
    assert known.document("query A { __typename }") is first
    known.document("query D { __typename }")

    assert known.document("query A { __typename }") is first
    assert known.document("query B { __typename }") is not second


SHAPES = {
    "fields": f"runs {{ nodes {{ {'runId name ' * 70} }} }}",
    "aliases": f"runs {{ nodes {{ {' '.join(f'a{n}: name' for n in range(25))} }} }}",
    "fragments": f"runs {{ nodes {{ {'... on Run { name } ' * 70} }} }}",
    "arguments": "runs { nodes { " + 'tags(keys: ["a"]) { key } ' * 20 + " } }",
    "lists": "runs(filterBy: { users: [" + '"a", ' * 90 + "] }) { totalCount }",
    "comments": "__typename\n" + f"# {'a' * 90}\n" * 30,
}


@pytest.mark.parametrize("asked", SHAPES.values(), ids=SHAPES)
def test_what_a_document_takes_is_known(known, asked):
    """About, whatever it is made of: else those that take most would be kept in the place of many others."""

    def taken(name):
        gc.collect()
        before, told = tracemalloc.get_traced_memory()[0], known._bytes
        for number in range(10):
            known.document(f"query {name}{number} {{ {asked} }}")
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before, known._bytes - told

    tracemalloc.start()
    taken("First")
    took, told = taken("Then")
    tracemalloc.stop()
    kept_by_python = 50_000  # what is free, for lists and the like
    assert abs(took - told) < told / 10 + kept_by_python


def test_long_documents_do_not_add_up(known, monkeypatch):
    """They are as many as fit."""
    monkeypatch.setattr(documents, "MAX_KEPT_BYTES", 40_000)
    for number in range(20):
        known.document(f"query Q{number} {{ {SHAPES['aliases']} }}")
    assert [number for number in range(20) if known.knows(f"query Q{number} {{ {SHAPES['aliases']} }}")] == [19]
    for number in range(20):
        known.document(f"query Q{number} {{ __typename }}")
    assert [number for number in range(20) if known.knows(f"query Q{number} {{ __typename }}")] == list(range(12, 20))


def test_a_document_that_is_too_long_to_be_kept(known, monkeypatch):
    """It is answered."""
    monkeypatch.setattr(documents, "MAX_KEPT_BYTES", 5_000)
    longer = known.document("{ __typename }".ljust(5_000))
    assert known.document("{ __typename }".ljust(5_000)) is not longer
    first = known.document("{ __typename }")
    assert known.document("{ __typename }") is first
