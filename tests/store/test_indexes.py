"""Our indexes on MLflow's tables: made when somebody asks for it, and taken out again."""

import threading
import time

import pytest
import sqlalchemy

from lineage_api.errors import Unsuitable
from lineage_api.migrations import recording
from lineage_api.store import indexes, tables
from lineage_api.store.indexes import INDEXES
from lineage_api.store.opening import prepared
from tests.histories import connected, opened, sql
from tests.stores import POSTGRESQL, has_postgresql

NAMES = {index.name for index in INDEXES}


def present(store):
    """The indexes of ours that the database has, on MLflow's tables."""
    with connected(store) as connection:
        looked_at = sqlalchemy.inspect(connection)
        return NAMES & {i["name"] for name in looked_at.get_table_names() for i in looked_at.get_indexes(name)}


def missing(store):
    """Those that are said to be missing."""
    with connected(store) as connection:
        return {index.name for index in indexes.missing(connection)}


def test_they_are_made_and_removed(store):
    """Nobody who asks twice makes anything twice, and MLflow writes as before."""
    assert (present(store), missing(store)) == (set(), NAMES)

    assert {index.name for index in indexes.make(store.uri)} == NAMES
    assert (present(store), missing(store)) == (NAMES, set())
    assert indexes.make(store.uri) == []
    store.run(store.experiment("e"), params={"depth": 3})

    indexes.remove(store.uri)
    indexes.remove(store.uri)
    assert (present(store), missing(store)) == (set(), NAMES)


def test_what_is_missing_of_them(store):
    """It alone is made again; an index of another release goes with the others."""
    indexes.make(store.uri)
    sql(store, f"DROP INDEX {INDEXES[0].name}", "CREATE INDEX lineage_of_old ON runs (name)")

    assert [index.name for index in indexes.make(store.uri)] == [INDEXES[0].name]

    indexes.remove(store.uri)
    with connected(store) as connection:
        names = {index["name"] for index in sqlalchemy.inspect(connection).get_indexes("runs")}
    assert not {name for name in names if name.startswith("lineage_")}


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: index.name)
def test_each_is_on_columns_that_we_read(index):
    """So the test that compares these with MLflow's models holds for them too; and each says what it is for."""
    table = getattr(tables, index.table)
    columns = [part.split()[0] for part in index.columns.split(", ")]

    assert {*columns} <= {column.name for column in table.c}
    assert index.name.startswith("lineage_")
    assert index.helps


def test_the_indexes_of_our_own_tables_stay(store):
    """They are of the history."""
    indexes.remove(store.uri)

    with connected(store) as connection:
        names = {index["name"] for index in sqlalchemy.inspect(connection).get_indexes("lineage_events")}
    assert {"lineage_events_of_slot", "lineage_events_of_alias"} <= names


# PostgreSQL


@pytest.fixture
def on_postgresql(templates, tmp_path):
    """An empty store on PostgreSQL."""
    if not has_postgresql():
        pytest.skip(f"no PostgreSQL answers at {POSTGRESQL}")
    with opened("postgresql", templates, tmp_path) as store:
        yield store
        indexes.remove(store.uri)


def valid(store, name):
    """Whether PostgreSQL can use an index; None where there is none."""
    with connected(store) as connection:
        found = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"
        return connection.scalar(sqlalchemy.text(found), {"name": name})


def test_one_that_was_left_half_made(on_postgresql):
    """It is made again: as it is, it costs and helps nobody."""
    index = INDEXES[0]
    indexes.make(on_postgresql.uri)
    sql(on_postgresql, f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{index.name}'::regclass")
    assert valid(on_postgresql, index.name) is False
    assert missing(on_postgresql) == {index.name}

    assert indexes.make(on_postgresql.uri) == [index]

    assert valid(on_postgresql, index.name) is True


def test_others_write_while_they_are_made(on_postgresql):
    """The making waits for who has begun before; nobody waits for the making."""
    on_postgresql.registered_model("m")
    engine = sqlalchemy.create_engine(on_postgresql.uri, poolclass=sqlalchemy.NullPool)
    made = threading.Thread(target=indexes.make, args=[on_postgresql.uri])
    with engine.connect() as before:
        before.execute(sqlalchemy.text(f"UPDATE {INDEXES[0].table} SET value = value"))
        made.start()
        while not waiting(on_postgresql):
            time.sleep(0.01)
        on_postgresql.run(on_postgresql.experiment("e"))
        assert made.is_alive()
        with pytest.raises(Unsuitable, match="somebody else is making or removing indexes at this moment"):
            indexes.make(on_postgresql.uri)
        before.commit()
    made.join(30)

    assert missing(on_postgresql) == set()


def waiting(store):
    """Whether an index waits for transactions to end."""
    with connected(store) as connection:
        found = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return connection.scalar(sqlalchemy.text(found))


def test_where_indexes_are_not_allowed(on_postgresql):
    """Those who do not own MLflow's tables are told so in one line."""
    name = "lineage_reader_of_indexes"
    sql(on_postgresql, f"CREATE ROLE {name} LOGIN")
    try:
        with pytest.raises(Unsuitable) as refusal:
            indexes.make(on_postgresql.uri.replace("://postgres@", f"://{name}@"))
        assert str(refusal.value).startswith("the indexes cannot be made or removed: must be owner of table")
    finally:
        sql(on_postgresql, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


# MLflow's own migrations


def test_mlflow_migrates_a_store_that_has_them(templates, tmp_path):
    """Down to before there were workspaces and up again, by MLflow's own command: none of them is in the way."""
    with opened("sqlite", templates, tmp_path) as store:
        indexes.make(store.uri)
        recording.begin(store.uri)
        experiment = store.experiment("e")
        store.registered_model("m")
        store.version("m", run_id=store.run(experiment, params={"depth": 3}))
        store.close()
        migrate(store.uri, "downgrade", "1b5f0d9ad7c1-1")
        migrate(store.uri, "upgrade", "head")

        indexes.make(prepared(store.uri))

        assert present(store) == NAMES
        assert [version.version for version in store.client.search_model_versions("name = 'm'")] == [1]


def test_a_migration_of_mlflows_on_postgresql(on_postgresql):
    """The same there; an index of a column goes with it, and stays otherwise."""
    indexes.make(on_postgresql.uri)
    on_postgresql.close()
    migrate(on_postgresql.uri, "downgrade", "1b5f0d9ad7c1-1")
    migrate(on_postgresql.uri, "upgrade", "head")

    indexes.make(prepared(on_postgresql.uri))

    assert missing(on_postgresql) == set()


def migrate(uri, command, revision):
    """MLflow's own migrations, forwards or back."""
    from alembic import command as commands
    from mlflow.store.db.utils import _get_alembic_config

    getattr(commands, command)(_get_alembic_config(uri), revision)
