"""The history of the registry, and the changes that were asked for with a key."""

import sqlalchemy as sa
from alembic import op

from lineage_api.migrations.forms import BY_BYTES, ID
from lineage_api.store.history import only_where
from lineage_api.store.trigger_bodies import run
from lineage_api.store.trigger_forms import NUMBERING

revision = "a1"
down_revision = None

_VALUE = sa.Text().with_variant(sa.Text(2**24), "mysql", "mariadb")


def upgrade() -> None:
    """Makes the tables, and on PostgreSQL what numbers events."""
    op.create_table(
        "lineage_models",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", sa.String(256), nullable=False, index=True),
        sa.Column("created_at", sa.BigInteger),
        sa.Column("is_prompt", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("deleted_at", sa.BigInteger),
        sqlite_autoincrement=True,
        **BY_BYTES,
    )
    op.create_table(
        "lineage_events",
        sa.Column("id", ID, primary_key=True),
        sa.Column("occurred_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("slot", sa.String(300)),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("origin", sa.String(10), nullable=False),
        sa.Column("mutation", sa.String(40)),
        sa.Column("actor", sa.String(256)),
        sa.Column("reason", sa.Text),
        sa.Column("cause_id", ID),
        sa.Column("model_id", ID, nullable=False),
        sa.Column("model_name", sa.String(256), nullable=False),
        sa.Column("previous_name", sa.String(256)),
        sa.Column("version", sa.Integer),
        sa.Column("from_stage", sa.String(20)),
        sa.Column("to_stage", sa.String(20)),
        sa.Column("alias", sa.String(256)),
        sa.Column("previous_version", sa.Integer),
        sa.Column("key", sa.String(250)),
        sa.Column("value", _VALUE),
        sa.Column("previous_value", _VALUE),
        sa.Column("source", sa.String(500)),
        sa.Column("run_id", sa.String(32)),
        sa.Column("run_link", sa.String(500)),
        sqlite_autoincrement=True,
        **BY_BYTES,
    )
    op.create_index("ix_lineage_events_model_id", "lineage_events", ["model_id"])
    op.create_index("lineage_events_of_version", "lineage_events", ["model_id", "version", "id"])
    op.create_index("lineage_events_of_slot", "lineage_events", ["model_id", "slot", "id"])
    op.create_index("lineage_events_of_stage", "lineage_events", ["to_stage", "ended_at", "occurred_at"])
    op.create_index("lineage_events_of_time", "lineage_events", ["occurred_at"])
    of_aliases = only_where("alias IS NOT NULL")
    op.create_index("lineage_events_of_alias", "lineage_events", ["ended_at", "occurred_at"], **of_aliases)
    op.create_table("lineage_recording", sa.Column("since", sa.BigInteger, primary_key=True, autoincrement=False))
    op.create_table(
        "lineage_requests",
        sa.Column("id", ID, primary_key=True),
        sa.Column("actor", sa.String(256), nullable=False),
        sa.Column("mutation", sa.String(40), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False, index=True),
        sa.UniqueConstraint("actor", "mutation", "key"),
        **BY_BYTES,
    )
    if op.get_bind().dialect.name == "postgresql":
        for statement in NUMBERING:
            run(op.get_bind(), statement)


def downgrade() -> None:
    """Takes them out again; the triggers that write into them must be gone."""
    for table in ("lineage_requests", "lineage_recording", "lineage_events", "lineage_models"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION lineage_number()")
        op.execute("DROP SEQUENCE lineage_event_number")
