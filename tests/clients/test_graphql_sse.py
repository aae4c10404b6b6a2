"""The npm package `graphql-sse`, by those who wrote the protocol."""

import json

import pytest

from lineage_api.app import create_app
from lineage_api.config import Settings
from tests.clients.npm import installed, node
from tests.following import BEGINNING, CREATE, FOLLOW
from tests.servers import started
from tests.serving import served


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return installed("graphql_sse", tmp_path_factory.mktemp("clients"))


def test_it_comes_again_and_misses_nothing(folder, store):
    """The server is stopped, two things happen, another one begins: the client goes on by itself, with both, once."""
    place = ("--backend-store-uri", store.uri)
    with started(*place) as server:
        port = server.address.rpartition(":")[2]
        with node(folder, "follow.mjs", f"{server.address}/graphql", FOLLOW, BEGINNING, "4") as client:
            store.sql(CREATE, n="a")
            assert name_in(client.stdout.readline()) == "a"
            server.stop()
            store.sql(CREATE, n="b")
            store.sql(CREATE, n="c")
            with started("--port", port, *place):
                assert [name_in(client.stdout.readline()) for _ in range(2)] == ["b", "c"]
                store.sql(CREATE, n="d")
                assert name_in(client.stdout.readline()) == "d"
                assert client.wait(30) == 0


def name_in(line):
    """The model that an event is about."""
    return json.loads(line)["data"]["registryEvents"]["modelName"]


def test_it_gets_answers_and_refusals(folder, templates, tmp_path):
    """A query has a stream of one answer; a subscription that is refused has one that says why, and it is complete."""
    app = create_app(Settings(backend_store_uri=templates.copy("sqlite", tmp_path)))
    with served(app) as address:
        with node(folder, "follow.mjs", f"{address}/graphql", "{ __typename }", "", "9") as client:
            said, _ = client.communicate(timeout=30)
        with node(folder, "follow.mjs", f"{address}/graphql", FOLLOW, "nothing", "9") as refused:
            refusal, _ = refused.communicate(timeout=30)

    assert json.loads(said)["data"] == {"__typename": "Query"}
    assert "`after` is no event" in json.loads(refusal)["errors"][0]["message"]
    assert (client.returncode, refused.returncode) == (0, 0)
