"""What our answers cost beside the same answers by hand, on the same store, with the same questions, at the same time.

`python -m benchmarks.run --uri URI`: latency of each question on one keep-alive connection. Servers take turns request
by request, in changing order and with equal variables, so that a busy moment of the machine hits all of them; a ratio
is that of a pair. `busy` is how long the server was on a processor, which other work on the machine changes less
(what PostgreSQL does is not in it). With `--throughput`, answers a second to the point query; with `--growth`, the
cost of an object.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import IO, Any

import orjson
from sqlalchemy import make_url

from benchmarks.client import Connection, WrongAnswerError, post, throughput
from benchmarks.questions import NEWEST, POINT, QUESTIONS, Json, Known, Question

OURS = [str(Path(sys.executable).with_name("lineage-api")), "serve", "--backend-store-uri", "{uri}", "--port", "{port}"]
OURS_UNLIMITED = ["--max-page", "100000"]
"""Added to the command for `--growth` alone."""
HAND = [sys.executable, "-m", "benchmarks.handwritten", "--uri", "{uri}", "--port", "{port}"]
PLAIN = [sys.executable, "-m", "benchmarks.plain", "--uri", "{uri}", "--port", "{port}"]
"""The same schema, executed by graphql-core as it comes; POST /graphql as ours."""

GROWTH = [9, 91, 909, 9091]
"""Runs asked for, with ten parameters each: about 100 to 100,000 objects."""


@dataclass
class Server:
    """A server that runs, and how it is asked."""

    name: str
    command: list[str]
    is_graphql: bool
    process: subprocess.Popen[bytes]
    port: int
    log: IO[bytes]
    connection: Connection | None = None

    def request(self, question: Question, variables: Json) -> bytes:
        """The question as this server wants it."""
        if not self.is_graphql:
            return post(f"/{question.name}", orjson.dumps(variables))
        return post("/graphql", orjson.dumps({"query": question.document, "variables": variables}))

    def ask(self, request: bytes) -> tuple[float, bytes]:
        """Milliseconds and body."""
        if self.connection is None:
            self.connection = Connection(self.port)
        return self.connection.ask(request)

    def data(self, question: Question, variables: Json) -> Any:
        """The data of the answer."""
        return json.loads(self.ask(self.request(question, variables))[1])["data"]

    def memory(self) -> float:
        """How much memory it holds now, in MB, without that of files."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))

    def busy(self) -> float:
        """How many milliseconds its threads have been on a processor."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6


# ---------------------------------------------------------------------------------------------------------- servers


def commands(uri: str, wanted: Sequence[str] | None, *, unlimited: bool) -> list[tuple[str, list[str], bool]]:
    """Name, command and kind of all servers that can be compared here, or of those wanted."""
    more = OURS_UNLIMITED if unlimited else []
    found = [("hand", HAND, False)]
    if make_url(uri).get_backend_name() == "postgresql":
        found.append(("hand, JSON", [*HAND, "--json"], False))
    for name, command, module in (
        ("lineage_api", OURS, "lineage_api.cli"),
        ("graphql-core", PLAIN, "benchmarks.plain"),
    ):
        if importlib.util.find_spec(module):
            found.append((name, [*command, *more], True))
        elif not wanted or name in wanted:
            print(f"skipped {name}: there is no module {module}")
    return [command for command in found if not wanted or command[0] in wanted]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def running(name: str, command: list[str], is_graphql: bool, uri: str, probe: Json) -> Iterator[Server]:
    """The server, once it answers; stopped in the end."""
    port = free_port()
    filled = [part.format(uri=uri, port=port) for part in command]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            filled, stdout=log, stderr=log, env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
        )
        server = Server(name, filled, is_graphql, process, port, log)
        try:
            _wait(server, probe)
            yield server
        finally:
            if server.connection:
                server.connection.close()
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(server: Server, probe: Json) -> None:
    """Until it answers the point query; a minute at most."""
    for _ in range(600):
        if server.process.poll() is not None:
            break
        try:
            server.ask(server.request(POINT, probe))
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return
    server.log.seek(0)
    sys.exit(f"{server.name} does not answer: {' '.join(server.command)}\n{server.log.read()[-3000:].decode()}")


# ------------------------------------------------------------------------------------------------------------ equal


def difference(one: Any, other: Any, path: str = "data") -> str | None:
    """Where two answers differ first, the order of keys included; None when they are equal. 5 is 5.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        if list(one) != list(other):
            return f"{path}: keys {list(one)} and {list(other)}"
        found = (difference(one[key], other[key], f"{path}.{key}") for key in one)
        return next((text for text in found if text), None)
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return f"{path}: {len(one)} and {len(other)} items"
        found = (difference(a, b, f"{path}[{place}]") for place, (a, b) in enumerate(zip(one, other, strict=True)))
        return next((text for text in found if text), None)
    same = one == other and isinstance(one, bool) == isinstance(other, bool)
    return None if same else f"{path}: {one!r} and {other!r}"


