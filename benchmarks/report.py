"""The whole report, as a page of Markdown: everything on the largest store of each database, growth over all stores.

`python -m benchmarks.report --uri URI … > results.md`: stores that `make_store` has made. `--json` keeps the figures,
and `--from` makes the page of figures that were kept. What it does meanwhile is said on stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import counting, growth, latency, memory, pages, throughput
from benchmarks.client import WrongAnswerError
from benchmarks.questions import Json
from benchmarks.run import measured, options_of, surroundings
from benchmarks.servers import LINEAGE_API
from benchmarks.tables import digits, spread, table

COMPARED = ("hand", "hand, JSON", LINEAGE_API, "PostGraphile")
"""The servers that are measured on smaller stores."""


def stores(uris: Iterable[str], options: argparse.Namespace) -> list[Json]:
    """The figures of all stores, the smallest first."""
    runs = {uri: surroundings(uri)["runs"] for uri in uris}
    results = []
    for uri in sorted(runs, key=lambda uri: (_kind(uri), runs[uri])):
        is_largest = runs[uri] == max(count for other, count in runs.items() if _kind(other) == _kind(uri))
        some = options
        if not is_largest:
            some = argparse.Namespace(**{**vars(options), "parts": ["latency"], "servers": COMPARED})
        begun = time.perf_counter()
        results.append(measured(some, uri, lambda text: print(text, file=sys.stderr, flush=True)))
        results[-1]["took_s"] = time.perf_counter() - begun
        results[-1]["is_largest"] = is_largest
    return results


def _kind(uri: str) -> str:
    return uri.partition(":")[0]


def page(results: Sequence[Json], connections: int) -> str:
    """The page."""
    return "\n".join([_machine(results), _stores(results), *(_store(one, connections) for one in results)])


def _machine(results: Sequence[Json]) -> str:
    first = results[0]["surroundings"]
    seconds = [one["surroundings"]["addition_s"] for one in results]
    loads = [one["surroundings"]["load"] for one in results]
    versions = ", ".join(f"{name} {number}" for name, number in first["versions"].items())
    databases = ", ".join(dict.fromkeys(one["surroundings"]["database"] for one in results))
    return (
        f"{first['at'][:10]}: {first['machine']}; load before each store {min(loads):.1f} to {max(loads):.1f}; ten"
        f" million additions took {min(seconds):.2f} to {max(seconds):.2f} s. {databases}, {versions}."
        f" {sum(one['took_s'] for one in results) / 60:.0f} minutes.\n"
    )


def _stores(results: Sequence[Json]) -> str:
    """How each question grows with the store."""
    rows = []
    for one in results:
        for server in COMPARED:
            some = [question.get(server) for question in one.get("latency", {}).values()]
            if all(some) and some:
                rows.append([_title(one), server, *(digits(answer["ms"]["median"]) for answer in some)])
    questions = results[0].get("latency", {})
    return "### From 2,000 to 200,000 runs\n\n" + table(["median, ms", "", *questions], rows)


def _title(one: Json) -> str:
    return f"{one['surroundings']['database'].split()[0]}, {one['surroundings']['runs']:,} runs"


def _store(one: Json, connections: int) -> str:
    if not one["is_largest"]:
        return ""
    base = "hand, JSON" if one["surroundings"]["database"].startswith("PostgreSQL") else "hand"
    parts = [f"### {_title(one)}\n", _summary(one), "#### One connection\n"]
    parts += [latency.shown(name, result, base) for name, result in one.get("latency", {}).items()]
    parts.append(f"#### {connections} connections\n")
    parts += [throughput.shown(name, result, connections) for name, result in one.get("throughput", {}).items()]
    named = {
        "statements": ("SQL statements", counting.shown),
        "growth": ("From 100 to 100,000 objects", growth.shown),
        "pages": ("Deep pages", pages.shown),
        "memory": ("An answer of 10 MB", memory.shown),
    }
    parts += [f"#### {title}\n\n{shown(one[part])}" for part, (title, shown) in named.items() if part in one]
    return "\n".join(parts)


def _summary(one: Json) -> str:
    """Ours beside each other server: the medians of the ratios, with their quartiles."""
    questions = one.get("latency", {})
    servers = dict.fromkeys(name for result in questions.values() for name in result if name != LINEAGE_API)
    rows = []
    for server in servers:
        ratios = [result.get(LINEAGE_API, {}).get("ratios", {}).get(server) for result in questions.values()]
        rows.append([server, *map(spread, ratios)])
    return table([f"latency of {LINEAGE_API} ÷ that of", *questions], rows)


def main() -> None:
    """Measure everything, and print the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--uri", nargs="*", default=[], help="stores made by benchmarks.make_store")
    parser.add_argument("--from", type=Path, dest="kept", help="figures that `--json` has kept")
    options = options_of(parser)
    if not options.uri and not options.kept:
        parser.error("one of --uri and --from")
    try:
        results = json.loads(options.kept.read_text()) if options.kept else stores(options.uri, options)
    except WrongAnswerError as wrong:
        sys.exit(f"a wrong answer: {wrong}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    print(page(results, options.connections))


if __name__ == "__main__":
    main()
