"""Many processes that change one registered model at the same time, among them MLflow's own client."""

import os
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from multiprocessing import Pipe

import httpx

from lineage_api.migrations import recording
from tests.faults.racer import by_api, by_mlflow, race
from tests.servers import another, started

ROUNDS = int(os.environ.get("LINEAGE_API_ROUNDS", "32"))
"""1,000 to 10,000 in the long run; a fourth of them are of each kind."""
OURS, THEIRS = 6, 2
STATE = '{ registeredModel(name: "m") { inStage(stage: PRODUCTION) { version } } }'


class Racers:
    """Processes that change something when they are all told to."""

    def __init__(self, pipes):
        self._pipes = pipes

    def race(self, wanted):
        """The errors of each, who begin together."""
        for pipe, change in zip(self._pipes, wanted, strict=False):
            pipe.send(change)
        return [pipe.recv() for pipe, _ in zip(self._pipes, wanted, strict=False)]


@contextmanager
def racing(uri):
    """Two servers, clients of theirs, and MLflow's own clients on the same database."""
    with ExitStack() as stack:
        addresses = [stack.enter_context(started("--backend-store-uri", uri)).address for _ in range(2)]
        kinds = [*((by_api, addresses[i % 2]) for i in range(OURS)), *((by_mlflow, uri) for _ in range(THEIRS))]
        pipes = [stack.enter_context(_racer(*kind)) for kind in kinds]
        for pipe in pipes:
            assert pipe.recv() == "ready"
        yield Racers(pipes), addresses[0]


@contextmanager
def _racer(how, where):
    pipe, theirs = Pipe()
    with pipe, another(race, how, where, theirs):
        theirs.close()
        yield pipe


def asked(address, query):
    """The data of an answer."""
    return httpx.post(f"{address}/graphql", json={"query": query}, timeout=60).json()["data"]


def move(version, **more):
    """A promotion that archives what is in Production."""
    return {"model": "m", "version": version, "stage": "PRODUCTION", "archiveExisting": True, **more}


def test_races_to_production(store):
    """In the end one version is in Production; with expectations just one wins, and the others are told why."""
    store.registered_model("m")
    for _ in range(OURS + THEIRS):
        store.version("m", source="s3://bucket/model")
    told = Counter()
    began = time.monotonic()
    with racing(store.uri) as (racers, address):
        for turn in range(ROUNDS):
            winners, errors = RACES[turn % len(RACES)](racers)
            told.update(errors)
            there = asked(address, STATE)["registeredModel"]["inStage"]
            assert len(there) == 1
            assert there[0]["version"] in winners
    assert set(told) <= {"ConflictError", "MLflow: MlflowException"}
    assert recording.catch_up(store.uri).added == 0
    print(f"\n{store.kind}: {ROUNDS} rounds in {time.monotonic() - began:.0f} s, told {dict(told)}")


def everybody(racers):
    """All move another version, as fast as they can; one of ours comes last."""
    errors = racers.race([move(version) for version in range(1, OURS + THEIRS + 1)])
    assert errors[:OURS] == [[]] * OURS
    assert racers.race([move(1)]) == [[]]
    return [1], flat(errors)


def ours_alone(racers):
    """Ours move another version each, and nobody puts in order what they leave."""
    assert racers.race([move(version) for version in range(1, OURS + 1)]) == [[]] * OURS
    return range(1, OURS + 1), []


def the_same_version(racers):
    """Ours move one version that they believe to be archived."""
    racers.race([move(1)])
    racers.race([move(2)])
    _, errors = _one_winner(racers.race([move(1, expectedStage="ARCHIVED")] * OURS))
    return [1], errors


def different_versions(racers):
    """Ours move versions of their own into a place that they believe to be held by version 1."""
    racers.race([move(1)])
    place, errors = _one_winner(racers.race([move(version, expectedCurrent=[1]) for version in range(2, OURS + 2)]))
    return [place + 2], errors


def _one_winner(errors):
    assert sorted(errors) == [[], *[["ConflictError"]] * (OURS - 1)], errors
    return errors.index([]), flat(errors)


def flat(errors):
    """The errors of all."""
    return [error for each in errors for error in each]


RACES = (everybody, ours_alone, the_same_version, different_versions)
