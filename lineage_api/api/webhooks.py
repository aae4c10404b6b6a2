"""What can be changed about webhooks."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Annotated, Any, cast

import strawberry
from sqlalchemy import Table
from sqlalchemy import column as named

from lineage_api.access.roles import Action
from lineage_api.api.asked import asked_for, given_or_none
from lineage_api.api.fields import change
from lineage_api.api.inputs import Repeatable
from lineage_api.api.payloads import Answer
from lineage_api.api.user_errors import Told, UserError
from lineage_api.engine.nouns import arrow, column, given, noun
from lineage_api.graph import identity
from lineage_api.graph.event_filter import RegistryEventKind
from lineage_api.graph.nouns import Webhook, WebhookDelivery
from lineage_api.graph.rows import DELIVERIES, WEBHOOKS
from lineage_api.graph.version_filter import Stage
from lineage_api.registry.outcome import Asked, Outcome
from lineage_api.registry.reasons import Invalid, NotFound, Refused
from lineage_api.store.feed import Wanted
from lineage_api.store.history import events
from lineage_api.store.webhook_tables import webhooks
from lineage_api.webhooks.service import Webhooks

Info = strawberry.Info


@given
class CreateWebhookInput(Repeatable):
    """A webhook that is to be made."""

    url: str
    """Where events are to be sent, by https or http."""
    description: str | None = None
    """What people are to read about it."""
    models: list[str] | None = None
    """The names of the registered models whose events are sent; those of all, when left out."""
    kinds: list[RegistryEventKind] | None = None
    """The kinds of events that are sent; all, when left out."""
    to_stages: list[Stage] | None = None
    """Only events by which a version entered one of these stages are sent; all events, when left out."""


@given
class UpdateWebhookInput(Repeatable):
    """What is to be changed of a webhook; what is left out stays as it is."""

    webhook_id: strawberry.ID
    """Its ID."""
    url: str | None = None
    """Where events are to be sent from now on."""
    description: str | None = None
    """What people are to read about it; null takes it away."""
    models: list[str] | None = None
    """The names of the registered models whose events are sent; null for all."""
    kinds: list[RegistryEventKind] | None = None
    """The kinds of events that are sent; null for all."""
    to_stages: list[Stage] | None = None
    """Only events by which a version entered one of these stages are sent; null for all events."""
    is_enabled: bool | None = None
    """Whether events are sent. One that is enabled again goes on after the last event that it was done with."""
    reason: str | None = None
    """Why it is disabled, where it is."""


@given
class DeleteWebhookInput(Repeatable):
    """A webhook that is to be deleted."""

    webhook_id: strawberry.ID
    """Its ID."""


@given
class TestWebhookInput:
    """A webhook that is to be sent a test."""

    webhook_id: strawberry.ID
    """Its ID."""


@given
class RedeliverEventInput:
    """An event that is to be sent once more."""

    webhook_id: strawberry.ID
    """The ID of the webhook that it is sent to, whether or not the event was meant for it."""
    event_id: strawberry.ID
    """The ID of the event."""


def _webhook() -> Any:
    return arrow(WEBHOOKS, of=named("webhook"), to=WEBHOOKS.c.id)


def _delivery() -> Any:
    return arrow(DELIVERIES, of=named("delivery"), to=DELIVERIES.c.id)


@noun
class CreateWebhookPayload:
    """What came of it: a webhook was made, or why not."""

    webhook: Webhook | None = _webhook()
    """The webhook; null when the change was refused."""
    secret: str | None
    """What its messages are signed with: for the receiver, and shown only now. Null when the change was refused."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class UpdateWebhookPayload:
    """What came of it: a webhook was changed, or why not."""

    webhook: Webhook | None = _webhook()
    """The webhook; null when the change was refused."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class DeleteWebhookPayload:
    """What came of it: a webhook was deleted, or why not."""

    deleted_id: strawberry.ID | None = column(named("deleted_webhook_id"))
    """The ID that it had; null when the change was refused."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class TestWebhookPayload:
    """What came of it: a test was sent, or why not."""

    delivery: WebhookDelivery | None = _delivery()
    """What the receiver made of it; null when nothing was sent."""
    errors: list[UserError]
    """Why nothing was sent; empty when something was."""


@noun
class RedeliverEventPayload:
    """What came of it: an event was sent once more, or why not."""

    delivery: WebhookDelivery | None = _delivery()
    """What the receiver made of it; null when nothing was sent."""
    errors: list[UserError]
    """Why nothing was sent; empty when something was."""


