"""What can be followed: the root field of subscriptions."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from enum import Enum
from typing import Annotated, Any, cast

import strawberry
from sqlalchemy import column as named

from lineage_api.api.asked import given_or_none
from lineage_api.engine.arrows import One
from lineage_api.engine.levels import LEVEL
from lineage_api.errors import Unreadable
from lineage_api.graph.event_filter import KINDS, MODELS, TO_STAGES, RegistryEventKind, event_number
from lineage_api.graph.nouns import RegistryEvent
from lineage_api.graph.rows import EVENTS
from lineage_api.graph.version_filter import Stage
from lineage_api.store.feed import Feed, Wanted

Info = strawberry.Info
After = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="The ID of the last event that was handled; without it, what comes from now on."),
]

_BY_ID = One(EVENTS, of=[named("id")], to=[EVENTS.c.id])


@strawberry.type(description="What can be followed.")
class Subscription:
    async def _registry_events(
        self,
        info: Info,
        models: Annotated[list[str] | None, MODELS] = strawberry.UNSET,
        kinds: Annotated[list[RegistryEventKind] | None, KINDS] = strawberry.UNSET,
        to_stages: Annotated[list[Stage] | None, TO_STAGES] = strawberry.UNSET,
        after: After = strawberry.UNSET,
    ) -> AsyncGenerator[RegistryEvent, None]:
        feed = info.context.service(Feed)
        position = await _position(feed, info.context.after or given_or_none(after))
        wanted = Wanted(_values(models), _values(kinds), _values(to_stages))
        async with aclosing(feed.follow(wanted, position)) as events:
            async for event in events:
                yield cast("RegistryEvent", event)

    registry_events = strawberry.subscription(
        _registry_events,
        description="What happens in the registry, as it happens. With `after`, first all that has happened since that"
        " event: nothing is missed and nothing comes twice.",
        metadata={LEVEL: _BY_ID},
    )


def _values(given: Any) -> frozenset[str] | None:
    """The texts of a list, or the values of its enum's members; None where it was left out."""
    listed = given_or_none(given)
    return None if listed is None else frozenset(each.value if isinstance(each, Enum) else each for each in listed)


async def _position(feed: Feed, after: str | None) -> int:
    """Where to begin: after an event, which there has to have been, or now."""
    last = await feed.head()
    if after is None:
        return last
    position = event_number(after, "after")
    if position > last:
        raise Unreadable("`after` is no event of this store: it is later than the last one.")
    return position
