"""The answers by hand over HTTP: no GraphQL, a route for each question, as fast as we know how to make it.

`python -m benchmarks.handwritten --uri URI --port PORT`; on PostgreSQL `--json` has the database make the JSON. A
question is POSTed to its route as the JSON of its variables. It stands on what our own server stands on (Starlette,
uvicorn with uvloop and httptools, sqlite3 on the event loop, psycopg, orjson), so that the difference is ours.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import uvicorn
from psycopg import AsyncConnection
from sqlalchemy import make_url
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.questions import ALL, Json, Question, Row
from benchmarks.statements import POSTGRES, POSTGRES_JSON, SQLITE

Answer = Callable[[Question, Json], Awaitable[bytes]]


class Sqlite:
    """One connection, used on the event loop; what a question reads, it reads in one transaction."""

    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        for pragma in ("query_only = 1", "cache_size = -65536", "mmap_size = 2147418112", "temp_store = memory"):
            self.connection.execute(f"PRAGMA {pragma}")

    async def open(self) -> None:
        """Nothing: it is open."""

    async def close(self) -> None:
        """Close the file."""
        self.connection.close()

    async def rows(self, question: Question, variables: Json) -> bytes:
        """The answer, from rows."""
        execute = self.connection.execute
        twin = question.twin(SQLITE, variables)
        statements = next(twin)
        if question.name == "point":  # a single statement is a snapshot by itself
            return self._send(twin, statements)
        execute("BEGIN")
        try:
            return self._send(twin, statements)
        finally:
            execute("COMMIT")

    def _send(self, twin: Any, statements: list[tuple[str, Row]]) -> bytes:
        execute = self.connection.execute
        try:
            while True:
                statements = twin.send(
                    [execute(sql, [bound(bind) for bind in binds]).fetchall() for sql, binds in statements]
                )
        except StopIteration as done:
            return orjson.dumps({"data": done.value})


def bound(value: Any) -> Any:
    """A list goes to SQLite as one JSON text."""
    return json.dumps(value) if isinstance(value, list) else value


class Postgres:
    """Eight connections; what a question reads, it reads in one snapshot, and what can be sent together is.

    They wait in a queue, the last used first: psycopg's own pool costs 20 us a request, the queue none that was seen.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.idle: asyncio.LifoQueue[AsyncConnection] = asyncio.LifoQueue()

    async def open(self) -> None:
        """Connect."""
        for _ in range(8):
            connection = await AsyncConnection.connect(self.uri, autocommit=True, prepare_threshold=0)
            await connection.execute("SET jit = off")  # compiling costs more than it saves here
            self.idle.put_nowait(connection)

    async def close(self) -> None:
        """Disconnect."""
        while not self.idle.empty():
            await self.idle.get_nowait().close()

    async def rows(self, question: Question, variables: Json) -> bytes:
        """The answer, from rows."""
        connection = await self.idle.get()
        try:
            return await (self._single if question.name == "point" else self._snapshot)(connection, question, variables)
        finally:
            self.idle.put_nowait(connection)

    async def _single(self, connection: AsyncConnection, question: Question, variables: Json) -> bytes:
        """With a single statement, which is a snapshot by itself."""
        twin = question.twin(POSTGRES, variables)
        [(sql, binds)] = next(twin)
        cursor = await connection.cursor(binary=True).execute(sql, binds)
        return _finish(twin, [await cursor.fetchall()])

    async def _snapshot(self, connection: AsyncConnection, question: Question, variables: Json) -> bytes:
        """With two rounds; the second is sent at once, together with the end of the transaction."""
        twin = question.twin(POSTGRES, variables)
        [(sql, binds)] = next(twin)
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor = await connection.cursor(binary=True).execute(sql, binds)
        try:
            statements = twin.send([await cursor.fetchall()])
        except StopIteration as done:
            await connection.execute("COMMIT")
            return orjson.dumps({"data": done.value})
        async with connection.pipeline():
            cursors = [await connection.cursor(binary=True).execute(sql, binds) for sql, binds in statements]
            await connection.execute("COMMIT")
            return _finish(twin, [await cursor.fetchall() for cursor in cursors])

    async def json(self, question: Question, variables: Json) -> bytes:
        """The answer, as the database makes it."""
        name, binds = question.one(variables)
        connection = await self.idle.get()
        try:
            cursor = await connection.execute(POSTGRES_JSON[name], binds)
            [[data]] = await cursor.fetchall()
        finally:
            self.idle.put_nowait(connection)
        return b'{"data":' + data.encode() + b"}"


def _finish(twin: Any, lists: list[list[Row]]) -> bytes:
    """The answer of a twin that has now all its rows."""
    try:
        twin.send(lists)
    except StopIteration as done:
        return orjson.dumps({"data": done.value})
    raise AssertionError("it asks for more")


def route(question: Question, answer: Answer) -> Route:
    """The route of a question."""

    async def endpoint(request: Request) -> Response:
        body = await answer(question, orjson.loads(await request.body()))
        return Response(body, media_type="application/json")

    return Route(f"/{question.name}", endpoint, methods=["POST"])


def create_app(uri: str, *, as_json: bool) -> Starlette:
    """The whole server."""
    url = make_url(uri)
    if url.get_backend_name() == "sqlite":
        if as_json:
            raise SystemExit("SQLite's JSON functions cut floats to 15 digits: rows only")
        store = Sqlite(url.database or "")
        answer = store.rows
    else:
        store = Postgres(url.set(drivername="postgresql").render_as_string(hide_password=False))
        answer = store.json if as_json else store.rows

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await store.open()
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        yield
        await store.close()

    return Starlette(routes=[route(question, answer) for question in ALL.values()], lifespan=lifespan)


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.handwritten", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--uri", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--json", action="store_true", help="PostgreSQL: one statement that makes the JSON")
    arguments = parser.parse_args()
    uvicorn.run(
        create_app(arguments.uri, as_json=arguments.json),
        port=arguments.port,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
