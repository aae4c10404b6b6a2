"""A change is one transaction: all of it, with its history, or nothing."""

import asyncio
import logging
import sqlite3
import threading
from contextlib import closing, contextmanager

import pytest
import sqlalchemy
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE

from lineage_api.errors import TimedOut
from lineage_api.graph.identity import encoded
from lineage_api.migrations import recording
from lineage_api.registry import requests, units
from lineage_api.registry.joined import JoinedRegistry, LostRaceError
from lineage_api.registry.outcome import Asked, Outcome
from lineage_api.store.opening import head_revision
from tests.changing import EVENTS, event, everything

PROMOTION = {"model": "m", "version": 2, "stage": "PRODUCTION", "archiveExisting": True}
CHANGES = {
    "createRegisteredModel": {"name": "new", "tags": [{"key": "a", "value": "1"}]},
    "updateRegisteredModel": {"model": "m", "name": "new", "description": "Good."},
    "deleteRegisteredModel": {"model": "m"},
    "registerModelVersion": {"model": "new", "source": "s3://b/3"},
    "deleteModelVersion": {"model": "m", "version": 1},
    "transitionModelVersion": PROMOTION,
    "setModelAlias": {"model": "m", "alias": "champion", "version": 2},
    "setTags": {"subjectId": encoded("ModelVersion", "m", 1), "tags": [{"key": "a", "value": "1"}]},
}


@pytest.fixture
def store(store):
    """With a model of two versions, of which the first is in use."""
    store.registered_model("m")
    for number in (1, 2):
        store.version("m", source=f"s3://b/{number}", description="Good.")
    store.stage("m", 1, "Production")
    store.alias("m", "champion", 1)
    return store


async def failure(changer, mutation, **given):
    """The only error of an answer without data."""
    type_ = mutation[0].upper() + mutation[1:]
    document = f"mutation ($input: {type_}Input!) {{ {mutation}(input: $input) {{ events {{ kind }} }} }}"
    answer = await changer.answer(document, input=given)
    assert answer["data"] is None
    [error] = answer["errors"]
    return error


async def test_a_failure_after_the_change(store, changer, monkeypatch):
    """What MLflow's method had written is undone with the history, and the caller is told nothing of the inside."""

    def keep(*_):
        raise RuntimeError("SELECT secret FROM /etc")

    monkeypatch.setattr(requests, "keep", keep)
    before = everything(store)
    for mutation, given in CHANGES.items():
        error = await failure(changer, mutation, **given, idempotencyKey="k")
        assert error["extensions"]["code"] == "INTERNAL"
        assert error["message"] == f"Something went wrong here; the log has it as {error['extensions']['id']}."
    monkeypatch.undo()

    assert everything(store) == before
    await changer.change("transitionModelVersion", **PROMOTION)


@pytest.mark.parametrize("code", [INTERNAL_ERROR, None], ids=["coded", "plain"])
async def test_failures_of_mlflow_that_are_no_refusals(store, changer, monkeypatch, caplog, code):
    """They are masked: the log has what they say, the answer has not."""

    def fail(*_):
        raise MlflowException("SELECT secret FROM /etc", code) if code else ValueError("SELECT secret FROM /etc")

    monkeypatch.setattr(JoinedRegistry, "transition_model_version_stage", fail)
    before = everything(store)

    with caplog.at_level(logging.ERROR):
        error = await failure(changer, "transitionModelVersion", **PROMOTION)

    assert error["extensions"]["code"] == "INTERNAL"
    assert "secret" not in error["message"]
    assert "secret" in caplog.text
    assert everything(store) == before


async def test_a_refusal_of_mlflows(changer, refused, monkeypatch):
    """What we do not look at ourselves is told in MLflow's own words."""

    def fail(*_):
        raise MlflowException("This will not do.", INVALID_PARAMETER_VALUE)

    monkeypatch.setattr(JoinedRegistry, "transition_model_version_stage", fail)

    assert await refused("transitionModelVersion", **PROMOTION) == [
        {"__typename": "InvalidInputError", "message": "This will not do.", "path": None}
    ]


