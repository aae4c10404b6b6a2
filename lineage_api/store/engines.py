"""Connections on which our own tables are looked after, outside of any query."""

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection

LOCK_WAIT_S = 20
"""How long to wait for others who write."""


def writing(uri: str) -> Engine:
    """An engine that keeps no connection; on SQLite each transaction writes from its beginning."""
    return _engine(uri, "BEGIN IMMEDIATE")


def reading(uri: str) -> Engine:
    """An engine that keeps no connection; each transaction sees one state."""
    engine = _engine(uri, "BEGIN")
    return engine if engine.dialect.name == "sqlite" else engine.execution_options(isolation_level="REPEATABLE READ")


def _engine(uri: str, begin: str) -> Engine:
    if not uri.startswith("sqlite"):
        return create_engine(uri, poolclass=NullPool)
    engine = create_engine(uri, poolclass=NullPool, connect_args={"timeout": LOCK_WAIT_S})

    @event.listens_for(engine, "connect")
    def _(connection: DBAPIConnection, _: object) -> None:
        connection.isolation_level = None  # the driver begins no transaction by itself

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
