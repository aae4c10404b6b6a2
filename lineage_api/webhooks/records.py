"""The rows of webhooks and of what came of sending; each function is part of a short transaction.

Times are milliseconds since 1970 by the database's clock, so that machines with other clocks agree on leases.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from lineage_api.store.feed import EVERYTHING, Wanted
from lineage_api.store.history import recording
from lineage_api.store.trigger_forms import NOW
from lineage_api.store.webhook_tables import deliveries, webhooks
from lineage_api.webhooks.sending import Attempt
from lineage_api.webhooks.tempo import Tempo

Cause = Literal["EVENT", "TEST", "REDELIVERY"]
"""Why something was sent: it had happened, or somebody asked for it."""

MAX_LOGGED = 1_000
"""How many attempts are kept of each webhook."""

_SQLITE_NOW = "CAST(strftime('%s', 'now') AS INTEGER) * 1000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER)"
_ON_COURSE: dict[str, Any] = {"failing_since": None, "attempts": 0, "next_attempt_at": None}
"""What is known of failures when there are none."""

_w, _d = webhooks.c, deliveries.c


class Lease(NamedTuple):
    """The right to send for a webhook: nobody else does until it is released, or was not renewed for a while."""

    webhook_id: int
    holder: str
    lasts_ms: int


class Due(NamedTuple):
    """A webhook for which there are events."""

    webhook_id: int
    wait_ms: int
    """For how long nothing can be sent, as somebody else is at it, or its receiver has not taken the last one."""


def clock(connection: Connection) -> ColumnElement[int]:
    """The moment, as the database knows it."""
    now = NOW if connection.dialect.name == "postgresql" else _SQLITE_NOW
    return sa.literal_column(f"({now})", sa.BigInteger)


def began_at(connection: Connection) -> int | None:
    """When history began to be recorded."""
    since: int | None = connection.scalar(sa.select(sa.func.min(recording.c.since)))
    return since


# What people do.


def webhook(connection: Connection, id_: int) -> Row[Any] | None:
    """The row of a webhook."""
    return connection.execute(sa.select(webhooks).where(_w.id == id_)).one_or_none()


def add(
    connection: Connection,
    *,
    url: str,
    secret: str,
    head: int,
    wanted: Wanted = EVERYTHING,
    description: str | None = None,
    created_by: str | None = None,
) -> Row[Any]:
    """The row of a new webhook, which is sent what happens after the event `head`."""
    given = {"url": url, "secret": secret, "description": description, "created_by": created_by}
    known = {"created_at": clock(connection), "handled_event": head, **filters(wanted)}
    return connection.execute(sa.insert(webhooks).values(**given, **known).returning(webhooks)).one()


def change(connection: Connection, id_: int, values: Mapping[str, Any]) -> Row[Any] | None:
    """The row of a webhook with other values in some columns; failures of another URL are forgotten."""
    values = {**values, **(_ON_COURSE if "url" in values else {})}
    changed = sa.update(webhooks).where(_w.id == id_).values(**values)
    return connection.execute(changed.returning(webhooks)).one_or_none()


def enable(connection: Connection, id_: int) -> Row[Any] | None:
    """The row of a webhook that goes on where it was, at once."""
    return change(connection, id_, {**_ON_COURSE, "disabled_at": None, "disabled_reason": None})


def disable(connection: Connection, id_: int, reason: str | None = None) -> Row[Any] | None:
    """The row of a webhook that is sent nothing until it is enabled."""
    return change(connection, id_, {"disabled_at": clock(connection), "disabled_reason": reason})


def delete(connection: Connection, id_: int) -> bool:
    """Whether there was such a webhook; it is gone, and all that is known of it."""
    # The webhook first: whoever notes an attempt locks it too.
    is_gone = connection.execute(sa.delete(webhooks).where(_w.id == id_)).rowcount > 0
    connection.execute(sa.delete(deliveries).where(_d.webhook_id == id_))
    return is_gone


def count(connection: Connection) -> int:
    """How many webhooks there are."""
    return connection.scalar(sa.select(sa.func.count()).select_from(webhooks)) or 0


def filters(wanted: Wanted) -> dict[str, str | None]:
    """Which events are wanted, as columns."""
    chosen = {"models": wanted.models, "kinds": wanted.kinds, "to_stages": wanted.to_stages}
    return {name: None if some is None else orjson.dumps(sorted(some)).decode() for name, some in chosen.items()}


def wanted(row: Row[Any]) -> Wanted:
    """Which events a webhook is sent."""
    models, kinds, to_stages = (_chosen(text) for text in (row.models, row.kinds, row.to_stages))
    return Wanted(models, kinds, to_stages)


def _chosen(text: str | None) -> frozenset[str] | None:
    return None if text is None else frozenset(orjson.loads(text))


# What whoever sends does.


def has_enabled(connection: Connection) -> bool:
    """Whether there is any webhook that is not disabled."""
    return bool(connection.scalar(sa.select(sa.exists().where(_w.disabled_at.is_(None)))))


def due(connection: Connection, head: int) -> Sequence[Due]:
    """The webhooks that are behind the event `head`, the farthest behind first."""
    now = clock(connection).label("now")
    behind = sa.select(_w.id, _w.next_attempt_at, _w.leased_until, now).where(
        _w.disabled_at.is_(None), _w.handled_event < head
    )
    rows = connection.execute(behind.order_by(_w.handled_event, _w.id))
    return [Due(row.id, max(row.next_attempt_at or 0, row.leased_until or 0, row.now) - row.now) for row in rows]


def claim(connection: Connection, lease: Lease) -> Row[Any] | None:
    """The row of a webhook that may be sent something now; None when somebody else is at it, or it is to wait."""
    now = clock(connection)
    is_free = sa.or_(_w.lease.is_(None), _w.leased_until <= now)
    is_time = sa.or_(_w.next_attempt_at.is_(None), _w.next_attempt_at <= now)
    claimed = sa.update(webhooks).where(_w.id == lease.webhook_id, _w.disabled_at.is_(None), is_free, is_time)
    claimed = claimed.values(lease=lease.holder, leased_until=now + lease.lasts_ms, next_attempt_at=None)
    return connection.execute(claimed.returning(webhooks)).one_or_none()


def renew(connection: Connection, lease: Lease, **values: Any) -> Row[Any] | None:
    """The row of a webhook with a longer lease, and other values; None when the lease is somebody else's by now."""
    held = sa.update(webhooks).where(_w.id == lease.webhook_id, _w.lease == lease.holder)
    held = held.values(leased_until=clock(connection) + lease.lasts_ms, **values)
    return connection.execute(held.returning(webhooks)).one_or_none()


