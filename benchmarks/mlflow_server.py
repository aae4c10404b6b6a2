"""MLflow's own server on the same store: the requests that a question takes, and how its answers become ours.

By REST it takes as many requests as its Python client makes; `Batched` is the fewest that we know, with one search for
all runs. GraphQL there has no registered models and no places of versions, so it answers two of the questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import orjson

from benchmarks.asking import Dialogue, Way, graphql
from benchmarks.client import get, post
from benchmarks.questions import Json, Question, moment, seconds

SLOW = {"catalog": 20, "rollback": 20, "comparison": 5, "point": 20}
DOCUMENTS = {
    "comparison": """query ($input: MlflowSearchRunsInput!) {
      mlflowSearchRuns(input: $input) {
        runs {
          info { runId runName startTime endTime }
          data { params { key value } metrics { key value } tags { key value } }
        }
      }
    }""",
    "point": """query ($input: MlflowGetRunInput!) {
      mlflowGetRun(input: $input) { run { info { runId runName status } } }
    }""",
}
_API = "/api/2.0/mlflow"
_INFINITY = 1.7976931348623157e308


class Rest(Way):
    """One request for each thing."""

    share = SLOW

    def answers(self, question: Question) -> bool:
        return question.name in SLOW

    def dialogue(self, question: Question, variables: Json) -> Dialogue:
        if question.name == "catalog":
            models = orjson.loads((yield _get("registered-models/search", max_results=50)))
            versions = []
            for model in models["registered_models"]:
                versions += _versions((yield _newest(model["name"], 5)))
            yield from self.runs_of(versions, with_experiments=True)
        elif question.name == "rollback":
            yield _get("registered-models/get", name=variables["name"])
            versions = _versions((yield _newest(variables["name"], 10)))
            for version in versions:
                yield _get("model-versions/get-download-uri", name=version["name"], version=version["version"])
            yield from self.runs_of(versions, with_experiments=False)
        elif question.name == "comparison":
            order = f"metrics.{variables['metric']} {variables['direction']}"
            yield _search({"experiment_ids": variables["experiments"], "order_by": [order], "max_results": 100})
        else:
            yield _get("runs/get", run_id=variables["id"])

    def runs_of(self, versions: Sequence[Json], *, with_experiments: bool) -> Dialogue:
        """The runs of versions, and each of their experiments once."""
        seen = set()
        for version in versions:
            experiment = _run((yield _get("runs/get", run_id=version["run_id"])))["info"]["experiment_id"]
            if with_experiments and experiment not in seen:
                seen.add(experiment)
                yield _get("experiments/get", experiment_id=experiment)

    def data(self, question: Question, variables: Json, bodies: Sequence[bytes]) -> Any:
        parts = [orjson.loads(body) for body in bodies]

        def found(one: str, many: str) -> list[Json]:
            return [thing for part in parts for thing in ([part[one]] if one in part else part.get(many, []))]

        runs = {run["info"]["run_id"]: run for run in found("run", "runs")}
        if question.name == "comparison":
            return {"runs": {"nodes": [_as_ours(run, "name duration params metrics tags") for run in runs.values()]}}
        if question.name == "point":
            [run] = runs.values()
            return {"run": _as_ours(run, "name status")}
        experiments = {one["experiment_id"]: one["name"] for one in found("experiment", "experiments")}
        places = iter([part["artifact_uri"] for part in parts if "artifact_uri" in part])
        versions: dict[str, list[Json]] = {m["name"]: [] for m in found("registered_model", "registered_models")}
        for version in found("model_version", "model_versions"):
            said: Json = {"version": int(version["version"]), "stage": version["current_stage"].upper()}
            keys = "name experiment params metrics"
            if question.name == "rollback":
                said["artifactUri"] = next(places)
                keys = "name status startedAt duration params metrics"
            run = _as_ours(runs[version["run_id"]], keys, experiments)
            versions[version["name"]].append({**said, "run": run})
        models = [{"name": name, "versions": {"nodes": nodes}} for name, nodes in versions.items()]
        return (
            {"registeredModel": models[0]} if question.name == "rollback" else {"registeredModels": {"nodes": models}}
        )


class Batched(Rest):
    """All runs by one search; it wants the experiments named, so they are listed first, with their names."""

    def answers(self, question: Question) -> bool:
        return question.name in ("catalog", "rollback")

    def runs_of(self, versions: Sequence[Json], *, with_experiments: bool) -> Dialogue:
        listed = orjson.loads((yield post(f"{_API}/experiments/search", orjson.dumps({"max_results": 1000}))))
        experiments = [one["experiment_id"] for one in listed["experiments"]]
        runs = ", ".join(f"'{version['run_id']}'" for version in versions)
        asked = {"experiment_ids": experiments, "filter": f"attributes.run_id IN ({runs})", "run_view_type": "ALL"}
        yield _search({**asked, "max_results": len(versions)})


class GraphQL(Way):
    """What its GraphQL knows: runs."""

    share = SLOW

    def answers(self, question: Question) -> bool:
        return question.name in DOCUMENTS

    def dialogue(self, question: Question, variables: Json) -> Dialogue:
        asked: Json = {"runId": variables.get("id")}
        if question.name == "comparison":
            order = f"metrics.{variables['metric']} {variables['direction']}"
            asked = {"experimentIds": variables["experiments"], "orderBy": [order], "maxResults": 100}
        yield graphql(DOCUMENTS[question.name], {"input": asked})

    def data(self, question: Question, variables: Json, bodies: Sequence[bytes]) -> Any:
        data = orjson.loads(bodies[0])["data"]
        if question.name == "point":
            return {"run": _as_ours(data["mlflowGetRun"]["run"], "name status")}
        runs = data["mlflowSearchRuns"]["runs"]
        return {"runs": {"nodes": [_as_ours(run, "name duration params metrics tags") for run in runs]}}


def _get(path: str, **query: Any) -> bytes:
    return get(f"{_API}/{path}?{urlencode(query)}")


def _search(asked: Json) -> bytes:
    return post(f"{_API}/runs/search", orjson.dumps(asked))


def _newest(model: str, count: int) -> bytes:
    query = {"filter": f"name='{model}'", "max_results": count, "order_by": "version_number DESC"}
    return _get("model-versions/search", **query)


def _versions(body: bytes) -> list[Json]:
    return orjson.loads(body).get("model_versions", [])


def _run(body: bytes) -> Json:
    return orjson.loads(body)["run"]


def _as_ours(run: Json, keys: str, experiments: Json | None = None) -> Json:
    """A run of REST, or of GraphQL, which has other names; with the keys of ours that are asked for."""
    info, data = run["info"], run.get("data", {})
    start, end = (_number(info.get(time, info.get(other))) for time, other in _TIMES)
    values: Json = {
        "name": info.get("run_name", info.get("runName")),
        "status": info.get("status"),
        "startedAt": moment(start),
        "duration": seconds(start, end),
        "experiment": {"name": (experiments or {}).get(info.get("experiment_id"))},
        "params": _pairs(data.get("params", [])),
        "metrics": [{**pair, "value": _finite(pair["value"])} for pair in _pairs(data.get("metrics", []))],
        "tags": [pair for pair in _pairs(data.get("tags", [])) if not pair["key"].startswith("mlflow.")],
    }
    return {"runId": info.get("run_id", info.get("runId")), **{key: values[key] for key in keys.split()}}


_TIMES = (("start_time", "startTime"), ("end_time", "endTime"))


def _number(value: Any) -> int | None:
    """A time; one that is not there may be null, absent or 0."""
    return int(value or 0) or None


def _finite(value: Any) -> float | None:
    return None if isinstance(value, str | None) or abs(value) >= _INFINITY else value


def _pairs(pairs: Sequence[Json]) -> list[Json]:
    return [{"key": pair["key"], "value": pair["value"]} for pair in sorted(pairs, key=lambda pair: pair["key"])]
