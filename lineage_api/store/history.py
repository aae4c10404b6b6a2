"""Our own tables, beside MLflow's: what has happened in the registry, whoever did it.

An event fills a slot of its registered model, such as `stage/3`, `alias/champion` or `tag/3/team`, until the next
event of that slot. So the events with no `ended_at` are the state that the registry is in, and those that had begun
and not ended at a moment are the state that it was in then. Times are milliseconds since 1970.

Triggers write the events (see `triggers`). IDs are the order in which transactions were committed; on PostgreSQL an
event has a negative one until its transaction commits.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()


def only_where(condition: str) -> dict[str, Any]:
    """Options of an index of some rows alone, where the database has such."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


ID = BigInteger().with_variant(Integer, "sqlite")
"""An integer of 64 bits, which SQLite counts up only under this name."""

models = Table(
    "lineage_models",
    metadata,
    Column("id", ID, primary_key=True, index=True),
    Column("name", String(256), nullable=False, index=True),  # the latest
    Column("created_at", BigInteger),  # by MLflow: with it, one model is told from the next of the same name
    Column("is_prompt", Boolean, nullable=False, server_default="0"),
    Column("deleted_at", BigInteger),
    sqlite_autoincrement=True,
)
"""Each registered model that ever was since history has been recorded."""

events = Table(
    "lineage_events",
    metadata,
    Column("id", ID, primary_key=True, index=True),
    Column("occurred_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("slot", String(300)),
    Column("kind", String(20), nullable=False),
    Column("origin", String(10), nullable=False),
    Column("mutation", String(40)),  # of our API
    Column("actor", String(256)),
    Column("reason", Text),
    Column("cause_id", ID),
    Column("model_id", ID, nullable=False, index=True),
    Column("model_name", String(256), nullable=False),  # at that time
    Column("previous_name", String(256)),
    Column("version", Integer),
    Column("from_stage", String(20)),
    Column("to_stage", String(20)),
    Column("alias", String(256)),
    Column("previous_version", Integer),
    Column("key", String(250)),
    Column("value", Text().with_variant(Text(2**24), "mysql", "mariadb")),
    Column("previous_value", Text().with_variant(Text(2**24), "mysql", "mariadb")),
    # What MLflow wipes out when a version is deleted.
    Column("source", String(500)),
    Column("run_id", String(32)),
    Column("run_link", String(500)),
    Index("lineage_events_of_version", "model_id", "version", "id"),
    Index("lineage_events_of_slot", "model_id", "slot", "id"),
    Index("lineage_events_of_stage", "to_stage", "ended_at", "occurred_at"),
    Index("lineage_events_of_time", "occurred_at"),
    Index("lineage_events_of_alias", "ended_at", "occurred_at", **only_where("alias IS NOT NULL")),
    sqlite_autoincrement=True,
)
"""What has happened, by what came of it."""

recording = Table("lineage_recording", metadata, Column("since", BigInteger, primary_key=True, autoincrement=False))
"""When history began to be recorded: one row."""

requests = Table(
    "lineage_requests",
    metadata,
    Column("id", ID, primary_key=True),
    Column("actor", String(256), nullable=False),
    Column("mutation", String(40), nullable=False),
    Column("key", String(255), nullable=False),
    Column("digest", String(64), nullable=False),  # of the input
    Column("outcome", Text),
    Column("created_at", BigInteger, nullable=False, index=True),
    UniqueConstraint("actor", "mutation", "key"),
)
"""Changes that were asked for with a key of the caller's own, so that none is made twice."""

DELETED = "Deleted_Internal"
"""The stage in which MLflow keeps a version that was deleted."""

VERSION_TABLE = "alembic_version_lineage"
"""Where Alembic keeps the revision of our tables; MLflow leaves tables alone whose names begin like this."""
