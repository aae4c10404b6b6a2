"""Changes of webhooks: made, refused, and sent by the whole server."""

import asyncio
from contextlib import asynccontextmanager

import httpx
import pytest
from standardwebhooks import Webhook as Signed

from lineage_api.app import create_app
from lineage_api.config import Settings
from tests.changing import Changer
from tests.histories import connected
from tests.webhooks.receivers import receiving, until

CREATE = """mutation ($input: CreateWebhookInput!) { createWebhook(input: $input) {
    webhook { id url description models kinds toStages isEnabled } secret errors { __typename message path } } }"""
UPDATE = """mutation ($input: UpdateWebhookInput!) { updateWebhook(input: $input) {
    webhook { id url description models kinds toStages isEnabled } errors { __typename message path } } }"""
DELETE = """mutation ($input: DeleteWebhookInput!) { deleteWebhook(input: $input) {
    deletedId errors { __typename message path } } }"""
TEST = """mutation ($input: TestWebhookInput!) { testWebhook(input: $input) {
    delivery { cause status error isDelivered event { id } } errors { __typename message path } } }"""
REDELIVER = """mutation ($input: RedeliverEventInput!) { redeliverEvent(input: $input) {
    delivery { cause status event { id kind } } errors { __typename message path } } }"""
ALL = "{ webhooks { nodes { id url description models kinds toStages isEnabled deliveries { totalCount } } } }"


@asynccontextmanager
async def serving(store, **settings):
    """A server of a store, with leave to send to this machine."""
    settings = {"webhook_networks": "127.0.0.0/8", **settings}
    app = create_app(Settings(backend_store_uri=store.uri, **settings))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
    ):
        yield Changer(http)


async def payload(server, document, **given):
    """The payload of a mutation, whatever its errors."""
    answer = await server.answer(document, input=given)
    assert "errors" not in answer, answer["errors"]
    [found] = answer["data"].values()
    return found


async def change(server, document, **given):
    """The payload of a change that is made."""
    found = await payload(server, document, **given)
    assert found.pop("errors") == []
    return found


async def webhooks(server):
    """All that there are."""
    return (await server.answer(ALL))["data"]["webhooks"]["nodes"]


async def test_what_happens_is_sent(store):
    """What a plain client of MLflow changes is sent, in order and signed with the secret that was shown."""
    async with receiving() as receiver, serving(store) as server:
        made = await change(server, CREATE, url=receiver.url)
        await asyncio.to_thread(store.registered_model, "m")
        await asyncio.to_thread(store.version, "m", source="s3://b/m", run_id=None)
        await asyncio.to_thread(store.stage, "m", 1, "Production")
        await until(lambda: len(receiver.received) == 3)

        assert made["secret"].startswith("whsec_")
        told = [Signed(made["secret"]).verify(each.body, each.headers) for each in receiver.received]
        assert [each["type"] for each in told] == [
            f"lineage_api.registry.{kind}" for kind in ("model_created", "version_registered", "stage_changed")
        ]
        assert told[2]["subject"] == "models/m/versions/1"
        facts = told[2]["data"]
        assert (facts["id"], facts["fromStage"], facts["toStage"]) == (told[2]["id"], "NONE", "PRODUCTION")
        assert facts["modelVersion"]["artifactUri"] == "s3://b/m"


async def test_who_and_why_are_sent(store):
    """A change by this API carries its reason, and what it brought about its cause."""
    async with receiving() as receiver, serving(store) as server:
        await change(server, CREATE, url=receiver.url, toStages=["PRODUCTION", "ARCHIVED"])
        store.registered_model("m")
        for _ in range(2):
            store.version("m", source="s3://b/m")
        for version in (1, 2):
            await server.change(
                "transitionModelVersion",
                model="m",
                version=version,
                stage="PRODUCTION",
                archiveExisting=True,
                reason=f"Reason {version}.",
            )
        await until(lambda: len(receiver.received) == 3)

    facts = [each.event["data"] for each in receiver.received]
    assert [(each["version"], each["toStage"], each["reason"]) for each in facts] == [
        (1, "PRODUCTION", "Reason 1."),
        (1, "ARCHIVED", "Reason 2."),
        (2, "PRODUCTION", "Reason 2."),
    ]
    assert facts[1]["cause"]["id"] == facts[2]["id"]


async def test_only_what_it_is_for(store):
    """Filters are those of the subscription."""
    async with receiving() as receiver, serving(store) as server:
        made = await change(server, CREATE, url=receiver.url, models=["n"], kinds=["MODEL_CREATED"])
        assert made["webhook"]["models"] == ["n"]
        for name in ("m", "n", "o"):
            store.registered_model(name)
        await until(lambda: receiver.received)
        store.registered_model("p")
        await change(server, TEST, webhookId=made["webhook"]["id"])

        assert [each.event.get("subject") for each in receiver.received] == ["models/n", None]


