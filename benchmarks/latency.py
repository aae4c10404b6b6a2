"""How long an answer takes on one connection.

Servers take turns question by question, in changing order and with equal variables, so that a busy moment of the
machine hits all of them; a ratio is that of neighbours. A slow server is asked only some of the questions.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from random import Random

from benchmarks.questions import Json, Known, Question
from benchmarks.servers import LINEAGE_API, Server
from benchmarks.tables import digits, spread, table


def quantiles(values: Sequence[float]) -> Json:
    """Median, quartiles, and the 95th and 99th of a hundred."""
    ordered = sorted(values)
    if len(ordered) == 1:
        ordered *= 2
    parts = statistics.quantiles(ordered, n=100, method="inclusive")
    named = {"median": 50, "q1": 25, "q3": 75, "p95": 95, "p99": 99}
    return {name: parts[part - 1] for name, part in named.items()} | {"count": len(values)}


def measured(servers: Sequence[Server], question: Question, known: Known, rounds: int, scale: float) -> Json:
    """Milliseconds of each server, also those on a processor, and its ratios to the others pair by pair."""
    random = Random(23)
    servers = [server for server in servers if server.way.answers(question)]
    times: dict[str, dict[tuple[int, int], float]] = {server.name: {} for server in servers}
    busy: dict[str, list[float]] = {server.name: [] for server in servers}
    size: dict[str, int] = {server.name: 0 for server in servers}
    requests: dict[str, int] = {}
    count = max(4, int(question.requests * scale))
    for turn in range(rounds + 1):  # the first round warms up
        for number in range(count):
            variables = question.variables(random, known)
            place = number % len(servers)
            for server in [*servers[place:], *servers[:place]]:
                if number % server.way.share.get(question.name, 1):
                    continue
                before = server.busy()
                took, bodies = server.ask(question, variables)
                size[server.name] = max(size[server.name], sum(map(len, bodies)))
                requests[server.name] = max(requests.get(server.name, 0), len(bodies))
                if turn:
                    times[server.name][turn, number] = took
                    busy[server.name].append(server.busy() - before)
    return {
        name: {
            "ms": quantiles(list(values.values())),
            "busy_ms": statistics.median(busy[name]),
            "bytes": size[name],
            "requests": requests[name],
            "rounds": [
                statistics.median(value for (turn, _), value in values.items() if turn == one)
                for one in range(1, rounds + 1)
            ],
            "ratios": {
                other: quantiles([values[at] / others[at] for at in values.keys() & others.keys()])
                for other, others in times.items()
            },
        }
        for name, values in times.items()
    }


def shown(question: str, result: Json, base: str) -> str:
    """A question as a table of Markdown."""
    rows = []
    for name, one in result.items():
        ours = result.get(LINEAGE_API, {}).get("ratios", {}).get(name)
        ms = one["ms"]
        times = [digits(ms[key]) for key in ("median", "q1", "q3", "p95")]
        row = [name, times[0], f"{times[1]} to {times[2]}", times[3], digits(one["busy_ms"])]
        row += [spread(one["ratios"].get(base)), spread(ours) if name != LINEAGE_API else ""]
        rows.append([*row, f"{one['requests']}", f"{one['bytes'] / 1000:,.1f}"])
    heads = [question, "median, ms", "quartiles", "p95", "busy", f"÷ {base}", f"{LINEAGE_API} ÷ it", "requests", "kB"]
    return table(heads, rows)
