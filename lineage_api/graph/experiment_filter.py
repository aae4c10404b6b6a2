"""Which experiments, and in what order."""

from enum import Enum
from typing import Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Select, func

from lineage_api.engine.nouns import given
from lineage_api.engine.orders import By
from lineage_api.graph.conditions import SortDirection, TextCondition, has_texts, is_given
from lineage_api.store import tables

_experiments = tables.experiments.c


@given
class ExperimentFilter:
    """Narrows a list of experiments: one is kept when it meets every condition that is given."""

    name_contains: str | None = None
    """Its name contains this text, upper and lower case alike."""
    tags: list[TextCondition] | None = None
    """It has each of these tags."""
    include_deleted: bool | None = False
    """Also those in the trash."""


@strawberry.enum(description="What experiments can be ordered by.")
class ExperimentOrderField(Enum):
    NAME = strawberry.enum_value("NAME", description="Their names.")
    CREATED_AT = strawberry.enum_value("CREATED_AT", description="When they were made.")
    UPDATED_AT = strawberry.enum_value("UPDATED_AT", description="When they last changed.")


@given
class ExperimentOrder:
    """An order of experiments."""

    field: ExperimentOrderField
    """By what."""
    direction: SortDirection = SortDirection.ASC
    """Which way."""


Filter = Annotated[ExperimentFilter, strawberry.argument(description="Which experiments.")]
Order = Annotated[list[ExperimentOrder], strawberry.argument(description="In what order; by default by name.")]

_FIELDS: dict[ExperimentOrderField, tuple[ColumnElement[Any], bool]] = {
    ExperimentOrderField.NAME: (_experiments.name, False),
    ExperimentOrderField.CREATED_AT: (_experiments.creation_time, True),
    ExperimentOrderField.UPDATED_AT: (_experiments.last_update_time, True),
}


def experiment_order(order_by: Order | None = None) -> list[By]:
    """The order that somebody asks for; by default by name. Ties are broken by ID."""
    terms = [_by(order) for order in order_by or ()] or [By(_experiments.name)]
    return [*terms, By(_experiments.experiment_id)]


def _by(order: ExperimentOrder) -> By:
    expression, can_be_null = _FIELDS[order.field]
    return By(expression, order.direction is SortDirection.DESC, can_be_null)


def narrow_experiments(rows: Select[Any], filter_by: Filter | None = None) -> Select[Any]:
    """The experiments that meet a filter; those in the trash only when it says so."""
    filter_by = filter_by or ExperimentFilter()
    if not filter_by.include_deleted:
        rows = rows.where(_experiments.lifecycle_stage == "active")
    if is_given(filter_by.name_contains):
        rows = rows.where(func.contains_alike(_experiments.name, filter_by.name_contains))
    owner = [tables.experiment_tags.c.experiment_id == _experiments.experiment_id]
    conditions = filter_by.tags if is_given(filter_by.tags) else None
    return rows.where(*has_texts(tables.experiment_tags, owner, conditions or ()))
