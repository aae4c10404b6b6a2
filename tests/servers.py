"""Servers and other processes, which are there at once: each is forked from one that has everything loaded.

What would take seconds for each is done once, as the first change does that has MLflow imported. Beyond that they are
as any process is: they are told to stop, and cut off from their files.
"""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

_loaded = get_context("forkserver")
_loaded.set_forkserver_preload(["tests.loaded", "pytest"])
_PATIENCE_S = 60.0


def environment(**variables: str) -> dict[str, str]:
    """Ours, without what it says to MLflow and to us."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "LINEAGE_API_"))}
    return {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONUNBUFFERED": "1", **variables}


class Server:
    """`lineage-api` in a process of its own."""

    def __init__(self, process: BaseProcess, said: Path, complained: Path) -> None:
        self.process, self._said, self._complained = process, said, complained

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

    def tell_to_stop(self, by: int = signal.SIGTERM) -> None:
        """As whoever runs a server does."""
        assert self.process.pid is not None
        os.kill(self.process.pid, by)

    def ended(self) -> int | None:
        """Its exit code, once it has ended; None where it does not."""
        self.process.join(_PATIENCE_S)
        return self.process.exitcode

    def stop(self, by: int = signal.SIGTERM) -> tuple[int | None, float]:
        """How it ended when it was told to, and how many seconds that took."""
        began = time.monotonic()
        self.tell_to_stop(by)
        return self.ended(), time.monotonic() - began


@contextmanager
def another(target: Callable[..., None], *arguments: object) -> Iterator[BaseProcess]:
    """A process that calls a function; killed in the end."""
    process = _loaded.Process(target=target, args=arguments)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        process.close()


@contextmanager
def started(*arguments: str, command: str = "serve", folder: Path | None = None, **variables: str) -> Iterator[Server]:
    """A server with these arguments, on a free port unless they name one; killed in the end."""
    port = [] if "--port" in arguments else ["--port", "0"]
    with begun(command, *port, *arguments, folder=folder, **variables) as server:
        yield server


def run(*arguments: str, folder: Path | None = None, **variables: str) -> tuple[int | None, str, str]:
    """Exit code, standard output and standard error of a command that ends by itself."""
    with begun(*arguments, folder=folder, **variables) as command:
        return command.ended(), command.said, command.complaints


@contextmanager
def begun(*arguments: str, folder: Path | None = None, **variables: str) -> Iterator[Server]:
    """A command; killed in the end."""
    from tests.loaded import command

    with TemporaryDirectory() as words:
        said, complained = Path(words) / "said", Path(words) / "complained"
        for file in (said, complained):
            file.touch()
        about = (arguments, str(folder or Path.cwd()), str(said), str(complained), environment(**variables))
        with another(command, *about) as process:
            yield Server(process, said, complained)
