"""What an object costs in answers of about 100 to 100,000 of them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise

from benchmarks.equality import same
from benchmarks.questions import NEWEST, Json
from benchmarks.servers import Server
from benchmarks.tables import digits, table

SIZES = [9, 91, 909, 9091]
"""Runs asked for, with ten parameters each."""


def measured(servers: Sequence[Server], rounds: int) -> Json:
    """Milliseconds, and how much memory each server holds afterwards."""
    servers = [server for server in servers if server.way.answers(NEWEST)]
    growth: dict[str, list[Json]] = {server.name: [] for server in servers}
    for first in SIZES:
        variables = {"first": first}
        expected = servers[0].data(NEWEST, variables)
        objects = sum(1 + len(run["params"]) for run in expected["runs"]["nodes"])
        for server in servers[1:]:
            same(servers[0], expected, server, NEWEST, variables)
        times: dict[str, list[float]] = {server.name: [] for server in servers}
        for turn in range(rounds * NEWEST.requests):
            place = turn % len(servers)
            for server in [*servers[place:], *servers[:place]]:
                if not turn % server.way.share.get(NEWEST.name, 1):
                    times[server.name].append(server.ask(NEWEST, variables)[0])
        for server in servers:
            point = {"objects": objects, "ms": statistics.median(times[server.name]), "memory": server.memory()}
            growth[server.name].append(point)
    return growth


def shown(growth: Json) -> str:
    """A table of Markdown."""
    rows = []
    for name, points in growth.items():
        rows.append([f"{name}, ms", *(digits(point["ms"]) for point in points)])
        further = [(b["ms"] - a["ms"]) * 1000 / (b["objects"] - a["objects"]) for a, b in pairwise(points)]
        rows.append([f"{name}, µs for each further object", "", *map(digits, further)])
    heads = [f"{point['objects']:,}" for point in next(iter(growth.values()))]
    return table(["objects", *heads], rows)
