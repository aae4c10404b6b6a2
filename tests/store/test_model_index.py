"""The index of model files, and how it is filled."""

import asyncio
import logging
import sqlite3
from contextlib import closing, contextmanager

import pytest
import sqlalchemy
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lineage_api.store import indexer, model_index
from lineage_api.store.artifacts import Artifacts
from lineage_api.store.engines import changing
from lineage_api.store.indexer import Indexer
from lineage_api.store.manifests import Environment, Manifest, Package
from lineage_api.store.model_files import ModelFiles
from lineage_api.store.package_tables import model_files, packages
from tests.changing import prompt
from tests.model_folders import model_folder, own

NOW = 1_000_000


@pytest.fixture
def tmp_path(tmp_path):
    """An artifact folder: nothing else is read."""
    return own(tmp_path)


def rows(store, *columns):
    """What stands in columns of the index, by place."""
    files = model_files.outerjoin(packages, packages.c.files_id == model_files.c.id)
    chosen = sqlalchemy.select(*columns).select_from(files).order_by(model_files.c.location, packages.c.place)
    with store._engine.connect() as connection:
        return [tuple(row) for row in connection.execute(chosen)]


def indexed(store):
    """The names of folders, and the packages there; None where none could be read."""
    found = rows(store, model_files.c.location, model_files.c.read_at, packages.c.name, packages.c.version)
    return [(at.rpartition("/")[2], name if read else None, version) for at, read, name, version in found]


@contextmanager
def working(store):
    """A transaction like the indexer's."""
    engine = changing(store.uri, 1, 2_000)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


async def until(condition):
    """Waits for something, for a while."""
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.03)
    raise AssertionError


def eager(store):
    """An indexer that is in a hurry."""
    return Indexer(store.uri, delay_s=0, interval_s=0.03)


async def test_the_index_is_filled(store, tmp_path):
    """Each place once, whoever shares it; deleted versions and prompts are left out, what cannot be read is noted."""
    for name in ("m", "copies"):
        store.registered_model(name)
    store.version("m", source=model_folder(tmp_path / "a", "Scikit_Learn==1.4.2", "numpy>=1"))
    store.version("m", source=model_folder(tmp_path / "b", python=""))
    store.version("m", source=str(tmp_path / "c"))
    store.version("m", source=model_folder(tmp_path / "d", "shap==1.0"))
    store.client.delete_model_version("m", 4)
    store.copied("m", 1, "copies")
    prompt(store, "p")
    store.version("p", source=model_folder(tmp_path / "e", "shap==1.0"))
    index = eager(store)

    async with index.running(has_tables=True, may_write=True):
        assert index.state == "model files: not looked at yet"
        await until(lambda: index.state == "model files: 2 of 3 read, 1 cannot be read")

        store.version("m", source=model_folder(tmp_path / "f", "shap==1.0"))
        await until(lambda: index.state == "model files: 3 of 4 read, 1 cannot be read")

        model_folder(tmp_path / "c", "shap==2.0")
        store.sql("UPDATE lineage_model_files SET retry_at = 0")
        await until(lambda: index.state == "model files: 4 of 4 read")

    assert indexed(store) == [
        ("a", "python", "3.11.7"),
        ("a", "scikit-learn", "1.4.2"),
        ("a", "numpy", None),
        ("b", None, None),
        ("c", "python", "3.11.7"),
        ("c", "shap", "2.0"),
        ("f", "python", "3.11.7"),
        ("f", "shap", "1.0"),
    ]


async def test_a_model_that_is_still_being_uploaded(store, tmp_path):
    """What was read before the last of its files was there is not kept."""
    folder = model_folder(tmp_path / "a", "numpy==1.0")
    (tmp_path / "a" / "requirements.txt").rename(tmp_path / "later")
    (tmp_path / "a" / "conda.yaml").unlink()
    store.registered_model("m")
    store.version("m", source=folder)
    index = eager(store)
    async with index.running(has_tables=True, may_write=True):
        await until(lambda: index.state == "model files: 0 of 1 read, 1 cannot be read")
        assert indexed(store) == [("a", None, None)]
        model_folder(tmp_path / "a", "numpy==1.0")
        store.sql("UPDATE lineage_model_files SET retry_at = 0")
        await until(lambda: index.state == "model files: 1 of 1 read")

    assert indexed(store) == [("a", "python", "3.11.7"), ("a", "numpy", "1.0")]


