"""An MLflow store on MariaDB, where history is recorded though it is not served."""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy

from tests.stores import Store

MARIADB = os.environ.get("LINEAGE_API_TEST_MARIADB", "mysql+pymysql://root@127.0.0.1:3306")

_made: list[str] = []


@cache
def has_mariadb() -> bool:
    """Whether a MariaDB server is there for tests."""
    try:
        administer("SELECT 1")
    except Exception:
        return False
    return True


def administer(*statements: str, uri: str = f"{MARIADB}/mysql") -> None:
    """Runs statements as the one who may do everything."""
    with sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@contextmanager
def mariadb_store(folder: Path) -> Iterator[Store]:
    """A store with an empty registry and nothing of ours, in the one database that a session of tests makes."""
    if not has_mariadb():
        pytest.skip(f"no MariaDB answers at {MARIADB}")
    if not _made:
        _made.append(_filled(f"lineage_{uuid4().hex[:12]}", folder))
    made = Store(f"{MARIADB}/{_made[0]}", folder / "artifacts")
    try:
        yield made
    finally:
        made.close()
        empty(made)


def _filled(name: str, folder: Path) -> str:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    administer(f"CREATE DATABASE {name}")
    atexit.register(administer, f"DROP DATABASE IF EXISTS {name}")
    SqlAlchemyStore(f"{MARIADB}/{name}", str(folder)).engine.dispose()
    return name


def empty(store: Store) -> None:
    """Takes out all that is ours, and all that is registered."""
    from lineage_api.migrations import recording

    recording.end(store.uri)
    delete_all(store)


def delete_all(store: Store) -> None:
    """Deletes all that is registered."""
    for table in (
        "registered_model_tags",
        "model_version_tags",
        "registered_model_aliases",
        "model_versions",
        "registered_models",
    ):
        store.sql(f"DELETE FROM {table}")
