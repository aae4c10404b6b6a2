"""May this store be served? Its database is looked at with plain SQL, and is never migrated.

MLflow's own stores migrate an older database without asking when one of their tables is missing. So the revision is
read first, and MLflow's code is called for one thing only: to fill an empty database.
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import URL, Engine, NullPool, column, create_engine, func, inspect, literal, select, table
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from lineage_api.errors import Unsuitable
from lineage_api.store import tables
from lineage_api.store.uris import database_url, masked, recordable_url, require_one_database, shown, text

_MIGRATIONS = "store/db_migrations/versions"
_CONNECT_TIMEOUT_S = 10
_CREATION_LOCK = int.from_bytes(b"lineage")
"""The advisory lock of PostgreSQL that those who fill an empty database take."""

_alembic_version = table("alembic_version", column("version_num"))
_workspaces = table("workspaces", column("name"))


def prepared(
    uri: str,
    *,
    registry_uri: str | None = None,
    create: bool = True,
    artifact_root: str | None = None,
    is_served: bool = True,
) -> str:
    """The URI of the database to open, which holds MLflow's tables at the revision that the installed MLflow expects.

    An empty database is filled by MLflow when `create` says so; the artifacts of its default experiment are to be
    kept at `artifact_root`, and without one where `mlflow server` keeps them. Raises Unsuitable, with one line, for
    all that cannot be served as it is; where it is not to be served, databases are let in too whose history alone is
    recorded.
    """
    url = database_url(uri) if is_served else recordable_url(uri)
    require_one_database(url, registry_uri)
    if os.environ.get("MLFLOW_ENABLE_WORKSPACES", "").lower() in {"true", "1"}:
        raise Unsuitable("MLFLOW_ENABLE_WORKSPACES is set, and workspaces are not supported: unset it")
    try:
        engine = _engine(url)
        _require_current(engine, create, artifact_root)
        _require_one_workspace(engine)
    except (SQLAlchemyError, OSError) as error:
        raise Unsuitable(f"{masked(uri)} cannot be opened: {_reason(error, url)}") from None
    return text(url)


@cache
def head_revision() -> str:
    """The revision of the database that the installed MLflow expects."""
    followed = {before for _, befores in _migrations() for before in befores}
    [head] = {revision for revision, _ in _migrations()} - followed
    return head


# What a database holds


@dataclass(frozen=True, slots=True)
class _Contents:
    """What stands in a database."""

    tables: frozenset[str]
    revisions: list[str]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it but what Alembic or we may have left there."""
        return not self.revisions and all(name.startswith(("alembic_", "lineage_")) for name in self.tables)


def _engine(url: URL) -> Engine:
    """An engine that keeps no connection, so that nothing stays open."""
    needs_limit = url.drivername == "postgresql" and "connect_timeout" not in url.query
    options = {"connect_timeout": _CONNECT_TIMEOUT_S} if needs_limit else {}
    try:
        return create_engine(url, poolclass=NullPool, connect_args=options)
    except ImportError:
        raise Unsuitable("the driver of PostgreSQL is not installed: pip install 'lineage-api[postgres]'") from None


def _contents(engine: Engine) -> _Contents:
    """What stands in a database; nothing where there is no file, which connecting would make."""
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        return _Contents(frozenset(), [])
    with engine.connect() as connection:
        names = frozenset(inspect(connection).get_table_names())
        if _alembic_version.name not in names:
            return _Contents(names, [])
        return _Contents(names, sorted(connection.scalars(select(_alembic_version.c.version_num))))


def _require_current(engine: Engine, create: bool, artifact_root: str | None) -> None:
    """The database is at the revision that the installed MLflow expects; an empty one is filled first."""
    contents = _contents(engine)
    if contents.revisions == [head_revision()]:
        return
    if contents.is_empty and not (create and engine.dialect.name in {"sqlite", "postgresql"}):
        raise Unsuitable(f"{shown(engine.url)} holds no store: start `mlflow server` on it once, or let it be created")
    with _alone(engine):
        # Seen without the lock, a database that another process is filling looks like an older one.
        contents = _contents(engine)
        if contents.is_empty:
            _fill(engine.url, artifact_root)
            contents = _contents(engine)
    if refusal := _refusal_of_revision(contents, engine.url):
        raise Unsuitable(refusal)


