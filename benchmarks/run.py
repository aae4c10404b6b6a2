"""What our answers cost beside the same answers by others, on the same store, with the same questions.

`python -m benchmarks.run --uri URI` measures one store and prints tables of Markdown; `--parts` says what, `--json`
keeps the figures. `benchmarks.report` does so for several stores, with the machine and the growth from store to store.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from benchmarks import counting, growth, latency, memory, pages, postgraphile, throughput
from benchmarks.client import WrongAnswerError
from benchmarks.equality import check
from benchmarks.questions import NEWEST, QUESTIONS, Json, Known
from benchmarks.servers import LINEAGE_API, Server, all_running, kinds

PARTS = ["latency", "throughput", "statements", "growth", "pages", "memory"]
MAX_PAGE = 100_000
"""What `growth`, `pages` and `memory` let a page have; the other parts leave it as it comes."""
PACKAGES = ("mlflow", "starlette", "uvicorn", "uvloop", "graphql-core", "strawberry-graphql", "sqlalchemy", "orjson")


def measured(options: argparse.Namespace, uri: str, say: Callable[[str], None]) -> Json:
    """The figures of a store; each table is said as soon as it is known."""
    known = Known.of(uri)
    probe = {"id": known.runs[0]}
    found = kinds(uri, options.servers)
    base = options.base or ("hand, JSON" if uri.startswith("postgresql") else "hand")
    found.sort(key=lambda kind: kind.name != base)
    questions = [QUESTIONS[name] for name in options.questions]
    results: Json = {"surroundings": surroundings(uri)}

    def started(stack: ExitStack, page: int = 0) -> list[Server]:
        return all_running(stack, found, uri, probe, page)

    def is_wanted(part: str) -> bool:
        return part in options.parts

    if is_wanted("latency") or is_wanted("throughput"):
        with ExitStack() as stack:
            servers = started(stack)
            check(servers, questions, known)
            for question in questions if is_wanted("latency") else ():
                one = latency.measured(servers, question, known, options.rounds, options.scale)
                results.setdefault("latency", {})[question.name] = one
                say(latency.shown(question.name, one, base))
            for question in questions if is_wanted("throughput") else ():
                one = throughput.measured(servers, question, known, options.turns, options.connections, options.seconds)
                results.setdefault("throughput", {})[question.name] = one
                say(throughput.shown(question.name, one, options.connections))
    if is_wanted("statements"):
        results["statements"] = counting.measured(found, questions, known, uri)
        say(counting.shown(results["statements"]))
    found = [kind for kind in found if kind.way.answers(NEWEST)]
    if is_wanted("growth") or is_wanted("pages"):
        with ExitStack() as stack:
            servers = started(stack, MAX_PAGE)
            if is_wanted("growth"):
                results["growth"] = growth.measured(servers, options.rounds)
                say(growth.shown(results["growth"]))
            if is_wanted("pages") and {"hand", LINEAGE_API} <= {server.name for server in servers}:
                results["pages"] = pages.measured(servers, uri, options.rounds)
                say(pages.shown(results["pages"]))
    if is_wanted("memory"):
        with ExitStack() as stack:  # anew, since what was answered before left memory behind
            results["memory"] = memory.measured(started(stack, MAX_PAGE))
            say(memory.shown(results["memory"]))
    return results


def surroundings(uri: str) -> Json:
    """Where it is measured."""
    url = make_url(uri)
    engine = create_engine(url)
    with engine.connect() as connection:
        runs = connection.execute(text("SELECT COUNT(*) FROM runs")).scalar_one()
        is_sqlite = url.get_backend_name() == "sqlite"
        shown = sqlite3.sqlite_version if is_sqlite else connection.execute(text("SHOW server_version")).scalar_one()
    engine.dispose()
    begun = time.perf_counter()
    sum(range(10_000_000))
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "store": url.render_as_string(hide_password=True),
        "database": f"{'SQLite' if is_sqlite else 'PostgreSQL'} {shown.split()[0]}",
        "runs": runs,
        "machine": f"{os.cpu_count()} cores of {_processor()}, {platform.system()} {platform.release()}",
        "addition_s": time.perf_counter() - begun,
        "load": os.getloadavg()[0],
        "versions": {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}, **_node()},
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _node() -> dict[str, str]:
    if not postgraphile.NODE.exists():
        return {}
    package = json.loads((postgraphile.FOLDER / "package.json").read_text())
    node = subprocess.run([postgraphile.NODE, "--version"], capture_output=True, text=True, check=True).stdout
    return {"PostGraphile": package["dependencies"]["postgraphile"], "Node.js": node.strip().removeprefix("v")}


def options_of(parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What is to be measured, and how long."""
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS, help="all of them unless said otherwise")
    parser.add_argument("--questions", nargs="*", choices=list(QUESTIONS), default=list(QUESTIONS))
    parser.add_argument("--servers", nargs="*", help="only these; all that there are when left out")
    parser.add_argument("--base", help="the server that others are held to; the answers by hand when left out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="more or fewer questions a round")
    parser.add_argument("--connections", type=int, default=16, help="of throughput")
    parser.add_argument("--turns", type=int, default=3, help="of throughput")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a turn of throughput takes")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    gc.disable()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that servers are stopped and views dropped
    return parser.parse_args(arguments)


def main() -> None:
    """Measure and print; write a file when asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--uri", required=True, help="a store made by benchmarks.make_store")
    options = options_of(parser)
    try:
        results = measured(options, options.uri, lambda table: print(table, flush=True))
    except WrongAnswerError as wrong:
        sys.exit(f"a wrong answer: {wrong}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
