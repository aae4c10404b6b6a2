"""Webhooks and what came of sending, as they are asked about."""

import pytest

from lineage_api.store.feed import EVERYTHING, Wanted
from lineage_api.webhooks import records
from lineage_api.webhooks.sending import Attempt
from lineage_api.webhooks.tempo import Tempo
from tests.histories import connected


@pytest.fixture
def settings():
    """What rows cost is counted."""
    return {"backend": "rows"}


def written(store, work):
    """What comes of work on rows."""
    with connected(store) as connection:
        return work(connection)


def added(store, *, head=0, wanted=EVERYTHING, **more):
    """The ID of a new webhook."""
    given = {"url": "https://ci.example/", "secret": "whsec_c2VjcmV0", "head": head, "wanted": wanted, **more}
    return written(store, lambda connection: records.add(connection, **given)).id


def failed(store, webhook, event, times=1):
    """Notes that an event was not taken so many times."""
    lease = records.Lease(webhook, "me", 10_000)

    def work(connection):
        for _ in range(times):
            connection.exec_driver_sql("UPDATE lineage_webhooks SET next_attempt_at = NULL")
            records.claim(connection, lease)
            attempt = Attempt(status=503, error="answered 503", duration_ms=1_500, retry_after_s=None)
            records.note(connection, lease, event, attempt, Tempo())
            records.release(connection, lease)

    written(store, work)


async def test_all_that_is_known_of_one(client, store):
    """Where it is sent, what, how far it has come, and what came of it."""
    store.registered_model("m")
    store.registered_model("n")
    wanted = Wanted(frozenset({"n", "m"}), frozenset({"STAGE_CHANGED", "ALIAS_SET"}), frozenset({"Production"}))
    webhook = added(store, head=1, wanted=wanted, description="CI", created_by="ann")
    failed(store, webhook, 2)

    [node] = (
        await client.ask("""{ webhooks { nodes {
        url description models kinds toStages createdBy isEnabled disabledAt disabledReason
        lastEvent { modelName }
        deliveries { totalCount nodes { cause attempt duration isDelivered status error event { modelName }
            webhook { url } } }
    } } }""")
    )["webhooks"]["nodes"]

    delivery = {
        "cause": "EVENT",
        "attempt": 1,
        "duration": 1.5,
        "isDelivered": False,
        "status": 503,
        "error": "answered 503",
        "event": {"modelName": "n"},
        "webhook": {"url": "https://ci.example/"},
    }
    assert node == {
        "url": "https://ci.example/",
        "description": "CI",
        "models": ["m", "n"],
        "kinds": ["ALIAS_SET", "STAGE_CHANGED"],
        "toStages": ["PRODUCTION"],
        "createdBy": "ann",
        "isEnabled": True,
        "disabledAt": None,
        "disabledReason": None,
        "lastEvent": {"modelName": "m"},
        "deliveries": {"totalCount": 1, "nodes": [delivery]},
    }


async def test_one_that_wants_everything(client, store):
    """No filter is null, and of an empty one nothing is sent; before the first event there is no last one."""
    added(store)
    added(store, wanted=Wanted(models=frozenset()))

    query = "{ webhooks { nodes { models kinds toStages lastEvent { id } failingSince nextAttemptAt } } }"
    nothing = dict.fromkeys(("models", "kinds", "toStages", "lastEvent", "failingSince", "nextAttemptAt"))
    nodes = (await client.ask(query))["webhooks"]["nodes"]
    assert nodes == [nothing, {**nothing, "models": []}]


async def test_one_that_fails(client, store):
    """Since when, and when it is tried again; then that it is disabled, and why."""
    store.registered_model("m")
    webhook = added(store)
    failed(store, webhook, 1)
    query = "{ webhooks { nodes { createdAt failingSince nextAttemptAt isEnabled disabledAt disabledReason } } }"
    [failing] = (await client.ask(query))["webhooks"]["nodes"]
    assert failing["isEnabled"]
    assert failing["failingSince"] < failing["nextAttemptAt"]
    assert failing["createdAt"] < failing["nextAttemptAt"]

    written(store, lambda connection: records.disable(connection, webhook, "answered 410"))
    [disabled] = (await client.ask(query))["webhooks"]["nodes"]
    assert (disabled["isEnabled"], disabled["disabledReason"]) == (False, "answered 410")
    assert disabled["disabledAt"] >= disabled["createdAt"]


async def test_the_secret_is_nowhere(client, store):
    """No field of any type holds it."""
    added(store)
    answer = await client.ask("""{ __type(name: "Webhook") { fields { name } } webhooks { nodes { id } } }""")
    assert "secret" not in {field["name"] for field in answer["__type"]["fields"]}


async def test_they_are_nodes(client, store):
    """A webhook and a delivery are found by their IDs."""
    store.registered_model("m")
    failed(store, added(store), 1)
    [webhook] = (await client.ask("{ webhooks { nodes { id deliveries { nodes { id } } } } }"))["webhooks"]["nodes"]
    [delivery] = webhook["deliveries"]["nodes"]

    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
    assert (await client.ask(query, ids=[webhook["id"], delivery["id"]]))["nodes"] == [
        {"__typename": "Webhook", "id": webhook["id"]},
        {"__typename": "WebhookDelivery", "id": delivery["id"]},
    ]


RELATIONS = [
    ("id url models kinds toStages isEnabled", 1),
    ("lastEvent { kind }", 2),
    ("deliveries { totalCount }", 2),
    ("deliveries { nodes { status } }", 2),
    ("deliveries { nodes { event { kind } } }", 3),
    ("deliveries { nodes { webhook { url } } }", 3),
    ("deliveries { nodes { event { modelVersion { label } model { name } } webhook { lastEvent { kind } } } }", 6),
]


@pytest.mark.parametrize(("selection", "cost"), RELATIONS)
@pytest.mark.parametrize("count", [1, 7])
async def test_what_relations_cost(client, store, statements, selection, cost, count):
    """A statement each, however many webhooks there are."""
    store.registered_model("m")
    for _ in range(count):
        failed(store, added(store), 1, times=2)

    found = await client.ask(f"{{ webhooks(first: 100) {{ nodes {{ {selection} }} }} }}")

    assert len(found["webhooks"]["nodes"]) == count
    assert len(statements) == cost
