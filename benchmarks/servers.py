"""The servers that are compared: how each is started, asked and watched."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from sqlalchemy import make_url

from benchmarks import mlflow_server, postgraphile
from benchmarks.asking import ByHand, Dialogue, Slow, Way
from benchmarks.client import Connection
from benchmarks.questions import POINT, Json, Question

BIN = Path(sys.executable).parent
HAND = [sys.executable, "-m", "benchmarks.handwritten", "--uri", "{uri}", "--port", "{port}"]
OURS = [str(BIN / "lineage-api"), "serve", "--read-only", "--backend-store-uri", "{uri}", "--port", "{port}"]
PLAIN = [sys.executable, "-m", "benchmarks.plain", "--uri", "{uri}", "--port", "{port}"]
MLFLOW = [str(BIN / "mlflow"), "server", "--workers", "1", "--backend-store-uri", "{uri}", "--port", "{port}"]


@dataclass(frozen=True)
class Kind:
    """A server that can be started."""

    name: str
    command: Sequence[str]
    way: Way
    page: Sequence[str] = ()
    """What its command takes before the greatest page that it may give."""
    prepared: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext()
    """What it needs in the database while it runs."""
    folder: str | None = None
    """Where it is started."""


LINEAGE_API = "lineage_api"
KINDS = [
    Kind("hand", HAND, ByHand()),
    Kind("hand, JSON", [*HAND, "--json"], ByHand()),
    Kind(LINEAGE_API, OURS, Way(), ["--max-page"]),
    Kind("graphql-core", PLAIN, Slow(), ["--max-page"]),
    Kind("PostGraphile", postgraphile.COMMAND, postgraphile.PostGraphile(), prepared=postgraphile.views),
    Kind("MLflow REST", MLFLOW, mlflow_server.Rest(), folder=tempfile.gettempdir()),
    Kind("MLflow REST, batched", MLFLOW, mlflow_server.Batched(), folder=tempfile.gettempdir()),
    Kind("MLflow GraphQL", MLFLOW, mlflow_server.GraphQL(), folder=tempfile.gettempdir()),
]


def kinds(uri: str, wanted: Sequence[str] | None = None) -> list[Kind]:
    """All that can be compared on this store, or those of them that are wanted."""
    here = [kind for kind in KINDS if not wanted or kind.name in wanted]
    if make_url(uri).get_backend_name() == "sqlite":
        return [kind for kind in here if kind.name not in ("hand, JSON", "PostGraphile")]
    if not postgraphile.NODE.exists():
        print("PostGraphile is left out: run `npm ci` in benchmarks/postgraphile", file=sys.stderr)
        return [kind for kind in here if kind.name != "PostGraphile"]
    return here


@dataclass
class Server:
    """A server that runs."""

    name: str
    command: list[str]
    way: Way
    process: subprocess.Popen[bytes]
    port: int
    log: IO[bytes]
    connection: Connection | None = None

    def other(self, kind: Kind) -> Server:
        """The same process, asked another way."""
        return replace(self, name=kind.name, way=kind.way, connection=None)

    def ask(self, question: Question, variables: Json) -> tuple[float, list[bytes]]:
        """How many milliseconds all requests that the question takes were under way, and what came back."""
        if self.connection is None or self.connection.is_closed():
            self.connection = Connection(self.port)
        return asked(self.connection, self.way.dialogue(question, variables))

    def data(self, question: Question, variables: Json) -> Any:
        """The data of the answer, in the shape of ours."""
        return self.way.data(question, variables, self.ask(question, variables)[1])

    def memory(self, what: str = "RssAnon") -> float:
        """How much memory it holds now, in MB; without that of files unless something else is asked for."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))

    def busy(self) -> float:
        """How many milliseconds its processes have been on a processor, by their clocks."""
        return sum(time.clock_gettime(~pid << 3 | 2) for pid in self.processes) * 1000

    @cached_property
    def processes(self) -> list[int]:
        """Its process and those under it."""
        found = [self.process.pid]
        for pid in found:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            found += [int(child) for child in children]
        return found


def asked(connection: Connection, dialogue: Dialogue) -> tuple[float, list[bytes]]:
    """Milliseconds and bodies of a dialogue; what the client does in between is not counted."""
    took, bodies, request = 0.0, [], next(dialogue)
    while True:
        milliseconds, body = connection.ask(request)
        took += milliseconds
        bodies.append(body)
        try:
            request = dialogue.send(body)
        except StopIteration:
            return took, bodies


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def running(kind: Kind, uri: str, probe: Json, *, through: str | None = None, page: int = 0) -> Iterator[Server]:
    """The server, once it answers; stopped in the end. `through` is another address of the same database."""
    port, address = free_port(), through or uri
    command = [part.format(uri=address, port=port) for part in kind.command]
    if page and kind.page:
        command += [*kind.page, str(page)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "NODE_ENV": "production",
        "DATABASE_URL": postgraphile.address(address) if kind.name == "PostGraphile" else "",
    }
    with kind.prepared(uri), tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=kind.folder)
        server = Server(kind.name, command, kind.way, process, port, log)
        try:
            _wait(server, probe)
            yield server
        finally:
            if server.connection:
                server.connection.close()
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Has a process end, in one way or the other."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def all_running(stack: ExitStack, kinds: Sequence[Kind], uri: str, probe: Json, page: int = 0) -> list[Server]:
    """All of them; those with the same command are one process, which is asked in several ways."""
    processes: dict[tuple[str, ...], Server] = {}
    servers = []
    for kind in kinds:
        command = tuple(kind.command)
        if command in processes:
            servers.append(processes[command].other(kind))
        else:
            processes[command] = stack.enter_context(running(kind, uri, probe, page=page))
            servers.append(processes[command])
    return servers


def _wait(server: Server, probe: Json) -> None:
    """Until it listens and, where it can, answers the point query; a minute at most."""
    for _ in range(600):
        if server.process.poll() is not None:
            break
        try:
            if server.way.answers(POINT):
                server.ask(POINT, probe)
            else:
                socket.create_connection(("127.0.0.1", server.port)).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return
    server.log.seek(0)
    sys.exit(f"{server.name} does not answer: {' '.join(server.command)}\n{server.log.read()[-3000:].decode()}")
