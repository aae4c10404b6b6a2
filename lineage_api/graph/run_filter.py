"""Which runs, and in what order."""

import re
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Select, and_, case, exists, func, select

from lineage_api.engine.nouns import given
from lineage_api.engine.orders import By
from lineage_api.graph.conditions import (
    NumberCondition,
    SortDirection,
    TextCondition,
    all_of,
    alternatives,
    given_conditions,
    has_texts,
    is_given,
    number_meets,
    only_one,
)
from lineage_api.graph.redaction import is_readable
from lineage_api.graph.rows import RUNS
from lineage_api.store import convert, origins, search, tables
from lineage_api.store.functions import there_are

_runs = tables.runs.c


@strawberry.enum(description="Where a run is in its life.")
class RunStatus(Enum):
    SCHEDULED = strawberry.enum_value("SCHEDULED", description="It has been asked for and has not begun.")
    RUNNING = strawberry.enum_value("RUNNING", description="It has begun and has not ended.")
    FINISHED = strawberry.enum_value("FINISHED", description="It ended as it should.")
    FAILED = strawberry.enum_value("FAILED", description="It ended with an error.")
    KILLED = strawberry.enum_value("KILLED", description="Somebody ended it.")


@given
class DatasetRef:
    """Names a dataset; without a digest, every dataset of that name."""

    name: str
    """Its name."""
    digest: str | None = None
    """The fingerprint of its content."""


@given
class RunFilter:
    """Narrows a list of runs: a run is kept when it meets every condition that is given."""

    experiment_ids: list[str] | None = None
    """It belongs to one of these experiments, by MLflow's own IDs."""
    users: list[str] | None = None
    """One of these ran it."""
    is_top_level: bool | None = None
    """Whether no other run started it."""
    statuses: list[RunStatus] | None = None
    """It is in one of these states."""
    name_contains: str | None = None
    """Its name contains this text, upper and lower case alike."""
    started_since: datetime | None = None
    """It began at this moment or later."""
    started_before: datetime | None = None
    """It began before this moment."""
    params: list[TextCondition] | None = None
    """Each of these parameters has such a value."""
    metrics: list[NumberCondition] | None = None
    """Each of these metrics has such a last value."""
    tags: list[TextCondition] | None = None
    """Each of these tags has such a value."""
    dataset: DatasetRef | None = None
    """It read this dataset."""
    commit: str | None = None
    """Its code is at this commit, given in full or by its first characters."""
    is_registered: bool | None = None
    """Whether a version has been registered from it."""
    matching: str | None = None
    """It meets an expression in MLflow's own search syntax, such as `metrics.rmse < 1 and tags.team = 'ops'`."""
    include_deleted: bool | None = False
    """Also those in the trash."""
    or_: "list[RunFilter] | None" = None
    """It meets at least one of these filters."""
    not_: "RunFilter | None" = None
    """It does not meet this filter."""


@strawberry.enum(description="What runs can be ordered by.")
class RunOrderField(Enum):
    STARTED_AT = strawberry.enum_value("STARTED_AT", description="When they began.")
    ENDED_AT = strawberry.enum_value("ENDED_AT", description="When they ended.")
    DURATION = strawberry.enum_value("DURATION", description="How long they took.")
    NAME = strawberry.enum_value("NAME", description="Their names.")


@given
class RunOrder:
    """An order of runs; those without the metric or parameter, or with NaN, come last, whatever the direction."""

    field: RunOrderField | None = None
    """Exactly one of field, metric and param."""
    metric: str | None = None
    """The last value of this metric."""
    param: str | None = None
    """The value of this parameter, as text."""
    direction: SortDirection = SortDirection.DESC
    """Which way."""


Filter = Annotated[RunFilter, strawberry.argument(description="Which runs.")]
Order = Annotated[list[RunOrder], strawberry.argument(description="In what order; by default the newest first.")]

_FIELDS: dict[RunOrderField, ColumnElement[Any]] = {
    RunOrderField.STARTED_AT: _runs.start_time,
    RunOrderField.ENDED_AT: _runs.end_time,
    RunOrderField.DURATION: _runs.end_time - _runs.start_time,
    RunOrderField.NAME: RUNS.c.display_name,
}


def run_order(order_by: Order | None = None) -> list[By]:
    """The order that somebody asks for; by default the newest first. Ties are broken by ID."""
    terms = [_by(order) for order in order_by or ()] or [By(_runs.start_time, is_descending=True, can_be_null=True)]
    return [*terms, By(_runs.run_uuid)]


def _by(order: RunOrder) -> By:
    only_one(["field", "metric", "param"], [order.field, order.metric, order.param])
    is_descending = order.direction is SortDirection.DESC
    if is_given(order.metric):
        return By(latest_metric(order.metric, _runs.run_uuid), is_descending, can_be_null=True)
    if is_given(order.param):
        return By(_param(order.param), is_descending, can_be_null=True)
    assert order.field is not None
    return By(_FIELDS[order.field], is_descending, can_be_null=order.field is not RunOrderField.NAME)