def release(connection: Connection, lease: Lease) -> None:
    """Lets others send, if the lease is still the holder's."""
    held = sa.update(webhooks).where(_w.id == lease.webhook_id, _w.lease == lease.holder)
    connection.execute(held.values(lease=None, leased_until=None))


def pass_over(connection: Connection, lease: Lease, event_id: int) -> Row[Any] | None:
    """The row of a webhook that wants nothing more up to an event; None when the lease is somebody else's by now."""
    return renew(connection, lease, handled_event=event_id, **_ON_COURSE)


def note(connection: Connection, lease: Lease, event_id: int, attempt: Attempt, tempo: Tempo) -> Row[Any] | None:
    """The row of a webhook after an attempt, which is logged; None when the lease is somebody else's by now."""
    row = renew(connection, lease)
    if row is None:
        return None
    now = row.leased_until - lease.lasts_ms
    log(connection, lease.webhook_id, "EVENT", attempt, event_id, row.attempts + 1)
    if attempt.error is None:
        return renew(connection, lease, handled_event=event_id, **_ON_COURSE)
    # Somebody may have disabled it meanwhile, for a reason of his own.
    return row if row.disabled_at else renew(connection, lease, **_failed(row, attempt, attempt.error, now, tempo))


def _failed(row: Row[Any], attempt: Attempt, error: str, now: int, tempo: Tempo) -> dict[str, Any]:
    since = now - attempt.duration_ms if row.failing_since is None else row.failing_since
    failing = {"failing_since": since, "attempts": row.attempts + 1}
    reason = tempo.end(now - since, attempt.status, error)
    if reason is not None:
        return {**failing, "next_attempt_at": None, "disabled_at": now, "disabled_reason": reason}
    pause = tempo.pause_ms(row.attempts + 1, attempt.retry_after_s)
    return {**failing, "next_attempt_at": min(now + pause, since + round(1_000 * tempo.give_up_s))}


def note_apart(
    connection: Connection, webhook_id: int, cause: Cause, attempt: Attempt, event_id: int | None
) -> int | None:
    """The ID of an attempt that somebody asked for, as it is logged; None when the webhook is gone."""
    row = sa.select(_w.id).where(_w.id == webhook_id).with_for_update()
    is_there = connection.execute(row).first() is not None
    return log(connection, webhook_id, cause, attempt, event_id) if is_there else None


def log(
    connection: Connection, webhook_id: int, cause: Cause, attempt: Attempt, event_id: int | None, number: int = 1
) -> int:
    """The ID of an attempt that is logged, the so-maniest for its event; those long ago are forgotten."""
    told = {"webhook_id": webhook_id, "event_id": event_id, "cause": cause, "attempt": number}
    came = {"duration_ms": attempt.duration_ms, "status": attempt.status, "error": attempt.error}
    row = sa.insert(deliveries).values(attempted_at=clock(connection) - attempt.duration_ms, **told, **came)
    id_: int = connection.execute(row.returning(_d.id)).scalar_one()
    of_it = sa.select(_d.id).where(_d.webhook_id == webhook_id).order_by(_d.id.desc())
    last_forgotten = of_it.limit(1).offset(MAX_LOGGED).scalar_subquery()
    connection.execute(sa.delete(deliveries).where(_d.webhook_id == webhook_id, _d.id <= last_forgotten))
    return id_
