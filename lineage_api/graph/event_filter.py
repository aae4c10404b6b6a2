"""Which events of the registry, and in what order."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import strawberry
from sqlalchemy import Select, or_, select

from lineage_api.engine.orders import By
from lineage_api.engine.sql import Bound, Late
from lineage_api.errors import Unreadable
from lineage_api.graph import identity
from lineage_api.graph.version_filter import Stage
from lineage_api.store import convert, history

_events = history.events.c


@strawberry.enum(description="What can happen in the registry.")
class RegistryEventKind(Enum):
    MODEL_CREATED = strawberry.enum_value("MODEL_CREATED", description="A registered model was made.")
    MODEL_RENAMED = strawberry.enum_value("MODEL_RENAMED", description="A registered model was given another name.")
    MODEL_DELETED = strawberry.enum_value("MODEL_DELETED", description="A registered model was deleted.")
    VERSION_REGISTERED = strawberry.enum_value("VERSION_REGISTERED", description="A version was registered.")
    VERSION_DELETED = strawberry.enum_value("VERSION_DELETED", description="A version was deleted.")
    VERSION_RESTORED = strawberry.enum_value("VERSION_RESTORED", description="A deleted version was brought back.")
    STAGE_CHANGED = strawberry.enum_value("STAGE_CHANGED", description="A version was moved to another stage.")
    ALIAS_SET = strawberry.enum_value("ALIAS_SET", description="An alias was pointed at a version.")
    ALIAS_REMOVED = strawberry.enum_value("ALIAS_REMOVED", description="An alias was taken away.")
    TAG_SET = strawberry.enum_value("TAG_SET", description="A tag of a registered model or a version was set.")
    TAG_REMOVED = strawberry.enum_value("TAG_REMOVED", description="A tag was taken away.")
    DESCRIPTION_CHANGED = strawberry.enum_value("DESCRIPTION_CHANGED", description="A description was changed.")


@strawberry.enum(description="How an event is known.")
class EventOrigin(Enum):
    API = strawberry.enum_value("API", description="It was done through this API.")
    EXTERNAL = strawberry.enum_value(
        "EXTERNAL", description="It was done with another tool and recorded as it happened."
    )
    INFERRED = strawberry.enum_value(
        "INFERRED", description="It was found after the fact; `occurredAt` is the best that can be said."
    )


@strawberry.enum(description="An order of events.")
class EventOrder(Enum):
    NEWEST_FIRST = strawberry.enum_value("NEWEST_FIRST", description="The latest event first.")
    OLDEST_FIRST = strawberry.enum_value("OLDEST_FIRST", description="The earliest event first.")


def event_number(id_: str, argument: str = "afterEvent") -> int:
    """The number of an event, by its ID, which an argument gives."""
    found = identity.decoded(id_)
    if found is None or found[0] != "RegistryEvent" or not identity.is_key(found[1], [_events.id]):
        raise Unreadable(f"`{argument}` is no event's ID; pass the `id` of an event as it was given.")
    number: int = found[1][0]
    return number


MODELS: Any = strawberry.argument(
    description="Only events of registered models that have one of these names, or had it then."
)
KINDS: Any = strawberry.argument(description="Only events of these kinds.")
TO_STAGES: Any = strawberry.argument(description="Only events by which a version entered one of these stages.")

Models = Annotated[list[str], MODELS]
Kinds = Annotated[list[RegistryEventKind], KINDS]
ToStages = Annotated[list[Stage], TO_STAGES]
Actor = Annotated[Bound[str], strawberry.argument(description="Only what this caller did.")]
Since = Annotated[
    datetime, Late(convert.milliseconds), strawberry.argument(description="Only what happened at this moment or later.")
]
Until = Annotated[
    datetime, Late(convert.milliseconds), strawberry.argument(description="Only what happened before this moment.")
]
AfterEvent = Annotated[
    strawberry.ID, Late(event_number), strawberry.argument(description="Only what came after this event.")
]
AsItStood = Annotated[
    datetime,
    Late(convert.millisecond_of),
    strawberry.argument(description="As it stood at this moment; now, when left out."),
]
AsTheyStood = Annotated[
    datetime,
    Late(convert.millisecond_of),
    strawberry.argument(description="As they stood at this moment; now, when left out."),
]
Order = Annotated[EventOrder, strawberry.argument(description="In what order.")]


def event_order(order_by: Order = EventOrder.NEWEST_FIRST) -> list[By]:
    """The order that somebody asks for; IDs are the order in which things happened."""
    return [By(_events.id, is_descending=order_by is EventOrder.NEWEST_FIRST)]


def narrow_history(
    rows: Select[Any], kinds: Kinds | None = None, since: Since | None = None, until: Until | None = None
) -> Select[Any]:
    """The events of some kinds, in some time."""
    if kinds is not None:
        rows = rows.where(_events.kind.in_([kind.value for kind in kinds]))
    if since is not None:
        rows = rows.where(_events.occurred_at >= since)
    return rows if until is None else rows.where(_events.occurred_at < until)


def narrow_events(
    rows: Select[Any],
    models: Models | None = None,
    kinds: Kinds | None = None,
    to_stages: ToStages | None = None,
    actor: Actor | None = None,
    since: Since | None = None,
    until: Until | None = None,
    after_event: AfterEvent | None = None,
) -> Select[Any]:
    """The events of all registered models that somebody asks for."""
    rows = narrow_history(rows, kinds, since, until)
    if models is not None:
        named = select(history.models.c.id).where(history.models.c.name.in_(models))
        rows = rows.where(or_(_events.model_name.in_(models), _events.model_id.in_(named)))
    if to_stages is not None:
        rows = _into(rows, to_stages)
    if actor is not None:
        rows = rows.where(_events.actor == actor)
    return rows if after_event is None else rows.where(_events.id > after_event)


def _into(rows: Select[Any], stages: list[Stage]) -> Select[Any]:
    entered = _events.to_stage.in_([stage.value for stage in stages])
    # A version begins in no stage, which is no change of stages.
    return rows.where(entered, or_(_events.kind != "VERSION_REGISTERED", _events.to_stage != Stage.NONE.value))
