"""Servers of PostgreSQL of our own, which can be started again, and have disks of their own."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest

_OWNER = "postgres"
"""Who runs PostgreSQL where we are root, as whom it refuses to run."""
_SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
fsync = on
shared_buffers = 16MB
"""


class Cluster:
    """A server of PostgreSQL."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.folder = folder
        self._data = folder / "data"
        self._log = folder / "log"
        self.address = f"postgresql://postgres@127.0.0.1:{port}"
        give(folder)
        _run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", self._data)
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS.format(port=port, folder=folder))
        self.start()

    def start(self) -> None:
        """Starts it; it answers then."""
        _run("pg_ctl", "start", "--wait", "--silent", f"--pgdata={self._data}", f"--log={self._log}")

    def stop(self, mode: str) -> None:
        """Stops it: `fast`, which ends all transactions, or `immediate`, which is a crash."""
        _run("pg_ctl", "stop", "--wait", "--silent", f"--pgdata={self._data}", f"--mode={mode}")

    def restart(self, mode: str, away_s: float = 0) -> tuple[float, float]:
        """Stops it, and starts it again after a while; gives since when, and until when, it was away."""
        begin = time.monotonic()
        self.stop(mode)
        time.sleep(away_s)
        self.start()
        return begin, time.monotonic()

    def administer(self, *statements: str) -> None:
        """Runs statements as its owner, each by itself."""
        with psycopg.connect(f"{self.address}/postgres", autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A new server, in memory where that can be, stopped and removed in the end."""
    if _program("initdb") is None:
        pytest.skip("PostgreSQL is not installed here")
    memory = Path("/dev/shm")
    folder = Path(mkdtemp(prefix="lineage_", dir=memory if os.access(memory, os.W_OK) else None))
    try:
        made = Cluster(folder)
        try:
            yield made
        finally:
            made.stop("immediate")
    finally:
        shutil.rmtree(folder)


def give(folder: Path) -> None:
    """Lets PostgreSQL write into a folder of ours."""
    if os.geteuid() == 0:
        shutil.chown(folder, _OWNER, _OWNER)


def _program(name: str) -> str | None:
    """Where a program of PostgreSQL is: Debian keeps those of each release in a folder of its own."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return str(found[-1]) if found else shutil.which(name)


def _run(name: str, *arguments: object) -> None:
    program = _program(name)
    assert program
    as_owner = ["runuser", "-u", _OWNER, "--"] if os.geteuid() == 0 else []
    # To a file, and not into a pipe, which what it starts would keep open.
    done = subprocess.run([*as_owner, program, *map(str, arguments)], stdout=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, name
