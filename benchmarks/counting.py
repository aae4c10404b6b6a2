"""How many SQL statements a question costs on each server.

On PostgreSQL all servers are listened to on the wire, each alone, by a proxy that reads the protocol. On SQLite, which
has no wire, ours are told to an observer, those by hand are counted where they are made, and MLflow's are not known.
Statements that only begin or end a transaction are not counted.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from graphql import ExecutionContext
from sqlalchemy import make_url

from benchmarks.questions import Json, Known, Question
from benchmarks.servers import Kind, running
from benchmarks.statements import SQLITE
from benchmarks.tables import table
from lineage_api.api import http
from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.engine import answers

WARM = 6
"""How often a question is put before it is counted: drivers prepare statements after five times."""
_SSL, _GSS = 80877103, 80877104


def is_counted(sql: str) -> bool:
    """Whether it reads something."""
    words = sql.split(maxsplit=1)
    return bool(words) and words[0].upper().rstrip(";") not in ("BEGIN", "START", "COMMIT", "ROLLBACK", "DEALLOCATE")


class Wire:
    """A proxy before PostgreSQL that keeps the text of each statement that is executed."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.statements: list[str] = []

    async def serve(self) -> asyncio.Server:
        """Listens, on a port that is free."""
        return await asyncio.start_server(self._connected, "127.0.0.1", 0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begin = await self._start(reader, writer)
        up_reader, up_writer = await asyncio.open_connection(self.host, self.port)
        up_writer.write(begin)
        back = asyncio.create_task(self._back(up_reader, writer))
        texts: dict[bytes, str] = {}
        portals: dict[bytes, bytes] = {}
        try:
            while True:
                kind, size = struct.unpack("!cI", await reader.readexactly(5))
                body = await reader.readexactly(size - 4)
                self._note(kind, body, texts, portals)
                up_writer.write(struct.pack("!cI", kind, size) + body)
                await up_writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            up_writer.close()
            await back

    @staticmethod
    async def _start(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The first message, after encryption was refused."""
        while True:
            size, code = struct.unpack("!II", head := await reader.readexactly(8))
            if code not in (_SSL, _GSS):
                return head + await reader.readexactly(size - 8)
            writer.write(b"N")

    @staticmethod
    async def _back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    def _note(self, kind: bytes, body: bytes, texts: dict[bytes, str], portals: dict[bytes, bytes]) -> None:
        if kind == b"P":
            name, sql, _ = body.split(b"\0", 2)
            texts[name] = sql.decode()
        elif kind == b"B":
            portal, name, _ = body.split(b"\0", 2)
            portals[portal] = name
        elif kind in (b"Q", b"E"):
            first = body.split(b"\0", 1)[0]
            sql = first.decode() if kind == b"Q" else texts[portals[first]]
            if is_counted(sql):
                self.statements.append(sql)


@contextmanager
def listening(uri: str) -> Iterator[tuple[Wire, str]]:
    """A proxy before the database, and the address of the database through it."""
    url = make_url(uri)
    wire, loop = Wire(url.host or "127.0.0.1", url.port or 5432), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(wire.serve(), loop).result()
    through = url.set(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    try:
        yield wire, through.render_as_string(hide_password=False)
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def measured(kinds: list[Kind], questions: list[Question], known: Known, uri: str) -> Json:
    """Statements of each question on each server."""
    if uri.startswith("sqlite"):
        return _in_process(kinds, questions, known, uri)
    counts: Json = {}
    for kind in kinds:
        with listening(uri) as (wire, through), running(kind, uri, {"id": known.runs[0]}, through=through) as server:
            counts[kind.name] = {}
            for question in questions:
                if kind.way.answers(question):
                    variables = question.variables(Random(41), known)
                    for _ in range(2 if question.name in kind.way.share else WARM):
                        server.ask(question, variables)
                    wire.statements.clear()
                    server.ask(question, variables)
                    counts[kind.name][question.name] = len(wire.statements)
    return counts


def _in_process(kinds: list[Kind], questions: list[Question], known: Known, uri: str) -> Json:
    asked = {question: question.variables(Random(41), known) for question in questions}
    counts: Json = {}
    for kind in kinds:
        if kind.name == "hand":
            counts[kind.name] = {question.name: _by_hand(question, some, uri) for question, some in asked.items()}
        elif kind.name == "lineage_api":
            counts[kind.name] = asyncio.run(_observed(asked, uri))
        elif kind.name == "graphql-core":
            ours, answers.ColumnarExecutionContext = answers.ColumnarExecutionContext, ExecutionContext
            counts[kind.name] = asyncio.run(_observed(asked, uri))
            answers.ColumnarExecutionContext = ours
    return counts


async def _observed(asked: dict[Question, Json], uri: str) -> Json:
    statements: list[str] = []
    app = create_app(Settings(backend_store_uri=uri, read_only=True), statements.append)
    counts = {}
    async with app.router.lifespan_context(app):
        for question, variables in asked.items():
            for _ in range(2):
                statements.clear()
                await app.state.graphql.execute(http.Question(question.document, variables))
            counts[question.name] = sum(map(is_counted, statements))
    return counts


def _by_hand(question: Question, variables: Json, uri: str) -> int:
    from benchmarks.handwritten import Sqlite, bound  # noqa: PLC0415

    connection, count = Sqlite(make_url(uri).database or "").connection, 0
    twin = question.twin(SQLITE, variables)
    rows: Any = None
    while True:
        try:
            statements = twin.send(rows)
        except StopIteration:
            connection.close()
            return count
        count += len(statements)
        rows = [connection.execute(sql, [bound(bind) for bind in binds]).fetchall() for sql, binds in statements]


def shown(counts: Json) -> str:
    """A table of Markdown."""
    names = list(dict.fromkeys(name for some in counts.values() for name in some))
    rows = [[server, *(str(some.get(name, "-")) for name in names)] for server, some in counts.items()]
    return table(["SQL statements", *names], rows)
