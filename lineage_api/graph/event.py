"""What has happened in the registry."""

from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, and_, case, or_

from lineage_api.engine.forms import form, literal, named
from lineage_api.engine.nouns import arrow, column, noun
from lineage_api.graph.abilities import Node
from lineage_api.graph.event_filter import EventOrigin, RegistryEventKind
from lineage_api.graph.identity import identity
from lineage_api.graph.nouns import ModelVersion, RegisteredModel
from lineage_api.graph.redaction import told
from lineage_api.graph.rows import EVENTS, MODEL_VERSIONS_EVER, REGISTERED_MODELS
from lineage_api.graph.version_filter import Stage
from lineage_api.store import convert
from lineage_api.store.history import DELETED


def _stage(stage: str | None) -> Stage | None:
    """A stage that a version left or entered; none where it was deleted or brought back."""
    return None if stage is None or stage == DELETED else Stage(stage)


@form(_stage)
def _stage_form(stage: ColumnElement[str]) -> ColumnElement[Any]:
    return case(
        (and_(stage.is_not(None), stage != literal(DELETED)), named({each.value: each for each in Stage}, stage))
    )


def _entered(kind: str, stage: str | None) -> Stage | None:
    """A stage that a version entered; a version begins in none."""
    entered = _stage(stage)
    return None if kind == "VERSION_REGISTERED" and entered is Stage.NONE else entered


@form(_entered)
def _entered_form(kind: ColumnElement[str], stage: ColumnElement[str]) -> ColumnElement[Any]:
    is_entered = or_(kind != literal("VERSION_REGISTERED"), stage != literal(str(Stage.NONE.value)))
    return case((is_entered, _stage_form(stage)))


@noun
class RegistryEvent(Node):
    """Something that happened in the registry, whoever did it and with whatever tool."""

    id: strawberry.ID = identity("RegistryEvent", EVENTS.c.id)
    """Opaque ID, unique in the whole graph."""
    kind: RegistryEventKind = column(EVENTS.c.kind, convert=RegistryEventKind)
    """What happened."""
    occurred_at: datetime = column(EVENTS.c.occurred_at, convert=convert.recorded)
    """When it happened."""
    origin: EventOrigin = column(EVENTS.c.origin, convert=EventOrigin)
    """How this is known."""
    actor: str | None = column(EVENTS.c.actor)
    """Who did it; null when it was not done through this API, or when nobody has to say who they are."""
    reason: str | None = column(EVENTS.c.reason)
    """Why; null when nobody said."""
    model_name: str = column(EVENTS.c.model_name)
    """The name of the registered model, at that time."""
    previous_name: str | None = column(EVENTS.c.previous_name)
    """The name that the registered model had before; null unless it was renamed."""
    model: RegisteredModel | None = arrow(REGISTERED_MODELS, of=EVENTS.c.current_name, to=REGISTERED_MODELS.c.name)
    """The registered model; null when it is gone."""
    version: int | None = column(EVENTS.c.version)
    """The number of the version; null when it was about no version."""
    model_version: ModelVersion | None = arrow(
        MODEL_VERSIONS_EVER,
        of=[EVENTS.c.current_name, EVENTS.c.version],
        to=[MODEL_VERSIONS_EVER.c.name, MODEL_VERSIONS_EVER.c.version],
    )
    """The version; null when it was about none, or when it is gone."""
    from_stage: Stage | None = column(EVENTS.c.from_stage, convert=_stage)
    """The stage that it left; null unless a stage changed."""
    to_stage: Stage | None = column(EVENTS.c.kind, EVENTS.c.to_stage, convert=_entered)
    """The stage that it entered; null unless a stage changed."""
    alias: str | None = column(EVENTS.c.alias)
    """The alias; null unless an alias was set or removed."""
    previous_version: int | None = column(EVENTS.c.previous_version)
    """The version that the alias pointed at before; null when it was new."""
    key: str | None = column(EVENTS.c.key)
    """The key of the tag; null unless a tag changed."""
    value: str | None = column(EVENTS.c.key, EVENTS.c.value, convert=told)
    """The new value of the tag or description; null unless there is one, `[redacted]` where it looks like a secret."""
    previous_value: str | None = column(EVENTS.c.key, EVENTS.c.previous_value, convert=told)
    """The value that the tag or description had before; null when there was none, `[redacted]` as the new one."""
    cause: "RegistryEvent | None" = arrow(EVENTS, of=EVENTS.c.cause_id, to=EVENTS.c.id)
    """The event that brought this one about, such as the promotion that archived another version."""
