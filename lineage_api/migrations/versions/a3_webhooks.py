"""Webhooks; and on PostgreSQL, whoever listens is told of events as their transaction commits."""

import sqlalchemy as sa
from alembic import op

from lineage_api.migrations.forms import BY_BYTES, ID
from lineage_api.store.trigger_bodies import run
from lineage_api.store.trigger_forms import NUMBER

revision = "a3"
down_revision = "a2"


def upgrade() -> None:
    """Makes the tables, and on PostgreSQL the function anew that numbers events."""
    op.create_table(
        "lineage_webhooks",
        sa.Column("id", ID, primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("models", sa.Text),
        sa.Column("kinds", sa.Text),
        sa.Column("to_stages", sa.Text),
        sa.Column("secret", sa.String(100), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.String(256)),
        sa.Column("handled_event", sa.BigInteger, nullable=False),
        sa.Column("failing_since", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_attempt_at", sa.BigInteger),
        sa.Column("disabled_at", sa.BigInteger),
        sa.Column("disabled_reason", sa.Text),
        sa.Column("lease", sa.String(32)),
        sa.Column("leased_until", sa.BigInteger),
        sqlite_autoincrement=True,
        **BY_BYTES,
    )
    op.create_table(
        "lineage_deliveries",
        sa.Column("id", ID, primary_key=True),
        sa.Column("webhook_id", ID, nullable=False),
        sa.Column("event_id", ID),
        sa.Column("cause", sa.String(20), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("attempted_at", sa.BigInteger, nullable=False),
        sa.Column("duration_ms", sa.Integer, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text),
        sqlite_autoincrement=True,
        **BY_BYTES,
    )
    op.create_index("lineage_deliveries_of_webhook", "lineage_deliveries", ["webhook_id", "id"])
    if op.get_bind().dialect.name == "postgresql":
        run(op.get_bind(), NUMBER)


def downgrade() -> None:
    """Takes the tables out again; that somebody is told whom nobody listens to does no harm."""
    op.drop_table("lineage_deliveries")
    op.drop_table("lineage_webhooks")
