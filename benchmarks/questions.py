"""The questions that are measured: each a GraphQL document, the variables it is asked with, and its twin by hand.

A twin is a generator: it yields the statements that can be sent together, is sent the rows of each, and returns the
`data` of the GraphQL answer, key for key in the same order. One body serves both databases; the SQL is theirs, in
`statements.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from random import Random
from typing import Any

from sqlalchemy import create_engine, text

Json = dict[str, Any]
Row = tuple[Any, ...]
Sql = Mapping[str, str]
Twin = Generator[list[tuple[str, Row]], list[list[Row]], Json]


@dataclass(frozen=True)
class Known:
    """What a store holds to ask about."""

    runs: Sequence[str]
    """Up to 5,000, spread over the store."""
    models: Sequence[str]
    """All registered models, by name."""
    experiments: Sequence[str]
    """All experiments that have runs, by MLflow's IDs."""

    @classmethod
    def of(cls, uri: str) -> Known:
        """What this store holds."""
        engine = create_engine(uri)
        with engine.connect() as connection:

            def column(sql: str) -> list[str]:
                return [str(value) for value in connection.execute(text(sql)).scalars()]

            # IDs are random, so that the first of them lie anywhere in time and among the experiments.
            runs = column("SELECT run_uuid FROM runs WHERE lifecycle_stage = 'active' ORDER BY run_uuid LIMIT 5000")
            models = column("SELECT name FROM registered_models WHERE name LIKE 'model-%' ORDER BY name")
            experiments = column("SELECT experiment_id FROM experiments WHERE experiment_id > 0 ORDER BY experiment_id")
        engine.dispose()
        return cls(runs, models, experiments)


@dataclass(frozen=True)
class Question:
    """One question in all its forms."""

    name: str
    """What it is called here; also the route of its answer by hand."""
    document: str
    """What a GraphQL server is asked."""
    variables: Callable[[Random, Known], Json]
    """Others at each call."""
    twin: Callable[[Sql, Json], Twin]
    """The answer by hand, from rows."""
    one: Callable[[Json], tuple[str, Row]]
    """The name and the binds of the one statement that makes it as JSON."""
    requests: int
    """How many a round, so that each question takes about as long as the others."""


# ----------------------------------------------------------------------------------------------------------- pieces


def pairs(rows: Iterable[Row]) -> dict[str, list[Json]]:
    """Rows of (run, key, value), sorted by run and key, as a list for each run."""
    return {run: [{"key": key, "value": value} for _, key, value in some] for run, some in groupby(rows, itemgetter(0))}


