"""Deliverers as tests need them: in a hurry, and with a plain answer about each event."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy

from lineage_api.store.engines import changing
from lineage_api.store.feed import Feed
from lineage_api.store.history import events
from lineage_api.store.reading import database_of
from lineage_api.webhooks import records, signing
from lineage_api.webhooks.deliverer import Deliverer
from lineage_api.webhooks.tempo import Tempo
from tests.webhooks.receivers import LOCAL

QUICK = Tempo(time_limit_s=30, lease_s=60, pauses_s=(0.05,), interval_s=0.1, trouble_s=0.05)


def told(uri: str) -> Any:
    """Answers about events, by what stands in their rows; `asked` holds which were asked about."""

    async def ask(event_id: int) -> dict[str, Any] | None:
        e = events.c
        chosen = sqlalchemy.select(e.id, e.kind, e.occurred_at, e.model_name, e.version).where(e.id == event_id)
        engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            row = connection.execute(chosen).one_or_none()
        if row is None:
            return None
        about = {"modelName": row.model_name, "version": row.version}
        return {"id": f"event {row.id}", "kind": row.kind, "occurredAt": str(row.occurred_at), **about}

    return ask


@asynccontextmanager
async def feed_of(uri: str, kind: type[Feed] = Feed) -> AsyncIterator[Any]:
    """A feed of a database."""
    database = database_of(uri)
    await database.open()
    try:
        yield kind(database)
    finally:
        await database.close()


@asynccontextmanager
async def delivering(store: Any, *, ask: Any = None, feed: type[Feed] = Feed, **tempo: Any) -> AsyncIterator[Deliverer]:
    """A deliverer for a store, of a tempo of its own, that runs."""
    async with feed_of(store.uri, feed) as followed:
        made = Deliverer(store.uri, followed, ask or told(store.uri), LOCAL, tempo=replace(QUICK, **tempo))
        async with made.running():
            yield made


def done(uri: str, work: Any, *args: Any, **more: Any) -> Any:
    """What comes of one function of `records`, in a transaction of its own."""
    engine = changing(uri, 1, 20_000)
    try:
        with engine.begin() as connection:
            return work(connection, *args, **more)
    finally:
        engine.dispose()


def hook(store: Any, url: str, **more: Any) -> Any:
    """A new webhook: its row."""
    return done(store.uri, records.add, **{"url": url, "secret": signing.new_secret(), "head": 0, **more})


def tag(store: Any, *keys: str, name: str = "m") -> None:
    """Sets tags of a registered model, each in a transaction of its own."""
    statement = "INSERT INTO registered_model_tags (workspace, name, key, value) VALUES ('default', :n, :k, 'v')"
    for key in keys:
        store.sql(statement, n=name, k=key)


def model(store: Any, name: str = "m") -> None:
    """A new registered model."""
    created = "(workspace, name, creation_time, last_updated_time) VALUES ('default', :n, 1, 1)"
    store.sql(f"INSERT INTO registered_models {created}", n=name)


def last_event(store: Any) -> int:
    """The last event of the history."""
    with store._engine.connect() as connection:
        return int(connection.scalar(sqlalchemy.select(sqlalchemy.func.max(events.c.id)).where(events.c.id > 0)) or 0)


def ids(webhook_id: int, first: int, last: int) -> list[str]:
    """The IDs of the messages about some events."""
    return [f"msg_{webhook_id}_{event_id}" for event_id in range(first, last + 1)]


class _AStore:
    """What `delivering` needs to know of a store."""

    def __init__(self, uri: str) -> None:
        self.uri = uri


async def _until_killed(uri: str, lease_s: str) -> None:
    async with delivering(_AStore(uri), lease_s=float(lease_s)):
        await asyncio.sleep(3_600)


if __name__ == "__main__":  # a process that is killed while it delivers: URI LEASE_S
    asyncio.run(_until_killed(*sys.argv[1:]))
