"""Many who follow what happens: what each costs while nothing happens, and how late they are told when much does."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import sqlalchemy
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.tables import table
from lineage_api.migrations.recording import begin
from lineage_api.store import opening

IDLE = "subscription ($models: [String!]) { registryEvents(models: $models) { id } }"
BUSY = "subscription { registryEvents { id kind value modelVersion { stage } } }"
SETTLE_S = 3.0


class Server:
    """`lineage-api serve` of a store, as a user starts it."""

    def __init__(self, uri: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.address = f"ws://127.0.0.1:{port}/graphql"
        command = [str(Path(sys.executable).parent / "lineage-api"), "serve", "--backend-store-uri", uri]
        self.process = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL)
        while not self._is_up(port):
            time.sleep(0.1)

    @staticmethod
    def _is_up(port: int) -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", port)) == 0

    def memory_kb(self) -> int:
        """What it holds, mapped files of databases apart."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))

    def busy_s(self) -> float:
        """How long it has been on a processor."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def close(self) -> None:
        """Stops it."""
        self.process.terminate()
        self.process.wait()


@asynccontextmanager
async def following(address: str, query: str, **variables: object) -> AsyncIterator[ClientConnection]:
    """A connection with one subscription."""
    async with connect(address, subprotocols=["graphql-transport-ws"], compression=None, ping_interval=None) as one:  # type: ignore[list-item]
        await one.send('{"type": "connection_init"}')
        await one.recv()
        payload = {"query": query, "variables": variables}
        await one.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        yield one


async def taken(connection: ClientConnection, count: int) -> list[tuple[int, float]]:
    """The numbers that so many events tell, and when each was received."""
    found = []
    for _ in range(count):
        message = json.loads(await connection.recv())
        found.append((int(message["payload"]["data"]["registryEvents"]["value"]), time.time()))
    return found


WRITER = """
import sys, time, sqlalchemy
uri, count, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
engine = sqlalchemy.create_engine(uri)
begun = time.time()
for number in range(count):
    time.sleep(max(0, begun + number / rate - time.time()))
    with engine.connect() as connection:
        update = sqlalchemy.text("UPDATE registered_model_tags SET value = :value WHERE name = 'm'")
        connection.execute(update, {"value": number})
        moment = time.time()
        connection.commit()
    print(number, repr(moment), flush=True)
"""
"""Another process, which changes a tag again and again and says when it began to commit."""


async def measured(uri: str, idle: int, busy: int, rate: float, seconds: float) -> dict[str, float]:
    """What is measured; fails where anything was lost, doubled or out of order."""
    count = round(rate * seconds)
    server = Server(uri)
    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(following(server.address, BUSY))  # by which all is loaded
            await asyncio.sleep(SETTLE_S)
            before = server.memory_kb()
            quiet = [
                await stack.enter_async_context(following(server.address, IDLE, models=[f"nobody {number}"]))
                for number in range(idle)
            ]
            await asyncio.sleep(SETTLE_S)
            result = {"kB for an idle one": (server.memory_kb() - before) / max(1, idle)}
            began = server.busy_s()
            await asyncio.sleep(SETTLE_S)
            result["% of a processor, idle"] = (server.busy_s() - began) / SETTLE_S * 100
            loud = [await stack.enter_async_context(following(server.address, BUSY)) for _ in range(busy)]
            await asyncio.sleep(SETTLE_S)
            began = server.busy_s()
            writer = await asyncio.create_subprocess_exec(
                sys.executable, "-c", WRITER, uri, str(count), str(rate), stdout=asyncio.subprocess.PIPE
            )
            told = await asyncio.gather(*(taken(each, count) for each in loud))
            written = (await writer.communicate())[0].decode().split()
            result["% of a processor, busy"] = (server.busy_s() - began) / seconds * 100
            moments = dict(zip(map(int, written[::2]), map(float, written[1::2]), strict=True))
            assert all([number for number, _ in one] == list(range(count)) for one in told), (
                "lost, doubled or disordered"
            )
            late = sorted((at - moments[number]) * 1000 for one in told for number, at in one)
            result |= {
                "median ms": statistics.median(late),
                "p99 ms": late[round(len(late) * 0.99) - 1],
                "max ms": late[-1],
            }
            for each in quiet:
                assert each.state.name == "OPEN"
                assert not each.recv_messages.frames.queue, "an idle one was told of something"
            return result
    finally:
        server.close()


def prepared(uri: str) -> str:
    """A new store at a URI, with the registered model `m` and a tag of it."""
    found = opening.prepared(uri, artifact_root=tempfile.gettempdir())
    begin(found)
    with sqlalchemy.create_engine(found).begin() as connection:
        connection.execute(
            sqlalchemy.text(
                "INSERT INTO registered_models (workspace, name, creation_time, last_updated_time)"
                " VALUES ('default', 'm', 1, 1)"
            )
        )
        connection.execute(
            sqlalchemy.text(
                "INSERT INTO registered_model_tags (workspace, name, key, value) VALUES ('default', 'm', 'k', '-1')"
            )
        )
    return found


def main() -> None:
    """Prints a table of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--uri", nargs="*", default=[], help="empty databases of PostgreSQL, beside a new one of SQLite"
    )
    parser.add_argument("--idle", type=int, default=2_000)
    parser.add_argument("--busy", type=int, default=200)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=30)
    asked = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for uri in [f"sqlite:///{folder}/mlflow.db", *asked.uri]:
            result = asyncio.run(measured(prepared(uri), asked.idle, asked.busy, asked.rate, asked.seconds))
            rows.append([uri.partition(":")[0], *(f"{value:.1f}" for value in result.values())])
            heads = ["database", *result]
    print(table(heads, rows))


if __name__ == "__main__":
    main()
