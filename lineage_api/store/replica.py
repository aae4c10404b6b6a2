"""MLflow's read replica: another database with the same store, a moment behind, of which nothing but reading is asked.

There is no failover, as MLflow has none: who wants one puts a proxy or a name between.
"""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any

from sqlalchemy import column, inspect, select, table
from sqlalchemy.exc import SQLAlchemyError

from lineage_api.errors import TimedOut, Unsuitable
from lineage_api.store.database import Database, Observer
from lineage_api.store.engines import reading
from lineage_api.store.opening import head_revision
from lineage_api.store.our_tables import OURS
from lineage_api.store.postgresql import PostgreSQL
from lineage_api.store.sqlite import SQLite
from lineage_api.store.uris import database_url, masked, text

FOLLOW_S = 10
"""How long a replica may take until it has the tables that were made at the start."""

_alembic_version = table("alembic_version", column("version_num"))


def prepared(uri: str | None, primary: str) -> str | None:
    """The URI of the replica to read; None where none is named, or the primary itself.

    Raises Unsuitable, with one line, where it is of another kind than the primary, or not at its revision.
    """
    if uri is None or text(url := database_url(uri)) == primary:
        return None
    if url.drivername != database_url(primary).drivername:
        raise Unsuitable(f"the read replica {masked(uri)} is of another kind of database than {masked(primary)}")
    found = ", ".join(_revisions(text(url)))
    if found != head_revision():
        raise Unsuitable(
            f"the read replica {masked(uri)} is at revision {found or 'none'} and the store at {head_revision()}: start"
            " again when it has followed, or leave it out"
        )
    return text(url)


def _revisions(uri: str) -> list[str]:
    try:
        with reading(uri).connect() as connection:
            if not inspect(connection).has_table(_alembic_version.name):
                return []
            return sorted(connection.scalars(select(_alembic_version.c.version_num)))
    except SQLAlchemyError as error:
        said = " ".join(str(getattr(error, "orig", None) or error).split())
        raise Unsuitable(f"the read replica {masked(uri)} cannot be opened: {said}") from None


def missing(uri: str, lacking: frozenset[str]) -> list[str]:
    """The tables of ours that a replica does not have, and the primary has: it may not have followed yet."""
    with reading(uri).connect() as connection:
        return sorted(OURS - lacking - set(inspect(connection).get_table_names()))


async def followed(uri: str, lacking: frozenset[str]) -> None:
    """Waits until a replica has the tables of ours that the primary has; raises Unsuitable where it gets none."""
    end = monotonic() + FOLLOW_S
    while names := await asyncio.to_thread(missing, uri, lacking):
        if monotonic() > end:
            raise Unsuitable(f"the read replica lacks {', '.join(names)}, which the store has: let it copy them")
        await asyncio.sleep(0.1)


def replica_of(
    uri: str, observe: Observer | None = None, backend: str = "best", *, time_limit_s: float = 10.0
) -> Database:
    """The replica at a URI that `prepared` has let pass."""
    if uri.startswith("sqlite"):
        return _SQLiteReplica(uri, observe)
    return _PostgreSQLReplica(uri, observe, backend, time_limit_s)


_SILENT = "The read replica does not answer; try again."


class _SQLiteReplica(SQLite):
    def take(self) -> Any:
        try:
            return super().take()
        except OSError:
            raise TimedOut(_SILENT) from None


class _PostgreSQLReplica(PostgreSQL):
    async def run(self, statements: Sequence[tuple[str, Any]]) -> tuple[Any, list[Any]]:
        try:
            return await super().run(statements)
        except TimedOut:
            raise TimedOut(_SILENT) from None
