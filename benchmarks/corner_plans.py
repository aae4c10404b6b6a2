"""How a database goes about the statements of a question."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from lineage_api.store.sqlite import SQLite

Sent = list[tuple[str, Any]]
"""Statements with their values, as far as they are known."""


@contextmanager
def noted(sent: Sent) -> Iterator[None]:
    """Notes what is sent to PostgreSQL meanwhile, with its values."""
    execute = psycopg.AsyncCursor.execute

    async def noting(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        if params is not None:
            sent.append((query, params))
        return await execute(self, query, params, **options)

    psycopg.AsyncCursor.execute = noting  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        psycopg.AsyncCursor.execute = execute  # type: ignore[method-assign]


def plan(uri: str, statement: str, values: Any) -> str:
    """The plan of a statement: on PostgreSQL with what it took."""
    if uri.startswith("sqlite"):
        database = SQLite(uri)
        connection = database.take()
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", [None] * statement.count("?")).fetchall()
        connection.close()
        depth = {0: 0}
        lines = []
        for id_, parent, _, said in rows:
            depth[id_] = depth[parent] + 1
            lines.append("  " * depth[id_] + said)
        return "\n".join(lines)
    with psycopg.connect(uri) as connection:
        connection.execute("SET jit = off")
        rows = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", values).fetchall()
    return "\n".join(f"  {line}" for (line,) in rows)
