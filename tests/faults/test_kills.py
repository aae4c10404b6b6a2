"""Processes that are killed in the middle of a change."""

import json
import os
import subprocess
import sys
import time
from itertools import groupby

from sqlalchemy import text

from lineage_api.migrations import recording
from lineage_api.store.engines import reading
from tests.faults.killed import MODEL, promoted_at
from tests.servers import environment
from tests.test_cli import ROOT, asked, serving

KILLS = int(os.environ.get("LINEAGE_API_KILLS", "8"))
"""At least 100 in the long run: `LINEAGE_API_KILLS=500 pytest -s tests/faults/test_kills.py`, which prints figures."""
STATE = f"""{{ registeredModel(name: "{MODEL}") {{
    tags {{ key value }} inStage(stage: PRODUCTION) {{ version }} aliases {{ name modelVersion {{ version }} }}
}} }}"""


def test_nothing_is_lost_and_nothing_half_done(store):
    """What was acknowledged is there with its events, and whatever was begun is there wholly or not at all."""
    store.registered_model(MODEL)
    for _ in range(4):
        store.version(MODEL, source="s3://bucket/model")
    recording.begin(store.uri)

    command = [sys.executable, "-m", "tests.faults.killed", store.uri, str(KILLS), "7"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=30 * KILLS
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    began = time.monotonic()
    with serving("--backend-store-uri", store.uri) as server:
        is_now = asked(server.address, STATE)["registeredModel"]
        up_s = time.monotonic() - began

    made, state = _history(store.uri)
    said = [(child, *line.split()) for child, lines in enumerate(json.loads(done.stdout)) for line in lines]
    acknowledged = {(f"{child}/{turn}", mutation) for child, what, mutation, turn in said if what == "made"}
    refused = {(f"{child}/{turn}", mutation) for child, what, mutation, turn in said if what == "refused"}
    assert {child for child, *_ in said} == set(range(KILLS)), "each had begun"
    assert acknowledged <= made
    assert not refused & made
    assert is_now == state
    assert recording.catch_up(store.uri).added == 0
    print(
        f"\n{store.kind}: {KILLS} kills, {len(acknowledged)} changes acknowledged, {len(refused)} refused,"
        f" {len(made - acknowledged) - 3} made and not acknowledged; up again in {up_s:.1f} s"
    )


def _history(uri):
    """Which changes were made, each of them wholly; and what the registry is by them, as `STATE` asks for it."""
    with reading(uri).connect() as connection:
        events = connection.execute(text("SELECT * FROM lineage_events WHERE origin = 'API' ORDER BY id")).all()
    made, tags, stages, champion = [], {}, {}, None
    for (reason, mutation), group in groupby(events, key=lambda event: (event.reason, event.mutation)):
        made.append((reason, mutation))
        first, *others = sorted(group, key=lambda event: event.cause_id is not None)
        child, turn = map(int, reason.split("/"))
        assert all(event.cause_id == first.id for event in others)
        for event in (first, *others):
            if event.kind == "TAG_SET":
                tags[event.key] = event.value
            elif event.kind == "STAGE_CHANGED":
                stages[event.version] = event.to_stage
            elif event.kind == "ALIAS_SET":
                champion = event.version
        if mutation == "setTags":
            assert tags == {"child": str(child), "turn": str(turn)}
        elif mutation == "transitionModelVersion":
            assert [version for version, stage in stages.items() if stage == "Production"] == [promoted_at(child, turn)]
        else:
            assert (mutation, champion) == ("setModelAlias", promoted_at(child, turn))
    assert len(made) == len(set(made)), "made twice"
    return set(made), {
        "tags": [{"key": key, "value": value} for key, value in sorted(tags.items())],
        "inStage": [{"version": version} for version, stage in stages.items() if stage == "Production"],
        "aliases": [{"name": "champion", "modelVersion": {"version": champion}}],
    }