async def test_a_client_that_goes_away(store, client, changer, monkeypatch):
    """The change that it asked for is made to its end."""
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    complete, close = units.Unit.complete, units.Units._once

    def slowly(unit, asked):
        begun.set()
        assert go_on.wait(10)
        return complete(unit, asked)

    def once(*given):
        try:
            return close(*given)
        finally:
            ended.set()

    monkeypatch.setattr(units.Unit, "complete", slowly)
    monkeypatch.setattr(units.Units, "_once", once)
    asking = asyncio.create_task(changer.change("transitionModelVersion", **PROMOTION, reason="r"))
    await asyncio.to_thread(begun.wait, 10)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    go_on.set()
    await asyncio.to_thread(ended.wait, 10)

    history = "{ registryEvents(first: 2) { nodes { kind version origin reason } } }"
    made = {"kind": "STAGE_CHANGED", "origin": "API", "reason": "r"}
    found = (await client.ask(history))["registryEvents"]["nodes"]
    assert sorted(found, key=lambda each: each["version"]) == [{**made, "version": 1}, {**made, "version": 2}]
    stages = [store.client.get_model_version("m", each).current_stage for each in (1, 2)]
    assert stages == ["Archived", "Production"]


@contextmanager
def locked(store):
    """Somebody else is about to change the model, and takes their time."""
    if store.kind == "sqlite":
        with closing(sqlite3.connect(store.uri.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield lambda: connection.execute("ROLLBACK")
        return
    with store._engine.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT * FROM registered_models FOR UPDATE"))
        yield connection.rollback


async def test_others_who_take_too_long(store, changer, monkeypatch):
    """After a while the caller is told to try again, and nothing was changed."""
    monkeypatch.setattr(units, "LOCK_WAIT_MS", 100)
    before = everything(store)
    with locked(store):
        for mutation in ("transitionModelVersion", "updateRegisteredModel", "deleteRegisteredModel"):
            error = await failure(changer, mutation, **CHANGES[mutation])
            assert error["message"] == "Others are changing the registry; try again."
            assert error["extensions"] == {"code": "TIMEOUT"}

    assert everything(store) == before
    await changer.change("transitionModelVersion", **PROMOTION)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_who_asked_before_somebody_gave_up(store, monkeypatch):
    """Has waited as long, and is told so at once, however many there are; whoever asks afterwards is not."""
    monkeypatch.setattr(units, "LOCK_WAIT_MS", 100)
    made, changes = units.Units(store.uri), []

    def change(unit):
        unit.lock("m")
        changes.append(unit)
        return Outcome("m")

    early = Asked("updateRegisteredModel")
    with locked(store), pytest.raises(TimedOut):
        made.made(Asked("updateRegisteredModel"), change)
    with pytest.raises(TimedOut, match=r"^Others are changing the registry; try again\.$"):
        made.made(early, change)
    assert changes == []
    made.made(Asked("updateRegisteredModel"), change)
    assert len(changes) == 1
    made.close()


async def test_others_who_take_a_moment(store, changer):
    """They are waited for."""
    with locked(store) as release:
        changing = asyncio.create_task(changer.change("transitionModelVersion", "modelVersion { stage }", **PROMOTION))
        await asyncio.sleep(0.2)
        assert not changing.done()
        release()
        assert await changing == {"modelVersion": {"stage": "PRODUCTION"}}


async def test_a_change_that_lost_a_race_is_tried_again(store, changer, monkeypatch):
    """A few times, until it is made; nothing is left of the attempts before."""
    attempts = []
    complete = units.Unit.complete

    def losing(unit, asked):
        attempts.append(unit)
        if len(attempts) % 3:
            raise LostRaceError
        return complete(unit, asked)

    monkeypatch.setattr(units.Unit, "complete", losing)

    moved = await changer.change("transitionModelVersion", "archived { label } events { version }", **PROMOTION)

    assert moved == {"archived": [{"label": "m v1"}], "events": [{"version": 2}, {"version": 1}]}
    assert len(attempts) == 3


async def test_a_change_that_loses_each_race(store, changer, monkeypatch):
    """Somebody has to give up."""

    def losing(*_):
        raise LostRaceError

    monkeypatch.setattr(units.Unit, "complete", losing)
    before = everything(store)

    error = await failure(changer, "transitionModelVersion", **PROMOTION)

    assert error["extensions"] == {"code": "TIMEOUT"}
    assert everything(store) == before


async def test_many_at_once(store, changer):
    """However many promote at the same time, one version is in use in the end, and each change was made or refused."""
    made = await asyncio.gather(
        *(changer.change("transitionModelVersion", **{**PROMOTION, "version": 1 + n % 2}) for n in range(8)),
        *(changer.payload("createRegisteredModel", "registeredModel { name }", name="new") for _ in range(3)),
    )

    stages = sorted(store.client.get_model_version("m", each).current_stage for each in (1, 2))
    assert stages == ["Archived", "Production"]
    outcomes = [[error["__typename"] for error in each["errors"]] for each in made[8:]]
    assert sorted(outcomes) == [[], ["AlreadyExistsError"], ["AlreadyExistsError"]]


def without_triggers(store):
    """An upgrade of MLflow has dropped ours."""
    with store._engine.begin() as connection:
        if store.kind == "sqlite":
            names = "SELECT name, tbl_name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'lineage%'"
        else:
            names = "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE 'lineage%'"
            names += " AND tgrelid::regclass::text NOT LIKE 'lineage%'"
        for name, table in connection.execute(sqlalchemy.text(names)).all():
            on = "" if store.kind == "sqlite" else f" ON {table}"
            connection.execute(sqlalchemy.text(f"DROP TRIGGER {name}{on}"))


async def test_without_triggers(store, changer):
    """A change is recorded all the same; what others did meanwhile is told apart from it."""
    without_triggers(store)
    store.stage("m", 2, "Staging")

    moved = await changer.change("transitionModelVersion", EVENTS, **PROMOTION, reason="r")

    caused = {"toStage": "ARCHIVED", "reason": "r", "cause": {"kind": "STAGE_CHANGED"}}
    assert moved == {
        "events": [
            event("STAGE_CHANGED", version=2, fromStage="STAGING", toStage="PRODUCTION", reason="r"),
            event("STAGE_CHANGED", version=1, fromStage="PRODUCTION", **caused),
        ]
    }
    history = "{ registryEvents(first: 3) { nodes { origin toStage } } }"
    found = (await changer.answer(history))["data"]["registryEvents"]["nodes"]
    assert found[2] == {"origin": "INFERRED", "toStage": "STAGING"}
    assert {each["origin"] for each in found[:2]} == {"API"}


async def test_each_change_without_triggers(store, changer):
    """Its first event is that with triggers, all are ours, and none is missing."""
    without_triggers(store)
    kinds = {
        "createRegisteredModel": "MODEL_CREATED",
        "registerModelVersion": "VERSION_REGISTERED",
        "setTags": "TAG_SET",
        "setModelAlias": "ALIAS_SET",
        "deleteModelVersion": "VERSION_DELETED",
        "restoreModelVersion": "VERSION_RESTORED",
        "updateRegisteredModel": "MODEL_RENAMED",
        "deleteRegisteredModel": "MODEL_DELETED",
    }
    changes = {**CHANGES, "restoreModelVersion": {"model": "m", "version": 1}}
    changes["updateRegisteredModel"] = {"model": "m", "name": "renamed", "description": "Good."}
    changes["deleteRegisteredModel"] = {"model": "renamed"}
    for mutation, kind in kinds.items():
        found = (await changer.change(mutation, "events { kind origin }", **changes[mutation]))["events"]
        assert found[0] == {"kind": kind, "origin": "API"}, mutation
        assert {each["origin"] for each in found} == {"API"}
    assert recording.catch_up(store.uri).added == 0


async def test_a_store_of_another_release(store, changer, caplog):
    """MLflow's stores are not opened on a database that they would migrate; clients are not told which."""
    head = head_revision()
    store.sql("UPDATE alembic_version SET version_num = '1b5f0d9ad7c1'")

    answer = await changer.answer('mutation { createRegisteredModel(input: {name: "n"}) { events { id } } }')

    [error] = answer["errors"]
    assert error["extensions"]["code"] == "UNSUITABLE_STORE"
    assert error["message"] == "Nothing can be changed: the store is not of the MLflow that is installed here."
    assert "mlflow db upgrade" in caplog.text
    store.sql(f"UPDATE alembic_version SET version_num = '{head}'")
    assert "n" not in [model.name for model in store.client.search_registered_models()]
