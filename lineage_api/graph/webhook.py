"""Where events are sent, and what came of sending them."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

import orjson
import strawberry

from lineage_api.access.roles import Action, require
from lineage_api.engine.levels import Call
from lineage_api.engine.nouns import Connection, arrow, column, noun
from lineage_api.engine.orders import By
from lineage_api.engine.pages import Page
from lineage_api.engine.steps import Steps
from lineage_api.graph.abilities import Node
from lineage_api.graph.event_filter import RegistryEventKind
from lineage_api.graph.identity import identity
from lineage_api.graph.nouns import RegistryEvent
from lineage_api.graph.rows import DELIVERIES, EVENTS, WEBHOOKS
from lineage_api.graph.version_filter import Stage
from lineage_api.store import convert


@strawberry.enum(description="Why something was sent.")
class DeliveryCause(Enum):
    EVENT = strawberry.enum_value("EVENT", description="It had happened.")
    REDELIVERY = strawberry.enum_value("REDELIVERY", description="Somebody wanted it to be sent again.")
    TEST = strawberry.enum_value("TEST", description="Somebody wanted to see whether it arrives.")


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else list(orjson.loads(text))


def _kinds(text: str | None) -> list[RegistryEventKind] | None:
    return None if text is None else [RegistryEventKind(kind) for kind in orjson.loads(text)]


def _stages(text: str | None) -> list[Stage] | None:
    return None if text is None else [Stage(stage) for stage in orjson.loads(text)]


def _is_enabled(disabled_at: int | None) -> bool:
    return disabled_at is None


def _in_seconds(milliseconds: int) -> float:
    return milliseconds / 1_000


def _is_delivered(error: str | None) -> bool:
    return error is None


class WebhookPage(Page):
    """A page of webhooks, for those who look after them."""

    def is_sql(self, arguments: Mapping[str, Any]) -> bool:  # noqa: ARG002
        return False

    def resolve(self, call: Call) -> Steps[Any]:
        require(call.context.caller.role, Action.LOOK_AFTER_WEBHOOKS)
        return super().resolve(call)


@noun
class WebhookDelivery(Node):
    """An attempt to send an event to a webhook."""

    id: strawberry.ID = identity("WebhookDelivery", DELIVERIES.c.id)
    """Opaque ID, unique in the whole graph."""
    webhook: "Webhook" = arrow(WEBHOOKS, of=DELIVERIES.c.webhook_id, to=WEBHOOKS.c.id)
    """Where it was sent."""
    event: RegistryEvent | None = arrow(EVENTS, of=DELIVERIES.c.event_id, to=EVENTS.c.id)
    """What was sent; null of a test."""
    cause: DeliveryCause = column(DELIVERIES.c.cause, convert=DeliveryCause)
    """Why it was sent."""
    attempt: int = column(DELIVERIES.c.attempt)
    """Which attempt it was for this event, from 1."""
    attempted_at: datetime = column(DELIVERIES.c.attempted_at, convert=convert.recorded)
    """When it was sent."""
    duration: float = column(DELIVERIES.c.duration_ms, convert=_in_seconds)
    """How long it took, in seconds."""
    is_delivered: bool = column(DELIVERIES.c.error, convert=_is_delivered)
    """Whether the receiver took it, with a status from 200 to 299."""
    status: int | None = column(DELIVERIES.c.status)
    """The status that the receiver answered with; null when it gave no answer."""
    error: str | None = column(DELIVERIES.c.error)
    """What went wrong; null when nothing did."""


@noun
class Webhook(Node):
    """An address to which events of the registry are sent, in order and signed, as CloudEvents."""

    id: strawberry.ID = identity("Webhook", WEBHOOKS.c.id)
    """Opaque ID, unique in the whole graph."""
    url: str = column(WEBHOOKS.c.url)
    """Where events are sent."""
    description: str | None = column(WEBHOOKS.c.description)
    """What people are to read about it."""
    models: list[str] | None = column(WEBHOOKS.c.models, convert=_listed)
    """The names of the registered models whose events are sent; null for all."""
    kinds: list[RegistryEventKind] | None = column(WEBHOOKS.c.kinds, convert=_kinds)
    """The kinds of events that are sent; null for all."""
    to_stages: list[Stage] | None = column(WEBHOOKS.c.to_stages, convert=_stages)
    """Only events by which a version entered one of these stages are sent; null for all events."""
    created_at: datetime = column(WEBHOOKS.c.created_at, convert=convert.recorded)
    """When it was made."""
    created_by: str | None = column(WEBHOOKS.c.created_by)
    """Who made it; null when nobody has to say who they are."""
    is_enabled: bool = column(WEBHOOKS.c.disabled_at, convert=_is_enabled)
    """Whether events are sent; if not, they wait until it is enabled."""
    disabled_at: datetime | None = column(WEBHOOKS.c.disabled_at, convert=convert.moment)
    """Since when it has been disabled; null when it is not."""
    disabled_reason: str | None = column(WEBHOOKS.c.disabled_reason)
    """Why it was disabled; null when it is not, or when nobody said."""
    failing_since: datetime | None = column(WEBHOOKS.c.failing_since, convert=convert.moment)
    """Since when the receiver has not taken the event that is next; null when it takes what it is sent."""
    next_attempt_at: datetime | None = column(WEBHOOKS.c.next_attempt_at, convert=convert.moment)
    """When that event is sent again; null when nothing is to be sent again."""
    last_event: RegistryEvent | None = arrow(EVENTS, of=WEBHOOKS.c.handled_event, to=EVENTS.c.id)
    """The last event that it is done with, be it taken or not meant for it; null when there was none."""
    deliveries: Connection[WebhookDelivery] = arrow(
        DELIVERIES,
        of=WEBHOOKS.c.id,
        to=DELIVERIES.c.webhook_id,
        order=[By(DELIVERIES.c.id, is_descending=True)],
    )
    """The last attempts, newest first."""
