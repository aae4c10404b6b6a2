"""Other processes, as tests need them."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = """
import sqlite3, sys
file, mode = sys.argv[1:]
with sqlite3.connect(file, isolation_level=None, timeout=10) as connection:
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("UPDATE experiments SET name = name")
    print("locked", flush=True)
    sys.stdin.readline()
    connection.execute("ROLLBACK")
connection.close()
"""


@contextmanager
def locked(file: Path, mode: str) -> Iterator[Callable[[], None]]:
    """Another process keeps everybody out of a database of SQLite, until the function is called or the block ends."""
    command = [sys.executable, "-c", _LOCK, str(file), mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"

        def release() -> None:
            if not process.stdin.closed:
                process.stdin.close()
            process.wait()

        try:
            yield release
        finally:
            release()
