"""The database of a store, read in snapshots on its driver."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Dialect, Select

from lineage_api.store.dialects import dialect_of
from lineage_api.store.statements import Compiled, Plain, Prepared, Statement

Row = Sequence[Any]
Observer = Callable[[str], None]

LOCK_WAIT_S = 1.8
"""How long to wait where another process keeps everybody out of the database, or where its server is silent."""
MAX_CONNECTIONS = 32
"""How many connections are kept open."""


_REVISION = Plain("SELECT version_num FROM alembic_version")


class Snapshot(ABC):
    """A reader of a database that sees it as it was at its first statement."""

    dialect: Dialect

    @abstractmethod
    def fetch(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[Row] | Awaitable[Sequence[Row]]:
        """The rows that a statement gives."""

    async def read(self, query: Select[Any] | Prepared, **values: Any) -> Sequence[Row]:
        """The rows of a query; the values are those of its parameters, by name."""
        dialect = self.dialect
        statement = query.compiled(dialect) if isinstance(query, Prepared) else Compiled(query, dialect)
        rows = self.fetch(statement, values)
        return rows if isinstance(rows, Sequence) else await rows

    @abstractmethod
    async def close(self) -> None:
        """Ends the snapshot; what is read after that is the beginning of another one."""


class Database(ABC):
    """The database of a store."""

    kind: str
    """What SQLAlchemy calls it."""

    lacking: frozenset[str] = frozenset()
    """The tables of ours that it does not have; set before the first snapshot."""

    def __init__(self, observe: Observer | None = None) -> None:
        self.observe = observe or (lambda _: None)
        """Told the text of each statement that is run."""

    async def open(self) -> None:  # noqa: B027 - SQLite shares nothing
        """Opens what is shared by all snapshots."""

    def dialect(self, *, hides_secrets: bool = False) -> Dialect:
        """The words in which it is asked."""
        return dialect_of(self.kind, self.lacking, hides_secrets=hides_secrets)

    @abstractmethod
    def snapshot(self, *, hides_secrets: bool = False) -> Snapshot:
        """A snapshot, to be closed by whoever asks for it; for those who may not know secrets, none is compared."""

    async def revision(self) -> str:
        """The revision of MLflow's schema that it has."""
        snapshot = self.snapshot()
        try:
            rows = snapshot.fetch(_REVISION, {})
            [[revision]] = rows if isinstance(rows, Sequence) else await rows
            return str(revision)
        finally:
            await snapshot.close()

    @abstractmethod
    def signals(self) -> AsyncGenerator[None, None]:
        """Something at the beginning, and whenever anything may have been committed since, by whomever."""

    @abstractmethod
    async def close(self) -> None:
        """Closes all connections."""
