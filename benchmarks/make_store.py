"""A store to measure on: MLflow's own schema, filled in bulk, the same rows at every making.

`python -m benchmarks.make_store --uri sqlite:////tmp/bench/20k.db --runs 20000`, or a `postgresql://` address. The
store is built under a name of its own and renamed when it is complete; one that is there already is used again, or
refused when it is not what was asked for. Nothing is ever overwritten.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

SEED = 7
SHAPE = 1
"""To be raised when the rows change: a store of another shape is not used again."""
MARKER = "benchmark.store"
"""The tag on MLflow's default experiment that says what the store holds; written last."""

BATCH = 10_000
DAY = 86_400_000
BEGIN = 1_767_225_600_000  # 2026-01-01
ARTIFACTS = "/tmp/bench/artifacts"
KEYS = [7 * digit % 10 for digit in range(10)]  # clients do not log in the order of keys
STATUSES = ["FINISHED"] * 95 + ["FAILED"] * 3 + ["KILLED", "RUNNING"]
INFINITY = 1.7976931348623157e308  # as MLflow writes it

COLUMNS = {
    "experiments": "experiment_id name artifact_location lifecycle_stage creation_time last_update_time workspace",
    "experiment_tags": "key value experiment_id",
    "datasets": "dataset_uuid experiment_id name digest dataset_source_type dataset_source dataset_schema"
    " dataset_profile",
    "runs": "run_uuid name source_type source_name entry_point_name user_id status start_time end_time source_version"
    " lifecycle_stage artifact_uri experiment_id deleted_time",
    "params": "key value run_uuid",
    "latest_metrics": "key value timestamp step is_nan run_uuid",
    "metrics": "key value timestamp step is_nan run_uuid",
    "tags": "key value run_uuid",
    "inputs": "input_uuid source_type source_id destination_type destination_id step",
    "input_tags": "input_uuid name value",
    "logged_models": "model_id experiment_id name artifact_location creation_timestamp_ms last_updated_timestamp_ms"
    " status lifecycle_stage model_type source_run_id",
    "registered_models": "name creation_time last_updated_time description workspace",
    "registered_model_tags": "key value name workspace",
    "registered_model_aliases": "alias version name workspace",
    "model_versions": "name version creation_time last_updated_time description current_stage source run_id status"
    " storage_location workspace",
    "model_version_tags": "key value name version workspace",
}

Row = tuple[object, ...]
Rows = dict[str, list[Row]]


def hexadecimal(random: Random) -> str:
    """An ID as MLflow makes them."""
    return f"{random.getrandbits(128):032x}"


def uuid(random: Random) -> str:
    """An ID with hyphens."""
    text = hexadecimal(random)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


# ------------------------------------------------------------------------------------------------------------- rows