def _refusal_of_revision(contents: _Contents, url: URL) -> str | None:
    """Why the installed MLflow can't work with the database as it is; None when it can."""
    head, mlflow, uri = head_revision(), f"MLflow {version('mlflow')}", shown(url)
    known = {revision for revision, _ in _migrations()}
    found = ", ".join(contents.revisions)
    if found == head:
        return None
    if not found and not {"experiments", "runs"} <= contents.tables:
        return f"{uri} holds tables, but none of MLflow's: name the database of a store, or an empty one"
    if found in known or not found:
        return (
            f"{uri} is at revision {found or 'none'} and {mlflow} expects {head}: make a backup, then run"
            f" `mlflow db upgrade {uri}`"
        )
    return f"{uri} is at revision {found}, unknown to {mlflow}, which expects {head}: install the MLflow that made it"


@cache
def _migrations() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The revisions that MLflow knows, each with those that it follows.

    They are read as text: to load them as Alembic does imports MLflow, which takes seconds.
    """
    folders = getattr(find_spec("mlflow"), "submodule_search_locations", None) or []
    scripts = [script for folder in folders for script in Path(folder, _MIGRATIONS).glob("[!_]*.py")]
    return tuple(_migration(script.read_text("utf-8")) for script in scripts)


def _migration(script: str) -> tuple[str, tuple[str, ...]]:
    """The revision of a migration, and those that it follows."""
    assigned = dict(re.findall(r"^(revision|down_revision)\b[^=\n]*=(.*)$", script, flags=re.MULTILINE))
    [revision] = re.findall(r"[\"'](\w+)[\"']", assigned["revision"])
    return revision, tuple(re.findall(r"[\"'](\w+)[\"']", assigned["down_revision"]))


def _require_one_workspace(engine: Engine) -> None:
    """Nothing belongs to a workspace but `default`: a single forgotten join would show one team's work to another."""
    columns = (_workspaces.c.name, tables.experiments.c.workspace, tables.registered_models.c.workspace)
    with engine.connect() as connection:
        for names in columns:
            others = select(names).where(names != literal("default")).limit(1)
            if (other := connection.scalar(others)) is not None:
                raise Unsuitable(
                    f"{shown(engine.url)} uses workspaces ({other!r}), and workspaces are not supported: name a store"
                    " that has only the workspace 'default'"
                )


# How an empty one is filled


def _fill(url: URL, artifact_root: str | None) -> None:
    """MLflow's tables and default experiment, in an empty database."""
    # Importing MLflow takes seconds, and most stores are there already.
    from mlflow.exceptions import MlflowException  # noqa: PLC0415
    from mlflow.store.tracking import DEFAULT_ARTIFACTS_URI  # noqa: PLC0415
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415

    if url.drivername == "sqlite":
        # Where that is not possible MLflow would try for minutes.
        Path(url.database or "").touch()
    try:
        # The migrations are those of the registry too: its store would find all its tables there.
        SqlAlchemyStore(text(url), artifact_root or DEFAULT_ARTIFACTS_URI).engine.dispose()
    except (MlflowException, SQLAlchemyError) as error:
        raise Unsuitable(f"{shown(url)} cannot be filled: {_reason(error, url)}") from None
    if url.drivername == "sqlite":
        _let_readers_and_writers_pass(url)


def _let_readers_and_writers_pass(url: URL) -> None:
    """A database of SQLite, put for good into the journal mode in which they don't wait for each other."""
    with closing(sqlite3.connect(url.database or "")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """One process at a time, of all that may fill this database: MLflow's migrations take no lock."""
    match engine.dialect.name:
        case "sqlite":
            with _alone_beside(Path(f"{engine.url.database}.creating")):
                yield
        case "postgresql":
            # The lock is the connection's, which must not be idle in a transaction meanwhile, and goes with it.
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(select(func.pg_advisory_lock(_CREATION_LOCK)))
                yield
        case _:
            yield  # which is not served, and so never filled here


@contextmanager
def _alone_beside(file: Path) -> Iterator[None]:
    """One process at a time, by a lock on this file."""
    with ExitStack() as stack:
        # Where no file can be made, no database can be filled. Windows has no such locks; nor has MLflow there.
        with suppress(OSError, ImportError):
            import fcntl  # noqa: PLC0415

            fcntl.flock(stack.enter_context(file.open("w")), fcntl.LOCK_EX)
        yield
    # Those who still wait for the file that is gone find a filled database. When filling failed, it stays.
    file.unlink(missing_ok=True)


def _reason(error: Exception, url: URL) -> str:
    """What a driver said, in one line and without the password."""
    said = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
    return said.replace(str(url.password), "***") if url.password else said
