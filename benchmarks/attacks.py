"""What attacks cost: the list of `tests/attacks`, sent to a server that four others ask for one row all the time.

`python -m benchmarks.attacks --uri URI`, of a store made by `benchmarks.make_store`; the larger it is, the slower are
the slow queries whose clients go away. The server knows tokens and has the usual limits; who asks, asks by a token.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from benchmarks.asking import Way
from benchmarks.servers import BIN, Server, free_port, stop
from benchmarks.tables import digits, table
from tests.attacks.attack import ANSWERED, INIT, Attack, asked, request, right, subscribed, told
from tests.attacks.attacks import ATTACKS
from tests.attacks.guarded import options
from tests.attacks.sending import Reply, sent, wrong

MAX_REFUSAL_MS = 100
MAX_WAIT_MS = 250
MAX_GROWTH_MB = 50
MAX_LOG_BYTES = 2_000
OTHERS = 4
PAUSE_S = 0.002
"""How long each of the others pauses after an answer: what they wait for is the server, not each other."""
LEAVE_S = 0.3
"""How long who goes away has waited."""
SETTLE_S = 8.0
"""For how long the others are watched after that."""

ONE_ROW = asked("one row", '{ experiment(name: "Default") { name } }', ANSWERED)
_NEARLY_ALL = [{"params": [{"key": f"param_{n}", "ne": "1"}]} for n in range(10)]
SLOW: Mapping[str, dict[str, Any]] = {
    "by a metric": {"orderBy": [{"metric": "metric_3"}]},
    "by a metric that there is not": {"orderBy": [{"metric": "none"}]},
    "by a parameter": {"orderBy": [{"param": "param_3"}]},
    "by duration": {"orderBy": [{"field": "DURATION"}]},
    "by five metrics": {"orderBy": [{"metric": f"metric_{n}"} for n in range(5)]},
    "a name that there is not": {"filterBy": {"nameContains": "nothing at all"}},
    "a pattern that goes back and forth": {"filterBy": {"matching": f"params.param_1 ILIKE '{'%0' * 60}%x'"}},
    "parameters that contain": {"filterBy": {"params": [{"key": f"param_{n}", "contains": "."} for n in range(10)]}},
    "alternatives that none meets": {
        "filterBy": {"or": [{"params": [{"key": f"param_{n}", "contains": "x"}]} for n in range(10)]}
    },
    "conditions that nearly all meet, by a metric": {
        "filterBy": {"not": {"or": [{"not": each} for each in _NEARLY_ALL]}},
        "orderBy": [{"metric": "metric_3"}],
    },
}
"""Arguments of `runs` which no index helps with; each is within all limits."""
PAGE = """query ($filterBy: RunFilter, $orderBy: [RunOrder!]) {
    runs(first: 100, filterBy: $filterBy, orderBy: $orderBy) { totalCount nodes { runId name } } }"""


@contextmanager
def guarded(uri: str, *more: str, has_tokens: bool = True) -> Iterator[Server]:
    """A server with tokens and the usual limits, once it answers; stopped in the end."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        port = free_port()
        known = options(uri, Path(folder)) if has_tokens else ["--backend-store-uri", uri]
        command = [str(BIN / "lineage-api"), "serve", "--port", str(port), *known, *more]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait(process, port)
            yield Server("lineage_api", command, Way(), process, port, log)
        finally:
            stop(process)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"the server ended with {process.returncode}")
        try:
            sent(port, ONE_ROW)
        except (ConnectionRefusedError, TimeoutError):  # the history of a large store takes long, once
            time.sleep(0.1)
        else:
            return
    sys.exit("the server does not answer")


def logged(server: Server) -> int:
    """How many bytes its log has."""
    return server.log.seek(0, 2)


class Others:
    """Those who ask for one row all the time, in a process of their own, and how long each time took."""

    def __init__(self, port: int) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_ask, args=(port, theirs))
        self._process.start()
        self._begun: list[float] = []
        self._times: list[tuple[float, float, int]] = []
        self._longest = 0.0

    def stop(self) -> None:
        """Has them stop, and tell."""
        self._pipe.send("stop")
        self._times = sorted(self._pipe.recv())
        self._process.join()
        self._begun = [begun for begun, _, _ in self._times]
        self._longest = max((ended - begun for begun, ended, _ in self._times), default=0.0)

    def worst_ms(self, begin: float, end: float) -> float:
        """The longest that one of them waited who did so at some time between these."""
        some = self._times[bisect_left(self._begun, begin - self._longest) : bisect_right(self._begun, end)]
        return max((ended - begun for begun, ended, _ in some if ended >= begin), default=0.0) * 1000

    def last_above(self, ms: float, since: float) -> float:
        """For how many seconds after a moment some of them waited longer than they may."""
        late = [ended for begun, ended, _ in self._times if (ended - begun) * 1000 > ms and ended > since]
        return max(late, default=since) - since

    def refused(self) -> int:
        """How often they were not answered."""
        return sum(status != 200 for _, _, status in self._times)

    def usual_ms(self) -> float:
        """How long they wait as a rule."""
        return statistics.median(ended - begun for begun, ended, _ in self._times) * 1000