def batches(runs: int) -> Iterator[Rows]:
    """All rows of the store, table by table, in portions that fit into memory; parents come before children."""
    random = Random(SEED)
    experiments = max(20, runs // 1000)
    rows: Rows = {table: [] for table in COLUMNS}
    datasets = _experiments(random, experiments, rows)
    yield rows

    models = min(1000, runs // 20)
    registered = dict(zip(random.sample(range(runs), models * 20), range(models * 20), strict=True))
    made: list[tuple[str, int, int] | None] = [None] * (models * 20)
    for first in range(0, runs, BATCH):
        rows = {table: [] for table in COLUMNS}
        for number in range(first, min(first + BATCH, runs)):
            run = _run(random, number, runs, experiments, datasets, rows)
            if number in registered:
                made[registered[number]] = run
        yield rows

    rows = {table: [] for table in COLUMNS}
    for number in range(models):
        _model(random, number, [run for run in made[number * 20 : number * 20 + 20] if run], rows)
    _prompt(rows)
    yield rows


def _experiments(random: Random, experiments: int, rows: Rows) -> dict[int, list[str]]:
    """The experiments and three datasets of each; some datasets are read in several experiments."""
    known = [(f"trips-{number:02}", f"{random.getrandbits(32):08x}") for number in range(12)]
    schema = json.dumps({"mlflow_colspec": [{"type": "double", "name": f"c{n}", "required": True} for n in range(12)]})
    profile = json.dumps({"num_rows": 4500, "num_elements": 54000})
    datasets: dict[int, list[str]] = {}
    for experiment in range(1, experiments + 1):
        made = BEGIN - DAY + experiment
        place = f"{ARTIFACTS}/{experiment}"
        name = f"experiment-{experiment:04}"
        rows["experiments"].append((experiment, name, place, "active", made, made, "default"))
        rows["experiment_tags"].append(("team", f"team-{experiment % 7}", experiment))
        datasets[experiment] = []
        for dataset, digest in random.sample(known, 3):
            key = uuid(random)
            source = json.dumps({"url": f"s3://data/{dataset}.csv"})
            rows["datasets"].append((key, experiment, dataset, digest, "http", source, schema, profile))
            datasets[experiment].append(key)
    return datasets


def _run(
    random: Random, number: int, runs: int, experiments: int, datasets: dict[int, list[str]], rows: Rows
) -> tuple[str, int, int]:
    """One run with all that hangs on it; gives its ID, its experiment and when it ended."""
    key = hexadecimal(random)
    experiment = number % experiments + 1
    name = f"{random.choice(('calm', 'bold', 'wise', 'keen'))}-{random.choice(('fox', 'owl', 'elk'))}-{number}"
    user = f"user-{random.randrange(30)}"
    status = random.choice(STATUSES)
    pause = 180 * DAY // runs
    start = BEGIN + number * pause + random.randrange(min(pause, 60_000))  # no two begin at the same moment
    end = start + random.randrange(1_000, 900_000)
    stage, gone = ("deleted", end + DAY) if number % 211 == 210 else ("active", None)
    finish = None if status == "RUNNING" else end
    place = f"{ARTIFACTS}/{experiment}/{key}/artifacts"
    rows["runs"].append((key, name, "UNKNOWN", "", "", user, status, start, finish, "", stage, place, experiment, gone))
    for digit in KEYS:
        rows["params"].append((f"param_{digit}", f"{random.random():.6g}", key))
    for digit in KEYS:
        metric = (f"metric_{digit}", *_metric(random, number, digit, experiments, end), key)
        rows["latest_metrics"].append(metric)
        rows["metrics"].append(metric)
    rows["tags"] += [
        ("mlflow.user", user, key),
        ("mlflow.source.git.commit", f"{random.randrange(2000):040x}", key),
        ("mlflow.runName", name, key),
        ("team", f"team-{experiment % 7}", key),
        ("purpose", random.choice(("baseline", "tuning", "candidate")), key),
    ]
    edge = uuid(random)
    rows["inputs"].append((edge, "DATASET", random.choice(datasets[experiment]), "RUN", key, 0))
    rows["input_tags"].append((edge, "mlflow.data.context", "training"))
    return key, experiment, end


def _metric(random: Random, number: int, digit: int, experiments: int, end: int) -> tuple[float, int, int, bool]:
    """The value, timestamp, step and NaN flag of a metric; a few are not numbers, of `metric_3` one an experiment."""
    value = random.random()
    if (digit == 3 and number < experiments) or (digit == 7 and number % 199 == 5):
        return 0.0, end, 0, True
    if digit == 9 and number % 197 == 5:
        return INFINITY if number % 2 else -INFINITY, end, 0, False
    return value, end, 0, False


def _model(random: Random, number: int, runs: Sequence[tuple[str, int, int]], rows: Rows) -> None:
    """One registered model with a version for each of these runs, each made from a logged model."""
    name = f"model-{number:04}"
    production = random.randint(max(1, len(runs) - 6), len(runs) - 1)
    gone = len(runs) - 7 if number % 50 == 25 else None
    last = max(end for *_, end in runs) + len(runs) * 1000
    rows["registered_models"].append((name, BEGIN, last, f"What {name} is for.", "default"))
    rows["registered_model_tags"].append(("team", f"team-{number % 7}", name, "default"))
    rows["registered_model_aliases"] += [
        ("champion", production, name, "default"),
        ("challenger", production + 1, name, "default"),
    ]
    for version, (run, experiment, end) in enumerate(runs, start=1):
        model = f"m-{hexadecimal(random)}"
        place = f"{ARTIFACTS}/{experiment}/models/{model}/artifacts"
        rows["logged_models"].append((model, experiment, "model", place, end, end, 2, "active", "", run))
        rows["inputs"].append((uuid(random), "RUN_OUTPUT", run, "MODEL_OUTPUT", model, 0))
        stage = _stage(version, production)
        made = end + version * 1000
        facts = ("", stage, f"models:/{model}", run, "READY", place, "default")
        if version == gone:  # as MLflow leaves a version that was deleted
            facts = (None, "Deleted_Internal", "REDACTED-SOURCE-PATH", "REDACTED-RUN-ID", "READY", place, "default")
        rows["model_versions"].append((name, version, made, last, *facts))
        rows["model_version_tags"] += [
            ("validated", random.choice(("yes", "no")), name, version, "default"),
            ("ticket", f"ML-{random.randrange(10_000)}", name, version, "default"),
        ]


def _stage(version: int, production: int) -> str:
    """One version is in production, the one after it in staging; those before are archived, the newest in no stage."""
    if version == production:
        return "Production"
    if version == production + 1:
        return "Staging"
    return "Archived" if version < production else "None"


def _prompt(rows: Rows) -> None:
    """A prompt, which lives in the registry's tables and is no model; by name it would be the first."""
    name, mark = "a-prompt", "mlflow.prompt.is_prompt"
    rows["registered_models"].append((name, BEGIN, BEGIN, "", "default"))
    rows["registered_model_tags"].append((mark, "true", name, "default"))
    rows["model_versions"].append(
        (name, 1, BEGIN, BEGIN, "", "None", "prompt-template", None, "READY", "prompt-template", "default")
    )
    rows["model_version_tags"] += [
        (mark, "true", name, 1, "default"),
        ("mlflow.prompt.text", "Say {{ word }}.", name, 1, "default"),
    ]


# -------------------------------------------------------------------------------------------------------- databases


def create_schema(uri: str) -> None:
    """MLflow makes its tables, and its default experiment."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415 - it takes seconds

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    SqlAlchemyStore(uri, ARTIFACTS).engine.dispose()


def marker(runs: int) -> str:
    """What a complete store of so many runs says of itself."""
    return json.dumps({"runs": runs, "seed": SEED, "shape": SHAPE})


class Sqlite:
    """A file; journal mode and statistics are left as MLflow leaves them."""

    def __init__(self, url: URL) -> None:
        self.path = Path(url.database or "")
        self.part = self.path.with_name(self.path.name + ".part")

    def found(self) -> str | None:
        """The marker of the store that is there; empty when there is one without, None when there is none."""
        if not self.path.exists():
            return None
        with closing(sqlite3.connect(self.path)) as connection:
            try:
                row = connection.execute("SELECT value FROM experiment_tags WHERE key = ?", (MARKER,)).fetchone()
            except sqlite3.OperationalError:
                return ""
        return row[0] if row else ""

    def make(self, portions: Iterable[Rows], mark: str) -> None:
        """Fill a new file and give it its name."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.part.unlink(missing_ok=True)
        create_schema(f"sqlite:///{self.part}")
        with closing(sqlite3.connect(self.part, isolation_level=None)) as connection:
            connection.executescript(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -4000000; BEGIN"
            )
            for rows in portions:
                for table, some in rows.items():
                    columns = COLUMNS[table].split()
                    places = ", ".join("?" * len(columns))
                    connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", some)
            connection.execute(
                "INSERT INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, 0)", (MARKER, mark)
            )
            connection.execute("COMMIT")
        self.part.rename(self.path)

    def use_wal(self) -> None:
        """Let readers and writers not wait for each other."""
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")


class Postgres:
    """A database of its own, analysed, as autovacuum would leave it."""

    def __init__(self, url: URL) -> None:
        self.url = url.set(drivername="postgresql")
        self.name = url.database or ""
        self.part = f"{self.name}_part"

    def _connect(self, database: str) -> psycopg.Connection:
        address = self.url.set(database=database).render_as_string(hide_password=False)
        return psycopg.connect(address, autocommit=True)

    def found(self) -> str | None:
        """The marker of the store that is there; empty when there is one without, None when there is none."""
        with self._connect("postgres") as server:
            if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", (self.name,)).fetchone():
                return None
        with self._connect(self.name) as connection:
            try:
                row = connection.execute("SELECT value FROM experiment_tags WHERE key = %s", (MARKER,)).fetchone()
            except psycopg.errors.UndefinedTable:
                return ""
        return row[0] if row else ""

    def make(self, portions: Iterable[Rows], mark: str) -> None:
        """Fill a new database and give it its name."""
        part, name = sql.Identifier(self.part), sql.Identifier(self.name)
        with self._connect("postgres") as server:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(part))
            server.execute(sql.SQL("CREATE DATABASE {}").format(part))
        create_schema(self.url.set(database=self.part).render_as_string(hide_password=False))
        with self._connect(self.part) as connection:
            connection.execute("SET session_replication_role = replica")  # foreign keys hold by construction
            with connection.transaction():
                for rows in portions:
                    for table, some in rows.items():
                        self._copy(connection, table, some)
                connection.execute(
                    "INSERT INTO experiment_tags (key, value, experiment_id) VALUES (%s, %s, 0)", (MARKER, mark)
                )
                connection.execute(
                    "SELECT setval(pg_get_serial_sequence('experiments', 'experiment_id'), max(experiment_id))"
                    " FROM experiments"
                )
            connection.execute("VACUUM ANALYZE")
        with self._connect("postgres") as server:
            server.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(part, name))

    def _copy(self, connection: psycopg.Connection, table: str, rows: list[Row]) -> None:
        if not rows:
            return
        columns = ", ".join(COLUMNS[table].split())
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


# ---------------------------------------------------------------------------------------------------------- command


def main() -> None:
    """Make the store, or find that it is there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.make_store", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--uri", required=True, help="sqlite:////tmp/bench/20k.db or postgresql://user@host/database")
    parser.add_argument("--runs", type=int, default=20_000, help="how many runs; at least 1000")
    parser.add_argument("--wal", action="store_true", help="SQLite: switch to write-ahead logging")
    arguments = parser.parse_args()
    if arguments.runs < 1000:
        parser.error("at least 1000 runs")

    url = make_url(arguments.uri)
    store = Sqlite(url) if url.get_backend_name() == "sqlite" else Postgres(url)
    mark, found = marker(arguments.runs), store.found()
    if found is not None and found != mark:
        sys.exit(f"{arguments.uri} is there and is not this store ({found or 'no marker'}); remove it first")
    begun = time.perf_counter()
    if found is None:
        store.make(batches(arguments.runs), mark)
    if arguments.wal and isinstance(store, Sqlite):
        store.use_wal()
    done = "made in" if found is None else "there already,"
    print(f"{arguments.uri}: {arguments.runs:,} runs, {done} {time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    main()
