"""Our own tables of webhooks: where events are sent, how far each has come, and what came of it.

How far one has come stands in its row, and events are sent out of the history itself, so nothing is queued anywhere.
Times are milliseconds since 1970.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from lineage_api.store.history import ID, metadata

webhooks = Table(
    "lineage_webhooks",
    metadata,
    Column("id", ID, primary_key=True),
    Column("url", Text, nullable=False),
    Column("description", Text),
    # Which events are sent: lists in JSON; null for all.
    Column("models", Text),
    Column("kinds", Text),
    Column("to_stages", Text),
    Column("secret", String(100), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", String(256)),
    Column("handled_event", BigInteger, nullable=False),  # the last one that was sent, or was not to be
    # Of the event after that: since when its receiver has not taken it, how often it was sent, when it is sent again.
    Column("failing_since", BigInteger),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", BigInteger),
    Column("disabled_at", BigInteger),
    Column("disabled_reason", Text),
    # Who is sending at the moment, and until when nobody else does.
    Column("lease", String(32)),
    Column("leased_until", BigInteger),
    sqlite_autoincrement=True,
)
"""Each webhook."""

deliveries = Table(
    "lineage_deliveries",
    metadata,
    Column("id", ID, primary_key=True),
    Column("webhook_id", ID, nullable=False),
    Column("event_id", ID),  # null of a test
    Column("cause", String(20), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("attempted_at", BigInteger, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("status", Integer),  # of HTTP; null when there was no answer
    Column("error", Text),  # null when it was taken
    Index("lineage_deliveries_of_webhook", "webhook_id", "id"),
    sqlite_autoincrement=True,
)
"""The last attempts to send an event."""
