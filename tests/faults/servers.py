"""Servers in processes of their own, which are there at once: each is forked from one that has everything loaded.

What would take seconds for each is done once, as the first change does that has MLflow imported. Beyond that they are
as any process is: they are told to stop, and cut off from their files.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.test_cli import environment

_loaded = get_context("forkserver")
_loaded.set_forkserver_preload(["tests.faults.loaded", "pytest"])
_PATIENCE_S = 60.0


class Server:
    """`lineage-api` in a process of its own."""

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        from tests.faults.loaded import command

        self._said, self._complained = folder / "said", folder / "complained"
        for file in (self._said, self._complained):
            file.touch()
        about = (arguments, str(self._said), str(self._complained), environment())
        self.process = _loaded.Process(target=command, args=about)
        self.process.start()

    @property
    def address(self) -> str:
        """Where it answers, once it does."""
        end = time.monotonic() + _PATIENCE_S
        while not (found := re.search(r"^GraphQL +(http://\S+)/graphql\n", self.said, re.MULTILINE)):
            assert self.process.is_alive(), self.complaints
            assert time.monotonic() < end, self.complaints
            time.sleep(0.01)
        return found[1]

    @property
    def said(self) -> str:
        """What is on its standard output."""
        return self._said.read_text()

    @property
    def complaints(self) -> str:
        """What is on its standard error, where its log is."""
        return self._complained.read_text()

    def tell_to_stop(self) -> None:
        """As whoever runs a server does."""
        self.process.terminate()

    def ended(self) -> int | None:
        """Its exit code, once it has ended; None where it does not."""
        self.process.join(_PATIENCE_S)
        return self.process.exitcode


@contextmanager
def started(*arguments: str) -> Iterator[Server]:
    """A server on a free port, with these arguments; killed in the end."""
    with TemporaryDirectory() as folder:
        server = Server(Path(folder), ["serve", "--port", "0", *arguments])
        try:
            yield server
        finally:
            server.process.kill()
            server.process.join()
            server.process.close()
