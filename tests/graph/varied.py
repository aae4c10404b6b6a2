"""Thirty runs of which no two are alike, for tests of filters, orders and pages."""

import math
import random
from dataclasses import dataclass, field

NAN, INFINITY = math.nan, math.inf
EXPERIMENTS = {"one": "1", "two": "2", "three": "3"}
"""The ID of each experiment, by name."""


@dataclass
class Seen:
    """A run as a person would write it down."""

    name: str
    experiment: str = "one"
    user: str | None = None
    status: str = "FINISHED"
    start: int = 1_000
    end: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    datasets: list[tuple[str, str]] = field(default_factory=list)
    commit: str | None = None
    parent: str | None = None
    is_registered: bool = False
    is_deleted: bool = False
    id: str = ""

    @property
    def duration(self):
        return None if self.end is None else self.end - self.start


def varied(count=30, seed=0):
    """Runs with ties in everything, deterministically."""
    pick = random.Random(seed)
    found = []
    for number in range(count):
        start = 1_000 * pick.randrange(1, 6)
        run = Seen(f"{pick.choice(['Ab', 'aB', 'c%', 'd_', 'é'])} {number:02}", start=start)
        run.experiment = pick.choice(["one", "two", "three"])
        run.user = pick.choice([None, "ann", "bob", "Ann"])
        run.status = pick.choice(["FINISHED", "FINISHED", "FAILED", "KILLED", "RUNNING", "SCHEDULED"])
        run.end = None if run.status in {"RUNNING", "SCHEDULED"} else start + 500 * pick.randrange(4)
        run.params = {k: pick.choice(["", "1", "10", "2", "x'y"]) for k in ("p", "q") if pick.random() < 0.7}
        numbers = [NAN, INFINITY, -INFINITY, 0.0, 1.0, 1.5, -2.0, 1e-300]
        run.metrics = {k: pick.choice(numbers) for k in ("m", "n") if pick.random() < 0.8}
        run.tags = {k: pick.choice(["ops", "ml", ""]) for k in ("t", "u.v") if pick.random() < 0.5}
        run.datasets = [(n, d) for n in ("taxi", "wine") for d in ("1", "2") if pick.random() < 0.25]
        run.commit = pick.choice([None, "abcdef0123", "abc0000000", "a_c0000000"])
        run.parent = pick.choice(found).name if found and pick.random() < 0.3 else None
        run.is_registered, run.is_deleted = pick.random() < 0.3, pick.random() < 0.15
        found.append(run)
    return found


RUNS = varied()


def fill(store):
    """Makes the runs in an empty store."""
    for name in EXPERIMENTS:
        assert store.experiment(name) == EXPERIMENTS[name]
    store.registered_model("model")
    ids = {}
    for run in RUNS:
        run.id = ids[run.name] = write(store, run, ids)
    for run in RUNS:
        if run.is_deleted:
            store.client.delete_run(run.id)


def write(store, run, ids):
    """The ID of the run, once it is in a store."""
    tags = run.tags | ({"mlflow.user": run.user} if run.user else {})
    tags |= {"mlflow.source.git.commit": run.commit} if run.commit else {}
    id_ = store.run(
        EXPERIMENTS[run.experiment], run.name, start=run.start, end=run.end, status=run.status, params=run.params,
        metrics=run.metrics, tags=tags, parent=run.parent and ids[run.parent],
    )  # fmt: skip
    if run.status == "SCHEDULED":
        store.sql(f"UPDATE runs SET status = 'SCHEDULED', end_time = NULL WHERE run_uuid = '{id_}'")
    for name, digest in run.datasets:
        store.dataset(id_, name, digest)
    if run.is_registered:
        store.version("model", run_id=id_)
    return id_
