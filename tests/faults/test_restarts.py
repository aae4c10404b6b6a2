"""PostgreSQL, started again while it is read and written: fast, and as after a crash."""

import asyncio
import os
import time
from itertools import count

from sqlalchemy import text

from lineage_api.graph.identity import encoded
from lineage_api.migrations import recording
from lineage_api.store.engines import reading
from lineage_api.store.opening import prepared
from tests.faults.clients import MODEL, client_of, require_fit, require_kept
from tests.faults.clusters import cluster
from tests.following import talking
from tests.servers import started
from tests.stores import Store

RESTARTS = int(os.environ.get("LINEAGE_API_RESTARTS", "1"))
"""20 in the long run: `LINEAGE_API_RESTARTS=20 pytest -s tests/faults/test_restarts.py`, which prints figures."""
READERS, WRITERS = 4, 3
PATIENCE_S = 15.0
"""How long after a restart it may still be felt; two seconds where nobody else uses the machine."""
MOVE = """mutation ($version: Int!, $stage: Stage!, $reason: String!) {
    transitionModelVersion(input: {model: "m", version: $version, stage: $stage, reason: $reason}) {
        events { id } errors { message } } }"""


class Traffic:
    """Readers and writers who go on whatever they are told, and who remember what was acknowledged."""

    def __init__(self, client):
        self._client = client
        self.tags = []
        self.moves = []
        self._good = {}
        """When each of them was last answered as it wished."""

    async def read(self, who):
        while True:
            self._note(who, await self._client.read())

    async def write(self, who):
        for turn in count():
            if self._note(who, await self._client.tag(who, str(turn))):
                self.tags.append((who, str(turn)))

    async def move(self, who):
        for turn in count():
            about = {"version": 1, "stage": ("STAGING", "ARCHIVED")[turn % 2], "reason": f"turn {turn}"}
            # A move that nobody acknowledged may have been made, and the next one moves to where the version is.
            heard = await self._client.ask(MOVE, **about)
            if self._note(who, heard) and heard.data["transitionModelVersion"]["events"]:
                self.moves.append(about["reason"])

    def _note(self, who, heard):
        if heard.is_good:
            self._good[who] = heard.asked_at
        return heard.is_good

    async def is_well(self, since):
        """Everybody was answered as they wished who has asked after this moment; says when."""
        async with asyncio.timeout(60):
            while len(self._good) < READERS + WRITERS + 1 or min(self._good.values()) < since:
                await asyncio.sleep(0.01)
        return time.monotonic() - since


async def test_restarts_under_traffic():
    """Errors are told around an outage only; what was acknowledged is there, and was told to whoever follows."""
    with cluster() as postgresql:
        postgresql.administer("CREATE DATABASE store")
        uri = prepared(f"{postgresql.address}/store", artifact_root="/nowhere")
        recording.begin(uri)
        store = Store(uri, "/nowhere")
        store.registered_model(MODEL)
        store.version(MODEL, source="s3://bucket/model")
        store.close()
        with started("--backend-store-uri", uri) as server:
            async with client_of(server.address) as client:
                traffic, outages, told = Traffic(client), [], []
                *_, before = events(uri)
                async with asyncio.TaskGroup() as group:
                    tasks = [
                        *(group.create_task(traffic.read(f"reader {number}")) for number in range(READERS)),
                        *(group.create_task(traffic.write(f"writer {number}")) for number in range(WRITERS)),
                        group.create_task(traffic.move("mover")),
                        group.create_task(follow(server.address, before, told)),
                    ]
                    await traffic.is_well(time.monotonic())
                    for turn in range(RESTARTS):
                        mode, away_s = ("fast", "immediate")[turn % 2], 0.2 + turn % 4
                        begin, end = await asyncio.to_thread(postgresql.restart, mode, away_s)
                        outages.append((begin, end))
                        well_s = await traffic.is_well(end)
                        print(f"{mode}: away for {end - begin:.2f} s, all is well {well_s:.2f} s later")
                    for task in tasks[:-1]:
                        task.cancel()
                    await asyncio.wait(tasks[:-1])
                    async with asyncio.timeout(60):
                        while told[-1:] != events(uri)[-1:]:
                            await asyncio.sleep(0.1)
                    tasks[-1].cancel()
                history = events(uri)
                assert told == history[history.index(before) + 1 :]
                errors = [heard for heard in client.heard if not heard.is_good]
                assert errors
                late = [since(heard, outages) for heard in errors]
                assert max(late) < PATIENCE_S
                print(
                    f"{len(client.heard)} answers, {len(errors)} of them errors, the last {max(late):.2f} s after the"
                    f" server was back; {len(traffic.tags)} tags and {len(traffic.moves)} moves acknowledged"
                )
        require_kept(uri, traffic.tags)
        assert set(traffic.moves) <= reasons(uri)


async def follow(address, after, told):
    """Remembers the events that came after one; where one could not be told, it asks again after the last that was."""
    async with talking(address) as talk:
        for turn in map(str, count()):
            await talk.follow(turn, after=told[-1] if told else after)
            while not (errors := refusals(heard := await talk.heard())):
                if heard["id"] == turn:
                    told.append(heard["payload"]["data"]["registryEvents"]["id"])
            require_fit(errors)
            await talk.say(id=turn, type="complete")
            await asyncio.sleep(0.1)


def refusals(heard):
    """The errors of a message."""
    return heard["payload"] if heard["type"] == "error" else heard["payload"].get("errors")


def since(heard, outages):
    """How many seconds after an outage an error was told; none may be told before the first."""
    _, end = [outage for outage in outages if outage[0] <= heard.at][-1]
    return max(0.0, heard.at - end)


def events(uri):
    """The IDs of all that has happened, as clients see them."""
    with reading(uri).connect() as connection:
        found = connection.execute(text("SELECT id FROM lineage_events WHERE id > 0 ORDER BY id"))
        return [encoded("RegistryEvent", id_) for [id_] in found]


def reasons(uri):
    """Why versions were moved."""
    with reading(uri).connect() as connection:
        return {reason for [reason] in connection.execute(text("SELECT DISTINCT reason FROM lineage_events"))}
