"""Processes that are killed while they change the registry: `python -m tests.faults.killed URI KILLS SEED`.

Each child changes one registered model in a loop and says what was acknowledged; it is killed at a random moment.
MLflow is loaded once, before the children are forked. Printed in the end, as JSON: what was acknowledged, by child.
"""

import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

MODEL = "m"


def change(units: Any, child: int, say: int, turns: int = 10_000) -> None:
    """Changes the model until somebody ends it: a tag, an alias, a promotion, each acknowledged once it is made."""
    from lineage_api.registry import aliases, tags, versions
    from lineage_api.registry.outcome import Asked

    itself = tags.Subject("RegisteredModel", [MODEL])

    def made(kind: str, mutation: str, turn: int, doing: Any) -> None:
        outcome = units.made(Asked(mutation, reason=f"{child}/{turn}"), doing)
        if outcome.events:  # else all was already as it was to be
            os.write(say, f"{kind} {turn}\n".encode())

    for turn in range(turns):
        version = (child + turn) % 4 + 1
        about = [("child", str(child)), ("turn", str(turn))]
        made("tag", "setTags", turn, lambda unit, about=about: tags.set_to(unit, itself, about))
        made(
            "promoted",
            "transitionModelVersion",
            turn,
            lambda unit, version=version: versions.transition(
                unit, MODEL, version, "Production", archive_existing=True, expected=versions.Expected()
            ),
        )
        made(
            "alias",
            "setModelAlias",
            turn,
            lambda unit, version=version: aliases.set_to(unit, MODEL, "champion", version, None),
        )


def main() -> None:
    """Kills, and says what was acknowledged before."""
    uri, kills, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    from lineage_api.registry.units import Units

    units = Units(uri)
    with Path(os.devnull).open("w") as nowhere:
        change(units, -1, nowhere.fileno(), 1)  # what takes long at first is done before children are made
    chance = random.Random(seed)
    acknowledged = []
    for child in range(kills):
        hear, say = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(hear)
            units._engine.dispose(close=False)  # the parent's connections are not the child's
            try:
                change(units, child, say)
            finally:
                os._exit(3)
        os.close(say)
        select.select([hear], [], [], 20)  # its first change is made
        time.sleep(chance.uniform(0, 0.12))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with os.fdopen(hear) as heard:
            acknowledged.append(heard.read().split("\n")[:-1])
    print(json.dumps(acknowledged))


if __name__ == "__main__":
    main()
