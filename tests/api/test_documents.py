"""Documents are parsed once, and kept while they are used."""

import gc

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


def test_long_documents_do_not_add_up(known, monkeypatch):
    """They are as many as fit; one that does not fit at all is answered, and not kept."""
    monkeypatch.setattr(documents, "MAX_KEPT_CHARACTERS", 100)
    first = known.document("{ __typename }".ljust(60))
    assert known.document("{ __typename }".ljust(60)) is first
    known.document("{ __typename }".ljust(50))
    assert known.document("{ __typename }".ljust(60)) is not first

    longer = known.document("{ __typename }".ljust(101))
    assert known.document("{ __typename }".ljust(101)) is not longer
