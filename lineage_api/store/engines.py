"""Connections on which something is written, or looked after: outside of any query."""

from typing import Any

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError

from lineage_api.errors import Unsuitable
from lineage_api.store.uris import existing, file_at

LOCK_WAIT_S = 20
"""How long to wait for others who write."""
_CONNECT_TIMEOUT_S = 10
_FILE = "lineage_api.file"


def writing(uri: str) -> Engine:
    """An engine that keeps no connection; on SQLite each transaction writes from its beginning."""
    engine = _engine(uri, "BEGIN IMMEDIATE")
    # What others commit while a lock is waited for has to be seen.
    return engine.execution_options(isolation_level="READ COMMITTED") if engine.dialect.name == "postgresql" else engine


def reading(uri: str) -> Engine:
    """An engine that keeps no connection; each transaction sees one state."""
    engine = _engine(uri, "BEGIN")
    return engine if engine.dialect.name == "sqlite" else engine.execution_options(isolation_level="REPEATABLE READ")


def changing(uri: str, connections: int, lock_wait_ms: int) -> Engine:
    """An engine for changes, which waits for a while for others who write, and keeps so many connections."""
    if uri.startswith("sqlite"):
        options: dict[str, Any] = {"timeout": lock_wait_ms / 1000, "check_same_thread": False}
        engine = create_engine(uri, poolclass=QueuePool, pool_size=connections, connect_args=options)
        _stay_at_its_place(engine)
        _make_no_file(engine)
        _begin_with(engine, "BEGIN IMMEDIATE", "foreign_keys = ON", "case_sensitive_like = true")
        return engine
    options = {**_options(uri), "options": f"-c lock_timeout={lock_wait_ms}"}
    pooled = {"pool_size": connections, "pool_pre_ping": True, "isolation_level": "READ COMMITTED"}
    return create_engine(uri, connect_args=options, **pooled)


def _engine(uri: str, begin: str) -> Engine:
    try:
        engine = create_engine(uri, poolclass=NullPool, connect_args=_options(uri))
    except ImportError as error:
        extra = "mysql" if uri.startswith(("mysql", "mariadb")) else "postgres"
        said = f"the driver of this database is not installed: pip install 'lineage-api[{extra}]'"
        raise Unsuitable(said) from error
    if engine.dialect.name == "sqlite":
        _make_no_file(engine)
        _begin_with(engine, begin)
    return engine


def _options(uri: str) -> dict[str, Any]:
    if uri.startswith("sqlite"):
        return {"timeout": LOCK_WAIT_S}
    if uri.startswith("postgresql"):
        return {} if "connect_timeout" in uri else {"connect_timeout": _CONNECT_TIMEOUT_S}
    # While a trigger waits for its table, nobody else comes at it.
    return {"init_command": "SET SESSION lock_wait_timeout = 2, innodb_lock_wait_timeout = 2"}


def _make_no_file(engine: Engine) -> None:
    """Let SQLite refuse a file that is not there, such as one that was moved away for a while; it would make one."""

    @event.listens_for(engine, "do_connect")
    def _(_: object, __: object, arguments: list[Any], options: dict[str, Any]) -> None:
        if not options.get("uri"):
            arguments[0] = existing(arguments[0])
            options["uri"] = True


def _stay_at_its_place(engine: Engine) -> None:
    """Leave a kept connection whose file was moved away, or replaced: what is written by it would be lost."""
    path = engine.url.database or ""

    @event.listens_for(engine, "do_connect")
    def _(_: object, record: Any, __: object, ___: object) -> None:
        record.info[_FILE] = _file(path)

    @event.listens_for(engine, "checkout")
    def _(_: object, record: Any, __: object) -> None:
        if record.info[_FILE] != _file(path):
            raise DisconnectionError  # the pool opens another one


def _file(path: str) -> tuple[int, int] | None:
    """The file of a name; None where there is none."""
    try:
        return file_at(path)
    except OSError:
        return None


def _begin_with(engine: Engine, begin: str, *pragmas: str) -> None:
    @event.listens_for(engine, "connect")
    def _(connection: DBAPIConnection, _: object) -> None:
        connection.isolation_level = None  # the driver begins no transaction by itself
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        connection.exec_driver_sql(begin)
