import sys

import pytest
import sqlalchemy

from lineage_api.errors import Unsuitable
from lineage_api.store.engines import reading
from lineage_api.store.uris import masked, only_read, recordable_url, text
from tests.stores import POSTGRESQL, has_postgresql


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://u:p@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:p@ss/w@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u@h/d?password=p&sslmode=require", "postgresql://u@h/d?password=***&sslmode=require"),
        ("postgresql://h/d?user=u&sslPassword=p", "postgresql://h/d?user=u&sslPassword=***"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
    ],
)
def test_a_uri_is_shown_without_passwords(uri, shown):
    """Wherever in it they stand."""
    assert masked(uri) == shown


@pytest.mark.parametrize(
    ("uri", "opened"),
    [
        ("mysql://u:p@h/d", "mysql+pymysql://u:p@h/d"),
        ("mysql+mysqldb://u@h:3307/d?charset=utf8mb4", "mysql+pymysql://u@h:3307/d?charset=utf8mb4"),
        ("mariadb+pymysql://u@h/d", "mysql+pymysql://u@h/d"),
        ("postgresql+psycopg2://u@h/d", "postgresql://u@h/d"),
        ("sqlite:////tmp/m.db", "sqlite:////tmp/m.db"),
    ],
)
def test_a_database_whose_history_can_be_recorded(uri, opened):
    """Also one that is not served, by the one driver that we know."""
    assert text(recordable_url(uri)) == opened


@pytest.mark.parametrize("uri", ["mssql://h/d", "http://h", "./mlruns", "mysql://u:geheim@h:x/d"])
def test_no_history_is_recorded_elsewhere(uri):
    """The line is the one with which it is not served either, and names no password."""
    with pytest.raises(Unsuitable) as refusal:
        recordable_url(uri)
    assert "geheim" not in str(refusal.value)


def test_the_driver_of_mariadb_is_not_installed(monkeypatch):
    """The line can be pasted."""
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(Unsuitable, match="not installed") as refusal:
        reading("mysql+pymysql://h/d")
    assert str(refusal.value).endswith("pip install 'lineage-api[mysql]'")


@pytest.mark.parametrize("more", ["", "?options=-csearch_path%3Dpublic"])
def test_a_database_that_is_only_read(templates, tmp_path, more):
    """PostgreSQL refuses to write there, whatever else the URI asks for; a file of SQLite is refused by its readers."""
    assert only_read("sqlite:////a/b.db") == "sqlite:////a/b.db"
    if not has_postgresql():
        pytest.skip(f"no PostgreSQL answers at {POSTGRESQL}")
    uri = templates.copy("postgresql", tmp_path)
    engine = sqlalchemy.create_engine(only_read(uri + more), poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection, pytest.raises(sqlalchemy.exc.DBAPIError, match="read-only transaction"):
        connection.execute(sqlalchemy.text("CREATE TABLE t (i int)"))
    templates.drop(uri)
