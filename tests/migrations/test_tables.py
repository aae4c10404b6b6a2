"""Our own tables, as Alembic makes them."""

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects.mysql import LONGTEXT

from lineage_api.migrations import recording
from lineage_api.store import history
from lineage_api.store.trigger_forms import form_of
from tests.histories import KINDS, connected, opened


@pytest.fixture(params=KINDS)
def store(request, templates, tmp_path):
    """An empty store, whose history is recorded."""
    with opened(request.param, templates, tmp_path) as made:
        recording.begin(made.uri)
        yield made


def test_they_are_those_of_the_code(store):
    """Column by column, and with their indexes."""
    options = {
        "compare_server_default": False,
        # MariaDB makes a longer one of a long text.
        "compare_type": lambda _, __, ___, found, ____: False if isinstance(found, LONGTEXT) else None,
        "include_name": lambda name, kind, _: kind != "table" or name.startswith("lineage_"),
    }
    with connected(store) as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts=options), history.metadata)

    # A primary key needs no other index, though the code says that there is one; and PostgreSQL has one for itself.
    needless = {"ix_lineage_events_id", "ix_lineage_models_id", "lineage_events_of_draft"}
    assert [each for each in found if each[1].name not in needless] == []


def test_going_back_leaves_nothing(store):
    """No table, no function and no sequence of ours, but for the table in which Alembic notes that."""
    with connected(store) as connection:
        form_of(connection.dialect.name).remove(connection)
    with connected(store) as connection:
        recording._alembic(connection, "downgrade", "base")
    with connected(store) as connection:
        left = [name for name in sqlalchemy.inspect(connection).get_table_names() if "lineage" in name]
        if connection.dialect.name == "postgresql":
            others = "SELECT relname FROM pg_class WHERE relname LIKE 'lineage%'"
            left += connection.exec_driver_sql(others, execution_options={"no_parameters": True}).scalars().all()

    assert left == [history.VERSION_TABLE]
