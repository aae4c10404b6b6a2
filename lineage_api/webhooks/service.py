"""Webhooks as those who look after them see them: made, changed, deleted, and sent something when it is asked for."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from lineage_api import errors
from lineage_api.errors import Unsuitable
from lineage_api.registry import requests
from lineage_api.registry.outcome import Asked, Outcome
from lineage_api.registry.reasons import Invalid, NotFound, Refused, require
from lineage_api.registry.texts import MAX_DESCRIPTION_LENGTH, storable
from lineage_api.store.feed import Feed, Wanted
from lineage_api.store.transactions import Transactions
from lineage_api.webhooks import addresses, records
from lineage_api.webhooks.addresses import Networks
from lineage_api.webhooks.deliverer import Deliverer
from lineage_api.webhooks.records import Cause
from lineage_api.webhooks.signing import new_secret

MAX_WEBHOOKS = 100
"""How many there may be."""


class Webhooks:
    """The webhooks of a store."""

    def __init__(self, uri: str, feed: Feed, deliverer: Deliverer, networks: Networks) -> None:
        self._feed = feed
        self._deliverer = deliverer
        self._networks = networks
        self._thread = ThreadPoolExecutor(1, "webhook-changes")
        self._tables = Transactions(uri, self._thread)
        self.has_tables = True
        """Whether our tables are there, without which there can be none."""

    async def made(self, asked: Asked, url: str, description: str | None, wanted: Wanted) -> Outcome:
        """A new webhook and its secret; it is sent what happens from now on."""
        self._require_tables()
        require(self._wrong_url(url), _wrong_description(description))
        head = await self._feed.head()

        def add(connection: Connection) -> Outcome:
            if records.count(connection) >= MAX_WEBHOOKS:
                raise Refused(Invalid(f"There are {MAX_WEBHOOKS} webhooks already; delete one that is not needed."))
            row = records.add(
                connection,
                url=url,
                secret=new_secret(),
                head=head,
                wanted=wanted,
                description=description,
                created_by=asked.actor,
            )
            return Outcome(webhook=row.id)

        outcome = await self._done(asked, add)
        # Read afresh, so that it stands nowhere but in its row.
        row = await self._tables.read(partial(records.webhook, id_=outcome.webhook or 0))
        outcome.secret = row.secret if row else None
        return outcome

    async def changed(
        self,
        asked: Asked,
        id_: int,
        values: Mapping[str, Any],
        wanted: Mapping[str, Any],
        *,
        is_enabled: bool | None = None,
    ) -> Outcome:
        """A webhook with other values in some columns, and other events; and whether it is enabled."""
        self._require_tables()
        url, description = values.get("url"), values.get("description")
        require([] if url is None else self._wrong_url(url), _wrong_description(description))
        filters = {name: records.filters(Wanted(**{name: some}))[name] for name, some in wanted.items()}

        def change(connection: Connection) -> Outcome:
            if records.webhook(connection, id_) is None:
                raise Refused(_no_webhook())
            if values or filters:
                records.change(connection, id_, {**values, **filters})
            if is_enabled is not None:
                records.enable(connection, id_) if is_enabled else records.disable(connection, id_, asked.reason)
            return Outcome(webhook=id_)

        return await self._done(asked, change)

    async def deleted(self, asked: Asked, id_: int) -> Outcome:
        """What is left of a webhook that is deleted with all that is known of what it was sent."""
        self._require_tables()

        def delete(connection: Connection) -> Outcome:
            if not records.delete(connection, id_):
                raise Refused(_no_webhook())
            return Outcome(deleted=id_)

        return await self._done(asked, delete)

    async def sent(self, id_: int, event_id: int | None, cause: Cause) -> Outcome:
        """An attempt that is made now: to send an event once more, or a test."""
        self._require_tables()
        try:
            return Outcome(delivery=await self._deliverer.send_once(id_, event_id, cause))
        except errors.NotFound as error:
            raise Refused(NotFound(str(error))) from None

    async def _done(self, asked: Asked, change: Callable[[Connection], Outcome]) -> Outcome:
        """What came of a change, or had come of the same request before."""

        def once(connection: Connection) -> Outcome:
            with Session(connection) as session:
                if (known := requests.claimed(session, asked)) is not None:
                    return known
                outcome = change(connection)
                requests.keep(session, asked, outcome)
                return outcome

        outcome = await self._tables.write(once)
        self._deliverer.kick()
        return outcome

    def close(self) -> None:
        """Lets go of the database."""
        self._tables.close()
        self._thread.shutdown()

    def _require_tables(self) -> None:
        if not self.has_tables:
            raise Unsuitable("There can be no webhooks while their tables are missing: run `lineage-api db upgrade`.")

    def _wrong_url(self, url: str) -> list[Invalid]:
        said = addresses.refusal(url, self._networks)
        return [] if said is None else [Invalid(said, ("url",))]


def _no_webhook() -> NotFound:
    return NotFound("There is no such webhook.", ("webhookId",))


def _wrong_description(description: str | None) -> list[Invalid]:
    text = description or ""
    if len(text) > MAX_DESCRIPTION_LENGTH:
        said = f"A description may have {MAX_DESCRIPTION_LENGTH:,} characters at most; this has {len(text):,}."
        return [Invalid(said, ("description",))]
    return storable(text, "description")
