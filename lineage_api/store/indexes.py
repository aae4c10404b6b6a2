"""Indexes of ours on MLflow's tables: made only when somebody asks for it, since each makes MLflow's writes dearer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.exc import DBAPIError

from lineage_api.errors import Unsuitable
from lineage_api.store.engines import writing

KINDS = ("sqlite", "postgresql")
"""The databases that are asked, and so may need them."""
_LOCK = int.from_bytes(b"lineagei")


@dataclass(frozen=True, slots=True)
class Index:
    """An index that makes some questions quick."""

    name: str
    table: str
    columns: str
    helps: str
    """What it makes quick."""
    only: str = ""
    """Which rows stand in it; all, when empty."""

    def statement(self, kind: str) -> str:
        """The statement that makes it in a database of this kind; on PostgreSQL others may write meanwhile."""
        way = "CONCURRENTLY " if kind == "postgresql" else ""
        rows = f" WHERE {self.only}" if self.only else ""
        return f"CREATE INDEX {way}IF NOT EXISTS {self.name} ON {self.table} ({self.columns}){rows}"


INDEXES = (
    Index("lineage_children", "tags", "value", "the runs that a run started", only="key = 'mlflow.parentRunId'"),
)
"""All of ours; none is here that was not measured to help."""


def missing(connection: Connection) -> list[Index]:
    """Those that a database does not have."""
    there = _present(connection)
    return [index for index in INDEXES if index.name not in there]


def make(uri: str) -> list[Index]:
    """Makes those that a database does not have, and tells which; on PostgreSQL others may write meanwhile."""
    with _alone(uri) as connection:
        for name in _broken(connection):
            connection.execute(text(f"DROP INDEX CONCURRENTLY {name}"))
        made = missing(connection)
        for index in made:
            connection.execute(text(index.statement(connection.dialect.name)))
        return made


def remove(uri: str) -> None:
    """Takes them out again, also those of other releases."""
    if not uri.startswith(KINDS):
        return
    with _alone(uri) as connection:
        way = "CONCURRENTLY " if connection.dialect.name == "postgresql" else ""
        for name in sorted(_present(connection) | _broken(connection)):
            connection.execute(text(f"DROP INDEX {way}IF EXISTS {name}"))


def _present(connection: Connection) -> set[str]:
    """The indexes of ours that stand on tables of MLflow's, and can be used."""
    looked_at, broken = inspect(connection), _broken(connection)
    names = {
        str(index["name"])
        for table in looked_at.get_table_names()
        if not table.startswith("lineage_")
        for index in looked_at.get_indexes(table)
    }
    return {name for name in names - broken if name.startswith("lineage_")}


def _broken(connection: Connection) -> set[str]:
    """Those that PostgreSQL was making when it was interrupted: they are kept up to date, and never read."""
    if connection.dialect.name != "postgresql":
        return set()
    found = "SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid WHERE NOT indisvalid"
    return {name for name in connection.scalars(text(found)) if name.startswith("lineage_")}


@contextmanager
def _alone(uri: str) -> Iterator[Connection]:
    """A connection, one at a time in a database; on PostgreSQL outside of any transaction."""
    try:
        with writing(uri).connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="AUTOCOMMIT")
                # Nobody waits for it: who makes an index concurrently waits for all statements to end.
                if not connection.scalar(select(func.pg_try_advisory_lock(_LOCK))):
                    raise Unsuitable("somebody else is making or removing indexes at this moment: try again later")
            yield connection
            connection.commit()
    except DBAPIError as error:
        raise Unsuitable(f"the indexes cannot be made or removed: {' '.join(str(error.orig).split())}") from None
