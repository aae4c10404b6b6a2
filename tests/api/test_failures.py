"""What clients are told of what went wrong, and what the log is."""

import httpx
import orjson
from graphql import GraphQLError
from graphql.error import located_error

from lineage_api.api.failures import MAX_ERRORS, told
from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.errors import NotFound
from tests.following import streaming, talking
from tests.serving import served, served_here


def failed(error, *path):
    """An error of a field, as the engine collects it."""
    try:
        raise error
    except Exception as raised:
        return located_error(raised, None, list(path))


def test_so_many_errors_are_told():
    """The others are counted."""
    errors = [failed(NotFound(f"no {number}"), "a", number) for number in range(MAX_ERRORS + 1)]

    assert [error["message"] for error in told(errors[:-1])] == [f"no {number}" for number in range(MAX_ERRORS)]
    assert told([*errors, *errors])[MAX_ERRORS:] == [
        {"message": "10 more errors are not told.", "extensions": {"code": "NOT_FOUND"}}
    ]


def test_thousands_of_defects(caplog):
    """They are one entry of the log, with each kind once, under the ID that is told."""
    errors = [failed(ValueError(f"secret {number}"), number) for number in range(3_000)]
    errors += [failed(KeyError(number), number) for number in range(3_000)]

    found = told(errors)

    [line] = caplog.records
    assert {error["extensions"]["id"] for error in found} == {line.args[0]}
    assert len(found) == MAX_ERRORS + 1
    assert b"secret" not in orjson.dumps(found)
    assert [type(each) for each in line.exc_info[1].exceptions] == [ValueError, KeyError]
    assert len(caplog.text) < 4_000


def test_errors_in_a_request_log_nothing(caplog):
    """However many they are."""
    assert len(told([GraphQLError("no") for _ in range(1_000)])) == MAX_ERRORS + 1
    assert caplog.records == []


async def test_an_answer_that_is_too_long(store):
    """It is not sent, however it is asked for; one that is as long as may be is."""
    store.experiment("x" * 150)
    query = "{ experiments { nodes { name } } }"
    app = create_app(Settings(backend_store_uri=store.uri, max_answer_bytes=200))

    def is_refused(answer):
        [error] = answer["errors"]
        assert answer["data"] is None
        assert error["extensions"] == {"code": "TOO_COMPLEX"}
        assert error["message"].endswith("bytes, at most 200 are sent.")
        return True

    async with served_here(app) as address, talking(address) as talk:
        await talk.ask(query)
        assert is_refused((await talk.heard())["payload"])
        await talk.heard()
        await talk.ask("{ __typename }")
        assert (await talk.heard())["payload"]["data"] == {"__typename": "Query"}
    with served(app) as address, streaming(address, query) as following:
        assert is_refused(following.answer())


async def test_an_answer_to_a_change_that_is_too_long(store, client):
    """It says that the change was made, which nobody would know else."""
    query = """mutation { createRegisteredModel(input: {name: "m", description: "%s"}) {
      registeredModel { description } } }"""
    app = create_app(Settings(backend_store_uri=store.uri, max_answer_bytes=200))
    async with served_here(app) as address, httpx.AsyncClient() as http:
        answer = (await http.post(f"{address}/graphql", json={"query": query % ("x" * 200)})).json()
    assert answer["errors"][0]["message"].startswith("The change was made. Its answer has ")
    found = await client.ask("{ registeredModels { nodes { name description } } }")
    assert found["registeredModels"]["nodes"] == [{"name": "m", "description": "x" * 200}]