def _ask(port: int, pipe: Pipe) -> None:
    gc.disable()
    times: list[tuple[float, float, int]] = []
    is_over = threading.Event()

    def one() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            while not is_over.wait(PAUSE_S):
                begun = time.monotonic()
                connection.sendall(ONE_ROW.request)
                status = _status(connection)
                times.append((begun, time.monotonic(), status))

    threads = [threading.Thread(target=one, daemon=True) for _ in range(OTHERS)]
    for thread in threads:
        thread.start()
    pipe.recv()
    is_over.set()
    for thread in threads:
        thread.join(30)
    pipe.send(times)


def _status(connection: socket.socket) -> int:
    """The status of an answer, once all of it has come."""
    answer = b""
    while True:
        answer += connection.recv(1 << 16)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if length and len(body) >= int(length[1]):
            return int(head[9:12])


def memory_floods() -> dict[str, list[Attack]]:
    """Requests that are harmless one by one, and of which a server might keep something each time."""
    one, given = (
        ONE_ROW.request.partition(b"\r\n\r\n")[2],
        "query A%d($f: RunFilter) { runs(filterBy: $f) { totalCount } }",
    )
    parts = [[{"key": f"k{n}", "ne" if n < turn else "eq": "1"} for n in range(60)] for turn in range(60)]
    return {
        "60 kinds of filters, by two documents": [
            asked("filters", given % document, ANSWERED, {"f": {"params": conditions}})
            for document in range(2)
            for conditions in parts
        ],
        "500 texts of 500 kB": [
            asked(
                "texts", "query ($x: String!) { runs(filterBy: { users: [$x] }) { totalCount } }", ANSWERED, {"x": text}
            )
            for text in (f"{number:03}{'x' * 500_000}" for number in range(500))
        ],
        "500 documents of 20 kB": [
            asked("documents", f"{{ a{number}: __typename }} # {'x' * 20_000}", ANSWERED) for number in range(500)
        ],
        "500 headers `Accept` of 50 kB": [
            Attack("headers", request(one, {"accept": f"a/b{number}," + "a/b;q=0.1," * 4_500 + "*/*"}), ANSWERED)
            for number in range(500)
        ],
        "500 WebSockets that come and go": [
            told("sockets", right(101), INIT, subscribed("{ __typename }", variables={"a": "x" * 100_000}))
            for _ in range(500)
        ],
    }


@dataclass
class Outcome:
    """What came of an attack, however often it was sent."""

    attack: Attack
    windows: list[tuple[float, float]] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    log_bytes: int = 0
    wrong: set[str] = field(default_factory=set)

    def add(self, begun: float, ended: float, reply: Reply | None) -> None:
        """One time more; without a reply where it was waited for one in vain."""
        self.windows.append((begun, ended))
        self.statuses.add(-1 if reply is None else reply.status)
        self.wrong.update(["no answer"] if reply is None else wrong(self.attack, reply, b""))

    @property
    def ms(self) -> list[float]:
        """How long each took."""
        return [(ended - begun) * 1000 for begun, ended in self.windows]

    @property
    def is_refused(self) -> bool:
        """Whether it is refused, and not answered within its cost."""
        return self.attack.right.must_fail or not self.statuses & {101, 200}

    def shortfalls(self, waited_ms: float) -> list[str]:
        """Of what should hold, what does not."""
        found = sorted(self.wrong)
        if self.is_refused and statistics.median(self.ms) > MAX_REFUSAL_MS:
            found.append(f"refused after {digits(statistics.median(self.ms))} ms")
        if waited_ms > MAX_WAIT_MS:
            found.append(f"others waited {digits(waited_ms)} ms")
        if self.log_bytes / len(self.windows) > MAX_LOG_BYTES:
            found.append(f"{self.log_bytes / len(self.windows):,.0f} bytes in the log")
        return found


def attacked(server: Server, attacks: Sequence[Attack], rounds: int) -> list[Outcome]:
    """What comes of each, sent so many times."""
    outcomes = []
    for attack in attacks:
        outcome, before = Outcome(attack), logged(server)
        for _ in range(rounds):
            begun = time.monotonic()
            try:
                reply = sent(server.port, attack)
            except TimeoutError:
                reply = None
            outcome.add(begun, time.monotonic(), reply)
        outcome.log_bytes = logged(server) - before
        outcomes.append(outcome)
    return outcomes


def slow_ones(server: Server) -> dict[str, tuple[Attack, float]]:
    """The slow queries, slowest first, with how many seconds each takes when nothing else runs."""
    found = {}
    for name, given in SLOW.items():
        attack = asked(name, PAGE, ANSWERED, given)
        begun = time.monotonic()
        reply = sent(server.port, attack)
        if reply.status == 200 and not reply.codes - {"TIMEOUT"}:
            found[name] = attack, time.monotonic() - begun
        else:
            print(f"{name}: not within the limits: {reply.status} {reply.body[:200]!r}", file=sys.stderr)
    return dict(sorted(found.items(), key=lambda each: -each[1][1]))


