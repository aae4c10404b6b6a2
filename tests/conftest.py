"""What tests share: real MLflow stores on each database, and a client that asks the whole server about them."""

import gc
import os
import shutil
import sqlite3
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from tests.asking import Client
from tests.changing import Changer, everything
from tests.stores import POSTGRESQL, Store, has_postgresql

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")


_T = TypeVar("_T")
_MAX_FILLED = 6
"""How many filled stores are kept: those of the module that is run."""


def pytest_xdist_auto_num_workers() -> int:
    """Three for two processors, of `-n auto`: tests wait for servers, databases and time limits as well."""
    return (os.cpu_count() or 1) * 3 // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Has long modules that would come last come first: one worker would have them, and the others nothing to do."""
    items.sort(key=lambda item: "webhooks" not in item.path.parts)


def file_of(uri: str) -> str:
    """The file of a store on SQLite."""
    return uri.removeprefix("sqlite:///")


def _database(uri: str) -> str:
    return uri.rpartition("/")[2]


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Templates"]:
    """One empty store of each kind, its history recorded, to be copied: MLflow's migrations take seconds."""
    made = Templates(tmp_path_factory.mktemp("templates"))
    yield made
    made.close()


class Templates:
    """Empty stores to be copied."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, str] = {}
        self._filled: OrderedDict[tuple[str, Callable[[Store], Any]], tuple[str, Any]] = OrderedDict()
        self._copies: list[str] = []
        self._server: Any = None

    def copy(self, kind: str, folder: Path) -> str:
        """The URI of a new empty store."""
        return self._sqlite(folder) if kind == "sqlite" else self._postgresql()

    def _sqlite(self, folder: Path) -> str:
        from lineage_api.migrations.recording import begin
        from lineage_api.store.opening import prepared

        if "sqlite" not in self._made:
            self._made["sqlite"] = prepared(f"sqlite:///{self._folder / 'mlflow.db'}", artifact_root=str(self._folder))
            begin(self._made["sqlite"])
            with closing(sqlite3.connect(self._folder / "mlflow.db")) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(self._folder / "mlflow.db", folder / "mlflow.db")
        return f"sqlite:///{folder / 'mlflow.db'}"

    def _postgresql(self) -> str:
        from lineage_api.migrations.recording import begin
        from lineage_api.store.opening import prepared

        if "postgresql" not in self._made:
            name = self._named("template")
            self._administer(f"CREATE DATABASE {name}")
            begin(prepared(f"{POSTGRESQL}/{name}", artifact_root=str(self._folder)))
            self._made["postgresql"] = name
        name = self._named("copy")
        self._copy_database(self._made["postgresql"], name)
        return f"{POSTGRESQL}/{name}"

    def filled(self, store: Store, fill: Callable[[Store], _T]) -> _T:
        """What comes of filling an empty store, of which nobody has read yet: done once, and copied from then on.

        Nothing in it may lie in the folder of its artifacts, which is another one each time.
        """
        key = store.kind, fill
        if key not in self._filled:
            given = fill(store)
            store.close()
            self._filled[key] = self._kept(store), given
            if len(self._filled) > _MAX_FILLED:
                _, (oldest, _) = self._filled.popitem(last=False)
                self.drop(oldest)
            return given
        kept, given = self._filled[key]
        if store.kind == "sqlite":
            shutil.copy(kept, file_of(store.uri))
        else:
            name = _database(store.uri)
            self._administer(f"DROP DATABASE {name}")
            self._copy_database(_database(kept), name)
        return given

    def _kept(self, store: Store) -> str:
        """A copy of a store: the path of a file, or the URI of a database."""
        if store.kind == "sqlite":
            file = self._folder / f"{uuid4().hex}.db"
            with closing(sqlite3.connect(file_of(store.uri))) as source, closing(sqlite3.connect(file)) as copy:
                source.backup(copy)
            return str(file)
        name = self._named("filled")
        self._copy_database(_database(store.uri), name)
        return f"{POSTGRESQL}/{name}"

    def _copy_database(self, source: str, name: str) -> None:
        # As files, and not through the log, which takes six times as long where nobody waits for the disk.
        self._administer(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY FILE_COPY")

    def _named(self, what: str) -> str:
        self._copies.append(f"lineage_{what}_{uuid4().hex[:12]}")
        return self._copies[-1]

    def drop(self, uri: str | None = None) -> None:
        """Removes the database at a URI, or all that were made."""
        names = reversed(self._copies) if uri is None else [_database(uri)]
        for name in [name for name in names if name in self._copies]:
            self._administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            self._copies.remove(name)

    def _administer(self, statement: str) -> None:
        import psycopg

        if self._server is None:
            self._server = psycopg.connect(f"{POSTGRESQL}/postgres", autocommit=True)
        self._server.execute(statement)

    def close(self) -> None:
        """Removes all databases that were made."""
        self.drop()
        if self._server is not None:
            self._server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, templates: Templates, tmp_path: Path) -> Iterator[Store]:
    """An empty MLflow store, once for each database."""
    if request.param == "postgresql" and not has_postgresql():
        pytest.skip(f"no PostgreSQL answers at {POSTGRESQL}")
    made = Store(templates.copy(request.param, tmp_path), tmp_path / "artifacts")
    yield made
    made.close()
    templates.drop(made.uri)


@pytest.fixture
def collected() -> Iterator[None]:
    """Collects the garbage of a test while it is still this test that is run."""
    yield
    gc.collect()


@pytest.fixture
def statements() -> list[str]:
    """The SQL of the last question that `client` asked."""
    return []


@pytest.fixture
def settings() -> dict[str, Any]:
    """The settings of the server that `client` asks, where they are not the usual ones."""
    return {}


@pytest.fixture
async def client(store: Store, statements: list[str], settings: dict[str, Any]) -> AsyncIterator[Client]:
    """Asks the whole server about `store`."""
    async with Client.of(store.uri, statements, **settings) as asking:
        yield asking


@pytest.fixture
async def changer(client: Client) -> Changer:
    """Changes `store` through the whole server."""
    return Changer(client.http)


@pytest.fixture
def refused(store: Store, changer: Changer) -> Callable[..., Awaitable[list[dict[str, Any]]]]:
    """Asks for a change that is refused, and sees that nothing at all was changed; gives why."""

    async def refused(mutation: str, **given: Any) -> list[dict[str, Any]]:
        before = everything(store)
        errors = await changer.refused(mutation, **given)
        assert everything(store) == before
        return errors

    return refused
