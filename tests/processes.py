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
    with _holding(_LOCK, str(file), mode) as release:
        yield release


_WRITE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.rollback()
connection.close()
"""


@contextmanager
def about_to_write(file: str) -> Iterator[Callable[[], None]]:
    """Another process keeps all others from writing to a database of SQLite, for as long."""
    with _holding(_WRITE_LOCK, file) as release:
        yield release


@contextmanager
def _holding(script: str, *arguments: str) -> Iterator[Callable[[], None]]:
    """A process that has locked something until it is told to let go; told in the end in any case."""
    command = [sys.executable, "-c", script, *arguments]
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
