"""The registry as it stood at a moment, over 1,000 models of 20 versions with 10 changes of stage each.

`python -m benchmarks.registry_at [--database sqlite|postgresql]`: a store is made anew, filled in bulk with events as
the triggers would have written them, and asked over HTTP which version was in Production and Staging at moments all
through its history: 2,000 tenures or so, with `first: 10000`, and with the default of 1,000.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import create_engine, insert

from benchmarks.changes import emptied, serving
from benchmarks.client import Connection, post
from lineage_api.migrations import recording
from lineage_api.store import history, tables
from lineage_api.store.opening import prepared

POSTGRESQL = "postgresql://postgres@127.0.0.1:5432/lineage_registry_at"
MODELS, VERSIONS, CHANGES = 1_000, 20, 10
BEGIN = 1_767_225_600_000  # 2026-01-01
STEP = 60_000

QUESTION = """query ($at: DateTime!, $first: Int!) { registryAt(at: $at, first: $first) {
  isTruncated stages { modelName version stage since until } aliases { modelName alias version } } }"""


def events() -> Iterator[dict[str, Any]]:
    """The events of all models, in the order of time: each version is promoted and archived again and again."""
    open_: dict[tuple[int, str], dict[str, Any]] = {}
    found: list[dict[str, Any]] = []
    moment = BEGIN

    def note(model: int, slot: str, kind: str, **columns: Any) -> None:
        event = {
            "id": len(found) + 1,
            "occurred_at": moment,
            "ended_at": None,
            "slot": slot,
            "kind": kind,
            "origin": "EXTERNAL",
            "model_id": model,
            "model_name": f"model-{model:04}",
            **columns,
        }
        before = open_.get((model, slot))
        if before is not None:
            before["ended_at"] = moment
        open_[model, slot] = event
        found.append(event)

    for model in range(1, MODELS + 1):
        note(model, "name", "MODEL_CREATED")
    holders: dict[tuple[int, str], int] = {}
    for turn in range(CHANGES):
        for version in range(1, VERSIONS + 1):
            for model in range(1, MODELS + 1):
                moment += STEP // MODELS
                if turn == 0:
                    note(model, f"stage/{version}", "VERSION_REGISTERED", version=version, to_stage="None")
                    continue
                stage = ("Staging", "Production")[turn % 2]
                displaced = holders.get((model, stage))
                if displaced is not None and displaced != version:
                    gone = {"version": displaced, "from_stage": stage, "to_stage": "Archived"}
                    note(model, f"stage/{displaced}", "STAGE_CHANGED", **gone)
                for place, holder in list(holders.items()):
                    if place[0] == model and holder == version:
                        del holders[place]
                holders[model, stage] = version
                note(model, f"stage/{version}", "STAGE_CHANGED", version=version, from_stage="None", to_stage=stage)
    return iter(found)


def fill(uri: str) -> tuple[int, int]:
    """Fills a store; gives how many events there are, and when the last one was."""
    prepared(uri, artifact_root="/tmp")
    names = [f"model-{model:04}" for model in range(1, MODELS + 1)]
    common = {"workspace": "default", "creation_time": BEGIN, "last_updated_time": BEGIN}
    rows = list(events())
    columns = [column.name for column in history.events.c]
    with create_engine(uri).begin() as connection:
        connection.execute(insert(tables.registered_models), [{"name": name, **common} for name in names])
        versions = [
            {"name": name, "version": version, "current_stage": "None", "status": "READY", **common}
            for name in names
            for version in range(1, VERSIONS + 1)
        ]
        connection.execute(insert(tables.model_versions), versions)
    recording.begin(uri)
    with create_engine(uri).begin() as connection:
        connection.execute(history.events.delete())
        whole = [{name: row.get(name) for name in columns} for row in rows]
        for start in range(0, len(whole), 10_000):
            connection.execute(insert(history.events), whole[start : start + 10_000])
    return len(rows), rows[-1]["occurred_at"]


def main() -> None:
    """Measures, and prints a line for each size of the answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        uri = f"sqlite:///{folder}/m.db" if options.database == "sqlite" else POSTGRESQL
        emptied(uri)
        count, end = fill(uri)
        command = [str(Path(sys.executable).parent / "lineage-api"), "serve", "--no-migrate"]
        port = stack.enter_context(serving([*command, "--backend-store-uri", uri], "/readyz"))
        connection = Connection(port)
        print(f"{options.database}: {count} events")
        for first in (1_000, 10_000):
            taken, sizes = measured(connection, first, end, options.rounds)
            q1, median, q3 = statistics.quantiles(taken, n=4)
            print(
                f"first: {first}  {median:.1f} ms ({q1:.1f} to {q3:.1f}), worst {max(taken):.1f}; {max(sizes)} tenures"
            )


def measured(connection: Connection, first: int, end: int, rounds: int) -> tuple[list[float], list[int]]:
    """Milliseconds of each answer, and how many tenures it has."""
    chance = random.Random(5)
    taken, sizes = [], []
    for turn in range(rounds + 5):
        at = datetime.fromtimestamp(chance.randint(BEGIN, end) / 1000, UTC).isoformat()
        body = {"query": QUESTION, "variables": {"at": at, "first": first}}
        milliseconds, answer = connection.ask(post("/graphql", orjson.dumps(body)))
        if turn >= 5:
            taken.append(milliseconds)
            sizes.append(len(orjson.loads(answer)["data"]["registryAt"]["stages"]))
    return taken, sizes


if __name__ == "__main__":
    main()
