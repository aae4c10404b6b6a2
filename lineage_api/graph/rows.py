"""The rows of each noun: which table they are in, and what is worked out beside its columns.

Nouns that several tables hold, such as Metric, have the same columns in each.
"""

from typing import Any

from sqlalchemy import ColumnElement, String, case, func, literal_column, select

from lineage_api.engine.orders import By
from lineage_api.engine.sql import Rows
from lineage_api.store import history, origins, states, tables, webhook_tables
from lineage_api.store.recorded_runs import CODE_TAGS

t = tables


def _run_tag(key: str) -> ColumnElement[Any]:
    """The value of one tag of a run."""
    tags = t.tags.c
    return select(tags.value).where(tags.run_uuid == t.runs.c.run_uuid, tags.key == key).scalar_subquery()


def _stated(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A text, null where it is empty."""
    return func.nullif(column, "", type_=String)


EXPERIMENTS = Rows.of(t.experiments).where(t.experiments.c.workspace == origins.WORKSPACE)

RUNS = Rows.of(
    t.runs,
    display_name=func.coalesce(_stated(t.runs.c.name), _stated(_run_tag("mlflow.runName")), t.runs.c.run_uuid),
    # MLflow's client writes `unknown` for a user that it was not told.
    user=func.coalesce(
        func.nullif(_stated(t.runs.c.user_id), "unknown", type_=String), _stated(_run_tag("mlflow.user"))
    ),
    description=_run_tag("mlflow.note.content"),
)

RUNS_IN_USE = RUNS.where(t.runs.c.lifecycle_stage == "active")
"""Those that are not in the trash."""

CODE = Rows.of(t.runs, **{name: _run_tag(key) for name, key in CODE_TAGS.items()}).where(
    select(t.tags.c.key).where(t.tags.c.run_uuid == t.runs.c.run_uuid, t.tags.c.key.in_(CODE_TAGS.values())).exists()
)

PARAMS = Rows.of(t.params)
LOGGED_MODEL_PARAMS = Rows.of(
    t.logged_model_params, key=t.logged_model_params.c.param_key, value=t.logged_model_params.c.param_value
)

RUN_TAGS = Rows.of(t.tags)
EXPERIMENT_TAGS = Rows.of(t.experiment_tags)
LOGGED_MODEL_TAGS = Rows.of(
    t.logged_model_tags, key=t.logged_model_tags.c.tag_key, value=t.logged_model_tags.c.tag_value
)
REGISTERED_MODEL_TAGS = Rows.of(t.registered_model_tags).where(t.registered_model_tags.c.workspace == origins.WORKSPACE)
MODEL_VERSION_TAGS = Rows.of(t.model_version_tags).where(t.model_version_tags.c.workspace == origins.WORKSPACE)


def _measured_on(metrics: Any, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """What logged_model_metrics, which alone names datasets, says of the same measurement of a run."""
    links, measured = t.inputs.c, t.logged_model_metrics.c
    return (
        select(column)
        .where(
            links.source_type.in_(["RUN_OUTPUT", "RUN_INPUT"]),
            links.source_id == metrics.run_uuid,
            measured.model_id == links.destination_id,
            measured.run_id == metrics.run_uuid,
            measured.metric_name == metrics.key,
            measured.metric_step == metrics.step,
            measured.metric_timestamp_ms == metrics.timestamp,
            measured.dataset_name.is_not(None),
        )
        .order_by(measured.model_id)
        .limit(1)
        .scalar_subquery()
    )


def _run_metrics(table: Any) -> Rows:
    measured = t.logged_model_metrics.c
    return Rows.of(
        table,
        number=case((table.c.is_nan, None), else_=table.c.value),
        dataset_name=_measured_on(table.c, measured.dataset_name),
        dataset_digest=_measured_on(table.c, measured.dataset_digest),
    )


LATEST_METRICS = _run_metrics(t.latest_metrics)
METRICS = _run_metrics(t.metrics)
LOGGED_MODEL_METRICS = Rows.of(
    t.logged_model_metrics,
    key=t.logged_model_metrics.c.metric_name,
    value=t.logged_model_metrics.c.metric_value,
    is_nan=literal_column("0"),  # the table has no such column
    step=t.logged_model_metrics.c.metric_step,
    timestamp=t.logged_model_metrics.c.metric_timestamp_ms,
)

_canonical = t.datasets.alias("canonical")


def _of_first(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column of the first of the rows, one for each experiment, that are one dataset."""
    return (
        select(column)
        .where(_canonical.c.name == t.datasets.c.name, _canonical.c.digest == t.datasets.c.digest)
        .order_by(_canonical.c.experiment_id)
        .limit(1)
        .scalar_subquery()
    )


DATASETS = Rows.of(
    t.datasets,
    source_type=_of_first(_canonical.c.dataset_source_type),
    source=_of_first(_canonical.c.dataset_source),
    columns=_of_first(_canonical.c.dataset_schema),
    profile=_of_first(_canonical.c.dataset_profile),
)

READ_DATASETS = t.inputs.alias("read_datasets")
"""The links from datasets to the runs that read them."""

INPUTS = Rows(
    READ_DATASETS.outerjoin(
        t.input_tags,
        (t.input_tags.c.input_uuid == READ_DATASETS.c.input_uuid) & (t.input_tags.c.name == "mlflow.data.context"),
    ).join(t.datasets, t.datasets.c.dataset_uuid == READ_DATASETS.c.source_id),
    {
        "context": t.input_tags.c.value.label("context"),
        "dataset_uuid": t.datasets.c.dataset_uuid,
        "name": t.datasets.c.name,
        "digest": t.datasets.c.digest,
    },
).where(
    READ_DATASETS.c.destination_type == "RUN",
    # As an expression, or SQLite, lacking statistics, takes the index that begins with the type for the better one.
    (READ_DATASETS.c.source_type + "") == "DATASET",
)

LOGGED_MODELS = Rows.of(t.logged_models).where(t.logged_models.c.lifecycle_stage != "deleted")

USED_MODELS = t.inputs.alias("used_models")
"""The links from runs to the logged models that they used."""

is_used_model = (USED_MODELS.c.source_type == "RUN_INPUT") & (USED_MODELS.c.destination_type == "MODEL_INPUT")

_m, _v, _a = t.registered_models.c, t.model_versions.c, t.registered_model_aliases.c

REGISTERED_MODELS = Rows.of(t.registered_models, history_id=states.identity(_m.name, t.registered_models)).where(
    _m.workspace == origins.WORKSPACE, ~origins.is_prompt(_m.name)
)

MODEL_VERSIONS_EVER = Rows.of(
    t.model_versions,
    origin_run_id=origins.run_id,
    origin_model_id=origins.model_id,
    stated_source=origins.stated_source,
    artifact_uri=origins.artifact_uri,
    history_id=states.identity(_v.name, t.model_versions),
    stage_since=states.filled_since(_v.name, states.stage_slot(_v.version), t.model_versions),
    registered_by=func.coalesce(_stated(_v.user_id), states.registrar(_v.name, _v.version, t.model_versions)),
).where(_v.workspace == origins.WORKSPACE)
"""Versions, deleted ones and prompts among them."""

MODEL_VERSIONS = MODEL_VERSIONS_EVER.where(origins.is_model_version)

ALIASES = Rows.of(
    t.registered_model_aliases,
    since=states.filled_since(_a.name, states.alias_slot(_a.alias), t.registered_model_aliases),
).where(_a.workspace == origins.WORKSPACE)

EVENTS = Rows.of(history.events, current_name=states.current_name).where(states.is_recorded)

PAST_ALIASES = Rows.of(history.events, name=states.current_name, since=states.known_since).where(
    states.is_recorded, history.events.c.kind == "ALIAS_SET"
)
"""Events that set aliases, with the columns of aliases."""

LAST_TENURES = Rows.of(
    history.events,
    name=states.current_name,
    since=states.known_since,
    event_id=case((states.is_known, history.events.c.id)),
).where(states.is_recorded)
"""Events as the times that began with them, by the name that the registered model had then."""

RECORDING = Rows.of(history.recording)

WEBHOOKS = Rows.of(webhook_tables.webhooks)
DELIVERIES = Rows.of(webhook_tables.deliveries)

NEWEST_RUNS = [By(t.runs.c.start_time, is_descending=True, can_be_null=True), By(t.runs.c.run_uuid)]
OLDEST_RUNS = [By(t.runs.c.start_time, can_be_null=True), By(t.runs.c.run_uuid)]
NEWEST_MODELS = [By(t.logged_models.c.creation_timestamp_ms, is_descending=True), By(t.logged_models.c.model_id)]
NEWEST_VERSIONS = [
    By(_v.creation_time, is_descending=True, can_be_null=True),
    By(_v.name),
    By(_v.version, is_descending=True),
]
