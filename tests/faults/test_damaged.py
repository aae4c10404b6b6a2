"""Files of SQLite that are damaged, cut off, read-only, or not there: at the start, and while a server runs."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from tests.faults.clients import client_of, require_kept
from tests.faults.disks import disk
from tests.servers import started

MODES = pytest.mark.parametrize("mode", ["DELETE", "WAL"])


@pytest.fixture
def file(on_sqlite, tmp_path, mode):
    """The file of a store, in one journal mode or the other."""
    on_sqlite.sql(f"PRAGMA journal_mode = {mode}")
    return tmp_path / "mlflow.db"


def nothing(_):
    """What is there for a moment while a copy is put in the place of a file."""
    return b""


def half(content):
    """What is left when copying broke off."""
    return content[: len(content) // 2]


def all_but_a_page(content):
    """The same, at the very end."""
    return content[:-4096]


def a_few_bytes(content):
    """The same, at the very beginning."""
    return content[:100]


def another_beginning(content):
    """No file of SQLite, by its first bytes."""
    return b"\xa5" * 100 + content[100:]


def another_end(content):
    """Other bytes in the place of half of the pages."""
    return half(content) + b"\xa5" * (len(content) - len(half(content)))


def other_pages(content):
    """Other bytes in the place of all pages but the first."""
    return content[:4096] + b"\xa5" * (len(content) - 4096)


def other_bytes(content):
    """Other bytes in the place of all."""
    return b"\xa5" * len(content)


DAMAGES = [half, all_but_a_page, a_few_bytes, another_beginning, another_end, other_pages]


def refusal(file, *arguments):
    """The line with which a file is not served, which is left as it is, with nothing beside it."""
    content, around = file.read_bytes(), sorted(file.parent.iterdir())
    with started("--backend-store-uri", f"sqlite:///{file}", *arguments) as server:
        assert server.ended() == 2, server.complaints
        [line] = server.complaints.splitlines()
        assert server.said == ""
    assert file.read_bytes() == content
    assert sorted(file.parent.iterdir()) == around
    return line.removeprefix(f"lineage-api: sqlite:///{file} cannot be opened: ")


@MODES
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_file_at_the_start(file, damage):
    """It is refused in one line that says of which file what is wrong."""
    file.write_bytes(damage(file.read_bytes()))
    assert refusal(file) in {"database disk image is malformed", "file is not a database"}


@MODES
@pytest.mark.parametrize("is_said", [False, True], ids=["", "read-only"])
async def test_a_disk_that_is_read_only(file, tmp_path, mode, is_said):
    """With a rollback journal it can be read, and changes are refused; else nothing can be read without writing."""
    (tmp_path / "small").mkdir()
    with disk(tmp_path / "small", "8m") as small:
        copied = shutil.copy(file, small.folder / "mlflow.db")
        content = copied.read_bytes()
        small.make_read_only()
        options = ["--read-only"] if is_said else []
        if mode == "WAL":
            assert refusal(copied, *options) == "unable to open database file"
            return
        with started("--backend-store-uri", f"sqlite:///{copied}", *options) as server:
            async with client_of(server.address) as client:
                assert (await client.read()).is_good
                if not is_said:
                    heard = await client.tag("key", "x")
                    assert [error["message"] for error in heard.errors] == ["This database can only be read."]
        assert copied.read_bytes() == content
        assert list(small.folder.iterdir()) == [copied]


@MODES
async def test_a_file_that_vanishes(file, on_sqlite):
    """Nothing is read, written or made meanwhile; once it is back, all is as it was."""
    away = file.with_name("away.db")
    with started("--backend-store-uri", on_sqlite.uri) as server:
        async with client_of(server.address) as client:
            assert (await client.tag("before", "x")).is_good
            file.rename(away)
            for turn in range(2):
                assert not (await client.read()).is_good
                assert not (await client.tag("meanwhile", str(turn))).is_good
            assert not file.exists()
            assert await client.is_up()
            away.rename(file)
            heard = await client.read()
            assert heard.data["registeredModel"]["tags"] == [{"key": "before", "value": "x"}]
            assert (await client.tag("after", "x")).is_good
    require_kept(on_sqlite.uri, [("before", "x"), ("after", "x")])


@MODES
async def test_a_file_that_is_replaced(file, on_sqlite):
    """What is changed after that is changed in the file that is there, and not in one that is gone."""
    with closing(sqlite3.connect(file)) as connection, closing(sqlite3.connect(file.with_name("backup.db"))) as backup:
        connection.backup(backup)
    with started("--backend-store-uri", on_sqlite.uri) as server:
        async with client_of(server.address) as client:
            assert (await client.tag("before", "x")).is_good
            for beside in ("mlflow.db-wal", "mlflow.db-shm"):
                file.with_name(beside).unlink(missing_ok=True)
            file.with_name("backup.db").replace(file)
            assert (await client.tag("after", "x")).is_good
            heard = await client.read()
            assert heard.data["registeredModel"]["tags"] == [{"key": "after", "value": "x"}]
    require_kept(on_sqlite.uri, [("after", "x")])


@MODES
@pytest.mark.parametrize("damage", [nothing, other_bytes], ids=lambda damage: damage.__name__)
async def test_a_file_that_is_damaged_meanwhile(file, on_sqlite, mode, damage):
    """The server goes on, tells nobody more than that it failed, and reads again once the file is as it was."""
    with started("--backend-store-uri", on_sqlite.uri) as server:
        async with client_of(server.address) as client:
            assert (await client.tag("before", "x")).is_good
            assert (await client.read()).is_good
            content = file.read_bytes()
            overwrite(file, damage(content))
            for turn in range(2):
                # What is in memory, or in the log beside it, may be read and written all the same.
                await client.read()
                if (mode, damage) != ("WAL", nothing):  # where parts of the log would be copied into the empty file
                    await client.tag("meanwhile", str(turn))
                assert await client.is_up()
            overwrite(file, content)
            heard = await client.read()
            assert heard.is_good
            assert {"key": "before", "value": "x"} in heard.data["registeredModel"]["tags"]
            assert (await client.tag("after", "x")).is_good
    require_kept(on_sqlite.uri, [("before", "x"), ("after", "x")])


def overwrite(file, content):
    """Writes into a file as `cp` does: it is the same file, and empty for a moment."""
    with file.open("wb") as there:
        there.write(content)
