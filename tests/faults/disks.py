"""Small disks, which can be full, and disks on which nothing can be written."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PIECE = 2**12


class Disk:
    """A small disk, in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leaves no room on it."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(_PIECE))
            except OSError:
                pass

    def make_room(self) -> None:
        """Gives back what `fill` took."""
        self._filler.unlink()

    def make_read_only(self) -> None:
        """Nothing can be written on it any more; nobody may have a file of it open."""
        subprocess.run(["mount", "-o", "remount,ro", self.folder], check=True)


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Disk]:
    """A disk of this size in place of a folder."""
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", folder], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("no disk can be mounted here")
    try:
        yield Disk(folder)
    finally:
        # Whoever has a file of it open keeps it a little longer.
        subprocess.run(["umount", "--lazy", folder], check=True)
