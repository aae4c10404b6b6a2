import shutil
import sqlite3
import subprocess
import sys
import uuid
from contextlib import closing, contextmanager

import pytest
from mlflow.store.db.utils import _get_latest_schema_revision
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Tracking
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from lineage_api.errors import Unsuitable
from lineage_api.store.opening import head_revision, prepared
from tests.mariadb import MARIADB, administer, has_mariadb

POSTGRESQL = "postgresql://postgres@127.0.0.1:5432"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store that was created here; its tests work on copies, since MLflow's migrations take seconds."""
    file = tmp_path_factory.mktemp("made") / "mlflow.db"
    prepared(f"sqlite:///{file}")
    return file


@pytest.fixture
def store(made, tmp_path):
    """A copy of it."""
    return shutil.copy(made, tmp_path / "mlflow.db")


@contextmanager
def a_database():
    """The URI of an empty database of PostgreSQL."""
    name = f"opening_{uuid.uuid4().hex[:12]}"
    server = create_engine(f"{POSTGRESQL}/postgres?connect_timeout=3", isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except OperationalError as error:
        pytest.skip(f"no PostgreSQL at {POSTGRESQL}: {error}")
    try:
        yield f"{POSTGRESQL}/{name}"
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()


@pytest.fixture(scope="module")
def database():
    with a_database() as uri:
        yield uri


def refusal(uri, **options):
    """The line with which a store is refused."""
    with pytest.raises(Unsuitable) as refused:
        prepared(uri, **options)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def change(file, *statements):
    """Statements done by somebody else."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def changed(database, *statements):
    """As above, on PostgreSQL."""
    engine = create_engine(database)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def names(folder):
    """What is in a folder."""
    return [path.name for path in folder.iterdir()]


def journal_mode(file):
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("PRAGMA journal_mode").fetchone()[0]


def test_the_revision_is_the_one_that_mlflow_expects():
    """It is read without importing MLflow, and yet the same."""
    assert head_revision() == _get_latest_schema_revision()


def test_nothing_of_mlflow_is_imported_for_a_store_that_is_there(made):
    """A server on a store that is there starts without the seconds that MLflow takes."""
    code = f"import sys; from lineage_api.store.opening import prepared; prepared({f'sqlite:///{made}'!r}); "
    subprocess.run([sys.executable, "-c", code + "sys.exit('mlflow' in sys.modules)"], check=True)


def test_an_empty_database_is_filled(made):
    """MLflow's own stores work on it, runs and registry, and its artifacts are where MLflow's server keeps them."""
    tracking, registry = Tracking(f"sqlite:///{made}", "/nowhere"), Registry(f"sqlite:///{made}")
    try:
        assert tracking.get_experiment("0").artifact_location == "mlflow-artifacts:/0"
        assert registry.search_registered_models() == []
    finally:
        tracking.engine.dispose()
        registry.engine.dispose()


def test_a_file_without_content_is_an_empty_database(tmp_path, monkeypatch):
    """Filling it leaves the database, in a mode in which nobody waits, and nothing else in the folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlflow.db").touch()

    uri = prepared("sqlite:///mlflow.db", artifact_root="s3://bucket/there")

    assert uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert names(tmp_path) == ["mlflow.db"]
    assert journal_mode("mlflow.db") == "wal"
    with closing(sqlite3.connect("mlflow.db")) as connection:
        assert connection.execute("SELECT artifact_location FROM experiments").fetchall() == [("s3://bucket/there/0",)]


def test_a_store_that_is_there_is_left_as_it_is(store, tmp_path):
    """Also its journal mode."""
    change(store, "PRAGMA journal_mode=DELETE")
    before = store.read_bytes()

    assert prepared(f"sqlite:///{store}", registry_uri=f"sqlite:///{tmp_path}/./mlflow.db") == f"sqlite:///{store}"
    assert store.read_bytes() == before
    assert names(tmp_path) == ["mlflow.db"]


def test_a_path_that_is_no_ascii(store, tmp_path):
    """MLflow makes the folders of a URI as it is written, so that it is not to be encoded."""
    (tmp_path / "für #1").mkdir()
    shutil.copy(store, tmp_path / "für #1" / "100%.db")
    shutil.copy(store, tmp_path / "für #1" / "a.db")

    assert prepared(f"sqlite:///{tmp_path}/für #1/a.db") == f"sqlite:///{tmp_path}/für #1/a.db"
    assert make_url(prepared(f"sqlite:///{tmp_path}/für #1/100%25.db")).database == f"{tmp_path}/für #1/100%.db"


def test_many_that_start_at_once_all_come_up(tmp_path):
    """One of them fills the empty database, the others wait for it."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    starts(uri)
    assert names(tmp_path) == ["mlflow.db"]


def starts(uri):
    """Several processes, each of which opens the same store."""
    code = f"from lineage_api.store.opening import prepared; print(prepared({uri!r}))"
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    ends = [(process.communicate(), process.returncode) for process in started]
    assert [(out, code) for (out, _), code in ends] == [(uri + "\n", 0)] * 3, ends


def test_postgresql_is_filled_by_one_of_many(database):
    """The lock is PostgreSQL's own; whichever driver the URI names, it is opened with psycopg 3."""
    starts(database)
    assert prepared(database.replace("postgresql", "postgresql+psycopg2", 1)) == database
    assert prepared(database + "?connect_timeout=5", registry_uri=database.replace("127.0.0.1", "localhost"))


def test_an_older_store_on_postgresql(database):
    """It is refused, with the command that helps and without the password."""
    changed(database, "UPDATE alembic_version SET version_num = '400f98739977'")
    try:
        said = refusal(database.replace("postgres@", "postgres:geheim@"))
    finally:
        changed(database, f"UPDATE alembic_version SET version_num = '{head_revision()}'")

    shown = database.replace("postgres@", "postgres:***@")
    assert said == (
        f"{shown} is at revision 400f98739977 and MLflow 3.17.2 expects {head_revision()}: make a backup, then run"
        f" `mlflow db upgrade {shown}`"
    )


def test_a_server_that_does_not_answer():
    """What the driver says, in one line."""
    said = refusal("postgresql://me:geheim@127.0.0.1:1/mlflow")
    assert said.startswith("postgresql://me:***@127.0.0.1:1/mlflow cannot be opened: connection failed: ")
    assert "geheim" not in said


def test_a_database_that_is_not_there(database):
    """It is for its owner to create."""
    assert 'database "nowhere_else" does not exist' in refusal(f"{POSTGRESQL}/nowhere_else")


def test_a_role_that_may_not_create_tables(database):
    """What MLflow ran into, in one line and without the password."""
    with a_database() as uri:
        role = uri.rpartition("/")[2]
        changed(uri, f"CREATE ROLE {role} LOGIN PASSWORD 'geheim'")
        try:
            said = refusal(uri.replace("postgres@", f"{role}:geheim@"))
            assert prepared(uri) == uri, "its owner may"
        finally:
            changed(uri, f"DROP ROLE {role}")
    assert said.startswith(f"postgresql://{role}:***@127.0.0.1:5432/{role} cannot be filled: permission denied for")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http://u:geheim@host:5000", "http://u:***@host:5000 is a tracking server, and its database is read directly"),
        ("https://host", "give the server's --backend-store-uri, such as sqlite:///mlflow.db or postgresql://"),
        ("databricks", "databricks has no database that could be read"),
        ("databricks://profile", "databricks://profile has no database that could be read"),
        (
            "./mlruns",
            "file stores are not supported: move it to a database with `mlflow migrate-filestore --source mlruns",
        ),
        ("file:///data/my%20runs", "`mlflow migrate-filestore --source /data/my runs --target sqlite:///mlflow.db`"),
        ("mysql+pymysql://u:geheim@h/d", "mysql is not supported yet"),
        ("postgres://u:geheim@h/d", "postgres://u:***@h/d is not supported: give a backend store such as sqlite:///"),
        ("postgresql://u:ge:he@im@h:x/d", "postgresql://u:***@h:x/d is not the URI of a database"),
        ("sqlite://", "names no file that others could open too"),
        ("sqlite:///:memory:", "names no file that others could open too"),
        ("sqlite:///file:a.db?mode=ro&uri=true", "names no file that others could open too"),
        ("sqlite:////nowhere/mlflow.db", "the folder /nowhere of sqlite:////nowhere/mlflow.db does not exist"),
        ("sqlite:////tmp", "/tmp is a folder: name a file in it, such as sqlite:////tmp/mlflow.db"),
        ("sqlite:////dev/null/mlflow.db", "the folder /dev/null of sqlite:////dev/null/mlflow.db does not exist"),
    ],
)
def test_what_is_no_backend_store(uri, said):
    """The line says what would be right."""
    assert said in refusal(uri)
    assert "geheim" not in refusal(uri)