def check(servers: Sequence[Server], questions: Sequence[Question], known: Known) -> None:
    """All servers give equal answers; ends the program when they do not."""
    random = Random(11)
    for question in questions:
        for _ in range(10):
            variables = question.variables(random, known)
            expected = servers[0].data(question, variables)
            for server in servers[1:]:
                text = difference(expected, server.data(question, variables))
                if text:
                    sys.exit(f"{question.name} {variables}: {servers[0].name} and {server.name} differ at {text}")


# ---------------------------------------------------------------------------------------------------------- latency


def quantiles(values: Sequence[float]) -> Json:
    """Median, quartiles and the 95th of a hundred."""
    ordered = sorted(values)
    parts = statistics.quantiles(ordered, n=20, method="inclusive")
    return {"median": parts[9], "q1": parts[4], "q3": parts[14], "p95": parts[18], "count": len(ordered)}


def latency(servers: Sequence[Server], question: Question, known: Known, rounds: int, scale: float) -> Json:
    """Milliseconds of each server, also those on a processor, and its ratio to the first pair by pair."""
    random = Random(23)
    times: dict[str, list[list[float]]] = {server.name: [] for server in servers}
    busy: dict[str, list[float]] = {server.name: [] for server in servers}
    size = 0
    count = max(4, int(question.requests * scale))
    for turn in range(rounds + 1):  # the first round warms up
        some: dict[str, list[float]] = {server.name: [] for server in servers}
        before = [server.busy() for server in servers]
        for number in range(count):
            variables = question.variables(random, known)
            requests = [(server, server.request(question, variables)) for server in servers]
            place = number % len(servers)
            for server, request in requests[place:] + requests[:place]:
                took, body = server.ask(request)
                some[server.name].append(took)
                size = max(size, len(body))
        if turn:
            for server, start in zip(servers, before, strict=True):
                times[server.name].append(some[server.name])
                busy[server.name].append((server.busy() - start) / count)
    base = [value for values in times[servers[0].name] for value in values]
    result: Json = {"bytes": size, "servers": {}}
    for name, lists in times.items():
        values = [value for some in lists for value in some]
        ratios = [value / other for value, other in zip(values, base, strict=True)]
        result["servers"][name] = {
            "ms": quantiles(values),
            "busy_ms": statistics.median(busy[name]),
            "ratio": quantiles(ratios),
            "rounds": [statistics.median(some) for some in lists],
        }
    return result


def show_latency(name: str, result: Json) -> None:
    """One question as lines of a table."""
    print(f"\n{name}, {result['bytes'] / 1000:.1f} kB")
    print(f"  {'':14}{'median':>9}{'q1':>9}{'q3':>9}{'p95':>9}{'busy':>9} ms   {'ratio':>7}{'q1':>7}{'q3':>7}   rounds")
    for server, one in result["servers"].items():
        ms, ratio = one["ms"], one["ratio"]
        line = "".join(f"{ms[key]:9.3f}" for key in ("median", "q1", "q3", "p95"))
        line += f"{one['busy_ms']:9.3f}      " + "".join(f"{ratio[key]:7.2f}" for key in ("median", "q1", "q3"))
        print(f"  {server:14}{line}   {' '.join(f'{value:.2f}' for value in one['rounds'])}")


# ------------------------------------------------------------------------------------------ throughput and growth


def measure_throughput(servers: Sequence[Server], known: Known, rounds: int, connections: int, seconds: float) -> Json:
    """Answers a second to the point query, the servers in turns."""
    random = Random(31)
    asked = [POINT.variables(random, known) for _ in range(2000)]
    rates: dict[str, list[float]] = {server.name: [] for server in servers}
    for turn in range(rounds):
        place = turn % len(servers)
        for server in [*servers[place:], *servers[:place]]:
            requests = [server.request(POINT, variables) for variables in asked]
            rates[server.name].append(throughput(server.port, requests, connections, seconds))
    print(f"\npoint query, {connections} connections, answers a second")
    for name, values in rates.items():
        print(f"  {name:14}{statistics.median(values):9,.0f}   rounds {' '.join(f'{value:,.0f}' for value in values)}")
    return {"connections": connections, "rates": rates}


