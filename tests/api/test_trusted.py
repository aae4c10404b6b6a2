"""Trusted documents: what is answered by their IDs, and what is not."""

import json

import pytest

from lineage_api.api.trusted import read
from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.errors import Unsuitable
from tests.asking import in_process, without_cost

EXPERIMENTS = "query Experiments { experiments { totalCount } }"
NAMED = "query Named($name: String!) { experiment(name: $name) { name } }"
INTROSPECTION = "query Schema { __schema { queryType { ...Name } } } fragment Name on __Type { name }"
ONLY = "Only trusted documents are answered here: send `documentId`, the ID of one."
FOUND = {"data": {"experiments": {"totalCount": 2}}}


@pytest.fixture
def manifest(tmp_path):
    """A manifest as Relay and graphql-codegen write it."""
    file = tmp_path / "persisted.json"
    file.write_text(json.dumps({"a1": EXPERIMENTS, "b2": NAMED}))
    return str(file)


async def answer(http, **body):
    """The answer to a request."""
    return without_cost((await http.post("/graphql", json=body)).json())


@pytest.mark.parametrize(
    "body",
    [{"documentId": "a1"}, {"doc_id": "a1"}, {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "a1"}}}],
    ids=["GraphQL over HTTP", "Relay", "Apollo"],
)
async def test_a_document_by_its_id(small, manifest, body):
    """In each of the ways in which clients ask for one, by POST and by GET."""
    async with in_process(small.uri, trusted_documents=manifest) as http:
        assert await answer(http, **body) == FOUND
        parameters = {key: value if isinstance(value, str) else json.dumps(value) for key, value in body.items()}
        assert without_cost((await http.get("/graphql", params=parameters)).json()) == FOUND


async def test_with_variables(small, manifest):
    """They come as with any other document."""
    async with in_process(small.uri, trusted_documents=manifest) as http:
        found = await answer(http, documentId="b2", variables={"name": "flights"}, operationName="Named")
        assert found == {"data": {"experiment": {"name": "flights"}}}


async def test_other_documents_are_answered_too(small, manifest):
    """Unless it is said that only trusted ones are."""
    async with in_process(small.uri, trusted_documents=manifest) as http:
        assert await answer(http, query="{ experiments { totalCount } }") == FOUND


async def test_only_trusted_ones(small, manifest):
    """By their IDs or word for word; nothing else runs, the schema's questions among it."""
    async with in_process(small.uri, trusted_documents=manifest, only_trusted=True) as http:
        assert await answer(http, documentId="a1") == FOUND
        assert await answer(http, query=EXPERIMENTS) == FOUND
        for query in ("{ experiments { totalCount } }", EXPERIMENTS + " ", INTROSPECTION, "{ __typename }", "{"):
            assert (await answer(http, query=query))["errors"][0]["message"] == ONLY


async def test_the_schema_for_graphiql(small, manifest):
    """It may be asked for where that is allowed, and nothing beside it."""
    settings = {"trusted_documents": manifest, "only_trusted": True, "allow_introspection": True}
    async with in_process(small.uri, **settings) as http:
        assert await answer(http, query=INTROSPECTION) == {"data": {"__schema": {"queryType": {"name": "Query"}}}}
        hidden = [
            "{ __schema { queryType { name } } experiments { totalCount } }",
            "{ ...F } fragment F on Query { __schema { queryType { name } } experiments { totalCount } }",
            "query A { __schema { queryType { name } } } query B { experiments { totalCount } }",
            "mutation { __typename }",
            "{ __schema { queryType { name } } ",
            "{ e: experiments { totalCount } #__schema\n}",
        ]
        for query in hidden:
            assert (await answer(http, query=query))["errors"][0]["message"] == ONLY


@pytest.mark.parametrize("id_", ["nothing", "", "A1"])
async def test_an_id_that_is_unknown(small, manifest, id_):
    """It is said so, with or without a document beside it."""
    async with in_process(small.uri, trusted_documents=manifest) as http:
        for more in ({}, {"query": EXPERIMENTS}):
            [error] = (await answer(http, documentId=id_, **more))["errors"]
            assert error["message"].startswith("There is no trusted document of this ID")
            assert error["extensions"] == {"code": "BAD_USER_INPUT"}


async def test_an_id_that_is_none(small, manifest):
    """An ID is a text."""
    async with in_process(small.uri, trusted_documents=manifest) as http:
        assert (await answer(http, documentId=5))["errors"][0]["message"] == "`documentId` must be a text."


def test_the_manifest_of_apollo(tmp_path):
    """Its operations are read as well."""
    file = tmp_path / "manifest.json"
    operation = {"id": "a1", "name": "Experiments", "type": "query", "body": EXPERIMENTS}
    file.write_text(json.dumps({"format": "apollo-persisted-query-manifest", "version": 1, "operations": [operation]}))
    assert read(str(file)) == {"a1": EXPERIMENTS}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "are no JSON"),
        ("[]", "is no manifest of documents"),
        ('{"a": 1}', "is no manifest of documents"),
        ('{"format": "apollo-persisted-query-manifest", "operations": 1}', "is no manifest of documents"),
        ('{"a": "{"}', "the document 'a' in"),
        ('{"a": "fragment F on Query { __typename }"}', "has no operation"),
    ],
)
def test_a_file_that_is_no_manifest(tmp_path, text, said):
    """The server does not start with it."""
    file = tmp_path / "manifest.json"
    file.write_text(text)
    with pytest.raises(Unsuitable, match=said):
        read(str(file))


def test_a_file_that_is_not_there(tmp_path):
    """One line says so."""
    with pytest.raises(Unsuitable, match="cannot be read: No such file"):
        read(str(tmp_path / "nothing"))


def test_only_trusted_ones_of_no_file():
    """Nothing could be asked, so the server does not start."""
    with pytest.raises(Unsuitable, match="needs --trusted-documents"):
        create_app(Settings(only_trusted=True))