async def test_it_is_changed(store):
    """What is left out stays; null takes a filter or a description away."""
    async with serving(store) as server:
        given = {"url": "https://ci.example/", "description": "CI", "models": ["m"], "kinds": ["TAG_SET"]}
        made = (await change(server, CREATE, **given))["webhook"]
        id_ = made["id"]
        assert made == {**given, "id": id_, "toStages": None, "isEnabled": True}

        changed = await change(server, UPDATE, webhookId=id_, toStages=["STAGING"], isEnabled=False)
        assert changed["webhook"] == {**made, "toStages": ["STAGING"], "isEnabled": False}
        changed = await change(server, UPDATE, webhookId=id_, models=None, description=None, isEnabled=True)
        assert changed["webhook"] == {**made, "toStages": ["STAGING"], "models": None, "description": None}
        changed = await change(server, UPDATE, webhookId=id_, url="https://ci.example/2")
        assert changed["webhook"]["url"] == "https://ci.example/2"

        assert await change(server, DELETE, webhookId=id_) == {"deletedId": id_}
        assert await webhooks(server) == []


async def test_a_request_that_is_repeated(store):
    """With a key of the caller's own it makes one webhook, and gives it and its secret again."""
    async with serving(store) as server:
        given = {"url": "https://ci.example/", "idempotencyKey": "once"}
        first, second = await change(server, CREATE, **given), await change(server, CREATE, **given)
        assert first == second
        assert len(await webhooks(server)) == 1
        [error] = (await payload(server, CREATE, **{**given, "url": "https://other.example/"}))["errors"]
        assert error["path"] == ["idempotencyKey"]

        gone = {"webhookId": first["webhook"]["id"], "idempotencyKey": "once"}
        assert await change(server, DELETE, **gone) == await change(server, DELETE, **gone)
    with connected(store) as connection:
        kept = "SELECT outcome FROM lineage_requests"
        assert all(first["secret"] not in outcome for [outcome] in connection.exec_driver_sql(kept))


async def test_why_it_is_disabled(store):
    """Who disables it may say so."""
    async with serving(store) as server:
        made = (await change(server, CREATE, url="https://ci.example/"))["webhook"]
        await change(server, UPDATE, webhookId=made["id"], isEnabled=False, reason="It is moving.")
        query = "{ webhooks { nodes { disabledReason } } }"
        found = (await server.answer(query))["data"]["webhooks"]["nodes"]
        assert found == [{"disabledReason": "It is moving."}]


async def test_one_that_was_disabled_goes_on_where_it_was(store):
    """What happened meanwhile is sent once it is enabled."""
    async with receiving() as receiver, serving(store) as server:
        made = (await change(server, CREATE, url=receiver.url))["webhook"]
        await change(server, UPDATE, webhookId=made["id"], isEnabled=False)
        store.registered_model("a")
        store.registered_model("b")
        await change(server, TEST, webhookId=made["id"])
        assert [each.event["type"] for each in receiver.received] == ["lineage_api.test"]
        await change(server, UPDATE, webhookId=made["id"], isEnabled=True)
        await until(lambda: len(receiver.received) == 3)

    assert [each.event["data"]["modelName"] for each in receiver.received[1:]] == ["a", "b"]


async def test_a_test_and_an_event_once_more(store):
    """Both are sent at once and say what came of it; an event has the same ID as before."""
    async with receiving() as receiver, serving(store) as server:
        made = (await change(server, CREATE, url=receiver.url))["webhook"]
        store.registered_model("m")
        await until(lambda: receiver.received)
        receiver.answers = [500, 204]
        assert await change(server, TEST, webhookId=made["id"]) == {
            "delivery": {
                "cause": "TEST",
                "status": 500,
                "error": "answered 500",
                "isDelivered": False,
                "event": None,
            }
        }
        event = receiver.received[0].event["id"]
        again = await change(server, REDELIVER, webhookId=made["id"], eventId=event)
        assert again["delivery"] == {
            "cause": "REDELIVERY",
            "status": 204,
            "event": {"id": event, "kind": "MODEL_CREATED"},
        }
        assert receiver.ids[2] == receiver.ids[0]


