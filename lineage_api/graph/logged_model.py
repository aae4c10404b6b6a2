"""Logged models."""

from datetime import datetime
from enum import Enum

import strawberry

from lineage_api.engine.nouns import Connection, arrow, batch, column, noun, resolved
from lineage_api.graph.abilities import LineageNode, Node, Taggable, lineage_arguments, of_keys, tagged
from lineage_api.graph.artifact import listings
from lineage_api.graph.identity import identity
from lineage_api.graph.labels import LABELS
from lineage_api.graph.lineage import Lineages
from lineage_api.graph.nouns import Artifact, Experiment, LineageGraph, ModelManifest, ModelVersion, Run
from lineage_api.graph.rows import (
    EXPERIMENTS,
    LOGGED_MODEL_METRICS,
    LOGGED_MODEL_PARAMS,
    LOGGED_MODEL_TAGS,
    LOGGED_MODELS,
    MODEL_VERSIONS,
    NEWEST_RUNS,
    NEWEST_VERSIONS,
    RUNS,
    RUNS_IN_USE,
    USED_MODELS,
    is_used_model,
)
from lineage_api.graph.values import Metric, Param, Tag
from lineage_api.store import convert
from lineage_api.store.artifacts import Artifacts
from lineage_api.store.model_files import ModelFiles


@strawberry.enum(description="Where a logged model is in its life.")
class LoggedModelStatus(Enum):
    UNSPECIFIED = strawberry.enum_value(0, description="Nobody said.")
    PENDING = strawberry.enum_value(1, description="It is being written.")
    READY = strawberry.enum_value(2, description="It can be loaded.")
    FAILED = strawberry.enum_value(3, description="Writing it failed.")


@noun
class LoggedModel(Taggable, LineageNode, Node):
    """A model that a run wrote to its artifact store."""

    id: strawberry.ID = identity("LoggedModel", LOGGED_MODELS.c.model_id)
    """Opaque ID, unique in the whole graph."""
    label: str = resolved(LABELS["LoggedModel"])
    """What a person calls it: its name."""
    model_id: str = column(LOGGED_MODELS.c.model_id)
    """MLflow's own ID, such as `m-1a2b…`."""
    name: str = column(LOGGED_MODELS.c.name)
    """Its name."""
    status: LoggedModelStatus = column(LOGGED_MODELS.c.status, convert=LoggedModelStatus)
    """Where it is in its life."""
    model_type: str | None = column(LOGGED_MODELS.c.model_type, convert=convert.text)
    """What kind of model it is, as its author said; null when that was not said."""
    created_at: datetime | None = column(LOGGED_MODELS.c.creation_timestamp_ms, convert=convert.moment)
    """When it was logged; null when MLflow holds no valid moment."""
    updated_at: datetime | None = column(LOGGED_MODELS.c.last_updated_timestamp_ms, convert=convert.moment)
    """When it last changed; null when MLflow holds no valid moment."""
    experiment: Experiment = arrow(EXPERIMENTS, of=LOGGED_MODELS.c.experiment_id, to=EXPERIMENTS.c.experiment_id)
    """The experiment that it belongs to."""
    run: Run | None = arrow(RUNS, of=LOGGED_MODELS.c.source_run_id, to=RUNS.c.run_uuid)
    """The run that logged it; null when that run is gone."""
    params: list[Param] = arrow(
        LOGGED_MODEL_PARAMS,
        of=LOGGED_MODELS.c.model_id,
        to=LOGGED_MODEL_PARAMS.c.model_id,
        order=[LOGGED_MODEL_PARAMS.c.key],
        narrow=of_keys(LOGGED_MODEL_PARAMS.c.key),
    )
    """Its parameters, by key."""
    metrics: list[Metric] = arrow(
        LOGGED_MODEL_METRICS,
        of=LOGGED_MODELS.c.model_id,
        to=LOGGED_MODEL_METRICS.c.model_id,
        order=[
            LOGGED_MODEL_METRICS.c.key,
            LOGGED_MODEL_METRICS.c.step,
            LOGGED_MODEL_METRICS.c.timestamp,
            LOGGED_MODEL_METRICS.c.run_id,
        ],
        narrow=of_keys(LOGGED_MODEL_METRICS.c.key),
    )
    """What was measured on it, by key."""
    tags: list[Tag] = arrow(
        LOGGED_MODEL_TAGS,
        of=LOGGED_MODELS.c.model_id,
        to=LOGGED_MODEL_TAGS.c.model_id,
        order=[LOGGED_MODEL_TAGS.c.key],
        narrow=tagged(LOGGED_MODEL_TAGS.c.key),
    )
    """Its tags, by key. Keys that start with `mlflow.` are left out unless asked for."""
    used_by: Connection[Run] = arrow(
        RUNS_IN_USE.through(USED_MODELS, USED_MODELS.c.source_id == RUNS.c.run_uuid).where(is_used_model),
        of=LOGGED_MODELS.c.model_id,
        to=USED_MODELS.c.destination_id,
        order=NEWEST_RUNS,
    )
    """The runs that used it, such as evaluations, newest first."""
    model_versions: Connection[ModelVersion] = arrow(
        MODEL_VERSIONS, of=LOGGED_MODELS.c.model_id, to=MODEL_VERSIONS.c.origin_model_id, order=NEWEST_VERSIONS
    )
    """The versions that it became, newest first."""
    artifact_uri: str = column(LOGGED_MODELS.c.artifact_location)
    """Where its files lie."""
    manifest: ModelManifest | None = batch(ModelFiles.manifests, LOGGED_MODELS.c.artifact_location, service=ModelFiles)
    """What its files say of it; null when they cannot be read."""
    artifacts: list[Artifact] | None = batch(listings, LOGGED_MODELS.c.artifact_location, service=Artifacts)
    """The files and folders directly under a folder of it; null when the store does not answer."""
    lineage: LineageGraph = resolved(Lineages("LoggedModel", LOGGED_MODELS.c.model_id), lineage_arguments)
    """What it came from and what came of it."""
