"""Runs, and the code behind them."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import strawberry
from sqlalchemy import Integer, Select, cast, func

from lineage_api.engine.nouns import Connection, arrow, batch, column, noun, resolved
from lineage_api.engine.sql import Bound, KeysFirst
from lineage_api.graph.abilities import LineageNode, Node, Taggable, lineage_arguments, of_keys, tagged
from lineage_api.graph.artifact import listings
from lineage_api.graph.identity import identity
from lineage_api.graph.labels import LABELS
from lineage_api.graph.lineage import Lineages
from lineage_api.graph.nouns import Artifact, Dataset, Experiment, LineageGraph, LoggedModel, ModelVersion
from lineage_api.graph.rows import (
    CODE,
    DATASETS,
    EXPERIMENTS,
    INPUTS,
    LATEST_METRICS,
    LOGGED_MODELS,
    METRICS,
    MODEL_VERSIONS,
    NEWEST_MODELS,
    NEWEST_VERSIONS,
    OLDEST_RUNS,
    PARAMS,
    READ_DATASETS,
    RUN_TAGS,
    RUNS,
    RUNS_IN_USE,
    USED_MODELS,
    is_used_model,
)
from lineage_api.graph.run_filter import RunStatus
from lineage_api.graph.values import Metric, Param, Tag
from lineage_api.store import convert, tables
from lineage_api.store.artifacts import Artifacts

Key = Annotated[Bound[str], strawberry.argument(description="Its name.")]
Part = Annotated[Bound[str], strawberry.argument(description="Only those that played this part, such as `training`.")]

_parent_tags = tables.tags.alias("parent_tags")
_is_parent_tag = _parent_tags.c.key == "mlflow.parentRunId"
# From the tags on: SQLite, with statistics, would begin with all runs.
_children = replace(
    RUNS_IN_USE, source=KeysFirst(_parent_tags, tables.runs, _parent_tags.c.run_uuid == RUNS.c.run_uuid)
).where(_is_parent_tag)


def _of_key(rows: Select[Any], key: Key) -> Select[Any]:
    return rows.where(PARAMS.c.key == key)


def _of_metric(rows: Select[Any], key: Key) -> Select[Any]:
    return rows.where(LATEST_METRICS.c.key == key)


def _at_steps(rows: Select[Any], key: Key) -> Select[Any]:
    # SQLite would rather read the key's values of all runs, which are in an index together, than those of one.
    return rows.where(func.likely(METRICS.c.key == key))


def _in_part(rows: Select[Any], context: Part | None = None) -> Select[Any]:
    return rows if context is None else rows.where(INPUTS.c.context == context)


@noun
class RunInput:
    """A dataset that a run read."""

    dataset: Dataset = arrow(DATASETS, of=INPUTS.c.dataset_uuid, to=DATASETS.c.dataset_uuid)
    """The dataset."""
    context: str | None = column(INPUTS.c.context, convert=convert.text)
    """The part that it played, such as `training`; null when that was not said."""


@noun
class Code:
    """The code behind a run."""

    entry_point: str | None = column(CODE.c.entry_point, convert=convert.text)
    """The file, notebook or module that was started."""
    repo_url: str | None = column(CODE.c.repo_url, convert=convert.text)
    """The repository."""
    commit: str | None = column(CODE.c.commit, convert=convert.text)
    """The commit."""
    branch: str | None = column(CODE.c.branch, convert=convert.text)
    """The branch."""
    is_dirty: bool | None = column(CODE.c.dirty, convert=convert.truth)
    """Whether there were changes that were not committed; null when that was not recorded."""


@noun
class Run(Taggable, LineageNode, Node):
    """One execution of training code, with what it read and what it made."""

    id: strawberry.ID = identity("Run", RUNS.c.run_uuid)
    """Opaque ID, unique in the whole graph."""
    label: str = resolved(LABELS["Run"])
    """What a person calls it: its name."""
    run_id: str = column(RUNS.c.run_uuid)
    """MLflow's own ID, as in its URLs and its Python client."""
    name: str = column(RUNS.c.display_name)
    """The name that people know it by."""
    status: RunStatus = column(RUNS.c.status, convert=RunStatus)
    """Where it is in its life."""
    is_deleted: bool = column(RUNS.c.lifecycle_stage, convert=convert.in_trash)
    """Whether it is in the trash."""
    started_at: datetime | None = column(RUNS.c.start_time, convert=convert.moment)
    """When it began; null when MLflow was never told."""
    ended_at: datetime | None = column(RUNS.c.end_time, convert=convert.moment)
    """When it ended; null while it runs."""
    duration: float | None = column(RUNS.c.start_time, RUNS.c.end_time, convert=convert.seconds_between)
    """How long it took, in seconds; null while it runs."""
    user: str | None = column(RUNS.c.user)
    """Who ran it; null when MLflow was never told."""
    description: str | None = column(RUNS.c.description, convert=convert.text)
    """The description that people gave it."""
    experiment: Experiment = arrow(EXPERIMENTS, of=RUNS.c.experiment_id, to=EXPERIMENTS.c.experiment_id)
    """The experiment that it belongs to."""
    parent: "Run | None" = arrow(
        RUNS.through(_parent_tags, _parent_tags.c.value == RUNS.c.run_uuid).where(_is_parent_tag),
        of=RUNS.c.run_uuid,
        to=_parent_tags.c.run_uuid,
    )
    """The run that started it; null at the top."""
    children: "Connection[Run]" = arrow(
        _children,
        of=RUNS.c.run_uuid,
        to=_parent_tags.c.value,
        order=OLDEST_RUNS,
    )
    """The runs that it started, oldest first."""
    params: list[Param] = arrow(
        PARAMS, of=RUNS.c.run_uuid, to=PARAMS.c.run_uuid, order=[PARAMS.c.key], narrow=of_keys(PARAMS.c.key)
    )
    """Its parameters, by key."""
    param: str | None = arrow(PARAMS, of=RUNS.c.run_uuid, to=PARAMS.c.run_uuid, narrow=_of_key, value=PARAMS.c.value)
    """One parameter's value; null when the run has no such parameter."""
    metrics: list[Metric] = arrow(
        LATEST_METRICS,
        of=RUNS.c.run_uuid,
        to=LATEST_METRICS.c.run_uuid,
        order=[LATEST_METRICS.c.key],
        narrow=of_keys(LATEST_METRICS.c.key),
    )
    """The last value of each metric, by key."""
    metric: float | None = arrow(
        LATEST_METRICS,
        of=RUNS.c.run_uuid,
        to=LATEST_METRICS.c.run_uuid,
        narrow=_of_metric,
        value=LATEST_METRICS.c.number,
        convert=convert.finite,
    )
    """One metric's last value; null when the run has no such metric or its value is not a finite number."""
    metric_history: Connection[Metric] = arrow(
        METRICS,
        of=RUNS.c.run_uuid,
        to=METRICS.c.run_uuid,
        order=[METRICS.c.step, METRICS.c.timestamp, METRICS.c.value, cast(METRICS.c.is_nan, Integer)],
        narrow=_at_steps,
        size=100,
        most=10_000,
    )
    """Every value that one metric has had, by step."""
    tags: list[Tag] = arrow(
        RUN_TAGS, of=RUNS.c.run_uuid, to=RUN_TAGS.c.run_uuid, order=[RUN_TAGS.c.key], narrow=tagged(RUN_TAGS.c.key)
    )
    """Its tags, by key. Keys that start with `mlflow.` are left out unless asked for."""
    inputs: list[RunInput] = arrow(
        INPUTS,
        of=RUNS.c.run_uuid,
        to=READ_DATASETS.c.destination_id,
        order=[INPUTS.c.name, INPUTS.c.digest],
        narrow=_in_part,
    )
    """The datasets that it read, each with the part it played."""
    logged_models: Connection[LoggedModel] = arrow(
        LOGGED_MODELS, of=RUNS.c.run_uuid, to=LOGGED_MODELS.c.source_run_id, order=NEWEST_MODELS
    )
    """The models that it logged, newest first."""
    used_models: Connection[LoggedModel] = arrow(
        LOGGED_MODELS.through(USED_MODELS, USED_MODELS.c.destination_id == LOGGED_MODELS.c.model_id).where(
            is_used_model
        ),
        of=RUNS.c.run_uuid,
        to=USED_MODELS.c.source_id,
        order=NEWEST_MODELS,
    )
    """The logged models that it used, newest first."""
    model_versions: Connection[ModelVersion] = arrow(
        MODEL_VERSIONS, of=RUNS.c.run_uuid, to=MODEL_VERSIONS.c.origin_run_id, order=NEWEST_VERSIONS
    )
    """The versions that were registered from it, newest first."""
    code: Code | None = arrow(CODE, of=RUNS.c.run_uuid, to=CODE.c.run_uuid)
    """The code that it ran; null when nothing about it was recorded."""
    artifact_uri: str | None = column(RUNS.c.artifact_uri, convert=convert.text)
    """Where its files lie."""
    artifacts: list[Artifact] | None = batch(listings, RUNS.c.artifact_uri, service=Artifacts)
    """The files and folders directly under a folder of its artifact store; null when the store does not answer."""
    lineage: LineageGraph = resolved(Lineages("Run", RUNS.c.run_uuid), lineage_arguments)
    """What it came from and what came of it."""
