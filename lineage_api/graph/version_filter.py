"""Which versions of registered models, in what order, and how one is named."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Select, exists, select

from lineage_api.engine.nouns import given
from lineage_api.engine.orders import By
from lineage_api.errors import Unreadable
from lineage_api.graph.conditions import (
    SortDirection,
    TextCondition,
    all_of,
    alternatives,
    given_conditions,
    has_texts,
    is_given,
    only_one,
)
from lineage_api.graph.package_filter import PackageCondition, has_package
from lineage_api.graph.rows import NEWEST_VERSIONS
from lineage_api.graph.run_filter import RunFilter, latest_metric, run_meets
from lineage_api.store import convert, origins, tables

_versions = tables.model_versions.c
_aliases = tables.registered_model_aliases.c


@strawberry.enum(description="A label that says what a version is ready for; it deploys nothing.")
class Stage(Enum):
    NONE = strawberry.enum_value("None", description="Nobody has said.")
    STAGING = strawberry.enum_value("Staging", description="It is being tried.")
    PRODUCTION = strawberry.enum_value("Production", description="It is in use.")
    ARCHIVED = strawberry.enum_value("Archived", description="It is no longer in use.")


@given
class ModelVersionFilter:
    """Narrows a list of versions: one is kept when it meets every condition that is given."""

    models: list[str] | None = None
    """It is a version of one of these registered models."""
    stages: list[Stage] | None = None
    """It is in one of these stages."""
    aliases: list[str] | None = None
    """One of these aliases points at it."""
    tags: list[TextCondition] | None = None
    """Each of these tags has such a value."""
    created_since: datetime | None = None
    """It was registered at this moment or later."""
    created_before: datetime | None = None
    """It was registered before this moment."""
    run: RunFilter | None = None
    """Its run meets this filter."""
    package: PackageCondition | None = None
    """Its environment has this package."""
    or_: "list[ModelVersionFilter] | None" = None
    """It meets at least one of these filters."""
    not_: "ModelVersionFilter | None" = None
    """It does not meet this filter."""


@strawberry.enum(description="What versions can be ordered by.")
class ModelVersionOrderField(Enum):
    VERSION = strawberry.enum_value("VERSION", description="Their numbers.")
    CREATED_AT = strawberry.enum_value("CREATED_AT", description="When they were registered.")
    UPDATED_AT = strawberry.enum_value("UPDATED_AT", description="When they last changed.")


@given
class ModelVersionOrder:
    """An order of versions; those whose run lacks the metric come last."""

    field: ModelVersionOrderField | None = None
    """Exactly one of field and metric."""
    metric: str | None = None
    """The last value of this metric of their runs."""
    direction: SortDirection = SortDirection.DESC
    """Which way."""


@given
class ModelVersionRef:
    """Names one version of a registered model."""

    model: str
    """The registered model's name."""
    version: int | None = None
    """Exactly one of version, stage and alias."""
    stage: Stage | None = None
    """The version in this stage."""
    alias: str | None = None
    """The version that this alias points at."""


Filter = Annotated[ModelVersionFilter, strawberry.argument(description="Which versions.")]
Order = Annotated[
    list[ModelVersionOrder], strawberry.argument(description="In what order; by default the newest first.")
]

_FIELDS: dict[ModelVersionOrderField, By] = {
    ModelVersionOrderField.VERSION: By(_versions.version),
    ModelVersionOrderField.CREATED_AT: By(_versions.creation_time, can_be_null=True),
    ModelVersionOrderField.UPDATED_AT: By(_versions.last_updated_time, can_be_null=True),
}
_TIE_BREAKERS = [By(_versions.name), By(_versions.version, is_descending=True)]


def version_order(order_by: Order | None = None) -> list[By]:
    """The order of one model's versions that somebody asks for; by default the newest first."""
    terms = [_by(order) for order in order_by or ()]
    return [*terms, By(_versions.version, is_descending=True)]


def order_of_all_versions(order_by: Order | None = None) -> list[By]:
    """The order of versions of many models that somebody asks for; by default the newest first."""
    terms = [_by(order) for order in order_by or ()]
    return [*terms, *_TIE_BREAKERS] if terms else NEWEST_VERSIONS


def _by(order: ModelVersionOrder) -> By:
    only_one(["field", "metric"], [order.field, order.metric])
    is_descending = order.direction is SortDirection.DESC
    if is_given(order.metric):
        return By(latest_metric(order.metric, origins.run_id), is_descending, can_be_null=True)
    assert order.field is not None
    field = _FIELDS[order.field]
    return By(field.expression, is_descending, field.can_be_null)


def version_meets(filter_by: ModelVersionFilter) -> ColumnElement[bool]:
    """Whether a version meets a filter."""
    return all_of([*given_conditions(filter_by, _CONDITIONS), *alternatives(filter_by, version_meets)])


def _has_alias(names: list[str]) -> ColumnElement[bool]:
    return exists().where(
        _aliases.workspace == origins.WORKSPACE,
        _aliases.name == _versions.name,
        _aliases.version == _versions.version,
        _aliases.alias.in_(names),
    )


def _has_tags(conditions: list[TextCondition]) -> ColumnElement[bool]:
    tags = tables.model_version_tags
    owner = [tags.c.workspace == origins.WORKSPACE, tags.c.name == _versions.name, tags.c.version == _versions.version]
    return all_of(has_texts(tags, owner, conditions))


def _run_meets(filter_by: RunFilter) -> ColumnElement[bool]:
    runs = tables.runs.c
    run = select(runs.run_uuid).where(runs.run_uuid == origins.run_id, run_meets(filter_by))
    # As a value: PostgreSQL, with statistics, would look for all runs that meet the filter first.
    found: ColumnElement[Any] = run.correlate(tables.model_versions).scalar_subquery()
    return found.is_not(None)


_CONDITIONS: dict[str, Any] = {
    "models": _versions.name.in_,
    "stages": lambda stages: _versions.current_stage.in_([stage.value for stage in stages]),
    "aliases": _has_alias,
    "tags": _has_tags,
    "created_since": lambda moment: _versions.creation_time >= convert.milliseconds(moment),
    "created_before": lambda moment: _versions.creation_time < convert.milliseconds(moment),
    "run": _run_meets,
    "package": has_package,
}


def narrow_versions(rows: Select[Any], filter_by: Filter | None = None) -> Select[Any]:
    """The versions that meet a filter."""
    return rows.where(version_meets(filter_by)) if filter_by else rows


def several_in_stage(versions: Sequence[int]) -> Unreadable:
    """Why a stage that holds several versions names none."""
    named = ", ".join(map(str, sorted(versions, reverse=True)))
    return Unreadable(f"The stage holds several versions: {named}. Ask by `version`, or for the whole stage.")


def narrow_to_one(rows: Select[Any], version: Any, stage: Stage | None, alias: Any) -> Select[Any]:
    """The versions that one of a number, a stage and an alias names."""
    if is_given(version):
        return rows.where(_versions.version == version)
    if is_given(stage) and stage is not None:
        return rows.where(_versions.current_stage == stage.value)
    return rows.where(
        exists().where(
            _aliases.workspace == origins.WORKSPACE,
            _aliases.name == _versions.name,
            _aliases.version == _versions.version,
            _aliases.alias == alias,
        )
    )
