"""Every corner of the schema, measured once: root fields, filters, orders, arrows, and the last pages of lists.

`python -m benchmarks.corners --uri sqlite:////tmp/bench/200k.db`, or a `postgresql://` address: a store of
`make_store` is copied and completed (see `corner_store`), and asked in the four states that a database may be in:
with MLflow's own indexes or with ours too, without statistics or with them. What takes longer than a page should is
printed as a table, and with --explain with its statements and their plans. The copy is removed at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import orjson

from benchmarks.corner_plans import Sent, noted, plan
from benchmarks.corner_questions import Corner, Corners
from benchmarks.corner_store import Copy
from benchmarks.corner_values import Known
from lineage_api.api.schema import executable
from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.store import indexes

STATES = ("plain", "analyzed", "indexed", "indexed and analyzed")
"""The states of a database, in the order in which they are made."""
PARENTS = (1, 20, 100)
"""Of how many parents an arrow is asked."""
PAGE = 20
ASKED = 2
"""How often a question is asked after the first time, where it takes long; the quickest answer counts."""

SHORT, LONG = 60, 1_000
"""How many milliseconds are so few, or so many, that one answer is enough."""

Taken = dict[str, float]
"""Milliseconds, by the names of questions.

On SQLite those of the processor, since the database works in this process, and others on the machine do not count; on
PostgreSQL those of the clock.
"""


class Wrong(Exception):
    """A question that is not answered, though it should be."""


@dataclass
class Server:
    """A server in this process, asked over its own HTTP."""

    client: httpx.AsyncClient
    statements: list[str]
    clock: Callable[[], float]

    @classmethod
    @asynccontextmanager
    async def of(cls, uri: str) -> AsyncIterator[Server]:
        """A server for a store, which gives pages of any size, so that cursors of the last ones can be had."""
        statements: list[str] = []
        app = create_app(Settings(backend_store_uri=uri, read_only=True, max_page=10_000_000), statements.append)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=None) as client,
        ):
            yield cls(client, statements, time.process_time if uri.startswith("sqlite") else time.perf_counter)

    async def ask(self, corner: Corner) -> tuple[float, Any]:
        """How long an answer takes, in milliseconds, and its data; raises Wrong where that has errors."""
        body = orjson.dumps({"query": corner.document, "variables": corner.variables})
        self.statements.clear()
        begun = self.clock()
        response = await self.client.post("/graphql", content=body, headers={"content-type": "application/json"})
        taken = (self.clock() - begun) * 1_000
        answer = response.json()
        if "errors" in answer:
            raise Wrong(f"{corner.name}: {answer['errors']}\n{corner.document}\n{corner.variables}")
        return taken, answer["data"]

    async def best(self, corner: Corner) -> tuple[float, Any]:
        """The quickest of several answers; for the first one, the question is planned too."""
        taken, data = await self.ask(corner)
        for _ in range(ASKED if SHORT < taken < LONG else 0):
            taken = min(taken, (await self.ask(corner))[0])
        return taken, data


def corners(uri: str, parents: Sequence[int], only: str) -> list[Corner]:
    """The questions, each once."""
    made = Corners(executable(read_only=True), Known(uri).values())
    found = {each.name: each for count in parents for each in made.questions(count)}
    return [each for each in found.values() if re.search(only, each.name)]


async def measured(uri: str, asked: Sequence[Corner], over: float, empty: set[str], wrong: list[str]) -> Taken:
    """How long the questions take; those that nothing meets, and those that are not answered, are added to others."""
    taken: Taken = {}
    async with Server.of(uri) as server:
        for number, corner in enumerate(asked, start=1):
            try:
                taken[corner.name], data = await server.best(corner)
            except Wrong as error:
                wrong.append(str(error))
                continue
            if taken[corner.name] > over:
                told = f"{number} of {len(asked)}: {taken[corner.name]:,.0f} ms, {corner.name}"
                print(told, file=sys.stderr, flush=True)
            if corner.name not in empty and not any(_leaves(data)):
                empty.add(corner.name)
            if corner.is_of_all and (last := await _last_page(server, corner)):
                taken[f"{corner.name}, last page"], _ = await server.best(last)
    return taken


_LAST: dict[str, str | None] = {}
"""The cursors before the last pages of lists; none where the first one is all there is."""


async def _last_page(server: Server, corner: Corner) -> Corner | None:
    """The question of the last page of a list; None where the first one is all there is."""
    [name] = [name.removesuffix("_first") for name in corner.variables if name.endswith("_first")]
    if corner.name not in _LAST:
        _LAST[corner.name] = await _before_last(server, corner, name)
    after = _LAST[corner.name]
    return None if after is None else replace(corner, variables={**corner.variables, f"{name}_after": after})


async def _before_last(server: Server, corner: Corner, name: str) -> str | None:
    """The cursor before the last page of a list."""
    total_count = re.sub(r"\{ nodes .*", "{ totalCount } }", corner.document)
    cursor = re.sub(r"\{ nodes .*", "{ pageInfo { endCursor } } }", corner.document)
    _, data = await server.ask(replace(corner, document=total_count))
    total = data[name]["totalCount"]
    if total <= PAGE:
        return None
    _, data = await server.ask(
        replace(corner, document=cursor, variables={**corner.variables, f"{name}_first": total - PAGE})
    )
    return str(data[name]["pageInfo"]["endCursor"])


def _leaves(data: Any) -> Iterator[Any]:
    """What an answer holds, but for what every answer does."""
    if isinstance(data, dict):
        for name, part in data.items():
            if name not in ("__typename", "pageInfo"):
                yield from _leaves(part)
    elif isinstance(data, list):
        for part in data:
            yield from _leaves(part)
    else:
        yield data is not None


async def explained(uri: str, asked: Sequence[Corner]) -> None:
    """Prints the statements of questions, and their plans."""
    async with Server.of(uri) as server:
        for corner in asked:
            sent: Sent = []
            with noted(sent):
                await server.ask(corner)
            print(f"\n=== {corner.name}\n{corner.document}\n{json.dumps(corner.variables)}")
            for statement, values in sent or [(statement, None) for statement in server.statements]:
                print(f"\n{statement}\n{plan(uri, statement, values)}")


def table(results: Mapping[str, Taken], over: float) -> str:
    """What takes too long in any state, as Markdown."""
    first = next(iter(results.values()))
    slow = [name for name in first if any(taken.get(name, 0) > over for taken in results.values())]
    lines = [f"| question | {' | '.join(results)} |", f"| --- |{' --- |' * len(results)}"]
    for name in sorted(slow, key=lambda name: -first[name]):
        shown = (f"{taken[name]:,.0f}" if name in taken else "" for taken in results.values())
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return "\n".join(lines)


def ratios(results: Mapping[str, Taken], of: str, to: str, least: float) -> str:
    """What takes noticeably longer in one state than in another."""
    both = [(name, results[of][name], results[to].get(name)) for name in results[of]]
    worse = [(a / b, name, a, b) for name, a, b in both if b and a > 1.5 * b and a - b > least]
    return "\n".join(f"- {name}: {a:,.0f} ms {of}, {b:,.0f} ms {to}" for _, name, a, b in sorted(worse, reverse=True))


def deep(results: Taken, least: float) -> str:
    """The last pages that take noticeably longer than the first ones."""
    ends = [
        (name, taken, results[name.removesuffix(", last page")]) for name, taken in results.items() if "last" in name
    ]
    worse = [(a / b, name, a, b) for name, a, b in ends if a > 1.5 * b and a - b > least]
    return "\n".join(f"- {name}: {a:,.0f} ms, first page {b:,.0f} ms" for _, name, a, b in sorted(worse, reverse=True))


def put_into(copy: Copy, state: str) -> None:
    """Brings the copy into a state."""
    if state.startswith("indexed"):
        indexes.make(copy.uri)
    else:
        indexes.remove(copy.uri)
    if state.endswith("analyzed"):
        copy.analyze()
    else:
        copy.forget()


def main() -> None:
    """Measures, and prints what takes long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uri", required=True)
    parser.add_argument("--states", nargs="+", choices=STATES, default=STATES)
    parser.add_argument("--parents", nargs="+", type=int, default=PARENTS)
    parser.add_argument("--only", default="", help="a regular expression that names of questions have to meet")
    parser.add_argument("--over", type=float, default=100, help="how many milliseconds are too long")
    parser.add_argument("--explain", action="store_true", help="print the statements of what takes too long")
    parser.add_argument("--json", type=Path, help="where to keep all that was measured")
    parser.add_argument("--keep", action="store_true", help="use the copy that is there, and leave it there")
    options = parser.parse_args()
    copy = Copy(options.uri)
    if not (options.keep and copy.is_there):
        copy.make()
    asked = corners(copy.uri, options.parents, options.only)
    results: dict[str, Taken] = {}
    empty: set[str] = set()
    wrong: list[str] = []
    for state in options.states:
        put_into(copy, state)
        begun = time.perf_counter()
        results[state] = asyncio.run(measured(copy.uri, asked, options.over, empty, wrong))
        slow = {name for name, taken in results[state].items() if taken > options.over}
        print(
            f"{state}: {len(results[state])} questions, {len(slow)} over {options.over:.0f} ms,"
            f" {time.perf_counter() - begun:.0f} s",
            flush=True,
        )
        if options.json:
            options.json.write_text(json.dumps(results, indent=1))
        if options.explain:
            asyncio.run(explained(copy.uri, [corner for corner in asked if corner.name in slow]))
    print(f"\n{table(results, options.over)}")
    least = options.over / 5
    for of, to in (("analyzed", "plain"), ("indexed", "plain"), ("indexed and analyzed", "indexed")):
        if {of, to} <= results.keys() and (said := ratios(results, of, to, least)):
            print(f"\nslower {of} than {to}:\n{said}")
    for state, taken in results.items():
        if said := deep(taken, least):
            print(f"\nslower at the end than at the beginning, {state}:\n{said}")
    if empty:
        print("\nmet nothing:", *sorted(empty), sep="\n- ")
    if not options.keep:
        copy.remove()
    sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