ELSEWHERE = "WyJSdW4iLCJhYmMiXQ"
NOBODY = "WyJXZWJob29rIiw5OTld"
REFUSALS = [
    (CREATE, {"url": "ftp://x"}, "InvalidInputError", ["url"]),
    (CREATE, {"url": "http://10.0.0.1/"}, "InvalidInputError", ["url"]),
    (CREATE, {"url": "http://169.254.169.254/latest"}, "InvalidInputError", ["url"]),
    (CREATE, {"url": "http://user:secret@ci.example/"}, "InvalidInputError", ["url"]),
    (CREATE, {"url": "https://ci.example/", "description": "x" * 5_001}, "InvalidInputError", ["description"]),
    (CREATE, {"url": "https://ci.example/", "description": "a\0b"}, "InvalidInputError", ["description"]),
    (CREATE, {"url": "https://ci.example/", "models": ["a\0b"]}, "InvalidInputError", ["models", "0"]),
    (UPDATE, {"webhookId": NOBODY, "isEnabled": True}, "NotFoundError", ["webhookId"]),
    (UPDATE, {"webhookId": NOBODY}, "NotFoundError", ["webhookId"]),
    (UPDATE, {"webhookId": ELSEWHERE, "isEnabled": True}, "NotFoundError", ["webhookId"]),
    (DELETE, {"webhookId": NOBODY}, "NotFoundError", ["webhookId"]),
    (TEST, {"webhookId": NOBODY}, "NotFoundError", None),
    (REDELIVER, {"webhookId": NOBODY, "eventId": "WyJSZWdpc3RyeUV2ZW50IiwxXQ"}, "NotFoundError", None),
    (REDELIVER, {"webhookId": NOBODY, "eventId": ELSEWHERE}, "NotFoundError", ["eventId"]),
]


@pytest.mark.parametrize(("document", "given", "kind", "path"), REFUSALS)
async def test_what_is_refused(small, document, given, kind, path):
    """With what is wrong, and nothing is changed."""
    async with serving(small) as server:
        made = await change(server, CREATE, url="https://ci.example/kept")
        before = await webhooks(server)
        [error] = (await payload(server, document, **given))["errors"]

        assert (error["__typename"], error["path"]) == (kind, path)
        assert error["message"]
        assert await webhooks(server) == before
        assert made["webhook"]["url"] == "https://ci.example/kept"


async def test_a_change_that_is_refused_leaves_the_webhook(small):
    """A URL that is refused, or none, changes nothing else either."""
    async with serving(small) as server:
        made = (await change(server, CREATE, url="https://ci.example/"))["webhook"]
        before = await webhooks(server)
        for url in ("http://10.0.0.1/", None):
            refused = await payload(server, UPDATE, webhookId=made["id"], url=url, description="x", isEnabled=False)
            [error] = refused["errors"]
            assert (error["path"], refused["webhook"]) == (["url"], None)
        assert await webhooks(server) == before


async def test_an_event_that_is_not_there(small):
    """Nothing is sent."""
    async with receiving() as receiver, serving(small) as server:
        made = (await change(server, CREATE, url=receiver.url))["webhook"]
        event = "WyJSZWdpc3RyeUV2ZW50Iiw5OTld"
        [error] = (await payload(server, REDELIVER, webhookId=made["id"], eventId=event))["errors"]
        assert error["message"] == "There is no such event."
        assert receiver.received == []


async def test_there_are_not_too_many(small, monkeypatch):
    """After a hundred, one has to go first."""
    monkeypatch.setattr("lineage_api.webhooks.service.MAX_WEBHOOKS", 2)
    async with serving(small) as server:
        for _ in range(2):
            await change(server, CREATE, url="https://ci.example/")
        [error] = (await payload(server, CREATE, url="https://ci.example/"))["errors"]
        assert "2 webhooks already" in error["message"]
        assert len(await webhooks(server)) == 2


async def test_where_it_is_left_to_others(small):
    """A server that sends nothing by itself still sends what somebody asks it to."""
    async with receiving() as receiver:
        async with serving(small, no_webhooks=True) as server:
            made = (await change(server, CREATE, url=receiver.url))["webhook"]
            small.registered_model("m")
            await change(server, TEST, webhookId=made["id"])
            assert [each.event["type"] for each in receiver.received] == ["lineage_api.test"]
        async with serving(small) as server:
            await until(lambda: len(receiver.received) == 2)
            while (await webhooks(server))[0]["deliveries"] != {"totalCount": 2}:
                await asyncio.sleep(0.01)


async def test_two_servers_send_once(store):
    """Of two servers of one store, one at a time sends for a webhook."""
    async with receiving() as receiver, serving(store) as server, serving(store):
        await change(server, CREATE, url=receiver.url)
        for number in range(10):
            await asyncio.to_thread(store.registered_model, f"m{number}")
        await until(lambda: len(receiver.received) >= 10)
        await asyncio.sleep(0.3)

    assert [each.event["data"]["modelName"] for each in receiver.received] == [f"m{number}" for number in range(10)]
