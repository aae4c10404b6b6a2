"""What Alembic runs: our migrations, on the connection that it was given, with a version table of our own."""

from alembic import context

from lineage_api.store.history import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
context.run_migrations()
