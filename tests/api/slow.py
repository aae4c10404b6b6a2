"""Questions that take for ever, and who looks whether a database still works on them."""

import sys
from contextlib import contextmanager

import psycopg

from lineage_api.store import sqlite
from tests.processes import about_to_write

ENDLESS = (
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000000) SELECT max(i) FROM n"
)
SLOW = "{ runs { nodes { params { key } } } }"
"""What takes for ever in a store that `make_slow` was called with."""
DATA = {"runs": {"nodes": [{"params": []}]}}
"""What it would get."""


def make_slow(store):
    """Has whoever reads parameters wait for ever."""
    store.run(store.experiment("slow"), "a run")
    store.sql("ALTER TABLE params RENAME TO kept_params")
    store.sql(f"CREATE VIEW params AS SELECT * FROM kept_params WHERE ({ENDLESS}) > 0")


def make_fast(store):
    """Undoes that."""
    store.sql("DROP VIEW params")
    store.sql("ALTER TABLE kept_params RENAME TO params")


def running(store):
    """How many such questions the database works on."""
    if store.kind == "sqlite":
        reading = [frame for frame in sys._current_frames().values() if frame.f_code.co_filename == sqlite.__file__]
        return sum((frame.f_code.co_name, frame.f_back.f_code.co_name) == ("rows", "rows_timed") for frame in reading)
    with psycopg.connect(store.uri) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
            " AND pid <> pg_backend_pid() AND query LIKE '%params%'"
        )
        return found.fetchone()[0]


@contextmanager
def held(store):
    """Another process is about to change registered models, until the function is called or the block ends."""
    if store.kind == "postgresql":
        with psycopg.connect(store.uri) as connection:
            connection.execute("SELECT * FROM registered_models FOR UPDATE")
            yield connection.rollback
        return
    with about_to_write(store.uri.removeprefix("sqlite:///")) as release:
        yield release
