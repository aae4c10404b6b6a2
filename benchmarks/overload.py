"""One-row answers a second with all guards on, and what is left of a server of which ten times too much is asked.

`python -m benchmarks.overload --uri URI`, of a store made by `benchmarks.make_store`. Whoever asks does so in a process
of its own, over plain connections with requests that were written before; on a machine of two cores it still takes
from the server what it costs, the more so with 2,000 connections.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import resource
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection as Pipe
from random import Random
from typing import NamedTuple

import orjson
import uvloop

from benchmarks.attacks import guarded
from benchmarks.latency import quantiles
from benchmarks.questions import Json, Known
from benchmarks.servers import Server
from benchmarks.tables import digits, table
from tests.attacks.attack import JSON, request

CONNECTIONS = 64
CROWD = 2_000
TOO_MUCH = 10
"""How many times the capacity a crowd asks for."""
FULL = 32
"""With how many connections the capacity is measured: enough for all places to run, and for some to wait."""
PROMPT_MS = 100
WARM_S = 2.0

ROW = "query ($id: String!) { run(runId: $id) { name } }"
DEAR = {
    "a page": """query ($n: Int!) { runs(first: $n) { nodes { runId name startedAt user experiment { name }
        params { key value } metrics { key value } tags { key value } modelVersions { nodes { version } } } } }""",
    "a scan": """query ($n: Int!) { runs(first: $n, orderBy: [{ metric: "metric_3" }]) { nodes { runId name } } }""",
    "a page of pages": """query ($n: Int!) { runs(first: $n) { nodes { runId name experiment { name runs(first: 10) {
        nodes { name params { key value } metrics { key value } tags { key value } } } } } } }""",
}
"""What costs the server itself much, what costs the database much, and what is nearly as dear as it may be."""


class Asked(NamedTuple):
    """One request, and what came of it."""

    begun: float
    ended: float
    status: int
    """0 where the connection was lost."""
    is_told_when: bool
    """Whether it says when to try again."""

    @property
    def ms(self) -> float:
        """How long it took."""
        return (self.ended - self.begun) * 1000


class _Asking(asyncio.Protocol):
    """A connection with one request at a time, made anew where the server has closed it meanwhile."""

    def __init__(self, port: int, requests: Sequence[bytes], first: int, answered: Callable[[_Asking], None]) -> None:
        self._port, self._requests, self._next, self._answered = port, requests, first, answered
        self._received = b""
        self._end = 0
        self._begun = 0.0
        """When the request was sent that is not answered yet; 0 where there is none."""
        self.asked: list[Asked] = []
        self.due = 0.0

    async def connect(self) -> None:
        """Makes the connection, and sends the request that waits for it."""
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)
        if self._begun:
            self.transport.write(self._requests[self._next])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def ask(self) -> None:
        """Sends the next request."""
        self._next = (self._next + 1) % len(self._requests)
        self._begun = time.perf_counter()
        if self.transport.is_closing():
            self._connecting = asyncio.ensure_future(self.connect())
        else:
            self.transport.write(self._requests[self._next])

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        if not self._end:
            head = self._received.find(b"\r\n\r\n")
            if head < 0:
                return
            length = self._received.find(b"content-length: ", 0, head) + 16
            self._end = head + 4 + int(self._received[length : self._received.find(b"\r", length)])
        if len(self._received) >= self._end:
            status = int(self._received[9:12])
            self._done(status, status == 503 and b"\r\nretry-after: " in self._received)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._begun:
            self._done(0)

    def _done(self, status: int, is_told_when: bool = False) -> None:
        self.asked.append(Asked(self._begun, time.perf_counter(), status, is_told_when))
        self._received, self._end, self._begun = b"", 0, 0.0
        self._answered(self)


async def _load(port: int, requests: Sequence[bytes], connections: int, seconds: float, rate: float) -> list[Asked]:
    """All that was asked: as much as is answered, or so many requests a second, once all are connected."""
    loop = asyncio.get_running_loop()
    period, is_over = connections / rate if rate else 0.0, False

    def again(client: _Asking) -> None:
        client.due = max(client.due + period, loop.time())
        if not is_over:
            loop.call_at(client.due, client.ask)

    clients = [_Asking(port, requests, number * len(requests) // connections, again) for number in range(connections)]
    for client in clients:
        await client.connect()
    begun = time.perf_counter()
    for number, client in enumerate(clients):
        client.due = loop.time() + number * period / connections
        loop.call_at(client.due, client.ask)
    await asyncio.sleep(WARM_S + seconds)
    is_over = True
    found = [each for client in clients for each in client.asked if begun + WARM_S <= each.ended]
    for client in clients:
        client.transport.abort()
    return found


def _ask(pipe: Pipe, *given: object) -> None:
    gc.disable()
    pipe.send(uvloop.run(_load(*given)))  # type: ignore[arg-type]


def loaded(server: Server, requests: Sequence[bytes], connections: int, seconds: float, rate: float = 0) -> list[Asked]:
    """All that a process of its own asked a server in so many seconds, once it had been asked for a while."""
    context = multiprocessing.get_context("fork")
    pipe, theirs = context.Pipe()
    process = context.Process(target=_ask, args=(theirs, server.port, requests, connections, seconds, rate))
    process.start()
    found: list[Asked] = pipe.recv()
    process.join()
    return found


def written(query: str, variables: Sequence[Json], *, has_token: bool = True) -> list[bytes]:
    """Requests for a query, one for each set of variables."""
    headers: dict[str, str | None] = {"accept": JSON, **({} if has_token else {"authorization": None})}
    return [request(orjson.dumps({"query": query, "variables": some}), headers) for some in variables]


def guards(uri: str, turns: int, seconds: float) -> str:
    """What the guards cost: one-row queries of a server with tokens, and of one that lets everybody in."""
    known, random = Known.of(uri), Random(31)
    variables = [{"id": random.choice(known.runs)} for _ in range(2_000)]
    rows = []
    with ExitStack() as stack:
        servers = {
            "with tokens": (stack.enter_context(guarded(uri)), True),
            "--insecure-no-auth": (stack.enter_context(guarded(uri, "--insecure-no-auth", has_tokens=False)), False),
        }
        rates: dict[str, list[float]] = {name: [] for name in servers}
        times: dict[str, list[float]] = {name: [] for name in servers}
        spent = dict.fromkeys(servers, 0.0)
        for turn in range(turns):
            for name in sorted(servers, reverse=bool(turn % 2)):
                server, has_token = servers[name]
                busy = server.busy()
                found = loaded(server, written(ROW, variables, has_token=has_token), CONNECTIONS, seconds)
                # While it was warm it was asked about as much a second.
                spent[name] += (server.busy() - busy) * seconds / (seconds + WARM_S)
                if wrong := Counter(each.status for each in found if each.status != 200):
                    raise SystemExit(f"not all were answered: {wrong}")
                rates[name].append(len(found) / seconds)
                times[name] += [each.ms for each in found]
        for name in servers:
            ms, some = quantiles(times[name]), rates[name]
            spread = f"{digits(min(some))} to {digits(max(some))}"
            rows.append([name, digits(statistics.median(some)), spread, digits(ms["median"]), digits(ms["p99"])])
            rows[-1].append(f"{spent[name] / len(times[name]):.2f}")
    heads = [f"one row, {CONNECTIONS} connections", "answers/s", "turns", "p50, ms", "p99, ms", "processor, ms each"]
    return table(heads, rows)


def overloaded(uri: str, seconds: float) -> str:
    """What a crowd that asks for ten times the capacity leaves of it."""
    rows = []
    for name, query in DEAR.items():
        requests = written(query, [{"n": 100 - number} for number in range(20)])
        with guarded(uri) as server:
            alone = [each for each in loaded(server, requests, FULL, seconds) if each.status == 200]
            capacity = len(alone) / seconds
            found = loaded(server, requests, CROWD, seconds, capacity * TOO_MUCH)
        statuses = Counter(each.status for each in found)
        answered = [each.ms for each in found if each.status == 200] or [0.0]
        refused = [each for each in found if each.status == 503]
        prompt = sum(each.ms <= PROMPT_MS for each in refused)
        ms = quantiles([each.ms for each in refused] or [0.0])
        others = {status: count for status, count in statuses.items() if status not in {200, 503}}
        rows.append(
            [
                name,
                digits(capacity),
                digits(len(found) / seconds),
                f"{statuses[200] / seconds / capacity:.0%}",
                f"{quantiles(answered)['p99'] / 1000:.2f}",
                f"{len(refused) / max(1, len(found)):.0%}",
                digits(ms["median"]),
                digits(ms["p99"]),
                f"{prompt / max(1, len(refused)):.0%}",
                f"{sum(each.is_told_when for each in refused) / max(1, len(refused)):.0%}",
                str(others or "none"),
            ]
        )
    heads = ["", "capacity/s", "asked and told/s", "kept", "p99 of answers, s", "503", "their p50, ms", "p99, ms"]
    return table([*heads, f"within {PROMPT_MS} ms", "Retry-After", "anything else"], rows)


def main() -> None:
    """Prints two tables of Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--uri", required=True, help="a store made by benchmarks.make_store")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(guards(given.uri, given.turns, given.seconds), flush=True)
    print(overloaded(given.uri, given.seconds * 2), flush=True)


if __name__ == "__main__":
    main()