async def test_nothing_is_written_that_need_not_be(store, tmp_path, monkeypatch):
    """Neither while nothing is new, nor where nothing may be written, nor without the tables."""
    store.registered_model("m")
    store.version("m", source=model_folder(tmp_path / "a", "numpy==1.0"))
    store.version("m", source=str(tmp_path / "gone"))
    looks = []
    look = model_index.progress
    monkeypatch.setattr(model_index, "progress", lambda connection: looks.append(1) or look(connection))
    only_looking, off, index = eager(store), eager(store), eager(store)

    async with only_looking.running(has_tables=True, may_write=False), off.running(has_tables=False, may_write=True):
        await until(lambda: len(looks) > 3)
        assert off.state == "model files: read when they are asked for"
    assert (only_looking.state, indexed(store)) == ("model files: 0 of 2 read", [])

    async with index.running(has_tables=True, may_write=True):
        await until(lambda: index.state == "model files: 1 of 2 read, 1 cannot be read")
        monkeypatch.setattr(indexer.Transactions, "write", None)  # which would be complained of
        looks.clear()
        await until(lambda: len(looks) > 3)
    assert index._complaint is None


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_database_that_is_locked(store, tmp_path, caplog, monkeypatch):
    """The log says so once, and the files are read when it is free again."""
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(indexer, "_LOCK_WAIT_S", 0.01)
    store.registered_model("m")
    store.version("m", source=model_folder(tmp_path / "a", "numpy==1.0"))
    index = eager(store)
    with closing(sqlite3.connect(store.uri.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with index.running(has_tables=True, may_write=True):
            await until(lambda: index._complaint)
            await asyncio.sleep(0.2)
            other.execute("ROLLBACK")
            await until(lambda: index.state == "model files: 1 of 1 read")

    said = "The index of model files could not be brought up to date: OperationalError: database is locked"
    assert [record.getMessage() for record in caplog.records] == [said]


async def test_several_processes_share_the_work(store, tmp_path):
    """A place is taken by one of them, for a minute; what a slow one found as well is not kept twice."""
    locations = [model_folder(tmp_path / name, "numpy==1.0") for name in "abc"]
    artifacts = Artifacts()
    found = await ModelFiles(artifacts).read(locations)
    artifacts.close()

    def taken(places, now):
        with working(store) as connection:
            return model_index.taken(connection, places, now)

    def note(places, found):
        with working(store) as connection:
            model_index.note(connection, places, found, NOW)

    slow, other = taken(locations[:2], NOW), taken(locations, NOW + 1)
    late = taken(locations, NOW + 60_000)
    assert [[place.location for place in places] for places in (slow, other, late)] == [
        locations[:2],
        locations[2:],
        locations[:2],
    ]
    note(other, found[2:])
    note(late, found[:2])
    note(slow, found[:2])

    assert indexed(store) == [(at, *package) for at in "abc" for package in (("python", "3.11.7"), ("numpy", "1.0"))]
    assert taken(locations, NOW + 10**9) == []


def test_a_place_that_cannot_be_read_is_tried_ever_later(store):
    """After a minute, after two, and so on; never later than after about an hour."""
    [nothing] = [ModelFiles(Artifacts())._understood({})]
    now, pauses = NOW, []
    for _ in range(8):
        with working(store) as connection:
            places = model_index.taken(connection, ["gone"], now)
            model_index.note(connection, places, [nothing], now)
        [(retry_at,)] = rows(store, model_files.c.retry_at)
        pauses.append((retry_at - now) // 60_000)
        now = retry_at

    assert pauses == [1, 2, 4, 8, 16, 32, 64, 64]


NASTY = st.text(st.sampled_from("a\0\ud800\n🦀é1.") | st.characters(), max_size=300)


@settings(deadline=None, max_examples=100, phases=[Phase.generate], derandomize=True)
@given(names=st.lists(st.tuples(NASTY, st.none() | NASTY), max_size=3), python=st.none() | NASTY)
def test_what_every_database_takes(names, python):
    """Whatever stands in the files, names and versions are short texts that can be printed; others are left out."""
    environment = Environment(python, [Package(name, version, "") for name, version in names])
    found = model_index.versions_in(Manifest(None, [], None, environment, None, None, None))

    assert all(name.isprintable() and 0 < len(name) <= 250 for name, _ in found)
    assert all(version is None or (version.isprintable() and 0 < len(version) <= 100) for _, version in found)
    fit = [name for name, _ in names if name.isprintable() and 0 < len(name) <= 250 and name != "python"]
    assert [name for name, _ in found if name != "python"] == fit
    assert model_index.versions_in(None) == []


async def test_many_places(store, tmp_path):
    """They are read in several portions."""
    folder = model_folder(tmp_path / "a", "numpy==1.0")
    store.registered_model("m")
    store.version("m", source=folder)
    copy = """INSERT INTO model_versions (workspace, name, version, current_stage, source, status, storage_location)
        SELECT workspace, name, :version, current_stage, source, status, :location FROM model_versions"""
    numbers = range(2, 152)
    for number in numbers:
        (tmp_path / str(number)).symlink_to(folder)
    with store._engine.begin() as connection:
        others = [{"version": number, "location": str(tmp_path / str(number))} for number in numbers]
        connection.execute(sqlalchemy.text(f"{copy} WHERE version = 1"), others)
    index = eager(store)
    async with index.running(has_tables=True, may_write=True):
        await until(lambda: index.state == "model files: 151 of 151 read")

    assert rows(store, packages.c.name) == [("python",), ("numpy",)] * 151