def abandoned(server: Server, attack: Attack, count: int) -> tuple[float, float]:
    """When so many who had asked began, and when they went away."""
    body = json.loads(attack.request.partition(b"\r\n\r\n")[2])
    # Each another question, so that none is answered by another's answer.
    texts = [body["query"].replace("first: 100", f"first: {100 - number % 100}") for number in range(count)]
    requests = [asked(attack.name, text, ANSWERED, body["variables"]).request for text in texts]
    begun = time.monotonic()
    connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(count)]
    for connection, text in zip(connections, requests, strict=True):
        connection.sendall(text)
    time.sleep(LEAVE_S)
    left = time.monotonic()
    for connection in connections:
        connection.close()
    return begun, left


def main() -> None:
    """Attack and print; exit with 1 where anything fell short."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attacks", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--uri", required=True, help="a store made by benchmarks.make_store")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is sent")
    parser.add_argument("--only", help="only those whose names have this in them")
    parser.add_argument("--abandoned", type=int, nargs="*", default=[60, 300], help="how many go away")
    given = parser.parse_args()
    chosen = [attack for name, attack in ATTACKS.items() if given.only is None or given.only in name]
    fallen: list[str] = []
    with guarded(given.uri) as server:
        sent(server.port, ATTACKS["an expression of 50 parts"])  # has MLflow's parser loaded
        before = server.memory()
        others = Others(server.port)
        time.sleep(1)
        outcomes = attacked(server, chosen, given.rounds)
        others.stop()
        time.sleep(1)
        growth = server.memory() - before
        rows = []
        for outcome in outcomes:
            waited = max(others.worst_ms(*window) for window in outcome.windows)
            name, ms = outcome.attack.name, outcome.ms
            status = " ".join(map(str, sorted(outcome.statuses)))
            numbers = [statistics.median(ms), max(ms), waited]
            rows.append([name, status, *map(digits, numbers), f"{outcome.log_bytes // given.rounds}"])
            fallen += [f"{name}: {one}" for one in outcome.shortfalls(waited)]
        print(table(["attack", "status", "median, ms", "worst, ms", "others' worst, ms", "log, bytes"], rows))
        print(f"Others wait {digits(others.usual_ms())} ms as a rule; {others.refused()} of them were refused.")
        print(
            f"Memory: {before:.0f} MB, and {growth:+.1f} MB after {len(chosen)} attacks, {given.rounds} times each.\n"
        )
        if growth > MAX_GROWTH_MB:
            fallen.append(f"memory: {growth:+.1f} MB")
    if given.only is None:
        with guarded(given.uri) as server:
            fallen += _flooded(server)
    if given.abandoned:
        with guarded(given.uri) as server:
            fallen += _left(server, given.abandoned)
    print("Fell short:", *(fallen or ["nothing"]), sep="\n- ")
    sys.exit(bool(fallen))


def _flooded(server: Server) -> list[str]:
    """Prints what is kept of floods; gives what is too much."""
    sent(server.port, ONE_ROW)
    rows, fallen = [], []
    for name, attacks in memory_floods().items():
        before = server.memory()
        for attack in attacks:
            sent(server.port, attack)
        time.sleep(1)
        growth = server.memory() - before
        rows.append([name, f"{growth:+.1f}"])
        if growth > MAX_GROWTH_MB:
            fallen.append(f"{name}: memory {growth:+.1f} MB")
    print(table(["flood", "memory, MB"], rows))
    return fallen


def _left(server: Server, counts: Sequence[int]) -> list[str]:
    """Prints what comes of those who go away; gives what fell short."""
    sent(server.port, ATTACKS["an expression of 50 parts"])
    found = slow_ones(server)
    print(table(["slow query", "s"], [[name, f"{took:.2f}"] for name, (_, took) in found.items()]))
    rows, fallen = [], []
    for count in counts:
        for attack, _ in list(found.values())[:2]:
            others = Others(server.port)
            time.sleep(1)
            before = server.memory()
            begun, left = abandoned(server, attack, count)
            time.sleep(SETTLE_S)
            others.stop()
            there, gone = others.worst_ms(begun, left), others.worst_ms(left, left + SETTLE_S)
            rest = others.last_above(MAX_WAIT_MS, left)
            growth = server.memory() - before
            name = f"{count} times {attack.name}"
            rows.append([name, digits(there), digits(gone), f"{rest:.2f}", f"{others.refused()}", f"{growth:+.1f}"])
            waited = max(there, gone)
            if waited > MAX_WAIT_MS:
                fallen.append(f"{name}, abandoned: others waited {digits(waited)} ms")
    heads = [
        "abandoned",
        "others' worst before, ms",
        "and after, ms",
        "for, s",
        "others refused",
        "memory, MB",
    ]
    print(table(heads, rows))
    return fallen


if __name__ == "__main__":
    main()
