"""Disks on which there is no room left, for a while."""

import os
import random
import resource
import shutil

import pytest

from lineage_api.migrations import recording
from lineage_api.store.opening import prepared
from tests.faults.clients import MODEL, client_of, require_kept
from tests.faults.clusters import cluster, give
from tests.faults.disks import disk
from tests.servers import started
from tests.stores import Store

TIMES = int(os.environ.get("LINEAGE_API_DISK_FULL", "2"))
"""How often there is no room; 50 in the long run."""
MOST = 5_000
"""After so many changes a disk has to be full."""


class Refusal:
    """A server that can write nothing at all, as on a disk that has failed: no file may be longer than nothing."""

    def __init__(self, server):
        self._pid = server.process.pid

    def fill(self):
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def make_room(self):
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
async def test_a_full_disk(on_sqlite, tmp_path, mode):
    """What cannot be written is an error, and is not there; all is read as before, and written once there is room."""
    (tmp_path / "small").mkdir()
    with disk(tmp_path / "small", "8m") as small:
        shutil.copy(tmp_path / "mlflow.db", small.folder)
        store = Store(f"sqlite:///{small.folder}/mlflow.db", tmp_path)
        store.sql(f"PRAGMA journal_mode = {mode}")
        with started("--backend-store-uri", store.uri) as server:
            made = await full_and_not(server, small, "UNSUITABLE_STORE")
        require_kept(store.uri, made)


async def test_a_disk_that_fails(on_sqlite):
    """The same, where the system does not say that there is no room."""
    with started("--backend-store-uri", on_sqlite.uri) as server:
        made = await full_and_not(server, Refusal(server), "INTERNAL")
    require_kept(on_sqlite.uri, made)


async def test_a_full_disk_of_postgresql():
    """The same, where its tables are on a disk of their own."""
    with cluster() as postgresql:
        (postgresql.folder / "small").mkdir()
        with disk(postgresql.folder / "small", "40m") as small:
            give(small.folder)
            postgresql.administer(
                f"CREATE TABLESPACE small LOCATION '{small.folder}'", "CREATE DATABASE store TABLESPACE small"
            )
            uri = prepared(f"{postgresql.address}/store", artifact_root="/nowhere")
            recording.begin(uri)
            store = Store(uri, "/nowhere")
            store.registered_model(MODEL)
            store.close()
            with started("--backend-store-uri", uri) as server:
                made = await full_and_not(server, small, "UNSUITABLE_STORE")
            require_kept(uri, made)
            postgresql.administer("DROP DATABASE store WITH (FORCE)", "DROP TABLESPACE small")


async def full_and_not(server, place, code):
    """The tags that were set on a server, the disk of which was full in between, and by which code it says so."""
    chance, made = random.Random(1), {}
    async with client_of(server.address) as client:

        async def written():
            key, value = f"key {len(client.heard)}", chance.randbytes(2_000).hex()
            heard = await client.tag(key, value)
            if heard.is_good:
                made[key] = value
            return heard.is_good

        for _ in range(TIMES):
            assert await written()
            place.fill()
            tries = 1
            while await written():
                tries += 1
                assert tries < MOST
            assert client.heard[-1].codes == {code}
            for _ in range(5):
                heard = await client.read()
                assert heard.is_good
                assert {tag["key"]: tag["value"] for tag in heard.data["registeredModel"]["tags"]} == made
            assert await client.is_up()
            place.make_room()
        assert await written()
        print(f"{len(made)} changes made; refused with {set().union(*(heard.codes for heard in client.heard))}")
    return made.items()
