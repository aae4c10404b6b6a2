"""What the answers cost: comparison, lineage, blast radius, candidates.

`python -m benchmarks.answers --uri sqlite:////tmp/bench/200k.db`: a store of `make_store`, served read-only as a user
would, is asked over HTTP. The files of the two versions that are compared are written to their places first.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection as Database
from sqlalchemy import create_engine, text

from benchmarks.changes import serving
from benchmarks.client import Connection, post
from lineage_api.graph.identity import encoded

MODEL = "model-0000"
READERS = 10_000
"""How many runs have read the dataset of the blast radius at least: the one with the fewest is taken."""

QUESTIONS = {
    "comparison": """query ($model: String!) {
        compareModelVersions(base: {model: $model, version: 19}, head: {model: $model, version: 20}) {
            isIdentical isSignatureCompatible unknown
            params {key kind base head delta relative} metrics {key kind base head delta relative}
            tags {key kind base head} environment {key kind base head} signature {key kind base head}
            datasets {key kind base head} artifacts {key kind base head} code {compareUrl}
            size {base head delta} duration {base head delta}
        }
    }""",
    "lineage of a version": """query ($version: ID!) { node(id: $version) { ... on LineageNode { lineage {
        nodes {__typename id label} links {source {id} target {id} kind} isTruncated } } } }""",
    "lineage of a dataset": """query ($dataset: ID!) { node(id: $dataset) { ... on LineageNode { lineage {
        nodes {__typename id label} links {source {id} target {id} kind} isTruncated } } } }""",
    "blast radius": """query ($name: String!, $digest: String!) { datasets(name: $name, digest: $digest) { nodes {
        modelVersions(filterBy: {stages: [PRODUCTION]}, first: 100) { totalCount nodes {label stage aliases} } } } }""",
    "candidates": """query ($experiment: String!) { experiment(experimentId: $experiment) {
        tradeoff(first: 1000, axes: [{metric: "metric_1", goal: MAXIMIZE}, {metric: "metric_2", goal: MINIMIZE},
                                     {property: DURATION, goal: MINIMIZE}]) {
            skippedCount points {values isOptimal run {runId name}} } } }""",
}

MLMODEL = """flavors:
  python_function:
    env: {{conda: conda.yaml, virtualenv: python_env.yaml}}
    loader_module: mlflow.sklearn
    model_path: model.pkl
    python_version: 3.11.{version}
  sklearn: {{pickled_model: model.pkl, sklearn_version: 1.{version}.0}}
mlflow_version: 3.17.2
model_size_bytes: {size}
signature:
  inputs: '[{columns}]'
  outputs: '[{{"type": "tensor", "tensor-spec": {{"dtype": "float64", "shape": [-1]}}}}]'
"""


def written(place: Path, version: int) -> None:
    """Writes the files of a version."""
    place.mkdir(parents=True, exist_ok=True)
    names = [f"c{number}" for number in range(version)]
    columns = ", ".join(f'{{"type": "double", "name": "{name}", "required": true}}' for name in names)
    (place / "MLmodel").write_text(MLMODEL.format(version=version, size=1_000 * version, columns=columns))
    packages = [f"package-{number}==1.{version}.{number}" for number in range(40)]
    (place / "requirements.txt").write_text("\n".join(packages))
    (place / "python_env.yaml").write_text(f"python: 3.11.{version}\ndependencies:\n- -r requirements.txt\n")
    (place / "conda.yaml").write_text(f"dependencies:\n- python=3.11.{version}\n- pip:\n  - mlflow\n")
    (place / "model.pkl").write_bytes(bytes([version]) * 1_000)


def asked_about(database: Database) -> dict[str, Any]:
    """What the questions are about."""
    versions = text("SELECT version, storage_location FROM model_versions WHERE name = :name AND version IN (19, 20)")
    for version, place in database.execute(versions, {"name": MODEL}):
        written(Path(place), version)
    readers = text(
        "SELECT d.name, d.digest, COUNT(*) AS readers FROM datasets d JOIN inputs i ON i.source_type = 'DATASET'"
        " AND i.source_id = d.dataset_uuid GROUP BY d.name, d.digest ORDER BY readers"
    )
    datasets = list(database.execute(readers))
    name, digest, count = next((row for row in datasets if row[2] >= READERS), datasets[-1])
    print(f"the dataset has been read by {count} runs")
    return {
        "model": MODEL,
        "version": encoded("ModelVersion", MODEL, 20),
        "dataset": encoded("Dataset", name, digest),
        "name": name,
        "digest": digest,
        "experiment": "1",
    }


def size(answer: Mapping[str, Any]) -> str:
    """How much an answer holds."""
    found: list[str] = []

    def look(value: Any) -> None:
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            if key in ("nodes", "points", "params", "environment") and isinstance(part, list) and len(part) > 1:
                found.append(f"{len(part)} {key}")
            if isinstance(part, dict | list):
                look(part)

    look(answer)
    return ", ".join(found)


def main() -> None:
    """Measures, and prints a line for each question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uri", required=True)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    with create_engine(options.uri).connect() as database, ExitStack() as stack:
        variables = asked_about(database)
        command = [str(Path(sys.executable).parent / "lineage-api"), "serve", "--read-only", "--max-page", "1000"]
        port = stack.enter_context(serving([*command, "--backend-store-uri", options.uri], "/readyz"))
        connection = Connection(port)
        for name, query in QUESTIONS.items():
            body = post("/graphql", orjson.dumps({"query": query, "variables": variables}))
            answers = [connection.ask(body) for _ in range(options.rounds + 5)]
            answer = orjson.loads(answers[-1][1])
            assert "errors" not in answer, answer["errors"]
            taken = [milliseconds for milliseconds, _ in answers[5:]]
            q1, median, q3 = statistics.quantiles(taken, n=4)
            print(f"{name:22} {median:6.1f} ms ({q1:.1f} to {q3:.1f}), worst {max(taken):.1f}; {size(answer)}")


if __name__ == "__main__":
    main()
