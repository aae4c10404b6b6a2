"""Versions of registered models."""

from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
from sqlalchemy import Boolean, ColumnElement, Select, func, literal_column

from lineage_api.engine.forms import form, literal, named
from lineage_api.engine.nouns import Connection, arrow, batch, column, either, noun, resolved
from lineage_api.graph.abilities import LineageNode, Node, Taggable, lineage_arguments, tagged
from lineage_api.graph.artifact import listings
from lineage_api.graph.event_filter import AsItStood, event_order, narrow_history
from lineage_api.graph.identity import identity
from lineage_api.graph.labels import LABELS
from lineage_api.graph.lineage import Lineages
from lineage_api.graph.nouns import (
    Artifact,
    LineageGraph,
    LoggedModel,
    ModelManifest,
    RegisteredModel,
    RegistryEvent,
    Run,
)
from lineage_api.graph.recipe import Completeness, Completenesses, Recipe, Recipes
from lineage_api.graph.rows import (
    ALIASES,
    EVENTS,
    LOGGED_MODELS,
    MODEL_VERSION_TAGS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    RUNS,
)
from lineage_api.graph.values import Tag
from lineage_api.graph.version_filter import Stage
from lineage_api.store import convert, origins, states
from lineage_api.store.artifacts import Artifacts
from lineage_api.store.history import DELETED
from lineage_api.store.model_files import ModelFiles


@strawberry.enum(description="Whether a version is ready to be used.")
class ModelVersionStatus(Enum):
    PENDING_REGISTRATION = strawberry.enum_value("PENDING_REGISTRATION", description="It is being registered.")
    FAILED_REGISTRATION = strawberry.enum_value("FAILED_REGISTRATION", description="Registering it failed.")
    READY = strawberry.enum_value("READY", description="It can be used.")
    PENDING_DELETION = strawberry.enum_value("PENDING_DELETION", description="It is being deleted.")
    PENDING_UPLOAD = strawberry.enum_value("PENDING_UPLOAD", description="Its files are being uploaded.")


def _is_deleted(stage: str) -> bool:
    return stage == DELETED


@form(_is_deleted)
def _is_deleted_form(stage: ColumnElement[str]) -> ColumnElement[bool]:
    return func.coalesce(stage == literal(DELETED), literal_column("false", Boolean))


def _stage(stage: str) -> Stage:
    return Stage.NONE if stage == DELETED else Stage(stage)


@form(_stage)
def _stage_form(stage: ColumnElement[str]) -> ColumnElement[str]:
    return named({DELETED: Stage.NONE} | {each.value: each for each in Stage}, stage)


def _stage_slot(history_id: int | None, version: int) -> tuple[int | None, str]:
    return history_id, f"stage/{version}"


@form(_stage_slot)
def _stage_slot_form(history_id: ColumnElement[int], version: ColumnElement[int]) -> list[ColumnElement[Any]]:
    return [history_id, states.stage_slot(version)]


def _at(rows: Select[Any], at: AsItStood | None = None) -> Select[Any]:
    return rows.where(states.is_state_at(at))


def _status(status: str | None) -> ModelVersionStatus:
    return ModelVersionStatus(status or "READY")


@form(_status)
def _status_form(status: ColumnElement[str]) -> ColumnElement[str]:
    members = {each.value: each for each in ModelVersionStatus}
    return named(members, func.coalesce(func.nullif(status, ""), literal("READY")))


