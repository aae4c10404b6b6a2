"""Changes that are asked for through a bad network, again and again until somebody says that they were made."""

import asyncio
import json
import os
from collections import Counter
from contextlib import asynccontextmanager
from itertools import count

import httpx
import pytest
from sqlalchemy import text

from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.graph.identity import encoded
from lineage_api.migrations import recording
from lineage_api.store.engines import reading
from tests.changing import ERRORS
from tests.faults import bad_network
from tests.faults.bad_network import Fate
from tests.serving import served

RETRIED = int(os.environ.get("LINEAGE_API_RETRIED", "7"))
"""How many changes; in the long run 2,000: `LINEAGE_API_RETRIED=2000 pytest -s tests/faults/test_retries.py`."""
CLIENTS = 6
PATIENCE_S = 60


def changes(turn):
    """A change of each kind, and which events are all that it makes."""
    tags = [{"key": "turn", "value": f"{turn}"}]
    stage = ("STAGING", "ARCHIVED", "NONE")[turn % 3]
    return [
        ("createRegisteredModel", {"name": f"created {turn}"}, ["MODEL_CREATED"]),
        ("registerModelVersion", {"model": "m", "source": f"s3://b/{turn}"}, ["VERSION_REGISTERED"]),
        (
            "registerModelVersion",
            {"model": f"with a version {turn}", "source": "s3://b/1"},
            ["MODEL_CREATED", "VERSION_REGISTERED"],
        ),
        ("copyModelVersion", {"source": {"model": "m", "version": 1}, "model": "copies"}, ["VERSION_REGISTERED"]),
        ("setTags", {"subjectId": encoded("RegisteredModel", "m"), "tags": tags}, ["TAG_SET"]),
        ("transitionModelVersion", {"model": "m", "version": 1, "stage": stage}, ["STAGE_CHANGED"]),
        ("createWebhook", {"url": f"https://ci.example/{turn}", "models": ["nobody"]}, None),
    ]


ALL = [change for turn in range(RETRIED // 7 + 1) for change in changes(turn)][:RETRIED]


class Client:
    """Asks through the network, for each request on a connection of its own."""

    def __init__(self, network):
        self._network = network
        self.tries = 0

    async def ask(self, mutation, given):
        """The payload of a change, which is asked for until there is one."""
        type_ = f"{mutation[0].upper()}{mutation[1:]}Input"
        selected = "secret webhook { id }" if mutation == "createWebhook" else "events { id kind }"
        document = f"mutation ($input: {type_}!) {{ {mutation}(input: $input) {{ {selected} {ERRORS} }} }}"
        for attempt in count():
            answer = await self._answer({"query": document, "variables": {"input": given}})
            if answer is not None:
                return answer["data"][mutation]
            await asyncio.sleep(0.01 * attempt)
        raise AssertionError

    async def _answer(self, body):
        """An answer; None where it was lost, or nothing was changed since others were in the way."""
        self.tries += 1
        headers = {"connection": "close"}
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S, headers=headers) as http:
                response = await http.post(f"{self._network.address}/graphql", json=body)
        except httpx.TransportError:
            return None
        answer = json.loads(response.content)
        if "errors" in answer:
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["TIMEOUT"], answer
            return None
        return answer


@asynccontextmanager
async def far_from(store):
    """A server of the store, and the bad network before it."""
    with served(create_app(Settings(backend_store_uri=store.uri))) as address:
        async with bad_network.before(address, seed=7) as network:
            yield network


@pytest.fixture
def store(store):
    """With a model of one version, and another one for copies."""
    for name in ("m", "copies"):
        store.registered_model(name)
    store.version("m", source="s3://b/0")
    store.sql("UPDATE model_versions SET current_stage = 'Production'")  # a stage that nothing here leads to
    return store


async def test_each_change_is_made_once(store):
    """However often a request arrives, and in whatever order; whoever asks is told in the end what came of it."""
    told = {}
    waiting = iter(enumerate(ALL))
    async with far_from(store) as network:
        clients = [Client(network) for _ in range(CLIENTS)]

        async def work(client):
            for number, (mutation, given, kinds) in waiting:
                why = {} if kinds is None else {"reason": f"{number}"}
                told[number] = await client.ask(mutation, {**given, **why, "idempotencyKey": f"{number}"})

        async with asyncio.timeout(PATIENCE_S + RETRIED):
            await asyncio.gather(*map(work, clients))

    assert [told[number]["errors"] for number in range(RETRIED)] == [[]] * RETRIED
    made = _events(store)
    for number, (_, _, kinds) in enumerate(ALL):
        events = made.pop(f"{number}", [])
        assert sorted(kind for kind, _ in events) == sorted(kinds or []), ALL[number]
        assert sorted(event["id"] for event in told[number].get("events", [])) == sorted(id_ for _, id_ in events)
    assert not made
    asked = Counter(kind for _, _, kinds in ALL for kind in kinds or ["a webhook"])
    assert _objects(store) == {
        "registered_models": 2 + asked["MODEL_CREATED"],
        "model_versions": 1 + asked["VERSION_REGISTERED"],
        "lineage_webhooks": asked["a webhook"],
    }
    secrets = [each["secret"] for each in told.values() if "secret" in each]
    assert all(secrets)
    assert len(set(secrets)) == asked["a webhook"]
    assert recording.catch_up(store.uri).added == 0
    tries = sum(client.tries for client in clients)
    befell = {fate.name: many for fate, many in sorted(network.befell.items(), key=lambda each: each[0].name)}
    print(f"\n{store.kind}: {RETRIED} changes asked for {tries} times, {befell}")


async def test_without_a_key_the_network_makes_things_twice(store):
    """It is bad enough for the test above to mean something: what is asked for without a key is made again."""
    async with far_from(store) as network:
        client = Client(network)
        async with asyncio.timeout(PATIENCE_S):
            while min(network.befell[fate] for fate in Fate) == 0:
                await client.ask("registerModelVersion", {"model": "m", "source": "s3://b/1", "reason": "once"})

    asked = network.befell[Fate.WHOLE] + network.befell[Fate.SLOW]
    assert len(_events(store)["once"]) >= asked + 3  # an answer lost, one cut, and one request that was late


def _events(store):
    """What history says was made through our API, by reason: kinds and IDs."""
    made = {}
    with reading(store.uri).connect() as connection:
        for id_, kind, reason in connection.execute(
            text("SELECT id, kind, reason FROM lineage_events WHERE origin = 'API' ORDER BY id")
        ):
            made.setdefault(reason, []).append((kind, encoded("RegistryEvent", id_)))
    return made


def _objects(store):
    """How many there are of each kind."""
    tables = ("registered_models", "model_versions", "lineage_webhooks")
    with reading(store.uri).connect() as connection:
        return {table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() for table in tables}
