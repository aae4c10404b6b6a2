"""A copy of a store of `make_store` for the corners, with what that store lacks.

Nested runs, descriptions, used models, what was logged of models, copies, a long metric, history of both kinds, and
the index of model files. The original is only read.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import Connection, create_engine, make_url, text

from benchmarks.answers import written
from lineage_api.migrations import recording

STEPS = 1_000
"""How many values the long metric has, of each of the newest runs."""
FILES = 100
"""Of how many of the newest versions and runs the files are there."""

_NUMBERED = "WITH numbered AS (SELECT r.*, row_number() OVER (ORDER BY start_time, run_uuid) - 1 AS n FROM runs r)"
_MODELS = (
    "WITH numbered AS (SELECT run_uuid, row_number() OVER (ORDER BY start_time, run_uuid) - 1 AS n FROM runs),"
    " models AS (SELECT model_id, row_number() OVER (ORDER BY model_id) - 1 AS n FROM logged_models)"
)
_KEYS = "(SELECT 'depth' AS key UNION ALL SELECT 'rate' UNION ALL SELECT 'team')"

RUNS = [
    # Of every twenty, one has nine children.
    (
        f"{_NUMBERED} INSERT INTO tags (key, value, run_uuid) SELECT 'mlflow.parentRunId', p.run_uuid, c.run_uuid"
        " FROM numbered c JOIN numbered p ON p.n = c.n - c.n % 20 WHERE c.n % 20 BETWEEN 1 AND 9"
    ),
    (
        f"{_NUMBERED} INSERT INTO tags (key, value, run_uuid) SELECT 'mlflow.note.content', 'What it is for.', run_uuid"
        " FROM numbered WHERE n % 10 = 3"
    ),
    (
        f"{_NUMBERED} INSERT INTO tags (key, value, run_uuid) SELECT 'mlflow.source.name', 'train.py', run_uuid"
        " FROM numbered WHERE n % 2 = 0"
    ),
    (
        f"{_MODELS} INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id, step)"
        " SELECT 'used-' || r.n, 'RUN_INPUT', r.run_uuid, 'MODEL_INPUT', m.model_id, 0"
        " FROM numbered r JOIN models m ON m.n = r.n / 10 WHERE r.n % 10 = 4"
    ),
    (
        "WITH RECURSIVE steps AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM steps WHERE n < :steps)"
        " INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid)"
        " SELECT 'metric_3', n * 0.5, r.start_time + n, n, false, r.run_uuid FROM steps"
        " CROSS JOIN (SELECT * FROM runs ORDER BY start_time DESC LIMIT 20) r"
    ),
]
MODELS = [
    (
        "INSERT INTO logged_model_params (model_id, experiment_id, param_key, param_value)"
        f" SELECT model_id, experiment_id, key, '5' FROM logged_models CROSS JOIN {_KEYS} k"
    ),
    (
        "INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value)"
        f" SELECT model_id, experiment_id, key, 'yes' FROM logged_models CROSS JOIN {_KEYS} k"
    ),
    (
        "INSERT INTO logged_model_metrics (model_id, metric_name, metric_timestamp_ms, metric_step, metric_value,"
        " experiment_id, run_id, dataset_name, dataset_digest)"
        " SELECT m.model_id, l.key, l.timestamp, l.step, l.value, m.experiment_id, l.run_uuid, d.name, d.digest"
        " FROM logged_models m JOIN latest_metrics l ON l.run_uuid = m.source_run_id"
        " AND l.key IN ('metric_1', 'metric_2')"
        " JOIN inputs i ON i.destination_type = 'RUN' AND i.destination_id = l.run_uuid AND i.source_type = 'DATASET'"
        " JOIN datasets d ON d.dataset_uuid = i.source_id"
    ),
    (
        "INSERT INTO registered_models (name, creation_time, last_updated_time, description, workspace)"
        " SELECT 'copied', MIN(creation_time), MAX(last_updated_time), 'Copies.', 'default' FROM registered_models"
    ),
    (
        "INSERT INTO model_versions (name, version, creation_time, last_updated_time, description, current_stage,"
        " source, run_id, status, storage_location, workspace)"
        " SELECT 'copied', row_number() OVER (ORDER BY name), last_updated_time, last_updated_time, '', 'None',"
        " 'models:/' || name || '/' || version, run_id, status, storage_location, workspace"
        " FROM model_versions WHERE name LIKE 'model-%' AND current_stage = 'Production'"
    ),
]
HISTORY = [
    # What other tools changed, as it happened.
    "UPDATE model_versions SET current_stage = 'Archived' WHERE name LIKE 'model-00%' AND current_stage = 'Production'",
    "UPDATE model_versions SET current_stage = 'Production' WHERE name LIKE 'model-00%' AND current_stage = 'Staging'",
    "UPDATE registered_model_aliases SET version = version - 1 WHERE name LIKE 'model-00%' AND alias = 'challenger'",
    "UPDATE registered_models SET description = 'Another one.' WHERE name LIKE 'model-00%'",
]
OURS = [
    (
        "UPDATE lineage_events SET origin = 'API', actor = 'ana', reason = 'INC-7', mutation = 'transitionModelVersion'"
        " WHERE origin = 'EXTERNAL' AND id % 2 = 0"
    ),
    (
        "INSERT INTO lineage_model_files (location, read_at, failures, retry_at)"
        " SELECT DISTINCT storage_location, 1, 0, 0 FROM model_versions WHERE storage_location LIKE '/%'"
    ),
    (
        "WITH RECURSIVE places AS (SELECT 0 AS n UNION ALL SELECT n + 1 FROM places WHERE n < 9)"
        " INSERT INTO lineage_packages (files_id, place, name, version)"
        " SELECT f.id, n, 'package-' || n, '1.' || (f.id % 20) || '.' || n FROM lineage_model_files f CROSS JOIN places"
    ),
]


class Copy:
    """The copy, and whether its database has statistics."""

    def __init__(self, original: str) -> None:
        url = make_url(original)
        self._original = original
        self.is_file = url.get_backend_name() == "sqlite"
        self._url = url.set(database=f"{url.database}.corners" if self.is_file else f"{url.database}_corners")
        self.uri = self._url.render_as_string(hide_password=False)

    @property
    def is_there(self) -> bool:
        """Whether it has been made."""
        if self.is_file:
            return Path(self._url.database).exists()
        with psycopg.connect(self._url.set(database="postgres").render_as_string(hide_password=False)) as server:
            found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", (self._url.database,))
            return found.fetchone() is not None

    def make(self) -> None:
        """Copies the original, and completes it."""
        self.remove()
        if self.is_file:
            shutil.copy(make_url(self._original).database, self._url.database)
        else:
            names = map(sql.Identifier, (self._url.database, make_url(self._original).database))
            self._administer(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(*names))
        self._run(*RUNS, *MODELS, steps=STEPS)
        recording.begin(self.uri)
        for statement in HISTORY:  # each is a transaction, and so a moment, of its own
            self._run(statement)
        self._run(*OURS)
        with create_engine(self.uri).connect() as connection:
            write_files(connection)
        self.forget()

    def forget(self) -> None:
        """Lets the database have no statistics, as MLflow leaves it."""
        if self.is_file:
            with closing(sqlite3.connect(self._url.database)) as connection, connection:
                connection.execute("ANALYZE sqlite_schema")  # so that the tables of statistics are there to be dropped
                for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'sqlite_stat_'"):
                    connection.execute(f"DROP TABLE {name}")
            return
        with psycopg.connect(self.uri, autocommit=True) as connection:
            tables = [name for (name,) in connection.execute("SELECT relname FROM pg_stat_user_tables")]
            for name in tables:
                setting = sql.SQL("ALTER TABLE {} SET (autovacuum_enabled = false)").format(sql.Identifier(name))
                connection.execute(setting)
            connection.execute("DELETE FROM pg_statistic")
            # As of a table that nobody has ever looked at: sizes are guessed from the files.
            never = "UPDATE pg_class SET reltuples = -1, relpages = 0, relallvisible = 0 WHERE relkind IN ('r', 'i')"
            connection.execute(f"{never} AND relnamespace = 'public'::regnamespace")

    def analyze(self) -> None:
        """Lets the database collect statistics."""
        self._run("ANALYZE")

    def remove(self) -> None:
        """Removes the copy."""
        if self.is_file:
            for end in ("", "-wal", "-shm", "-journal"):
                Path(f"{self._url.database}{end}").unlink(missing_ok=True)
        else:
            name = sql.Identifier(self._url.database)
            self._administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def _run(self, *statements: str, **values: object) -> None:
        engine = create_engine(self.uri)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement), {name: v for name, v in values.items() if f":{name}" in statement})
        engine.dispose()

    def _administer(self, statement: sql.Composed) -> None:
        address = self._url.set(database="postgres").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as server:
            server.execute(statement)


def write_files(connection: Connection) -> None:
    """The files of the newest versions, and of the newest runs, at their places."""
    newest = f"storage_location LIKE '/%' ORDER BY creation_time DESC LIMIT {FILES}"
    for version, place in connection.execute(
        text(f"SELECT version, storage_location FROM model_versions WHERE {newest}")
    ):
        written(Path(place), min(version, 20))
    for (place,) in connection.execute(text(f"SELECT artifact_uri FROM runs ORDER BY start_time DESC LIMIT {FILES}")):
        Path(place).mkdir(parents=True, exist_ok=True)
        Path(place, "preprocessing.json").write_text("{}")