def moment(milliseconds: int | None) -> str | None:
    """A time as GraphQL answers it."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def seconds(start: int | None, end: int | None) -> float | None:
    """How long it took; null while it runs."""
    return None if start is None or end is None else (end - start) / 1000


# -------------------------------------------------------------------------------------------------------- questions


def _catalog(sql: Sql, _: Json) -> Twin:
    [rows] = yield [(sql["catalog"], ())]
    runs = [row[3] for row in rows if row[3] is not None]
    params, metrics = yield [(sql["params"], (runs,)), (sql["metrics"], (runs,))]
    params_of, metrics_of = pairs(params), pairs(metrics)
    nodes = [
        {
            "name": model,
            "versions": {
                "nodes": [
                    {
                        "version": version,
                        "stage": stage.upper(),
                        "run": run
                        and {
                            "runId": run,
                            "name": name,
                            "experiment": {"name": experiment},
                            "params": params_of.get(run, []),
                            "metrics": metrics_of.get(run, []),
                        },
                    }
                    for _, version, stage, run, name, experiment in some
                    if version is not None
                ]
            },
        }
        for model, some in groupby(rows, itemgetter(0))
    ]
    return {"registeredModels": {"nodes": nodes}}


CATALOG = Question(
    name="catalog",
    document="""{
      registeredModels(first: 50) {
        nodes {
          name
          versions(first: 5) {
            nodes {
              version
              stage
              run { runId name experiment { name } params { key value } metrics { key value } }
            }
          }
        }
      }
    }""",
    variables=lambda _random, _known: {},
    twin=_catalog,
    one=lambda _: ("catalog", ()),
    requests=20,
)


def _rollback(sql: Sql, variables: Json) -> Twin:
    [rows] = yield [(sql["rollback"], (variables["name"], variables["name"]))]
    if not rows:
        return {"registeredModel": None}
    runs = [row[4] for row in rows if row[4] is not None]
    params, metrics = yield [(sql["params"], (runs,)), (sql["metrics"], (runs,))]
    params_of, metrics_of = pairs(params), pairs(metrics)
    nodes = [
        {
            "version": version,
            "stage": stage.upper(),
            "artifactUri": place,
            "run": run
            and {
                "runId": run,
                "name": name,
                "status": status,
                "startedAt": moment(start),
                "duration": seconds(start, end),
                "params": params_of.get(run, []),
                "metrics": metrics_of.get(run, []),
            },
        }
        for _, version, stage, place, run, name, status, start, end in rows
        if version is not None
    ]
    return {"registeredModel": {"name": rows[0][0], "versions": {"nodes": nodes}}}


ROLLBACK = Question(
    name="rollback",
    document="""query ($name: String!) {
      registeredModel(name: $name) {
        name
        versions(first: 10) {
          nodes {
            version
            stage
            artifactUri
            run { runId name status startedAt duration params { key value } metrics { key value } }
          }
        }
      }
    }""",
    variables=lambda random, known: {"name": random.choice(known.models)},
    twin=_rollback,
    one=lambda variables: ("rollback", (variables["name"],)),
    requests=200,
)


def _comparison(sql: Sql, variables: Json) -> Twin:
    binds = (int(variables["experiments"][0]), variables["metric"])
    [rows] = yield [(sql[f"comparison {variables['direction']}"], binds)]
    runs = [row[0] for row in rows]
    lists = yield [(sql["params"], (runs,)), (sql["metrics"], (runs,)), (sql["tags"], (runs,))]
    params_of, metrics_of, tags_of = map(pairs, lists)
    nodes = [
        {
            "runId": run,
            "name": name,
            "duration": seconds(start, end),
            "params": params_of.get(run, []),
            "metrics": metrics_of.get(run, []),
            "tags": tags_of.get(run, []),
        }
        for run, name, start, end in rows
    ]
    return {"runs": {"nodes": nodes}}


COMPARISON = Question(
    name="comparison",
    document="""query ($experiments: [String!]!, $metric: String!, $direction: SortDirection!) {
      runs(
        filterBy: {experimentIds: $experiments}
        orderBy: [{metric: $metric, direction: $direction}]
        first: 100
      ) {
        nodes { runId name duration params { key value } metrics { key value } tags { key value } }
      }
    }""",
    variables=lambda random, known: {
        "experiments": [random.choice(known.experiments)],
        "metric": "metric_3",
        "direction": random.choice(["ASC", "DESC"]),
    },
    twin=_comparison,
    one=lambda variables: (
        f"comparison {variables['direction']}",
        (int(variables["experiments"][0]), variables["metric"]),
    ),
    requests=20,
)


def _point(sql: Sql, variables: Json) -> Twin:
    [rows] = yield [(sql["point"], (variables["id"],))]
    for run, name, status in rows:
        return {"run": {"runId": run, "name": name, "status": status}}
    return {"run": None}


POINT = Question(
    name="point",
    document="query ($id: String!) { run(runId: $id) { runId name status } }",
    variables=lambda random, known: {"id": random.choice(known.runs)},
    twin=_point,
    one=lambda variables: ("point", (variables["id"],)),
    requests=500,
)


def _newest(sql: Sql, variables: Json) -> Twin:
    [rows] = yield [(sql["newest"], (variables["first"],))]
    [params] = yield [(sql["params"], ([run for run, _ in rows],))]
    params_of = pairs(params)
    nodes = [{"runId": run, "name": name, "params": params_of.get(run, [])} for run, name in rows]
    return {"runs": {"nodes": nodes}}


NEWEST = Question(
    name="newest",
    document="query ($first: Int!) { runs(first: $first) { nodes { runId name params { key value } } } }",
    variables=lambda _random, _known: {"first": 100},
    twin=_newest,
    one=lambda variables: ("newest", (variables["first"],)),
    requests=5,
)
"""Asked with more and more runs, to see how the cost grows; a run and its ten parameters are eleven objects."""


def _page_of_runs(sql: Sql, variables: Json) -> Twin:
    [rows] = yield [(sql["page of runs"], (variables["offset"],))]
    return {"runs": _page(rows)}


def _page_of_experiment(sql: Sql, variables: Json) -> Twin:
    [rows] = yield [(sql["page of experiment"], (int(variables["experiment"]), variables["offset"]))]
    return {"experiment": {"runs": _page(rows)}}


def _page_of_versions(sql: Sql, variables: Json) -> Twin:
    [rows] = yield [(sql["page of versions"], (variables["offset"],))]
    return {"modelVersions": {"nodes": [{"model": {"name": name}, "version": at} for name, at in rows]}}


def _page(rows: Sequence[Row]) -> Json:
    return {"nodes": [{"runId": run, "name": name} for run, name in rows]}


def _pages(name: str, document: str, twin: Callable[[Sql, Json], Twin]) -> Question:
    return Question(name, document, lambda *_: {}, twin, lambda _: ("", ()), requests=20)


_CURSOR = "($first: Int! = 100, $after: String, $isCursor: Boolean! = false"
_ROWS = "nodes @skip(if: $isCursor) { runId name } pageInfo @include(if: $isCursor) { endCursor }"
PAGES = [
    _pages(
        "page_of_experiment",
        f"""query {_CURSOR}, $experiment: String!) {{
          experiment(experimentId: $experiment) {{ runs(first: $first, after: $after) {{ {_ROWS} }} }}
        }}""",
        _page_of_experiment,
    ),
    _pages(
        "page_of_runs",
        f"query {_CURSOR}) {{ runs(first: $first, after: $after) {{ {_ROWS} }} }}",
        _page_of_runs,
    ),
    _pages(
        "page_of_versions",
        f"""query {_CURSOR}) {{
          modelVersions(first: $first, after: $after) {{
            {_ROWS.replace("runId name", "model { name } version")}
          }}
        }}""",
        _page_of_versions,
    ),
]
"""A page of each of three long lists: we find it by a cursor, `after`; the twin by hand has `offset` rows dropped."""

QUESTIONS = {question.name: question for question in (CATALOG, ROLLBACK, COMPARISON, POINT)}
ALL = {question.name: question for question in (*QUESTIONS.values(), NEWEST, *PAGES)}
