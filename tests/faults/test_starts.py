"""Servers that start at the same time where there is nothing yet."""

import os
from contextlib import ExitStack
from uuid import uuid4

import httpx
import psycopg
import pytest

from lineage_api.migrations import recording
from tests.faults.servers import started
from tests.stores import POSTGRESQL, has_postgresql
from tests.test_cli import asked

STARTS = int(os.environ.get("LINEAGE_API_STARTS", "1"))
"""How often; at least 20 in the long run: `LINEAGE_API_STARTS=20 pytest tests/faults/test_starts.py`."""
SERVERS = 4
ALL = "{ experiments { nodes { name } } registeredModels { nodes { name } } registryEvents { nodes { modelName } } }"
CREATE = """mutation ($input: CreateRegisteredModelInput!) {
    createRegisteredModel(input: $input) { registeredModel { name } errors { message } }
}"""


@pytest.fixture(params=["sqlite", "postgresql"])
def nothing(request, tmp_path):
    """The URI of an empty database of PostgreSQL, or of a file that is not there."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/mlflow.db"
        return
    if not has_postgresql():
        pytest.skip(f"no PostgreSQL answers at {POSTGRESQL}")
    name = f"lineage_empty_{uuid4().hex[:12]}"
    with psycopg.connect(f"{POSTGRESQL}/postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{POSTGRESQL}/{name}"
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("turn", range(STARTS))
def test_all_start_on_an_empty_database(nothing, turn):
    """One of them fills it; each answers, takes changes, and tells those of the others."""
    names = [f"by {number}" for number in range(SERVERS)]
    with ExitStack() as stack:
        servers = [stack.enter_context(started("--backend-store-uri", nothing)) for _ in names]
        addresses = [server.address for server in servers]
        for name, address in zip(names, addresses, strict=True):
            assert _created(address, name) == {"registeredModel": {"name": name}, "errors": []}
        told = [asked(address, ALL) for address in addresses]
        complaints = "".join(server.complaints for server in servers)

    assert told == [told[0]] * SERVERS
    assert [node["name"] for node in told[0]["experiments"]["nodes"]] == ["Default"]
    assert sorted(node["name"] for node in told[0]["registeredModels"]["nodes"]) == names
    assert sorted(node["modelName"] for node in told[0]["registryEvents"]["nodes"]) == names
    assert recording.catch_up(nothing).added == 0
    assert "Traceback" not in complaints


def _created(address, name):
    """The payload of a change."""
    body = {"query": CREATE, "variables": {"input": {"name": name}}}
    return httpx.post(f"{address}/graphql", json=body, timeout=30).json()["data"]["createRegisteredModel"]
