"""What a change costs beside MLflow's own call for it.

`python -m benchmarks.changes [--database sqlite|postgresql]`: each change is made by `lineage-api serve` over HTTP, by
MLflow's own client straight on a database (no server, no HTTP), and with `--rest` by MLflow's own server over HTTP, in
turn, each on a store of its own that is made anew. MLflow's stores have none of our tables and triggers. The ratio is
that of neighbours in time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from mlflow import MlflowClient
from sqlalchemy import create_engine, text

from benchmarks.client import Connection, post
from benchmarks.servers import free_port
from lineage_api.store.opening import prepared

POSTGRESQL = os.environ.get("LINEAGE_API_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432")
VERSIONS = 20

DOCUMENTS = {
    "transition": "mutation ($i: TransitionModelVersionInput!) { transitionModelVersion(input: $i) { events { id } } }",
    "alias": "mutation ($i: SetModelAliasInput!) { setModelAlias(input: $i) { events { id } } }",
    "tag": "mutation ($i: SetTagsInput!) { setTags(input: $i) { events { id } } }",
    "description": "mutation ($i: UpdateModelVersionInput!) { updateModelVersion(input: $i) { events { id } } }",
    "register": "mutation ($i: RegisterModelVersionInput!) { registerModelVersion(input: $i) { events { id } } }",
    "create": "mutation ($i: CreateRegisteredModelInput!) { createRegisteredModel(input: $i) { events { id } } }",
}


def inputs(turn: int, version_id: str) -> dict[str, dict[str, Any]]:
    """What each change is asked for with; no two turns ask for the same."""
    version = turn % VERSIONS + 1
    return {
        "transition": {"model": "m", "version": version, "stage": "PRODUCTION", "archiveExisting": True},
        "alias": {"model": "m", "alias": "champion", "version": version},
        "tag": {"subjectId": version_id, "tags": [{"key": "turn", "value": str(turn)}]},
        "description": {"model": "m", "version": version, "description": f"turn {turn}"},
        "register": {"model": "n", "source": "s3://bucket/model"},
        "create": {"name": f"made-{turn}"},
    }


def by_mlflow(client: Any, turn: int) -> dict[str, Callable[[], object]]:
    """The same by MLflow's client."""
    version = turn % VERSIONS + 1
    return {
        "transition": lambda: client.transition_model_version_stage("m", version, "Production", True),
        "alias": lambda: client.set_registered_model_alias("m", "champion", version),
        "tag": lambda: client.set_model_version_tag("m", 1, "turn", str(turn)),
        "description": lambda: client.update_model_version("m", version, f"turn {turn}"),
        "register": lambda: client.create_model_version("n", "s3://bucket/model"),
        "create": lambda: client.create_registered_model(f"made-{turn}"),
    }


@contextmanager
def stores(database: str, count: int) -> Iterator[list[str]]:
    """New stores with a model of some versions each."""
    with tempfile.TemporaryDirectory() as folder:
        first = f"sqlite:///{folder}/0.db" if database == "sqlite" else f"{POSTGRESQL}/lineage_changes_0"
        uris = [first.replace("0.db", f"{i}.db").replace("_0", f"_{i}") for i in range(count)]
        for uri in uris:
            emptied(uri)
            prepared(uri, artifact_root=folder)
            client = MlflowClient(uri, uri)
            for name in ("m", "n"):
                client.create_registered_model(name)
            for _ in range(VERSIONS):
                client.create_model_version("m", "s3://bucket/model")
        yield uris
        shutil.rmtree(folder, ignore_errors=True)
        Path(folder).mkdir(exist_ok=True)


def emptied(uri: str) -> None:
    """Makes an empty database anew, where it is no file."""
    if uri.startswith("sqlite"):
        return
    name = uri.rpartition("/")[2]
    engine = create_engine(f"{POSTGRESQL}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))


@contextmanager
def serving(command: list[str], path: str) -> Iterator[int]:
    """The port of a server, once it answers."""
    port = free_port()
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([*command, "--port", str(port)], env=environment, stdout=log, stderr=log)
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).read()
                    break
                except OSError:
                    time.sleep(0.1)
            yield port
        finally:
            process.terminate()
            process.wait()


def main() -> None:
    """Measures, and prints a line for each change."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--rest", action="store_true", help="also by MLflow's own server")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    bin_ = Path(sys.executable).parent
    with ExitStack() as stack:
        uris = stack.enter_context(stores(options.database, 3))
        ours = [str(bin_ / "lineage-api"), "serve", "--backend-store-uri", uris[0]]
        connection = Connection(stack.enter_context(serving(ours, "/readyz")))
        clients = {"client": MlflowClient(uris[1], uris[1])}
        if options.rest:
            # MLflow's REST handlers pass versions as texts, which psycopg 3 refuses where versions are archived.
            uri = uris[2].replace("postgresql://", "postgresql+psycopg2://")
            theirs = [str(bin_ / "mlflow"), "server", "--backend-store-uri", uri, "--workers", "1"]
            port = stack.enter_context(serving(theirs, "/health"))
            address = f"http://127.0.0.1:{port}"
            clients["REST"] = MlflowClient(address, address)
        print(f"{options.database}, {options.rounds} rounds; milliseconds, median (quartiles)")
        results = measured(connection, clients, options.rounds)
    for change, taken in results.items():
        print(line(change, taken))


def measured(connection: Connection, clients: dict[str, Any], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Milliseconds of each change, each way."""
    asked = post("/graphql", orjson.dumps({"query": '{ modelVersion(ref: {model: "m", version: 1}) { id } }'}))
    version_id = json.loads(connection.ask(asked)[1])["data"]["modelVersion"]["id"]
    taken: dict[str, dict[str, list[float]]] = {c: {way: [] for way in ("ours", *clients)} for c in DOCUMENTS}
    for turn in range(rounds + 10):
        for change, document in DOCUMENTS.items():
            body = {"query": document, "variables": {"i": inputs(turn, version_id)[change]}}
            ways = [("ours", partial(asked_for, connection, body))]
            ways += [(way, partial(timed, by_mlflow(client, turn)[change])) for way, client in clients.items()]
            for way, do in ways if turn % 2 else reversed(ways):
                milliseconds = do()
                if turn >= 10:
                    taken[change][way].append(milliseconds)
    return taken


def asked_for(connection: Connection, body: Any) -> float:
    """How many milliseconds an answer of ours takes."""
    return connection.ask(post("/graphql", orjson.dumps(body)))[0]


def timed(call: Callable[[], object]) -> float:
    """How many milliseconds a call takes."""
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1000


def line(change: str, taken: dict[str, list[float]]) -> str:
    """What is said of one change."""
    parts = [f"{change:<12}"]
    for way, values in taken.items():
        q1, median, q3 = statistics.quantiles(values, n=4)
        parts.append(f"{way} {median:.1f} ({q1:.1f} to {q3:.1f})")
    for way, theirs in taken.items():
        if way != "ours":
            ratios = [a / b for a, b in zip(taken["ours"], theirs, strict=True)]
            parts.append(f"ours / {way} {statistics.median(ratios):.2f}")
    return "  ".join(parts)


if __name__ == "__main__":
    main()