def measure_growth(servers: Sequence[Server], rounds: int) -> Json:
    """Microseconds of an object in answers of about 100 to 100,000, and how far that is from a straight line."""
    growth: dict[str, list[Json]] = {server.name: [] for server in servers}
    for first in GROWTH:
        variables = {"first": first}
        expected = servers[0].data(NEWEST, variables)
        objects = sum(1 + len(run["params"]) for run in expected["runs"]["nodes"])
        times: dict[str, list[float]] = {server.name: [] for server in servers}
        for turn in range(rounds * NEWEST.requests + 1):
            place = turn % len(servers)
            for server in [*servers[place:], *servers[:place]]:
                took, body = server.ask(server.request(NEWEST, variables))
                if not turn:  # warms up, and is looked at
                    text = difference(expected, json.loads(body)["data"])
                    if text:
                        sys.exit(f"{first} runs: {servers[0].name} and {server.name} differ at {text}")
                else:
                    times[server.name].append(took)
        for server in servers:
            median = statistics.median(times[server.name])
            growth[server.name].append(
                {"objects": objects, "ms": median, "us": median * 1000 / objects, "memory": server.memory()}
            )
    print(f"\ngrowth: {'':13}" + "".join(f"{point['objects']:>11,}" for point in growth[servers[0].name]) + " objects")
    for name, points in growth.items():
        print(f"  {name:14}ms   " + "".join(f"{point['ms']:11.2f}" for point in points))
        print(f"  {'':14}us   " + "".join(f"{point['us']:11.2f}" for point in points) + "   each")
        slopes = [(b["ms"] - a["ms"]) * 1000 / (b["objects"] - a["objects"]) for a, b in pairwise(points)]
        print(f"  {'':14}us   {'':11}" + "".join(f"{slope:11.2f}" for slope in slopes) + "   each further one")
        print(f"  {'':14}MB   " + "".join(f"{point['memory']:11.0f}" for point in points))
    return growth


# ---------------------------------------------------------------------------------------------------------- command


def surroundings(uri: str) -> Json:
    """Where it was measured."""
    url = make_url(uri)
    packages = (
        "starlette",
        "uvicorn",
        "uvloop",
        "graphql-core",
        "strawberry-graphql",
        "sqlalchemy",
        "psycopg",
        "orjson",
    )
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "store": url.render_as_string(hide_password=True),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.release()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[0],
        "packages": {name: version(name) for name in packages},
    }


def main() -> None:
    """Measure and print; write a file when asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--uri", required=True, help="a store made by benchmarks.make_store")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--questions", nargs="*", choices=list(QUESTIONS), default=list(QUESTIONS))
    parser.add_argument("--base", default="hand", help="the server that others are held to, such as `hand, JSON`")
    parser.add_argument("--servers", nargs="*", help="only these; all that there are when left out")
    parser.add_argument("--scale", type=float, default=1.0, help="more or fewer requests a round")
    parser.add_argument("--throughput", action="store_true", help="also answers a second to the point query")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long a round of --throughput takes")
    parser.add_argument("--growth", action="store_true", help="also the cost of 100 to 100,000 objects")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    arguments = parser.parse_args()

    known = Known.of(arguments.uri)
    probe = {"id": known.runs[0]}
    results: Json = {"surroundings": surroundings(arguments.uri)}
    print(json.dumps(results["surroundings"]))
    gc.disable()

    def started(stack: ExitStack, *, unlimited: bool) -> list[Server]:
        found = commands(arguments.uri, arguments.servers, unlimited=unlimited)
        found.sort(key=lambda command: command[0] != arguments.base)
        return [stack.enter_context(running(*command, arguments.uri, probe)) for command in found]

    try:
        with ExitStack() as stack:
            servers = started(stack, unlimited=False)
            questions = [QUESTIONS[name] for name in arguments.questions]
            check(servers, questions, known)
            results["latency"] = {}
            for question in questions:
                result = latency(servers, question, known, arguments.rounds, arguments.scale)
                results["latency"][question.name] = result
                show_latency(question.name, result)
            if arguments.throughput:
                results["throughput"] = measure_throughput(
                    servers, known, arguments.rounds, arguments.connections, arguments.seconds
                )
        if arguments.growth:
            with ExitStack() as stack:
                results["growth"] = measure_growth(started(stack, unlimited=True), arguments.rounds)
    except WrongAnswerError as wrong:
        sys.exit(f"a wrong answer: {wrong}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