async def _answered(info: Info, given: Any, doing: Callable[[Webhooks, Asked], Awaitable[Outcome]]) -> Any:
    """What came of something that is done, or why it was refused; what is read after it is read afresh."""
    context = info.context
    await context.reader.close()
    try:
        asked = asked_for(info.field_name, context, given)
        return Answer(await doing(context.service(Webhooks), asked))
    except Refused as refused:
        return Answer(Outcome(), [Told(reason) for reason in refused.reasons])
    finally:
        await context.reader.close()


def _number(id_: str, type_name: str, table: Table, *path: str) -> int:
    """The number of what an ID names."""
    found = identity.decoded(id_)
    if found is None or found[0] != type_name or not identity.is_key(found[1], [table.c.id]):
        raise Refused(NotFound(f"This is no {type_name}'s ID; pass the `id` as it was given.", path))
    number: int = found[1][0]
    return number


def _webhook_number(id_: str) -> int:
    return _number(id_, "Webhook", webhooks, "webhookId")


def _set(given: list[Any] | None) -> frozenset[str] | None:
    return None if given is None else frozenset(each.value if isinstance(each, Enum) else each for each in given)


def _filters(input: Any) -> dict[str, frozenset[str] | None]:
    """The filters that are given."""
    names = ("models", "kinds", "to_stages")
    chosen = {name: getattr(input, name) for name in names if _is_said(getattr(input, name))}
    return {name: _set(some) for name, some in chosen.items()}


def _is_said(value: Any) -> bool:
    """Whether a value of an input was not left out."""
    return value is not strawberry.UNSET


_CHANGE: Any = strawberry.argument(description="What is to be changed.")
_SEND: Any = strawberry.argument(description="What is to be sent.")


@strawberry.type(description="What can be changed about webhooks.")
class WebhookMutation:
    @change(Action.LOOK_AFTER_WEBHOOKS)
    async def create_webhook(self, info: Info, input: Annotated[CreateWebhookInput, _CHANGE]) -> CreateWebhookPayload:
        """Have events sent to an address, from now on."""

        async def doing(service: Webhooks, asked: Asked) -> Outcome:
            wanted = Wanted(**_filters(input))
            return await service.made(asked, input.url, given_or_none(input.description), wanted)

        return cast("CreateWebhookPayload", await _answered(info, input, doing))

    @change(Action.LOOK_AFTER_WEBHOOKS)
    async def update_webhook(self, info: Info, input: Annotated[UpdateWebhookInput, _CHANGE]) -> UpdateWebhookPayload:
        """Change a webhook, or have it send nothing for a while."""

        async def doing(service: Webhooks, asked: Asked) -> Outcome:
            names = [name for name in ("url", "description") if _is_said(getattr(input, name))]
            if "url" in names and input.url is None:
                raise Refused(Invalid("A webhook needs a URL; leave it out to keep the one that it has.", ("url",)))
            values = {name: getattr(input, name) for name in names}
            number, is_enabled = _webhook_number(input.webhook_id), given_or_none(input.is_enabled)
            return await service.changed(asked, number, values, _filters(input), is_enabled=is_enabled)

        return cast("UpdateWebhookPayload", await _answered(info, input, doing))

    @change(Action.LOOK_AFTER_WEBHOOKS)
    async def delete_webhook(self, info: Info, input: Annotated[DeleteWebhookInput, _CHANGE]) -> DeleteWebhookPayload:
        """Delete a webhook, and all that is known of what it was sent."""

        async def doing(service: Webhooks, asked: Asked) -> Outcome:
            return await service.deleted(asked, _webhook_number(input.webhook_id))

        return cast("DeleteWebhookPayload", await _answered(info, input, doing))

    @change(Action.LOOK_AFTER_WEBHOOKS)
    async def test_webhook(self, info: Info, input: Annotated[TestWebhookInput, _SEND]) -> TestWebhookPayload:
        """Send a test to a webhook, now, and see what comes of it."""

        async def doing(service: Webhooks, _: Asked) -> Outcome:
            return await service.sent(_webhook_number(input.webhook_id), None, "TEST")

        return cast("TestWebhookPayload", await _answered(info, input, doing))

    @change(Action.LOOK_AFTER_WEBHOOKS)
    async def redeliver_event(self, info: Info, input: Annotated[RedeliverEventInput, _SEND]) -> RedeliverEventPayload:
        """Send an event to a webhook once more, now, and see what comes of it."""

        async def doing(service: Webhooks, _: Asked) -> Outcome:
            event = _number(input.event_id, "RegistryEvent", events, "eventId")
            return await service.sent(_webhook_number(input.webhook_id), event, "REDELIVERY")

        return cast("RedeliverEventPayload", await _answered(info, input, doing))