def test_a_file_in_place_of_a_uri(store):
    """It is named as the URI that was meant."""
    assert refusal(str(store)).endswith(f"if it is a database of SQLite, write sqlite:///{store}")


@pytest.mark.parametrize("registry", ["sqlite:////tmp/other.db", "http://host", f"{POSTGRESQL}/mlflow"])
def test_a_registry_elsewhere(store, registry):
    """Lineage is read by joining runs and versions."""
    assert "both must be in one database" in refusal(f"sqlite:///{store}", registry_uri=registry)


def test_the_driver_of_postgresql_is_not_installed(monkeypatch):
    """The line can be pasted."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert refusal("postgresql://h/d").endswith("pip install 'lineage-api[postgres]'")


def test_a_file_that_is_no_database(tmp_path):
    """It is refused and left alone."""
    (tmp_path / "mlflow.db").write_text("Dear diary, " * 100)

    assert "cannot be opened: file is not a database" in refusal(f"sqlite:///{tmp_path}/mlflow.db")
    assert (tmp_path / "mlflow.db").read_text().startswith("Dear diary")


def test_an_empty_database_that_is_not_to_be_filled(tmp_path):
    """Nothing is made, not even an empty file."""
    assert "holds no store" in refusal(f"sqlite:///{tmp_path}/mlflow.db", create=False)
    assert names(tmp_path) == []


def test_a_folder_in_which_nothing_can_be_made():
    """The kernel's folders let nobody make a file, whoever asks."""
    assert "sqlite:////proc/mlflow.db cannot be opened: [Errno 2] No such file or directory" in refusal(
        "sqlite:////proc/mlflow.db"
    )


