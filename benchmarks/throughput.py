"""Answers a second with many connections, and how long one of them waits."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial
from random import Random

from benchmarks.client import Dialogues, loaded
from benchmarks.latency import quantiles
from benchmarks.questions import Json, Known, Question
from benchmarks.servers import LINEAGE_API, Server
from benchmarks.tables import digits, table


def measured(
    servers: Sequence[Server], question: Question, known: Known, rounds: int, connections: int, seconds: float
) -> Json:
    """Of each server, in turns; a slow one has one turn, in which each connection is answered once at least."""
    random = Random(31)
    variables = [question.variables(random, known) for _ in range(2000)]
    servers = [server for server in servers if server.way.answers(question)]
    rates: dict[str, list[float]] = {server.name: [] for server in servers}
    times: dict[str, list[float]] = {server.name: [] for server in servers}
    for turn in range(rounds):
        place = turn % len(servers)
        for server in [*servers[place:], *servers[:place]]:
            is_slow = question.name in server.way.share
            if is_slow and turn:
                continue
            dialogues: Dialogues = [partial(server.way.dialogue, question, some) for some in variables]
            load = loaded(server.port, dialogues, connections, seconds, warm=0 if is_slow else 0.5)
            rates[server.name].append(load.rate)
            times[server.name] += load.milliseconds
    return {name: {"rates": rates[name], "ms": quantiles(times[name])} for name in rates}


def shown(question: str, result: Json, connections: int) -> str:
    """A question as a table of Markdown."""
    rows = []
    ours = statistics.median(result[LINEAGE_API]["rates"]) if LINEAGE_API in result else None
    for name, one in result.items():
        rate, ms = statistics.median(one["rates"]), one["ms"]
        row = [name, digits(rate), f"{digits(min(one['rates']))} to {digits(max(one['rates']))}"]
        row += [digits(ours / rate) if ours and name != LINEAGE_API else ""]
        rows.append([*row, digits(ms["median"]), digits(ms["p99"]), digits(ms["p99"] / ms["median"])])
    heads = [f"{question}, {connections} connections", "answers/s", "rounds", f"{LINEAGE_API} ÷ it"]
    return table([*heads, "p50, ms", "p99, ms", "p99 ÷ p50"], rows)
