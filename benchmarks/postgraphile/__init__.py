"""PostGraphile 5 over the same tables: its set-up lies beside this file, its questions stand in it.

What our answers call by other names, or have as seconds and times where it has milliseconds, is turned into ours for
the comparison of answers; PostGraphile is spared that work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psycopg
from sqlalchemy import make_url

from benchmarks.asking import Dialogue, Way, graphql
from benchmarks.questions import Json, Question, moment, seconds

FOLDER = Path(__file__).parent
NODE = FOLDER / "node_modules" / ".bin" / "node"
COMMAND = [str(NODE), str(FOLDER / "server.mjs"), "{port}"]

_PAIRS = "paramsList(orderBy: [KEY_ASC]) { key value } metricsList(orderBy: [KEY_ASC]) { key value }"
DOCUMENTS = {
    "catalog": f"""{{
      allModelsList(first: 50, orderBy: [NAME_ASC]) {{
        name
        versionsList(first: 5, orderBy: [VERSION_DESC]) {{
          version stage run {{ runId name experiment {{ name }} {_PAIRS} }}
        }}
      }}
    }}""",
    "rollback": f"""query ($name: String!) {{
      modelByName(name: $name) {{
        name
        versionsList(first: 10, orderBy: [VERSION_DESC]) {{
          version stage storageLocation run {{ runId name status startTime endTime {_PAIRS} }}
        }}
      }}
    }}""",
    "comparison": f"""query ($experiment: Int!, $metric: String!, $sign: Int!) {{
      runsByMetricList(experiment: $experiment, metric: $metric, sign: $sign, first: 100) {{
        runId name startTime endTime {_PAIRS} tagsList(orderBy: [KEY_ASC]) {{ key value }}
      }}
    }}""",
    "point": "query ($id: String!) { runByRunId(runId: $id) { runId name status } }",
    "newest": """query ($first: Int!) {
      allRunsList(condition: {lifecycleStage: "active"}, orderBy: [START_TIME_DESC], first: $first) {
        runId name paramsList(orderBy: [KEY_ASC]) { key value }
      }
    }""",
}


class PostGraphile(Way):
    """GraphQL in its words."""

    def answers(self, question: Question) -> bool:
        return question.name in DOCUMENTS

    def dialogue(self, question: Question, variables: Json) -> Dialogue:
        if question.name == "comparison":
            sign = 1 if variables["direction"] == "ASC" else -1
            [experiment] = variables["experiments"]
            variables = {"experiment": int(experiment), "metric": variables["metric"], "sign": sign}
        yield graphql(DOCUMENTS[question.name], variables)

    def data(self, question: Question, variables: Json, bodies: Sequence[bytes]) -> Any:
        data = orjson.loads(bodies[0])["data"]
        if question.name == "catalog":
            return {"registeredModels": {"nodes": [_model(model) for model in data["allModelsList"]]}}
        if question.name == "rollback":
            return {"registeredModel": _model(data["modelByName"])}
        if question.name == "point":
            return {"run": data["runByRunId"]}
        [runs] = data.values()
        return {"runs": {"nodes": [_run(run) for run in runs]}}


def _model(model: Json | None) -> Json | None:
    return model and {"name": model["name"], "versions": {"nodes": [_version(one) for one in model["versionsList"]]}}


def _version(version: Json) -> Json:
    place = {"artifactUri": version["storageLocation"]} if "storageLocation" in version else {}
    run = version["run"] and _run(version["run"])
    return {"version": version["version"], "stage": version["stage"], **place, "run": run}


def _run(run: Json) -> Json:
    found: Json = {}
    for key, value in run.items():
        if key == "startTime":
            start, end = (run[time] and int(run[time]) for time in ("startTime", "endTime"))
            if "status" in run:
                found["startedAt"] = moment(start)
            found["duration"] = seconds(start, end)
        elif key != "endTime":
            found[key.removesuffix("List")] = value
    return found


@contextmanager
def views(uri: str) -> Iterator[None]:
    """What it serves, in a schema of its own beside MLflow's tables, which stay as they are; gone in the end."""
    with psycopg.connect(address(uri), autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS benchmark CASCADE")
        connection.execute((FOLDER / "views.sql").read_text())
    try:
        yield
    finally:
        with psycopg.connect(address(uri), autocommit=True) as connection:
            connection.execute("DROP SCHEMA benchmark CASCADE")


def address(uri: str) -> str:
    """The URI as libpq and pg take it."""
    return make_url(uri).set(drivername="postgresql").render_as_string(hide_password=False)
