"""Processes that are killed while they change the registry: `python -m tests.faults.killed URI KILLS SEED`.

Six at a time change one registered model in a loop, each saying what was acknowledged and what was refused; again and
again one of them is killed at a random moment, and another one takes its place. MLflow is loaded once, before they are
forked. Printed in the end, as JSON: what each of them said.
"""

import json
import os
import random
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

MODEL = "m"
WRITERS = 6
PATIENCE_S = 40
"""How long is waited for a change to be made; others may be in the way for 20 s before one is refused."""


def promoted_at(child: int, turn: int) -> int:
    """The version that a child moves to Production at a turn."""
    return (child + turn) % 4 + 1


def change(units: Any, child: int, say: int, turns: int = 10_000) -> None:
    """Changes the model until somebody ends it: a tag, a promotion, an alias, each acknowledged once it is made."""
    from lineage_api.errors import TimedOut
    from lineage_api.registry import aliases, tags, versions
    from lineage_api.registry.outcome import Asked

    itself = tags.Subject("RegisteredModel", [MODEL])

    def made(mutation: str, turn: int, doing: Any) -> None:
        try:
            outcome = units.made(Asked(mutation, reason=f"{child}/{turn}"), doing)
        except TimedOut:
            os.write(say, f"refused {mutation} {turn}\n".encode())
        else:
            if outcome.events:  # else all was already as it was to be
                os.write(say, f"made {mutation} {turn}\n".encode())

    for turn in range(turns):
        version = promoted_at(child, turn)
        about = [("child", str(child)), ("turn", str(turn))]
        made("setTags", turn, lambda unit, about=about: tags.set_to(unit, itself, about))
        made(
            "transitionModelVersion",
            turn,
            lambda unit, version=version: versions.transition(
                unit, MODEL, version, "Production", archive_existing=True, expected=versions.Expected()
            ),
        )
        made(
            "setModelAlias",
            turn,
            lambda unit, version=version: aliases.set_to(unit, MODEL, "champion", version, None),
        )


class Writer:
    """A child that changes the model."""

    def __init__(self, units: Any, number: int) -> None:
        self.hear, say = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.hear)
            units._engine.dispose(close=False)  # the parent's connections are not the child's
            try:
                change(units, number, say)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(3)
        os.close(say)

    def killed(self) -> list[str]:
        """What it said until it was killed."""
        os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        with os.fdopen(self.hear) as heard:
            said = heard.read().split("\n")[:-1]
        assert os.WIFSIGNALED(status), "it had ended by itself"
        return said


def main() -> None:
    """Kills, and says what was acknowledged before."""
    uri, kills, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    from lineage_api.registry.units import Units

    units = Units(uri)
    with Path(os.devnull).open("w") as nowhere:
        change(units, -1, nowhere.fileno(), 1)  # what takes long at first is done before children are made
    chance = random.Random(seed)
    running: dict[int, Writer] = {}
    said: dict[int, list[str]] = {}
    while len(said) < kills:
        for number in range(len(said) + len(running), min(kills, len(said) + WRITERS)):
            running[number] = Writer(units, number)
        number = chance.choice(sorted(running))
        select.select([running[number].hear], [], [], PATIENCE_S)  # its first change is made
        time.sleep(chance.uniform(0, 0.2))
        said[number] = running.pop(number).killed()
    print(json.dumps([said[number] for number in range(kills)]))


if __name__ == "__main__":
    main()
