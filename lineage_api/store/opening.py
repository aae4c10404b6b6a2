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
from urllib.request import url2pathname

from sqlalchemy import URL, Engine, NullPool, column, create_engine, func, inspect, literal, make_url, select, table
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from lineage_api.errors import Unsuitable
from lineage_api.store import tables

_SUPPORTED = "sqlite:///mlflow.db or postgresql://user@host/database"
_LOCAL_HOSTS = {"", "localhost", "127.0.0.1", "::1"}
_MIGRATIONS = "store/db_migrations/versions"
_CONNECT_TIMEOUT_S = 10
_CREATION_LOCK = int.from_bytes(b"lineage")
"""The advisory lock of PostgreSQL that those who fill an empty database take."""

_alembic_version = table("alembic_version", column("version_num"))
_workspaces = table("workspaces", column("name"))


def prepared(
    uri: str, *, registry_uri: str | None = None, create: bool = True, artifact_root: str | None = None
) -> str:
    """The URI of the database to open, which holds MLflow's tables at the revision that the installed MLflow expects.

    An empty database is filled by MLflow when `create` says so; the artifacts of its default experiment are to be
    kept at `artifact_root`, and without one where `mlflow server` keeps them. Raises Unsuitable, with one line, for
    all that cannot be served as it is.
    """
    url = _database_url(uri)
    _require_one_database(url, registry_uri)
    if os.environ.get("MLFLOW_ENABLE_WORKSPACES", "").lower() in {"true", "1"}:
        raise Unsuitable("MLFLOW_ENABLE_WORKSPACES is set, and workspaces are not supported: unset it")
    try:
        engine = _engine(url)
        _require_current(engine, create, artifact_root)
        _require_one_workspace(engine)
    except (SQLAlchemyError, OSError) as error:
        raise Unsuitable(f"{masked(uri)} cannot be opened: {_reason(error, url)}") from None
    return _text(url)


@cache
def head_revision() -> str:
    """The revision of the database that the installed MLflow expects."""
    [head] = {revision for revision, _ in _migrations()} - {
        before for _, befores in _migrations() for before in befores
    }
    return head


def masked(uri: str) -> str:
    """The URI as it may be shown: without passwords."""
    hidden = re.sub(r"(://[^:/?#]*):.*@", r"\1:***@", uri)
    return re.sub(r"([?&](?:\w*password|\w*secret|\w*token)=)[^&]*", r"\1***", hidden, flags=re.IGNORECASE)


# What a URI names


def _database_url(uri: str) -> URL:
    """The database that a URI names, in the form in which we and MLflow open it."""
    dialect = _dialect(uri)
    if refusal := _refusal(dialect, uri):
        raise Unsuitable(refusal)
    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        raise Unsuitable(f"{masked(uri)} is not the URI of a database: write it as {_SUPPORTED}") from None
    if dialect == "sqlite":
        return _sqlite_url(url)
    # Without a driver SQLAlchemy 2.1 and MLflow take psycopg 3, as we do, whichever driver the URI names.
    return url.set(drivername="postgresql")


def _dialect(uri: str) -> str:
    """The scheme of a URI without a driver; empty for a path, be it on a Windows drive."""
    scheme = re.match(r"([a-z][a-z0-9.-]+)(\+[a-z0-9_]+)?:|(databricks)$", uri.lower())
    return scheme[1] or scheme[3] if scheme else ""


def _refusal(dialect: str, uri: str) -> str | None:
    """Why no store of this dialect can be served, and what would be right; None when it can."""
    match dialect:
        case "sqlite" | "postgresql":
            return None
        case "http" | "https":
            return (
                f"{masked(uri)} is a tracking server, and its database is read directly: give the server's"
                f" --backend-store-uri, such as {_SUPPORTED}"
            )
        case "databricks" | "databricks-uc" | "uc":
            return f"{uri} has no database that could be read: give a backend store such as {_SUPPORTED}"
        case "" | "file":
            return _refusal_of_path(Path(url2pathname(re.sub("^file:(//(localhost)?)?", "", uri))), uri)
        case "mysql" | "mssql":
            return f"{dialect} is not supported yet: give a backend store such as {_SUPPORTED}"
        case _:
            return f"{masked(uri)} is not supported: give a backend store such as {_SUPPORTED}"


