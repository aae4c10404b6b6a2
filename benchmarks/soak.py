"""Whether a server is after a long time what it was at first: its memory, descriptors, threads and answers.

`python -m benchmarks.soak --uri sqlite:////tmp/bench/2k.db --minutes 10`: `lineage-api serve` of a copy of a store that
`benchmarks.make_store` made (without `--uri`, of a new one with 2,000 runs), under a mixed load: questions, changes,
requests that are refused, followers who come and go, and clients who vanish in the middle of anything. Printed: a line
for each minute, and by how much memory grows an hour. The exit code is 1 when the server failed at anything, or holds
more descriptors in the end than after the first ten seconds, each time when nobody asks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

import orjson
import psycopg
import uvloop
from psycopg import sql
from sqlalchemy import make_url
from websockets.exceptions import ConnectionClosed

from benchmarks.asking import Way
from benchmarks.changes import DOCUMENTS, VERSIONS, inputs
from benchmarks.client import post
from benchmarks.followers import BUSY, following
from benchmarks.questions import ALL, Known, Question
from benchmarks.servers import BIN, Kind, Server, running
from benchmarks.tables import digits, table

COMMAND = [str(BIN / "lineage-api"), "serve", "--backend-store-uri", "{uri}", "--port", "{port}"]
SERVE = Kind("lineage_api", COMMAND, Way())
SAMPLE_S = 5.0
WARM_S = 10.0
REST_S = 5.0
"""How long nobody asks before descriptors are counted: whoever is gone has to be let go of by then."""
POOLED = 16
"""Descriptors that may have come since: connections of pools that are opened when so many are needed at once."""
TRACEBACK = "Traceback (most recent call last)"
TOO_LONG_S = 60.0
"""An answer that takes longer is a failure."""
CROWD = {"asks": 6, "changes": 2, "is_refused": 2, "follows": 8, "streams": 4, "vanishes": 3}
"""How many do what at the same time."""
THINKS_S = 0.05
"""How long each of them waits on average before the next request."""


def posted(body: bytes, *headers: str, path: str = "/graphql", host: str = "127.0.0.1") -> bytes:
    """A request with headers of its own."""
    head = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def asking(document: str, *headers: str, **more: str) -> bytes:
    """A question without variables."""
    headers = headers or ("Content-Type: application/json",)
    return posted(orjson.dumps({"query": document}), *headers, **more)


_JSON = "Content-Type: application/json"
REFUSED = {
    "no GraphQL": asking("{ runs(first: 1 { nodes"),
    "no such field": asking("{ runs(first: 1) { nodes { nothing } } }"),
    "too deep": asking('{ run(runId: "x")' + " { parent" * 30 + " { name }" + " }" * 30 + " }"),
    "too many aliases": asking("{ " + " ".join(f"a{n}: __typename" for n in range(3_000)) + " }"),
    "too costly": asking("{ runs(first: 100) { nodes { children(first: 100) { nodes { children(first: 100) "
                         "{ nodes { name } } } } } } }"),
    "a page too long": asking("{ runs(first: 2147483647) { nodes { name } } }"),
    "a cursor that is none": asking('{ runs(first: 1, after: "AAAA") { nodes { name } } }'),
    "no JSON": posted(b'{"query": ', _JSON),
    "no object": posted(b"[" * 1_000 + b"]" * 1_000, _JSON),
    "bad UTF-8": posted(b'{"query": "\xff\xfe"}', _JSON),
    "too long": posted(b" " * (2**20 + 1), _JSON),
    "no content type": asking("{ __typename }", "Content-Type: text/plain"),
    "another origin": asking("{ __typename }", _JSON, "Origin: https://evil.example"),
    "another host": asking("{ __typename }", _JSON, host="evil.example"),
    "by GET": b"GET /graphql?query=mutation{x} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n",
}  # fmt: skip
"""Requests that are never answered with what they ask for."""
EXPECTED = {"TOO_COMPLEX", "BAD_USER_INPUT", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"}


@dataclass
class Minute:
    """What happened in a minute."""

    done: Counter[str] = field(default_factory=Counter)
    """How often each thing was done."""
    errors: Counter[str] = field(default_factory=Counter)
    """What went wrong of what should have gone well."""
    ms: list[float] = field(default_factory=list)
    """How long each question and change took."""


@dataclass(frozen=True)
class Sample:
    """What the server holds at a moment."""

    second: float
    mb: float
    """Memory, without that of mapped files."""
    descriptors: int
    threads: int

    @classmethod
    def of(cls, server: Server, began: float) -> Sample:
        """What it holds now."""
        process = Path(f"/proc/{server.process.pid}")
        held = (len(list((process / part).iterdir())) for part in ("fd", "task"))
        return cls(time.monotonic() - began, server.memory(), *held)


class Connection:
    """One keep-alive connection, which is made again where the server closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=2**24)
        reader, writer = self._streams
        with suppress(ConnectionError):  # of one who is refused before all is sent
            writer.write(request)
            await writer.drain()
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"\r\ncontent-length:")[2].split(b"\r\n", 1)[0])
            body = await reader.readexactly(length)
        except BaseException:
            self.close()
            raise
        if b"\r\nconnection: close" in head:
            self.close()
        return int(head.split(b" ", 2)[1]), body

    def close(self) -> None:
        """Hangs up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Crowd:
    """All who use the server, and what they are told."""

    def __init__(self, server: Server, known: Known, seed: int = 7) -> None:
        self._server, self._known, self._random = server, known, Random(seed)
        self._questions: Sequence[Question] = [*ALL.values()]
        self._turn = 0
        self._version_id = ""
        self.minute = Minute()

    async def settle(self) -> None:
        """Makes the models that are changed."""
        connection = Connection(self._server.port)
        documents = [("create", {"name": name}) for name in ("m", "n")]
        documents += [("register", {"model": "m", "source": "s3://bucket/model"})] * VERSIONS
        for change, given in documents:
            body = {"query": DOCUMENTS[change], "variables": {"i": given}}
            await connection.ask(post("/graphql", orjson.dumps(body)))
        _, answer = await connection.ask(asking('{ modelVersion(ref: {model: "m", version: 1}) { id } }'))
        self._version_id = orjson.loads(answer)["data"]["modelVersion"]["id"]
        connection.close()

    async def use(self, seconds: float) -> None:
        """Everybody does what they do, for a while."""
        end = time.monotonic() + seconds
        doing = [getattr(self, what) for what, many in CROWD.items() for _ in range(many)]
        await asyncio.gather(*(self._again(do, end) for do in doing))

    async def _again(self, do: Callable[[Connection], Awaitable[None]], end: float) -> None:
        connection = Connection(self._server.port)
        try:
            while time.monotonic() < end:
                await asyncio.sleep(self._random.expovariate(1 / THINKS_S))
                try:
                    async with asyncio.timeout(TOO_LONG_S):
                        await do(connection)
                except TimeoutError:
                    self.minute.errors["no answer"] += 1
                    connection.close()
                except (OSError, asyncio.IncompleteReadError, ConnectionClosed) as error:
                    self.minute.errors[type(error).__name__] += 1
                    connection.close()
                    await asyncio.sleep(0.5)
                except ValueError:
                    self.minute.errors["an answer that is none"] += 1
                    connection.close()
        finally:
            connection.close()

    def _question(self) -> bytes:
        question = self._random.choice(self._questions)
        variables = question.variables(self._random, self._known)
        if question.name == "page_of_experiment":
            variables = {"experiment": self._random.choice(self._known.experiments)}
        return post("/graphql", orjson.dumps({"query": question.document, "variables": variables}))

    async def _timed(self, what: str, connection: Connection, request: bytes) -> None:
        begun = time.perf_counter()
        status, body = await connection.ask(request)
        self.minute.ms.append((time.perf_counter() - begun) * 1000)
        self.minute.done[what] += 1
        self.minute.errors.update(wrong(status, body))

    async def asks(self, connection: Connection) -> None:
        """Asks one of the questions that are measured."""
        await self._timed("answered", connection, self._question())

    async def changes(self, connection: Connection) -> None:
        """Makes one of the changes that are measured."""
        self._turn += 1
        change = self._random.choice([*DOCUMENTS])
        given = inputs(self._turn, self._version_id)[change]
        body = orjson.dumps({"query": DOCUMENTS[change], "variables": {"i": given}})
        await self._timed("changed", connection, post("/graphql", body))

    async def is_refused(self, connection: Connection) -> None:
        """Sends what is refused; is it not, that is an error."""
        name = self._random.choice([*REFUSED])
        status, body = await connection.ask(REFUSED[name])
        self.minute.done["refused"] += 1
        if status >= 500:
            self.minute.errors[str(status)] += 1
        elif status == 200:
            codes = wrong(status, body)
            if not codes:
                self.minute.errors[f"not refused: {name}"] += 1
            self.minute.errors.update(code for code in codes if code not in EXPECTED)

    async def follows(self, _: Connection) -> None:
        """Follows what happens by a WebSocket for a while, and then says goodbye or is just gone."""
        async with following(f"ws://127.0.0.1:{self._server.port}/graphql", BUSY) as socket:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._random.uniform(0.1, 3)):
                    while True:
                        await socket.recv()
            self.minute.done["followed"] += 1
            if self._random.random() < 0.5:
                socket.transport.abort()

    async def streams(self, _: Connection) -> None:
        """Follows what happens by a stream of events for a while, and is gone."""
        await self._gone(asking(BUSY, _JSON, "Accept: text/event-stream"), self._random.uniform(0.1, 3))
        self.minute.done["followed"] += 1

    async def vanishes(self, _: Connection) -> None:
        """Is gone in the middle of a request, or before the answer to it."""
        request = self._question()
        if self._random.random() < 0.3:
            request = request[: self._random.randrange(1, len(request))]
        await self._gone(request, self._random.uniform(0, 0.03))
        self.minute.done["vanished"] += 1

    async def _gone(self, request: bytes, seconds: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        writer.write(request)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while await reader.read(2**16):
                    pass
        writer.transport.abort()


def wrong(status: int, body: bytes) -> list[str]:
    """What is wrong with an answer: the status, or the codes of its errors."""
    if status != 200:
        return [str(status)]
    errors = orjson.loads(body).get("errors") if b'"errors":' in body[:20] or b'"errors":' in body[-4_000:] else None
    return [error.get("extensions", {}).get("code", "without a code") for error in errors or ()]


@dataclass
class Soaked:
    """What came of it."""

    rested: Sample
    """When nobody asked, after the first seconds of load."""
    minutes: list[Minute]
    samples: list[Sample]
    after: Sample
    """When nobody asked any more."""
    log: str
    """What the server said."""

    @property
    def growth(self) -> float:
        """By how many MB memory grows an hour, in the second half."""
        half = self.samples[len(self.samples) // 2 :]
        if len(half) < 2:
            return 0.0
        return statistics.linear_regression([each.second / 3600 for each in half], [each.mb for each in half]).slope

    @property
    def failures(self) -> list[str]:
        """What must not have happened; 503 may, where too much was asked at once."""
        errors = sum((minute.errors for minute in self.minutes), Counter[str]())
        bad = [f"{what}: {many}" for what, many in sorted(errors.items()) if is_failure(what)]
        if many := self.log.count(TRACEBACK):
            bad.append(f"tracebacks in the log: {many}")
        more = self.after.descriptors - self.rested.descriptors
        if more > POOLED:
            bad.append(f"{more} descriptors more than after the first {WARM_S:.0f} s")
        return bad

    @property
    def figures(self) -> dict[str, object]:
        """All that was seen."""
        return {
            "minutes": [vars(minute) for minute in self.minutes],
            "samples": [asdict(each) for each in (self.rested, *self.samples, self.after)],
            "growth": self.growth,
            "failures": self.failures,
            "log": self.log if TRACEBACK in self.log else "",
        }


def is_failure(what: str) -> bool:
    """Whether this must not happen, whatever is asked."""
    return what not in {"503", "TIMEOUT"}


def soaked(uri: str, minutes: float) -> Soaked:
    """What comes of so many minutes."""
    known = Known.of(uri)
    with running(SERVE, uri, {"id": known.runs[0]}) as server:
        result: Soaked = uvloop.run(_soaked(server, Crowd(server, known), minutes))
    return result


async def _soaked(server: Server, crowd: Crowd, minutes: float) -> Soaked:
    await crowd.settle()
    await crowd.use(WARM_S)
    await asyncio.sleep(REST_S)
    began = time.monotonic()
    rested, samples, told = Sample.of(server, began), [], []

    async def sample() -> None:
        while True:
            await asyncio.sleep(SAMPLE_S)
            samples.append(Sample.of(server, began))

    sampling = asyncio.create_task(sample())
    using = asyncio.create_task(crowd.use(minutes * 60))
    crowd.minute = Minute()
    for number in range(1, math.ceil(minutes) + 1):
        await asyncio.wait([using], timeout=None if number >= minutes else 60)
        told.append(crowd.minute)
        print(_line(number, crowd.minute, samples[-1:]), file=sys.stderr)
        crowd.minute = Minute()
    sampling.cancel()
    await using
    await asyncio.sleep(REST_S)
    after = Sample.of(server, began)
    server.log.seek(0)
    return Soaked(rested, told, samples, after, server.log.read().decode(errors="replace"))


def _line(number: int, minute: Minute, samples: Sequence[Sample]) -> str:
    held = f", {samples[0].mb:.0f} MB, {samples[0].descriptors} descriptors" if samples else ""
    return f"minute {number}: {dict(minute.done)}, {dict(minute.errors) or 'no errors'}{held}"


def shown(result: Soaked) -> str:
    """Tables of Markdown, and what they come to."""
    done = ("answered", "changed", "refused", "followed", "vanished")
    heads = ["minute", *done, "errors", "p50, ms", "p99, ms", "MB", "descriptors", "threads"]
    rows = []
    for number, minute in enumerate(result.minutes):
        until = math.inf if number + 1 == len(result.minutes) else (number + 1) * 60
        held = [each for each in result.samples if number * 60 <= each.second < until]
        errors = ", ".join(f"{what}: {many}" for what, many in sorted(minute.errors.items()))
        times = statistics.quantiles(minute.ms, n=100) if len(minute.ms) > 1 else [0.0] * 99
        rows.append([
            str(number + 1), *(f"{minute.done[what]:,}" for what in done), errors or "none",
            digits(times[49]), digits(times[98]),
            *(span([getattr(each, what) for each in held]) for what in ("mb", "descriptors", "threads")),
        ])  # fmt: skip
    for name, one in (("before, at rest", result.rested), ("after, at rest", result.after)):
        rows.append([name, *[""] * 8, f"{one.mb:.0f}", str(one.descriptors), str(one.threads)])
    failures = "; ".join(result.failures) or "none"
    return f"{table(heads, rows)}\nMemory, second half: {result.growth:+.1f} MB an hour. Failures: {failures}.\n"


def span(values: Sequence[float]) -> str:
    """The smallest and the greatest."""
    return f"{min(values):.0f} to {max(values):.0f}" if values else ""


@contextmanager
def copied(uri: str | None) -> Iterator[str]:
    """A copy of a store, or a new one; gone in the end."""
    with tempfile.TemporaryDirectory(prefix="lineage-soak-") as folder:
        file = Path(folder) / "mlflow.db"
        if uri is None:
            making = [sys.executable, "-m", "benchmarks.make_store", "--runs", "2000", "--uri", f"sqlite:///{file}"]
            subprocess.run(making, check=True, stdout=sys.stderr)
            yield f"sqlite:///{file}"
        elif make_url(uri).get_backend_name() == "sqlite":
            there = make_url(uri).database or ""
            if shutil.disk_usage(folder).free < 2 * Path(there).stat().st_size:
                sys.exit(f"there is no room for a copy of {there} in {folder}; name another place in TMPDIR")
            source = sqlite3.connect(f"file:{there}?mode=ro", uri=True)
            with closing(source) as old, closing(sqlite3.connect(file)) as new:
                old.backup(new)
            yield f"sqlite:///{file}"
        else:
            with _copied_database(uri) as copy:
                yield copy


@contextmanager
def _copied_database(uri: str) -> Iterator[str]:
    """A copy of a database of PostgreSQL, to which nobody may be connected while it is made."""
    url = make_url(uri)
    copy = url.set(database=f"{url.database}_soak_{time.time_ns() // 1_000_000}")
    names = [sql.Identifier(each.database or "") for each in (copy, url)]
    server = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(*names))
        try:
            yield copy.render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(names[0]))


def main() -> None:
    """Soaks, prints tables of Markdown, and fails where the server did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uri", help="a store that benchmarks.make_store made; a copy of it is used")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--json", type=Path, help="where all that was seen is to be written")
    asked = parser.parse_args()
    with copied(asked.uri) as uri:
        result = soaked(uri, asked.minutes)
    print(shown(result))
    if asked.json:
        asked.json.write_text(json.dumps(result.figures))
    sys.exit(1 if result.failures else 0)


if __name__ == "__main__":
    main()