def test_an_older_store(store):
    """Both revisions are named, and nothing is migrated."""
    change(store, "UPDATE alembic_version SET version_num = '400f98739977'")

    said = refusal(f"sqlite:///{store}")

    assert f"is at revision 400f98739977 and MLflow 3.17.2 expects {head_revision()}" in said
    assert said.endswith(f"`mlflow db upgrade sqlite:///{store}`")
    with closing(sqlite3.connect(store)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("400f98739977",)]


@pytest.mark.parametrize("revision", ["ffffffffffff", "dc11669786a5x"])
def test_a_newer_store(store, revision):
    """A revision that the installed MLflow does not know."""
    change(store, f"UPDATE alembic_version SET version_num = '{revision}'")
    assert f"is at revision {revision}, unknown to MLflow 3.17.2" in refusal(f"sqlite:///{store}")


def test_a_store_that_was_left_half_made(store):
    """MLflow's tables without a revision are left when the process that makes them is killed."""
    change(store, "DELETE FROM alembic_version")
    assert "is at revision none" in refusal(f"sqlite:///{store}")


def test_a_database_of_something_else(tmp_path):
    """Its tables stay alone."""
    change(tmp_path / "mlflow.db", "CREATE TABLE cakes (name TEXT)")
    assert "holds tables, but none of MLflow's" in refusal(f"sqlite:///{tmp_path}/mlflow.db")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO workspaces (name) VALUES ('team-a')",
        "UPDATE experiments SET workspace = 'team-a'",
        "INSERT INTO registered_models (workspace, name) VALUES ('team-a', 'm')",
    ],
)
def test_workspaces_in_use(store, statement):
    """Whatever belongs to another workspace than the default one."""
    change(store, statement)
    assert "uses workspaces ('team-a')" in refusal(f"sqlite:///{store}")


@pytest.mark.parametrize("value", ["true", "1", "TRUE"])
def test_workspaces_switched_on(store, monkeypatch, value):
    """Also on a store that has none yet."""
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", value)
    assert "MLFLOW_ENABLE_WORKSPACES is set" in refusal(f"sqlite:///{store}")


def test_workspaces_switched_off(store, monkeypatch):
    """That is as if nothing had been said."""
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "false")
    assert prepared(f"sqlite:///{store}")


@pytest.fixture
def elsewhere():
    """The URI of an empty database on MariaDB, where history alone is recorded."""
    if not has_mariadb():
        pytest.skip(f"no MariaDB answers at {MARIADB}")
    name = f"lineage_{uuid.uuid4().hex[:12]}"
    administer(f"CREATE DATABASE {name}")
    yield f"{MARIADB}/{name}"
    administer(f"DROP DATABASE {name}")


def test_a_database_that_is_not_served_is_never_filled(elsewhere):
    """An empty one, and one of an older MLflow, are refused in a line that says what to do."""
    assert "holds no store: start `mlflow server` on it once" in refusal(elsewhere, is_served=False)

    administer(
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
        "INSERT INTO alembic_version VALUES ('1b5f0d9ad7c1')",
        uri=elsewhere,
    )
    assert "run `mlflow db upgrade mysql+pymysql://" in refusal(elsewhere, is_served=False)
    assert "mysql is not supported yet" in refusal(elsewhere)
