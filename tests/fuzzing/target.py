"""What is fuzzed: a store with a little of everything, which may be spoiled, and a server of it."""

import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from lineage_api.access.roles import Role
from lineage_api.access.token_file import TokenFile
from lineage_api.access.tokens import made
from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.store.opening import prepared
from tests.api.test_random_operations import Asked, fill
from tests.serving import served
from tests.stores import Store
from tests.test_cli import serving

_HARMLESS = re.compile(
    r"""(?:WARNING:\ +)?(?:Invalid\ HTTP\ request|Unsupported\ upgrade\ request|No\ supported\ WebSocket\ library)
    | INFO: | \S+\ failed\ to\ answer\ \d+\ times
    | discarding\ closed\ connection | query\ cancellation\ interrupted""",
    re.VERBOSE,
)
"""How lines of the log begin that are written of requests which are none, of artifact stores that are not there, and,
by psycopg, of connections to PostgreSQL whose reads were stopped because the client had gone."""


class Log:
    """What a server has logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @property
    def complaints(self) -> list[str]:
        """All that a server does not write which is merely sent nonsense."""
        return [line for line in self.lines if line.strip() and not _HARMLESS.match(line)]

    def about(self, id_: str) -> str:
        """What the log has of an error."""
        end = time.monotonic() + 1
        while time.monotonic() < end:
            lines = list(self.lines)
            found = next((place for place, line in enumerate(lines) if id_ in line), None)
            if found is not None and len(lines) > found + 1:
                later = (n for n in range(found + 1, len(lines)) if lines[n].startswith("Error "))
                return "\n".join(lines[found : next(later, len(lines))][-60:])
            time.sleep(0.05)
        return "(the log has nothing of it)"


@contextmanager
def _heard(stream: Any) -> Iterator[Log]:
    """What another process writes, which is read all the time so that it never waits for that."""
    log = Log()
    reading = threading.Thread(target=lambda: log.lines.extend(line.rstrip() for line in stream), daemon=True)
    reading.start()
    yield log
    reading.join(10)


@contextmanager
def _logged() -> Iterator[Log]:
    """What this process logs."""
    log, handler = Log(), logging.Handler(logging.WARNING)
    handler.emit = lambda record: log.lines.extend(handler.format(record).splitlines())  # type: ignore[method-assign]
    loggers = [logging.getLogger(), logging.getLogger("uvicorn")]  # the second one passes nothing on
    for logger in loggers:
        logger.addHandler(handler)
    yield log
    for logger in loggers:
        logger.removeHandler(handler)


class Target:
    """A server in a process of its own."""

    def __init__(self, address: str, log: Log, known: dict[str, Any], tokens: dict[Role, str]) -> None:
        self.address = address
        self.log = log
        self.known = known
        """Values of arguments, some of which are in the store."""
        self.tokens = tokens
        """By which the server knows who asks: one for each role."""

    def caller(self, chance: Random) -> str:
        """Who asks, as HTTP's header says it: mostly somebody who may do everything."""
        role = chance.choice([Role.MANAGER] * 7 + [Role.READER] * 2 + [Role.EDITOR])
        return f"Bearer {self.tokens[role]}"

    @property
    def port(self) -> int:
        """Where it listens on this machine."""
        return int(self.address.rpartition(":")[2])


def _tokens(folder: Path) -> tuple[str, dict[Role, str]]:
    """A file of tokens, one for each role, and these."""
    file, tokens = TokenFile(str(folder / "tokens.json")), {}
    for role in Role:
        kept, tokens[role] = made(role.name, role, None)
        file.add(kept)
    return file.path, tokens


def _known(uri: str) -> dict[str, Any]:
    asked = Asked(uri)
    try:
        return dict(asked.known)
    finally:
        asked.close()


@contextmanager
def target(uri: str | None) -> Iterator[Target]:
    """A server of a store to be spoiled: of an empty database that is filled, or of one on SQLite that is removed."""
    with TemporaryDirectory(prefix="fuzzing-") as folder:
        uri = prepared(uri or f"sqlite:///{folder}/mlflow.db", artifact_root=folder)
        store = Store(uri, Path(folder) / "artifacts")
        if store.client.get_experiment_by_name("flights") is None:
            fill(store)
        store.close()
        file, tokens = _tokens(Path(folder))
        known = _known(uri)
        with serving("--backend-store-uri", uri, "--tokens", file) as server:
            address = server.address
            with _heard(server.process.stderr) as log:
                yield Target(address, log, known, tokens)
                server.stop()


@contextmanager
def target_here(store: Store, folder: Path) -> Iterator[Target]:
    """A server in this process, of an empty store, which it fills."""
    fill(store)
    file, tokens = _tokens(folder)
    app = create_app(Settings(backend_store_uri=store.uri, tokens=file))
    with served(app) as address, _logged() as log:
        yield Target(address, log, _known(store.uri), tokens)
