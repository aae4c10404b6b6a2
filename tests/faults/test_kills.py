"""Processes that are killed in the middle of a change."""

import json
import os
import subprocess
import sys

from sqlalchemy import text

from lineage_api.migrations import recording
from lineage_api.store.engines import reading
from tests.faults.killed import MODEL
from tests.test_cli import ROOT, environment

KILLS = int(os.environ.get("LINEAGE_API_KILLS", "20"))
"""At least 50 in the long run: `LINEAGE_API_KILLS=500 pytest tests/faults/test_kills.py`."""


def test_nothing_is_lost_and_nothing_half_done(store):
    """What was acknowledged is there with its events, and whatever was begun is there wholly or not at all."""
    store.registered_model(MODEL)
    for _ in range(4):
        store.version(MODEL, source="s3://bucket/model")
    recording.begin(store.uri)

    command = [sys.executable, "-m", "tests.faults.killed", store.uri, str(KILLS), "7"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    acknowledged = json.loads(done.stdout)

    made = _made(store.uri)
    for child, lines in enumerate(acknowledged):
        assert lines, f"child {child} did nothing"
        for line in lines:
            kind, _, turn = line.partition(" ")
            assert kind in made[f"{child}/{turn}"]
    assert recording.catch_up(store.uri).added == 0
    versions = store.client.search_model_versions(f"name = '{MODEL}'")
    assert [version.current_stage for version in versions].count("Production") == 1


def _made(uri):
    """What history says of each turn: the kinds of change that were made wholly."""
    with reading(uri).connect() as connection:
        columns = "reason, kind, to_stage, cause_id, id"
        rows = connection.execute(text(f"SELECT {columns} FROM lineage_events WHERE origin = 'API' ORDER BY id")).all()
    by_turn = {}
    for row in rows:
        by_turn.setdefault(row.reason, []).append(row)
    made = {}
    for turn, events in by_turn.items():
        made[turn] = kinds = set()
        tags = [event for event in events if event.kind == "TAG_SET"]
        assert len(tags) in {1, 2}  # the child stays the same from turn to turn
        kinds.add("tag")
        stages = [event for event in events if event.kind == "STAGE_CHANGED"]
        entered = [event for event in stages if event.to_stage == "Production"]
        left = [event for event in stages if event.to_stage == "Archived"]
        assert len(entered) <= 1
        assert len(left) <= 1
        assert all(event.cause_id == entered[0].id for event in left)
        if entered:
            kinds.add("promoted")
        if any(event.kind == "ALIAS_SET" for event in events):
            kinds.add("alias")
    return made