# Looked up for each run: joined, the databases begin with the metric, whose rows are as many as there are runs.
def latest_metric(key: str | None, run_id: ColumnElement[str]) -> ColumnElement[Any]:
    """The last value of a metric of the run with this ID; null for NaN."""
    metrics = tables.latest_metrics.c
    value = case((metrics.is_nan, None), else_=metrics.value)
    found = select(value).where(metrics.key == key, metrics.run_uuid == run_id)
    # It may stand beside the run, in a statement that reads nothing else.
    return found.correlate_except(tables.latest_metrics).scalar_subquery()


def _param(key: str | None) -> ColumnElement[Any]:
    params = tables.params.c
    is_of_run = and_(params.key == key, params.run_uuid == _runs.run_uuid)
    found = select(params.value).where(is_of_run, is_readable(key, params.value))
    return found.correlate_except(tables.params).scalar_subquery()


def is_kept(filter_by: RunFilter) -> ColumnElement[bool]:
    """Whether a run meets a filter, and is not in the trash unless the filter says so."""
    conditions = [run_meets(filter_by)]
    if not filter_by.include_deleted:
        conditions.append(_runs.lifecycle_stage == "active")
    return all_of(conditions)


def run_meets(filter_by: RunFilter) -> ColumnElement[bool]:
    """Whether a run meets a filter, in the trash or not."""
    return all_of([*given_conditions(filter_by, _CONDITIONS), *alternatives(filter_by, run_meets)])


def _in_experiments(ids: list[str]) -> ColumnElement[bool]:
    numbers = [int(id_) for id_ in ids if re.fullmatch("0|[1-9][0-9]{0,9}", id_)]
    # Beyond the column's range the database refuses to compare.
    return _runs.experiment_id.in_([number for number in numbers if number < 2**31])


def _is_top_level(value: bool) -> ColumnElement[bool]:
    started = _has_tags([TextCondition(key="mlflow.parentRunId")])
    return ~started if value else started


def _has_params(conditions: list[TextCondition]) -> ColumnElement[bool]:
    owner = [tables.params.c.run_uuid == _runs.run_uuid]
    return all_of(has_texts(tables.params, owner, conditions))


def _has_tags(conditions: list[TextCondition]) -> ColumnElement[bool]:
    return all_of(has_texts(tables.tags, [tables.tags.c.run_uuid == _runs.run_uuid], conditions))


def _has_metrics(conditions: list[NumberCondition]) -> ColumnElement[bool]:
    return all_of([there_are(_metrics(condition), len(conditions)) for condition in conditions])


def _metrics(condition: NumberCondition) -> Select[Any]:
    metrics = tables.latest_metrics.c
    compared = number_meets(metrics.value, condition)
    # NaN compares with nothing; MLflow keeps it as 0 with a flag.
    numbers = [~metrics.is_nan] if compared else []
    return select(metrics.key).where(
        metrics.key == condition.key, metrics.run_uuid == _runs.run_uuid, *numbers, *compared
    )


def _read(dataset: DatasetRef) -> ColumnElement[bool]:
    inputs, datasets = tables.inputs.c, tables.datasets.c
    named = [datasets.name == dataset.name]
    if is_given(dataset.digest):
        named.append(datasets.digest == dataset.digest)
    readers = select(inputs.destination_id).where(
        inputs.source_type == "DATASET",
        inputs.destination_type == "RUN",
        inputs.source_id.in_(select(datasets.dataset_uuid).where(*named)),
    )
    return _runs.run_uuid.in_(readers)


def _is_at(commit: str) -> ColumnElement[bool]:
    tags = tables.tags.c
    return exists().where(
        tags.run_uuid == _runs.run_uuid,
        tags.key == "mlflow.source.git.commit",
        tags.value.startswith(commit.lower(), autoescape=True),
    )


def _is_registered(value: bool) -> ColumnElement[bool]:
    registered = _runs.run_uuid.in_(select(origins.run_id).where(origins.is_model_version, origins.run_id.is_not(None)))
    return registered if value else ~registered


_CONDITIONS: dict[str, Any] = {
    "experiment_ids": _in_experiments,
    "users": RUNS.c.user.in_,
    "is_top_level": _is_top_level,
    "statuses": lambda statuses: _runs.status.in_([status.value for status in statuses]),
    "name_contains": lambda text: func.contains_alike(RUNS.c.display_name, text),
    "started_since": lambda moment: _runs.start_time >= convert.milliseconds(moment),
    "started_before": lambda moment: _runs.start_time < convert.milliseconds(moment),
    "params": _has_params,
    "metrics": _has_metrics,
    "tags": _has_tags,
    "dataset": _read,
    "commit": _is_at,
    "is_registered": _is_registered,
    "matching": partial(search.run_matches, is_readable=is_readable),
}


def narrow_runs(rows: Any, filter_by: Filter | None = None) -> Any:
    """The runs that meet a filter; without one, those that are not in the trash."""
    return rows.where(is_kept(filter_by) if filter_by else _runs.lifecycle_stage == "active")