def _refusal_of_path(path: Path, uri: str) -> str:
    """What would be right in place of a path."""
    if path.is_file():
        return f"{uri} is a file, not the URI of a database: if it is a database of SQLite, write sqlite:///{path}"
    return (
        f"{uri!r} is a folder, and file stores are not supported: move it to a database with"
        f" `mlflow migrate-filestore --source {path} --target sqlite:///mlflow.db`, and give sqlite:///mlflow.db"
    )


def _sqlite_url(url: URL) -> URL:
    """A database of SQLite by the whole path of its file."""
    file = url.database or ":memory:"
    if file.startswith((":memory:", "file:")):
        raise Unsuitable(f"{_shown(url)} names no file that others could open too: write it as sqlite:///mlflow.db")
    path = Path(file).absolute()
    if path.is_dir():
        raise Unsuitable(f"{path} is a folder: name a file in it, such as sqlite:///{path}/mlflow.db")
    if not path.parent.is_dir():
        raise Unsuitable(f"the folder {path.parent} of {_shown(url)} does not exist: make it, or name another")
    return url.set(drivername="sqlite", database=str(path))


def _require_one_database(url: URL, registry_uri: str | None) -> None:
    """The registry is in the same database as the runs: lineage is read by joining them."""
    if not registry_uri:
        return
    try:
        is_same = _place(_database_url(registry_uri)) == _place(url)
    except Unsuitable:
        is_same = False
    if not is_same:
        raise Unsuitable(
            f"the registry {masked(registry_uri)} is not in the database of the runs, {_shown(url)}: both must be in"
            " one database; give its URI for both, or leave the registry's out"
        )


def _place(url: URL) -> tuple[str, str, int, str]:
    """What two URIs of one database have in common."""
    if url.drivername == "sqlite":
        return url.drivername, "", 0, str(Path(url.database or "").resolve())
    host = str(url.host or url.query.get("host", "")).lower()
    return url.drivername, "" if host in _LOCAL_HOSTS else host, url.port or 5432, url.database or ""


def _text(url: URL) -> str:
    """The URI with its password, to connect with."""
    return url.render_as_string(hide_password=False)


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
    if contents.is_empty and not create:
        raise Unsuitable(f"{_shown(engine.url)} holds no store: start `mlflow server` on it once, or let it be created")
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
    head, mlflow, shown = head_revision(), f"MLflow {version('mlflow')}", _shown(url)
    known = {revision for revision, _ in _migrations()}
    found = ", ".join(contents.revisions)
    if found == head:
        return None
    if not found and not {"experiments", "runs"} <= contents.tables:
        return f"{shown} holds tables, but none of MLflow's: name the database of a store, or an empty one"
    if found in known or not found:
        return (
            f"{shown} is at revision {found or 'none'} and {mlflow} expects {head}: make a backup, then run"
            f" `mlflow db upgrade {shown}`"
        )
    return f"{shown} is at revision {found}, unknown to {mlflow}, which expects {head}: install the MLflow that made it"


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
                    f"{_shown(engine.url)} uses workspaces ({other!r}), and workspaces are not supported: name a store"
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
        SqlAlchemyStore(_text(url), artifact_root or DEFAULT_ARTIFACTS_URI).engine.dispose()
    except (MlflowException, SQLAlchemyError) as error:
        raise Unsuitable(f"{_shown(url)} cannot be filled: {_reason(error, url)}") from None
    if url.drivername == "sqlite":
        _let_readers_and_writers_pass(url)


def _let_readers_and_writers_pass(url: URL) -> None:
    """A database of SQLite, put for good into the journal mode in which they don't wait for each other."""
    with closing(sqlite3.connect(url.database or "")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """One process at a time, of all that may fill this database: MLflow's migrations take no lock."""
    if engine.dialect.name == "sqlite":
        with _alone_beside(Path(f"{engine.url.database}.creating")):
            yield
    else:
        # The lock is the connection's, which must not be idle in a transaction meanwhile, and goes with it.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(select(func.pg_advisory_lock(_CREATION_LOCK)))
            yield


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


def _shown(url: URL) -> str:
    """The URI without passwords."""
    return masked(_text(url))


def _reason(error: Exception, url: URL) -> str:
    """What a driver said, in one line and without the password."""
    said = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
    return said.replace(str(url.password), "***") if url.password else said