@noun
class ModelVersion(Taggable, LineageNode, Node):
    """One version of a registered model."""

    id: strawberry.ID = identity("ModelVersion", MODEL_VERSIONS.c.name, MODEL_VERSIONS.c.version)
    """Opaque ID, unique in the whole graph."""
    label: str = resolved(LABELS["ModelVersion"])
    """What a person calls it, such as `nyc-taxi-regressor v2`."""
    model: RegisteredModel = arrow(REGISTERED_MODELS, of=MODEL_VERSIONS.c.name, to=REGISTERED_MODELS.c.name)
    """The registered model that it is a version of."""
    version: int = column(MODEL_VERSIONS.c.version)
    """Its number."""
    is_deleted: bool = column(MODEL_VERSIONS.c.current_stage, convert=_is_deleted)
    """Whether it has been deleted: such a version is in no list, and is reached only through history or by its ID."""
    stage: Stage = either(
        "at",
        arrow(
            EVENTS,
            of=[MODEL_VERSIONS.c.history_id, MODEL_VERSIONS.c.version],
            to=[EVENTS.c.model_id, EVENTS.c.slot],
            key=_stage_slot,
            narrow=_at,
            value=EVENTS.c.to_stage,
            convert=_stage,
            default=Stage.NONE,
        ),
        column(MODEL_VERSIONS.c.current_stage, convert=_stage),
    )
    """Its stage; NONE when it has been deleted."""
    stage_since: datetime | None = column(MODEL_VERSIONS.c.stage_since, convert=convert.moment)
    """Since when it has been in its stage; null when it was moved there before history was recorded."""
    aliases: list[str] = arrow(
        ALIASES,
        of=[MODEL_VERSIONS.c.name, MODEL_VERSIONS.c.version],
        to=[ALIASES.c.name, ALIASES.c.version],
        order=[ALIASES.c.alias],
        value=ALIASES.c.alias,
    )
    """The aliases that point at it, by name."""
    status: ModelVersionStatus = column(MODEL_VERSIONS.c.status, convert=_status)
    """Whether it is ready to be used."""
    status_message: str | None = column(MODEL_VERSIONS.c.status_message, convert=convert.text)
    """Why it is not ready; null when it is."""
    description: str | None = column(MODEL_VERSIONS.c.description, convert=convert.text)
    """What people wrote about it."""
    created_at: datetime | None = column(MODEL_VERSIONS.c.creation_time, convert=convert.moment)
    """When it was registered; null when MLflow holds no valid moment."""
    updated_at: datetime | None = column(MODEL_VERSIONS.c.last_updated_time, convert=convert.moment)
    """When it last changed; null when MLflow holds no valid moment."""
    registered_by: str | None = column(MODEL_VERSIONS.c.registered_by)
    """Who registered it; null when nobody wrote it down."""
    tags: list[Tag] = arrow(
        MODEL_VERSION_TAGS,
        of=[MODEL_VERSIONS.c.name, MODEL_VERSIONS.c.version],
        to=[MODEL_VERSION_TAGS.c.name, MODEL_VERSION_TAGS.c.version],
        order=[MODEL_VERSION_TAGS.c.key],
        narrow=tagged(MODEL_VERSION_TAGS.c.key),
    )
    """Its tags, by key. Keys that start with `mlflow.` are left out unless asked for."""
    source: str | None = column(MODEL_VERSIONS.c.stated_source)
    """What it was registered from, as MLflow recorded it."""
    artifact_uri: str | None = column(MODEL_VERSIONS.c.artifact_uri)
    """Where its files lie."""
    run: Run | None = arrow(RUNS, of=MODEL_VERSIONS.c.origin_run_id, to=RUNS.c.run_uuid)
    """The run behind it, also when it was registered without naming one; null when there is none."""
    logged_model: LoggedModel | None = arrow(
        LOGGED_MODELS, of=MODEL_VERSIONS.c.origin_model_id, to=LOGGED_MODELS.c.model_id
    )
    """The logged model behind it; null when it was registered from files."""
    copied_from: "ModelVersion | None" = arrow(
        MODEL_VERSIONS,
        of=MODEL_VERSIONS.c.stated_source,
        to=[MODEL_VERSIONS.c.name, MODEL_VERSIONS.c.version],
        key=origins.copied_version,
    )
    """The version that it is a copy of; null when it is no copy."""
    manifest: ModelManifest | None = batch(ModelFiles.manifests, MODEL_VERSIONS.c.artifact_uri, service=ModelFiles)
    """What its files say of it; null when they cannot be read."""
    recipe: Recipe = resolved(Recipes())
    """How to train it again."""
    completeness: Completeness = resolved(Completenesses())
    """Whether all that lineage needs was recorded."""
    artifacts: list[Artifact] | None = batch(listings, MODEL_VERSIONS.c.artifact_uri, service=Artifacts)
    """The files and folders directly under a folder of it; null when the store does not answer."""
    history: Connection[RegistryEvent] = arrow(
        EVENTS,
        of=[MODEL_VERSIONS.c.history_id, MODEL_VERSIONS.c.version],
        to=[EVENTS.c.model_id, EVENTS.c.version],
        order=event_order,
        narrow=narrow_history,
    )
    """What has happened to it, by default the newest first."""
    lineage: LineageGraph = resolved(
        Lineages("ModelVersion", MODEL_VERSIONS.c.name, MODEL_VERSIONS.c.version), lineage_arguments
    )
    """What it came from and what came of it."""
