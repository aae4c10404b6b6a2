"""The recording of history while a server runs."""

import asyncio
import logging

import pytest

from lineage_api.errors import Unsuitable
from lineage_api.migrations import recording
from lineage_api.migrations.recorder import begun, recorded
from tests.histories import drop_triggers, rows


@pytest.fixture
def said(caplog):
    """What is said in the log."""
    caplog.set_level(logging.WARNING)
    return caplog


async def until(condition):
    """Waits for something, for a while."""
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError


async def test_what_was_missed_is_found_while_a_server_runs(store, said):
    """Triggers that are gone are made again, what was changed meanwhile is added, and the log says so."""
    async with recorded(store.uri, may_make=True, interval_s=0.05) as state:
        assert state.is_on
        drop_triggers(store)
        store.registered_model("m")
        await until(lambda: "had not been recorded" in said.text)

    assert [(event["kind"], event["origin"]) for event in rows(store)] == [("MODEL_CREATED", "INFERRED")]
    assert recording.looked_at(store.uri).missing == ()
    assert "1 changes had not been recorded as they happened, and were added" in said.text


async def test_a_database_that_is_away_for_a_while(store, said, monkeypatch):
    """It is told in the log, and looked at again later."""
    looks = []

    def catch_up(uri):
        looks.append(uri)
        raise Unsuitable("the database is away")

    async with recorded(store.uri, may_make=True, interval_s=0.02):
        monkeypatch.setattr(recording, "catch_up", catch_up)
        await until(lambda: len(looks) > 1)

    assert "The history could not be compared with the tables" in said.text


async def test_nothing_is_made_where_that_is_not_wanted(store, said):
    """Only the log says what is missing; where nothing is, nothing is said."""
    async with recorded(store.uri, may_make=False) as state:
        assert state.is_on
    assert said.text == ""

    recording.end(store.uri)
    async with recorded(store.uri, may_make=False) as state:
        assert not state.is_on
    assert "run `lineage-api db upgrade`" in said.text
    assert not recording.looked_at(store.uri).is_on


def test_an_account_that_may_not_make_tables(store, said, monkeypatch):
    """The server starts without history, and the log says what would help."""
    recording.end(store.uri)

    def begin(_):
        raise Unsuitable("history cannot be recorded, since its tables cannot be made: permission denied")

    monkeypatch.setattr(recording, "begin", begin)

    assert begun(store.uri, may_make=True) == recording.Recording(None)
    assert "as an account that may make them" in said.text


def test_triggers_that_are_refused(store, said, monkeypatch):
    """The log says what follows from it."""
    state = recording.Recording(1, missing=("a",), refusal="must be owner of table registered_models")
    monkeypatch.setattr(recording, "begin", lambda _: state)

    assert begun(store.uri, may_make=True) == state
    assert "since triggers are refused: must be owner" in said.text


def test_triggers_that_are_missing_and_may_not_be_made(store, said):
    """The log says which command to run, since nobody looks for what other tools change."""
    drop_triggers(store)

    assert begun(store.uri, may_make=False).missing
    assert "triggers are missing: run `lineage-api db upgrade`" in said.text
    assert recording.looked_at(store.uri).missing
