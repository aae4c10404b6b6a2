"""Changes that are asked for again under the same key."""

import asyncio
import time

import pytest

from lineage_api.graph.identity import encoded
from tests.changing import everything

KEY = "the caller's own"
DAY_MS = 24 * 3_600_000
MODEL = "registeredModel { name description }"
VERSION = "modelVersion { label stage description }"
EVENT_IDS = "events { id kind }"
TAGGED = "subject { id tags { key value } }"


def changes(name):
    """A change of each kind to a registered model of that name: what is selected, and the input."""
    champion = {"model": name, "alias": "champion"}
    promotion = {"model": name, "version": 2, "stage": "PRODUCTION", "archiveExisting": True}
    wish = {**champion, "expectedCurrent": [2], "reason": "r", "force": True}
    renamed, copied = {"model": name, "name": f"{name}-new"}, {"source": {"model": name, "version": 1}}
    first, third = {"model": name, "version": 1}, {"model": name, "version": 3}
    of_model, of_version = encoded("RegisteredModel", name), encoded("ModelVersion", name, 1)
    set_alias = "alias { name } modelVersion { label } previousModelVersion { label }"
    return {
        "createRegisteredModel": (MODEL, {"name": f"{name}-new"}),
        "updateRegisteredModel": (MODEL, {**renamed, "description": "Good."}),
        "deleteRegisteredModel": ("deletedId deletedName", {"model": name}),
        "registerModelVersion": (f"{VERSION} {MODEL}", {"model": name, "source": "s3://b/3"}),
        "updateModelVersion": (f"{VERSION} {MODEL}", {**first, "description": "Good."}),
        "deleteModelVersion": (f"deletedId deletedVersion {MODEL}", first),
        "restoreModelVersion": (f"{VERSION} {MODEL} recovered missing", third),
        "copyModelVersion": (f"{VERSION} {MODEL}", {**copied, "model": f"{name}-new"}),
        "transitionModelVersion": (f"{VERSION} archived {{ label }} {MODEL}", promotion),
        "rollBack": (f"{VERSION} displaced {{ label }} {MODEL}", wish),
        "setModelAlias": (set_alias, {**champion, "version": 1}),
        "removeModelAlias": (f"removedAlias {VERSION} {MODEL}", champion),
        "setTags": (TAGGED, {"subjectId": of_model, "tags": [{"key": "a", "value": "2"}]}),
        "removeTags": (TAGGED, {"subjectId": of_version, "keys": ["a"]}),
    }


def fill(store, name):
    """A model to which each change can be made."""
    store.registered_model(name, tags={"a": "1"})
    for number in (1, 2, 3):
        store.version(name, source=f"s3://b/{number}", tags={"a": "1"})
    store.client.delete_model_version(name, 3)
    store.stage(name, 1, "Production")
    for number in (1, 2):
        store.alias(name, "champion", number)


@pytest.fixture
def store(store):
    """With such a model."""
    fill(store, "m")
    return store


async def test_a_change_is_made_once(store, client, changer):
    """Asked for again it changes nothing, and answers with the same objects and events: each kind of change."""
    for mutation in changes("m"):
        fill(store, mutation)
        selected, given = changes(mutation)[mutation]
        first = await changer.change(mutation, f"{selected} {EVENT_IDS}", **given, idempotencyKey=KEY)
        after = everything(store)
        again = await changer.change(mutation, f"{selected} {EVENT_IDS}", **given, idempotencyKey=KEY)
        assert again == first
        assert first["events"]
        assert everything(store) == after

    names = (await client.ask("{ __schema { mutationType { fields { name } } } }"))["__schema"]["mutationType"][
        "fields"
    ]
    # Those of webhooks have tests of their own.
    of_webhooks = {"createWebhook", "updateWebhook", "deleteWebhook", "testWebhook", "redeliverEvent"}
    assert {each["name"] for each in names} == set(changes("m")) | of_webhooks


async def test_objects_are_read_afresh(store, changer):
    """Also when they were described, moved and renamed since: a model is the same under its new name."""
    tags = {"subjectId": encoded("ModelVersion", "m", 1), "tags": [{"key": "a", "value": "2"}], "idempotencyKey": KEY}
    given = {"model": "m", "version": 1, "description": "Good.", "idempotencyKey": KEY}
    first = await changer.change("updateModelVersion", f"{VERSION} {MODEL} {EVENT_IDS}", **given)
    await changer.change("setTags", TAGGED, **tags)
    store.client.update_model_version("m", 1, "Bad.")
    store.client.set_model_version_tag("m", 1, "a", "3")
    store.stage("m", 1, "Archived")
    store.client.rename_registered_model("m", "new")

    again = await changer.change("updateModelVersion", f"{VERSION} {MODEL} {EVENT_IDS}", **given)

    assert again == {
        "modelVersion": {"label": "new v1", "stage": "ARCHIVED", "description": "Bad."},
        "registeredModel": {"name": "new", "description": None},
        "events": first["events"],
    }
    subject = {"id": encoded("ModelVersion", "new", 1), "tags": [{"key": "a", "value": "3"}]}
    assert await changer.change("setTags", TAGGED, **tags) == {"subject": subject}


