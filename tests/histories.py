"""What history holds, as tests compare it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy

from lineage_api.store.history import events, models
from lineage_api.store.reconciliation import differences
from lineage_api.store.triggers import TRIGGERS
from tests.mariadb import empty, mariadb_store
from tests.stores import Store, filled

KINDS = ["sqlite", "postgresql", "mariadb"]

_OF_ORDER = {"id", "occurred_at", "ended_at", "origin", "model_id", "cause_id"}


_copies: list[str] = []


@contextmanager
def opened(kind: str, templates: Any, folder: Path) -> Iterator[Store]:
    """An empty store of a kind, with nothing of ours in it."""
    if kind == "mariadb":
        with mariadb_store(folder) as store:
            yield store
    elif kind == "postgresql" and _copies:
        # One database for all tests: it takes longer to drop one than to empty it.
        store = Store(_copies[0], folder / "artifacts")
        try:
            yield store
        finally:
            store.close()
            empty(store)
    else:
        with filled(kind, templates, folder) as store:
            empty(store)
            try:
                yield store
            finally:
                if kind == "postgresql":
                    empty(store)
                    _copies.append(store.uri)


@contextmanager
def connected(store: Store) -> Iterator[sqlalchemy.Connection]:
    """A transaction of somebody with a database console; foreign keys are checked everywhere."""
    with _engine(store.uri).begin() as connection:
        yield connection


@cache
def _engine(uri: str) -> sqlalchemy.Engine:
    engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool)

    @sqlalchemy.event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA foreign_keys = ON")

    return engine


def sql(store: Store, *statements: str, **values: Any) -> None:
    """Changes rows as somebody with a database console would, in one transaction."""
    with connected(store) as connection:
        for statement in statements:
            said = statement.replace('"', "`") if connection.dialect.name == "mysql" else statement
            connection.execute(sqlalchemy.text(said), values)


def rows(store: Store) -> list[dict[str, Any]]:
    """All events, in their order."""
    with connected(store) as connection:
        return [dict(row) for row in connection.execute(sqlalchemy.select(events).order_by(events.c.id)).mappings()]


def told(store: Store, origin: str = "EXTERNAL") -> list[dict[str, Any]]:
    """The events of an origin: what is said in them, models as their numbers, causes as their kinds."""
    found = rows(store)
    kinds = {row["id"]: row["kind"] for row in found}
    numbers = {id_: number for number, id_ in enumerate(sorted({row["model_id"] for row in found}), 1)}
    return [
        {"of": numbers[row["model_id"]]}
        | {name: value for name, value in row.items() if name not in _OF_ORDER and value is not None}
        | ({"cause": kinds[row["cause_id"]]} if row["cause_id"] is not None else {})
        for row in found
        if row["origin"] == origin
    ]


def event(kind: str, slot: str, of: int = 1, name: str = "m", **more: Any) -> dict[str, Any]:
    """An event as `told` tells it; that of a slot of a version says so."""
    where, _, rest = slot.partition("/")
    version = rest.partition("/")[0] if where in {"stage", "tag", "description"} else ""
    about = {"version": int(version)} if version else {}
    return {"of": of, "kind": kind, "slot": slot, "model_name": name, **about, **more}


def identities(store: Store) -> list[tuple[str, bool, bool]]:
    """The models of history: their names, whether they are prompts, whether they are gone."""
    chosen = sqlalchemy.select(models.c.name, models.c.is_prompt, models.c.deleted_at.is_not(None))
    with connected(store) as connection:
        return [tuple(row) for row in connection.execute(chosen.order_by(models.c.id))]


def differs(store: Store) -> bool:
    """Whether the history is not equal to the tables."""
    with connected(store) as connection:
        return differences(connection) != (set(), set())


def drop_triggers(store: Store) -> None:
    """Takes our triggers away, as a migration of MLflow's does."""
    place = " ON {table}" if store.kind == "postgresql" else ""
    sql(store, *(f"DROP TRIGGER {each.name}" + place.format(table=each.table) for each in TRIGGERS))
