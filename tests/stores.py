"""MLflow stores, filled by MLflow's own client."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import sqlalchemy

POSTGRESQL = os.environ.get("LINEAGE_API_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432")


@cache
def has_postgresql() -> bool:
    """Whether a PostgreSQL server is there for tests."""
    try:
        import psycopg

        psycopg.connect(f"{POSTGRESQL}/postgres", connect_timeout=3).close()
    except Exception:
        return False
    return True


@contextmanager
def filled(kind: str, templates: Any, folder: Path) -> "Iterator[Store]":
    """A store of a kind, for fixtures that fill one for many tests."""
    import pytest

    if kind == "postgresql" and not has_postgresql():
        pytest.skip(f"no PostgreSQL answers at {POSTGRESQL}")
    made = Store(templates.copy(kind, folder), folder / "artifacts")
    yield made
    made.close()


@cache
def _remember_the_schema() -> None:
    """Has MLflow read its migrations once, and not, for 50 ms, whenever a store is opened; they never change."""
    from mlflow.store.db import utils

    utils._get_latest_schema_revision = cache(utils._get_latest_schema_revision)


class Store:
    """An MLflow store and its client."""

    def __init__(self, uri: str, artifacts: Path) -> None:
        self.uri = uri
        self.artifacts = artifacts

    @property
    def kind(self) -> str:
        """Its database: sqlite or postgresql."""
        return self.uri.partition(":")[0]

    @cached_property
    def client(self) -> Any:
        """MLflow's own client of it."""
        from mlflow import MlflowClient

        _remember_the_schema()
        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def experiment(self, name: str, runs: list[str] | None = None, **tags: str) -> str:
        """The ID of a new experiment; with runs of these names, each a second later than the one before."""
        id_ = self.client.create_experiment(name, artifact_location=str(self.artifacts / name), tags=tags or None)
        for second, run in enumerate(runs or ()):
            self.run(id_, run, start=1_000 * (second + 1))
        return str(id_)

    def run(
        self,
        experiment_id: str,
        name: str = "a run",
        *,
        start: int = 1_000,
        end: int | None = None,
        status: str = "FINISHED",
        params: dict[str, Any] | None = None,
        metrics: dict[str, float] | None = None,
        tags: dict[str, str] | None = None,
        parent: str | None = None,
    ) -> str:
        """The ID of a new run that ended (start + 1,000 ms, where no end is given)."""
        from mlflow.entities import Metric, Param

        tags = {**(tags or {}), **({"mlflow.parentRunId": parent} if parent else {})}
        run = self.client.create_run(experiment_id, start_time=start, tags=tags, run_name=name)
        id_ = run.info.run_id
        if params or metrics:
            logged = [Metric(key, number, start, 0) for key, number in (metrics or {}).items()]
            self.client.log_batch(id_, logged, [Param(key, str(value)) for key, value in (params or {}).items()])
        if status != "RUNNING":
            self.client.set_terminated(id_, status=status, end_time=start + 1_000 if end is None else end)
        return str(id_)

    def metric(self, run_id: str, key: str, *values: float, step: int = 0, timestamp: int = 1_000, **more: Any) -> None:
        """Logs values of a metric, one a step and a millisecond after the other."""
        for i, value in enumerate(values):
            self.client.log_metric(run_id, key, value, timestamp=timestamp + i, step=step + i, **more)

    def dataset(self, run_id: str, name: str, digest: str, context: str | None = "training", **more: Any) -> None:
        """Notes that a run read a dataset."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        tags = [InputTag("mlflow.data.context", context)] if context else []
        kept = {"source_type": "local", "source": '{"url": "data.csv"}', **more}
        self.client.log_inputs(run_id, [DatasetInput(Dataset(name=name, digest=digest, **kept), tags)])

    def logged_model(self, experiment_id: str, name: str = "model", run_id: str | None = None, **more: Any) -> Any:
        """A new logged model, ready, that a run made."""
        from mlflow.entities import LoggedModelOutput, LoggedModelStatus

        model = self.client.create_logged_model(experiment_id, name, source_run_id=run_id, **more)
        if run_id:
            self.client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])
        return self.client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)

    def used_model(self, run_id: str, model_id: str) -> None:
        """Notes that a run used a logged model."""
        from mlflow.entities import LoggedModelInput

        self.client.log_inputs(run_id, models=[LoggedModelInput(model_id)])

    def registered_model(self, name: str, **more: Any) -> None:
        """A new registered model."""
        self.client.create_registered_model(name, **more)

    def version(
        self,
        name: str,
        *,
        run_id: str | None = None,
        model_id: str | None = None,
        source: str | None = None,
        **more: Any,
    ) -> int:
        """The number of a new version, registered from a logged model, a run or a source."""
        import mlflow

        # MLflow resolves `models:/` through its global client.
        mlflow.set_tracking_uri(self.uri)
        source = source or (f"models:/{model_id}" if model_id else f"{self.artifacts}/{run_id}/artifacts/model")
        made = self.client.create_model_version(name, source, run_id=run_id, model_id=model_id, **more)
        return int(made.version)

    def stage(self, name: str, version: int, stage: str, *, archive: bool = False) -> None:
        """Moves a version to another stage."""
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            self.client.transition_model_version_stage(name, version, stage, archive_existing_versions=archive)

    def alias(self, name: str, alias: str, version: int) -> None:
        """Points an alias at a version."""
        self.client.set_registered_model_alias(name, alias, version)

    def copied(self, name: str, version: int, to: str) -> int:
        """The number of a new version of another model, copied from this one."""
        import mlflow

        mlflow.set_tracking_uri(self.uri)
        return int(self.client.copy_model_version(f"models:/{name}/{version}", to).version)

    def registered(self, uri: str, name: str) -> int:
        """The number of the version that MLflow's own function registers; it goes by global settings."""
        import mlflow
        from mlflow.environment_variables import MLFLOW_REGISTRY_URI

        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        try:
            return int(mlflow.register_model(uri, name).version)
        finally:
            mlflow.set_registry_uri("")
            MLFLOW_REGISTRY_URI.unset()

    def prompt(self, name: str) -> None:
        """A new prompt, which MLflow keeps beside registered models."""
        self.client.register_prompt(name, "Say {{this}}.")

    def sql(self, statement: str, **values: Any) -> None:
        """Changes a row as somebody with a database console would."""
        with self._engine.begin() as connection:
            connection.execute(sqlalchemy.text(statement), values)

    def tick(self) -> None:
        """Lets every event of the history have happened as many seconds after 1970 as it has in its ID."""
        is_end = """kind IN ('ALIAS_REMOVED', 'TAG_REMOVED', 'MODEL_DELETED')
            OR kind = 'DESCRIPTION_CHANGED' AND value IS NULL OR kind = 'VERSION_DELETED' AND to_stage IS NULL"""
        of_model = "SELECT MIN(n.id) FROM lineage_events n WHERE n.model_id = e.model_id AND n.id > e.id AND"
        self.sql(
            f"""UPDATE lineage_events AS e SET occurred_at = id * 1000, ended_at = CASE
                WHEN ended_at IS NULL THEN NULL WHEN {is_end} THEN id * 1000
                ELSE COALESCE(({of_model} n.slot = e.slot), ({of_model} n.kind = 'MODEL_DELETED')) * 1000 END"""
        )

    @cached_property
    def _engine(self) -> sqlalchemy.Engine:
        return sqlalchemy.create_engine(self.uri, poolclass=sqlalchemy.NullPool)

    def close(self) -> None:
        """Lets go of the database."""
        if "client" in self.__dict__:
            self.client._tracking_client.store.engine.dispose()
            self.client._get_registry_client().store.engine.dispose()
