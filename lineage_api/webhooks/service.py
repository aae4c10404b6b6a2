"""Webhooks as those who look after them see them: made, changed, deleted, and sent something when it is asked for."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from lineage_api import errors
from lineage_api.errors import Unsuitable
from lineage_api.registry.reasons import Invalid, NotFound, Refused, require
from lineage_api.registry.texts import MAX_DESCRIPTION_LENGTH, storable
from lineage_api.store.feed import Feed, Wanted
from lineage_api.webhooks import addresses, records
from lineage_api.webhooks.addresses import Networks
from lineage_api.webhooks.deliverer import Deliverer
from lineage_api.webhooks.records import Cause
from lineage_api.webhooks.signing import new_secret
from lineage_api.webhooks.transactions import Transactions

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

    async def made(self, url: str, description: str | None, wanted: Wanted, actor: str | None) -> tuple[int, str]:
        """The ID of a new webhook and its secret; it is sent what happens from now on."""
        self._require_tables()
        require(self._wrong_url(url), _wrong_description(description))
        head, secret = await self._feed.head(), new_secret()
        if await self._tables.read(records.count) >= MAX_WEBHOOKS:
            raise Refused(Invalid(f"There are {MAX_WEBHOOKS} webhooks already; delete one that is not needed."))
        add = partial(records.add, url=url, secret=secret, head=head, wanted=wanted)
        row = await self._tables.write(partial(add, description=description, created_by=actor))
        self._deliverer.kick()
        return row.id, secret

    async def changed(
        self, id_: int, values: Mapping[str, Any], wanted: Mapping[str, Any], *, is_enabled: bool | None = None
    ) -> None:
        """Gives a webhook other values in some columns, and other events; and says whether it is enabled."""
        self._require_tables()
        url, description = values.get("url"), values.get("description")
        require([] if url is None else self._wrong_url(url), _wrong_description(description))

        def change(connection: Any) -> bool:
            columns = {name: records.filters(Wanted(**{name: some}))[name] for name, some in wanted.items()}
            row = records.change(connection, id_, {**values, **columns}) if values or columns else None
            if is_enabled is not None:
                row = records.enable(connection, id_) if is_enabled else records.disable(connection, id_)
            return (row or records.webhook(connection, id_)) is not None

        if not await self._tables.write(change):
            raise Refused(_no_webhook())
        self._deliverer.kick()

    async def deleted(self, id_: int) -> None:
        """Deletes a webhook, and all that is known of what it was sent."""
        self._require_tables()
        if not await self._tables.write(partial(records.delete, id_=id_)):
            raise Refused(_no_webhook())

    async def sent(self, id_: int, event_id: int | None, cause: Cause) -> int:
        """The ID of an attempt that is made now: to send an event once more, or a test."""
        self._require_tables()
        try:
            return await self._deliverer.send_once(id_, event_id, cause)
        except errors.NotFound as error:
            raise Refused(NotFound(str(error))) from None

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
