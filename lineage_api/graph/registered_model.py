"""Registered models and their aliases."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Select, and_, exists, func, select

from lineage_api.engine.nouns import Connection, arrow, column, either, given, noun, resolved
from lineage_api.engine.orders import By
from lineage_api.engine.sql import Bound
from lineage_api.graph.abilities import Node, Taggable, tagged
from lineage_api.graph.conditions import SortDirection, TextCondition, given_conditions, has_texts, only_one
from lineage_api.graph.event_filter import AsItStood, AsTheyStood, event_order, narrow_history
from lineage_api.graph.identity import identity
from lineage_api.graph.nouns import ModelVersion, RegistryEvent
from lineage_api.graph.rollback_plan import Plans, RollbackPlan, plan_arguments
from lineage_api.graph.rows import (
    ALIASES,
    EVENTS,
    MODEL_VERSIONS,
    MODEL_VERSIONS_EVER,
    PAST_ALIASES,
    REGISTERED_MODEL_TAGS,
    REGISTERED_MODELS,
)
from lineage_api.graph.values import Tag
from lineage_api.graph.version_filter import Stage, narrow_to_one, narrow_versions, several_in_stage, version_order
from lineage_api.graph.version_page import VersionPage
from lineage_api.store import convert, history, origins, states, tables

_models = tables.registered_models.c
_aliases = tables.registered_model_aliases.c
_versions = tables.model_versions.c
_is_target = and_(
    _versions.workspace == _aliases.workspace, _versions.name == _aliases.name, _versions.version == _aliases.version
)

Number = Annotated[int, strawberry.argument(description="Exactly one of number, stage and alias.")]
InStage = Annotated[Stage, strawberry.argument(description="The stage.")]
Alias = Annotated[Bound[str], strawberry.argument(description="An alias that points at it.")]


@given
class RegisteredModelFilter:
    """Narrows a list of registered models: one is kept when it meets every condition that is given."""

    name_contains: str | None = None
    """Its name contains this text, upper and lower case alike."""
    stages: list[Stage] | None = None
    """One of its versions is in one of these stages."""
    aliases: list[str] | None = None
    """It has one of these aliases."""
    tags: list[TextCondition] | None = None
    """Each of these tags has such a value."""


@strawberry.enum(description="What registered models can be ordered by.")
class RegisteredModelOrderField(Enum):
    NAME = strawberry.enum_value("NAME", description="Their names.")
    CREATED_AT = strawberry.enum_value("CREATED_AT", description="When they were made.")
    UPDATED_AT = strawberry.enum_value("UPDATED_AT", description="When they, or one of their versions, last changed.")


@given
class RegisteredModelOrder:
    """An order of registered models."""

    field: RegisteredModelOrderField
    """By what."""
    direction: SortDirection = SortDirection.ASC
    """Which way."""


Filter = Annotated[RegisteredModelFilter, strawberry.argument(description="Which registered models.")]
Order = Annotated[list[RegisteredModelOrder], strawberry.argument(description="In what order; by default by name.")]

_FIELDS: dict[RegisteredModelOrderField, tuple[ColumnElement[Any], bool]] = {
    RegisteredModelOrderField.NAME: (_models.name, False),
    RegisteredModelOrderField.CREATED_AT: (_models.creation_time, True),
    RegisteredModelOrderField.UPDATED_AT: (_models.last_updated_time, True),
}


def model_order(order_by: Order | None = None) -> list[By]:
    """The order that somebody asks for; by default, and where there are ties, by name."""
    terms = [_by(order) for order in order_by or ()]
    return [*terms, By(_models.name)]


def _by(order: RegisteredModelOrder) -> By:
    expression, can_be_null = _FIELDS[order.field]
    return By(expression, order.direction is SortDirection.DESC, can_be_null)


def narrow_models(rows: Select[Any], filter_by: Filter | None = None) -> Select[Any]:
    """The registered models that meet a filter."""
    if filter_by is None:
        return rows
    found = given_conditions(filter_by, _CONDITIONS)
    return rows.where(*(condition for conditions in found for condition in conditions))


def _has_stage(stages: list[Stage]) -> list[ColumnElement[bool]]:
    named = [stage.value for stage in stages]
    return [
        exists().where(
            _versions.workspace == origins.WORKSPACE,
            _versions.name == _models.name,
            _versions.current_stage.in_(named),
        )
    ]


def _has_alias(names: list[str]) -> list[ColumnElement[bool]]:
    return [
        exists().where(
            _aliases.workspace == origins.WORKSPACE,
            _aliases.name == _models.name,
            _aliases.alias.in_(names),
            _is_target,
            origins.is_registered,
        )
    ]


def _has_tags(conditions: list[TextCondition]) -> list[ColumnElement[bool]]:
    tags = tables.registered_model_tags
    owner = [tags.c.workspace == origins.WORKSPACE, tags.c.name == _models.name]
    return has_texts(tags, owner, conditions)


_CONDITIONS: dict[str, Any] = {
    "name_contains": lambda text: [func.contains_alike(_models.name, text)],
    "stages": _has_stage,
    "aliases": _has_alias,
    "tags": _has_tags,
}


def _one_version(
    rows: Select[Any], number: Number | None = None, stage: InStage | None = None, alias: Alias | None = None
) -> Select[Any]:
    only_one(["number", "stage", "alias"], [number, stage, alias])
    return narrow_to_one(rows, number, stage, alias)


def _in_stage(rows: Select[Any], stage: InStage) -> Select[Any]:
    return rows.where(_versions.current_stage == stage.value)


def _in_stage_at(rows: Select[Any], stage: InStage, at: AsItStood | None = None) -> Select[Any]:
    return rows.where(states.stage_at(_versions.name, _versions.version, at, tables.model_versions) == stage.value)


def _aliases_at(rows: Select[Any], at: AsTheyStood | None = None) -> Select[Any]:
    there = select(_versions.version).where(
        _versions.workspace == origins.WORKSPACE,
        _versions.name == states.current_name,
        _versions.version == PAST_ALIASES.c.version,
    )
    # As a value: PostgreSQL, lacking statistics, would begin a join with all versions that there are.
    is_there = there.correlate(PAST_ALIASES.c.version.table).scalar_subquery().is_not(None)
    return rows.where(states.is_state_at(at), states.target_stage_at(at) != history.DELETED, is_there)


@noun
class ModelAlias:
    """An alias and the version that it points at."""

    name: str = column(ALIASES.c.alias)
    """Its name."""
    model_version: ModelVersion = arrow(
        MODEL_VERSIONS_EVER,
        of=[ALIASES.c.name, ALIASES.c.version],
        to=[MODEL_VERSIONS_EVER.c.name, MODEL_VERSIONS_EVER.c.version],
    )
    """The version."""
    since: datetime | None = column(ALIASES.c.since, convert=convert.moment)
    """Since when; null when it was set before history was recorded."""


@noun
class RegisteredModel(Taggable, Node):
    """A name in the registry, with all the versions that have been registered under it."""

    id: strawberry.ID = identity("RegisteredModel", REGISTERED_MODELS.c.name)
    """Opaque ID, unique in the whole graph."""
    name: str = column(REGISTERED_MODELS.c.name)
    """Its name."""
    description: str | None = column(REGISTERED_MODELS.c.description, convert=convert.text)
    """What people wrote about it."""
    created_at: datetime | None = column(REGISTERED_MODELS.c.creation_time, convert=convert.moment)
    """When it was made; null when MLflow holds no valid moment."""
    updated_at: datetime | None = column(REGISTERED_MODELS.c.last_updated_time, convert=convert.moment)
    """When it, or one of its versions, last changed; null when MLflow holds no valid moment."""
    tags: list[Tag] = arrow(
        REGISTERED_MODEL_TAGS,
        of=REGISTERED_MODELS.c.name,
        to=REGISTERED_MODEL_TAGS.c.name,
        order=[REGISTERED_MODEL_TAGS.c.key],
        narrow=tagged(REGISTERED_MODEL_TAGS.c.key),
    )
    """Its tags, by key. Keys that start with `mlflow.` are left out unless asked for."""
    aliases: list[ModelAlias] = either(
        "at",
        arrow(
            PAST_ALIASES,
            of=REGISTERED_MODELS.c.history_id,
            to=PAST_ALIASES.c.model_id,
            order=[PAST_ALIASES.c.alias],
            narrow=_aliases_at,
        ),
        arrow(
            ALIASES.through(tables.model_versions, _is_target).where(origins.is_registered),
            of=REGISTERED_MODELS.c.name,
            to=ALIASES.c.name,
            order=[ALIASES.c.alias],
        ),
    )
    """Its aliases, by name."""
    versions: Connection[ModelVersion] = arrow(
        MODEL_VERSIONS,
        of=REGISTERED_MODELS.c.name,
        to=MODEL_VERSIONS.c.name,
        order=version_order,
        narrow=narrow_versions,
        page=VersionPage,
    )
    """Its versions, by default the newest first."""
    version: ModelVersion | None = arrow(
        MODEL_VERSIONS,
        of=REGISTERED_MODELS.c.name,
        to=MODEL_VERSIONS.c.name,
        narrow=_one_version,
        ambiguous=(MODEL_VERSIONS.c.version, several_in_stage),
    )
    """One version; null when there is none. A stage that holds more than one is an error that names them."""
    in_stage: list[ModelVersion] = either(
        "at",
        arrow(
            MODEL_VERSIONS_EVER,
            of=REGISTERED_MODELS.c.name,
            to=MODEL_VERSIONS_EVER.c.name,
            order=version_order(),
            narrow=_in_stage_at,
        ),
        arrow(
            MODEL_VERSIONS,
            of=REGISTERED_MODELS.c.name,
            to=MODEL_VERSIONS.c.name,
            order=version_order(),
            narrow=_in_stage,
        ),
    )
    """The versions in a stage, newest first."""
    history: Connection[RegistryEvent] = arrow(
        EVENTS,
        of=REGISTERED_MODELS.c.history_id,
        to=EVENTS.c.model_id,
        order=event_order,
        narrow=narrow_history,
    )
    """What has happened to it and its versions, by default the newest first."""
    rollback_plan: RollbackPlan = resolved(Plans(), plan_arguments)
    """Where to go back to, and whether that is safe. Nothing is changed."""