async def test_a_model_that_is_gone_since(store, changer):
    """Another one that has its name by now is not taken for it."""
    given = {"model": "m", "version": 1, "description": "Good.", "idempotencyKey": KEY}
    tags = {"subjectId": encoded("RegisteredModel", "m"), "tags": [{"key": "a", "value": "2"}], "idempotencyKey": KEY}
    deleting = {"model": "m", "version": 2, "idempotencyKey": KEY}
    await changer.change("updateModelVersion", **given)
    await changer.change("setTags", **tags)
    await changer.change("deleteModelVersion", **deleting)
    store.client.delete_registered_model("m")
    store.registered_model("m")
    store.version("m", source="s3://b/1")

    again = await changer.change("updateModelVersion", f"{VERSION} {MODEL} events {{ kind }}", **given)

    assert again == {"modelVersion": None, "registeredModel": None, "events": [{"kind": "DESCRIPTION_CHANGED"}]}
    assert await changer.change("setTags", TAGGED, **tags) == {"subject": None}
    deleted = await changer.change("deleteModelVersion", f"deletedId deletedVersion {MODEL}", **deleting)
    assert deleted == {
        "deletedId": encoded("ModelVersion", "m", 2),
        "deletedVersion": 2,
        "registeredModel": None,
    }


async def test_another_input_under_the_same_key(changer, refused):
    """A caller who counted wrong is told so, whatever it is that differs."""
    given = {"model": "m", "version": 1, "description": "Good."}
    await changer.change("updateModelVersion", **given, idempotencyKey=KEY)

    for other in ({"description": "Bad."}, {"version": 2}, {"model": "none"}, {"reason": "why"}):
        assert await refused("updateModelVersion", **{**given, **other}, idempotencyKey=KEY) == [
            {
                "__typename": "InvalidInputError",
                "message": "This key was given with another input before; use a new key for another change.",
                "path": ["idempotencyKey"],
            }
        ]


async def test_what_is_left_out_is_as_good_as_null(store, changer):
    """And as its default: the request is the same."""
    given = {"model": "m", "source": "s3://b/9", "idempotencyKey": KEY}
    first = await changer.change("registerModelVersion", VERSION, **given)

    for more in ({"description": None, "tags": None, "runId": None, "reason": None}, {"createModel": True}):
        assert await changer.change("registerModelVersion", VERSION, **given, **more) == first
    assert len(store.client.search_model_versions("name = 'm'")) == 3


async def test_the_order_of_a_list_counts(changer, refused):
    """Tags are set in their order, so another order is another request."""
    tags = [{"key": "b", "value": "1"}, {"key": "c", "value": "1"}]
    subject = {"subjectId": encoded("RegisteredModel", "m"), "idempotencyKey": KEY}
    await changer.change("setTags", **subject, tags=tags)

    assert [error["path"] for error in await refused("setTags", **subject, tags=tags[::-1])] == [["idempotencyKey"]]


async def test_a_refusal_is_not_kept(store, changer, refused):
    """The same request may be made later, when it is right."""
    given = {"model": "m", "version": 2, "stage": "STAGING", "expectedStage": "ARCHIVED", "idempotencyKey": KEY}
    assert [error["__typename"] for error in await refused("transitionModelVersion", **given)] == ["ConflictError"]
    store.stage("m", 2, "Archived")

    moved = await changer.change("transitionModelVersion", "modelVersion { stage }", **given)

    assert moved == {"modelVersion": {"stage": "STAGING"}}


async def test_another_change_with_the_same_key(changer):
    """It is another request."""
    await changer.change("setModelAlias", model="m", alias="other", version=1, idempotencyKey=KEY)

    removed = await changer.change("removeModelAlias", "removedAlias", model="m", alias="other", idempotencyKey=KEY)

    assert removed == {"removedAlias": "other"}


async def test_keys_are_forgotten_after_a_week(store, changer):
    """A key that is a little younger is still known."""
    given = {"model": "m", "source": "s3://b/9", "idempotencyKey": KEY}
    await changer.change("registerModelVersion", VERSION, **given)
    now = time.time_ns() // 1_000_000
    for age, label in ((7 * DAY_MS - 60_000, "m v4"), (7 * DAY_MS + 1_000, "m v5")):
        store.sql("UPDATE lineage_requests SET created_at = :then", then=now - age)
        made = await changer.change("registerModelVersion", "modelVersion { label }", **given)
        assert made == {"modelVersion": {"label": label}}


async def test_the_same_request_several_times_at_once(store, changer):
    """One change is made, and everybody is told of it."""
    given = {"model": "m", "source": "s3://b/9", "idempotencyKey": KEY}

    made = await asyncio.gather(
        *(changer.change("registerModelVersion", f"{VERSION} {EVENT_IDS}", **given) for _ in range(6))
    )

    assert all(each == made[0] for each in made)
    assert len(store.client.search_model_versions("name = 'm'")) == 3


async def test_without_a_key_each_request_is_a_change(store, changer):
    """Nothing is kept of them."""
    for number in (4, 5):
        made = await changer.change(
            "registerModelVersion", "modelVersion { version } events { kind }", model="m", source="s3://b/9"
        )
        assert made == {"modelVersion": {"version": number}, "events": [{"kind": "VERSION_REGISTERED"}]}
    assert everything(store)["lineage_requests"] == []
