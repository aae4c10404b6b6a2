"""What the corners are asked with: for each argument and each field of an input, values that meet something.

The generator asks for them by `Type.field.argument` or `Input.field`. One that stands nowhere here ends the program,
so that a new part of the schema is thought about before it can be slow unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import create_engine, text

from lineage_api.graph.identity import encoded

Values = Mapping[str, Mapping[str, Any]]
"""By place, then by what makes a value different, such as `rare`; an empty text where there is one alone."""

ONE_OF = {
    "Query.experiment",
    "RegisteredModel.version",
    "RegisteredModel.rollbackPlan",
    "RunOrder",
    "ModelVersionRef",
    "ModelVersionOrder",
    "TradeoffAxisInput",
}
"""The fields and inputs of which exactly one argument or part has to be given, besides those that are required."""

FOLLOWS = {"direction"}
"""Parts of inputs that say nothing alone: each other part is given with each of their values."""


class Known:
    """What a store holds to ask about."""

    def __init__(self, uri: str) -> None:
        engine = create_engine(uri)
        with engine.connect() as connection:
            self._rows = {name: list(connection.execute(text(query))) for name, query in _QUERIES.items()}
        engine.dispose()

    def column(self, name: str, index: int = 0) -> list[Any]:
        """A column of what one of the queries found."""
        return [row[index] for row in self._rows[name]]

    def values(self) -> Values:
        """The values, by their places."""
        return {place: found if isinstance(found, dict) else {"": found} for place, found in self._values().items()}

    def _values(self) -> dict[str, Any]:
        runs, models = self.column("runs"), self.column("models")
        experiments = [str(id_) for id_ in self.column("experiments")]
        commits, [run_name, *_] = self.column("runs", 1), self.column("runs", 2)
        dataset, versions = self._rows["datasets"][0], [tuple(row) for row in self._rows["versions"]]
        logged, events = self.column("logged"), self.column("events")
        moment, later = self.column("moments")[0], self.column("moments", 1)[0]
        ids = {
            "Experiment": encoded("Experiment", int(experiments[0])),
            "Run": encoded("Run", runs[0]),
            "Dataset": encoded("Dataset", *dataset),
            "LoggedModel": encoded("LoggedModel", logged[0]),
            "RegisteredModel": encoded("RegisteredModel", models[0]),
            "ModelVersion": encoded("ModelVersion", *versions[0]),
            "RegistryEvent": encoded("RegistryEvent", events[0]),
        }
        each_run = [encoded("Run", run) for run in runs[:100]]
        version = {"model": models[0], "version": 3}
        times = {"early": _moment(moment), "late": _moment(later)}
        texts = {"common": {"key": "team", "eq": "team-3"}, "rare": {"key": "mlflow.runName", "eq": run_name}}
        kinds = {"one": ["STAGE_CHANGED"], "several": ["ALIAS_SET", "MODEL_CREATED"], "rare": ["DESCRIPTION_CHANGED"]}
        two = {"one": ["PRODUCTION"], "several": ["STAGING", "ARCHIVED"]}
        return {
            # Root fields
            "Query.node.id": ids,
            "Query.nodes.ids": {"of each type": [*ids.values()], "of 100 runs": each_run},
            "Query.experiment.experimentId": experiments[0],
            "Query.experiment.name": "experiment-0001",
            "Query.run.runId": runs[0],
            "Query.datasets.name": dataset[0],
            "Query.datasets.digest": dataset[1],
            "Query.loggedModel.modelId": logged[0],
            "Query.loggedModels.name": {"common": "model", "none": "no such model"},
            "Query.registeredModel.name": models[0],
            "Query.compareModelVersions.base": {"": version},
            "Query.compareModelVersions.head": {"": {**version, "version": 4}},
            "Query.compareRuns.base": runs[0],
            "Query.compareRuns.head": runs[1],
            "Query.registryAt.at": times,
            "Query.registryAt.stages": two,
            "Query.registryAt.models": {"one": models[:1], "several": models[:20]},
            "Query.registryEvents.models": {"one": models[:1], "several": models[:20]},
            "Query.registryEvents.kinds": kinds,
            "Query.registryEvents.toStages": two,
            "Query.registryEvents.actor": {"known": "ana", "unknown": "nobody"},
            "Query.registryEvents.since": times,
            "Query.registryEvents.until": times,
            "Query.registryEvents.afterEvent": {"": ids["RegistryEvent"]},
            # Arguments of nouns
            **{f"{noun}.tags.keys": ["team", "mlflow.user", "validated"] for noun in _TAGGABLE},
            "Run.params.keys": ["param_1", "param_2"],
            "Run.metrics.keys": ["metric_1", "metric_2"],
            "Run.param.key": "param_1",
            "Run.metric.key": "metric_1",
            "Run.metricHistory.key": "metric_3",
            "Run.inputs.context": "training",
            "Dataset.runs.context": "training",
            "LoggedModel.params.keys": ["depth"],
            "LoggedModel.metrics.keys": ["metric_1"],
            "Environment.packages.names": ["package-1"],
            "RegisteredModel.aliases.at": times,
            "RegisteredModel.version.number": 3,
            "RegisteredModel.version.stage": "PRODUCTION",
            "RegisteredModel.version.alias": "champion",
            "RegisteredModel.inStage.stage": {"one": "PRODUCTION", "many": "ARCHIVED"},
            "RegisteredModel.inStage.at": times,
            "RegisteredModel.rollbackPlan.stage": "PRODUCTION",
            "RegisteredModel.rollbackPlan.alias": "champion",
            "RegisteredModel.rollbackPlan.to": {},  # has to be given with one of the others, and costs the same
            "ModelVersion.stage.at": times,
            **{f"{noun}.history.kinds": kinds for noun in ("RegisteredModel", "ModelVersion")},
            **{f"{noun}.history.{end}": times for noun in _PAST for end in ("since", "until")},
            **{f"{noun}.lineage.depth": {"1": 1, "20": 20} for noun in _LINEAGE},
            **{f"{noun}.lineage.maxNodes": {"1000": 1_000} for noun in _LINEAGE},
            **{f"{noun}.artifacts.path": "" for noun in ("Run", "LoggedModel", "ModelVersion")},
            **{f"{noun}.artifacts.first": {"1000": 1_000} for noun in ("Run", "LoggedModel", "ModelVersion")},
            "Artifact.children.first": {"1000": 1_000},
            "Artifact.text.maxBytes": {"1000": 1_000},
            "Tradeoff.skipped.first": {"1000": 1_000},
            "Experiment.tradeoff.first": {"1000": 1_000},
            "Query.registryAt.first": {"10000": 10_000},
            # Inputs
            "ExperimentFilter.nameContains": {"common": "EXPERIMENT", "rare": "ment-0007"},
            "ExperimentFilter.tags": {"common": [texts["common"]]},
            "RegisteredModelFilter.nameContains": {"common": "MODEL", "rare": "del-0007"},
            "RegisteredModelFilter.stages": two,
            "RegisteredModelFilter.aliases": {"one": ["champion"], "several": ["champion", "challenger"]},
            "RegisteredModelFilter.tags": {"common": [texts["common"]]},
            "ModelVersionFilter.models": {"one": models[:1], "several": models[:20]},
            "ModelVersionFilter.stages": two,
            "ModelVersionFilter.aliases": {"one": ["champion"], "several": ["champion", "challenger"]},
            "ModelVersionFilter.tags": {
                "common": [{"key": "validated", "eq": "yes"}],
                "rare": [{"key": "ticket", "eq": self.column("tickets")[0]}],
            },
            "ModelVersionFilter.createdSince": times,
            "ModelVersionFilter.createdBefore": times,
            "ModelVersionFilter.or": [{"stages": ["PRODUCTION"]}, {"aliases": ["challenger"]}],
            "ModelVersionFilter.not": {"": {"stages": ["ARCHIVED"]}},
            "PackageCondition.name": "package-1",
            "PackageCondition.specifier": {"common": ">=1.3", "rare": "==1.7.1"},
            "ModelVersionOrder.metric": "metric_3",
            "RunFilter.experimentIds": {"one": experiments[:1], "several": experiments[:10]},
            "RunFilter.users": {"one": ["user-7"], "several": ["user-7", "user-8", "user-9"]},
            "RunFilter.statuses": {"common": ["FINISHED"], "rare": ["RUNNING"], "several": ["FAILED", "KILLED"]},
            "RunFilter.nameContains": {"common": "FOX", "rare": run_name[-8:]},
            "RunFilter.startedSince": times,
            "RunFilter.startedBefore": times,
            "RunFilter.params": _conditions("param_1", str(self.column("params")[0])),
            "RunFilter.tags": {
                **_conditions("team", "team-3"),
                "rare": [texts["rare"]],
                "several": [texts["common"], {"key": "purpose", "eq": "tuning"}],
            },
            "RunFilter.metrics": {
                **{compared: [{"key": "metric_1", compared: 0.5}] for compared in ("ne", "gt", "gte", "lt", "lte")},
                "eq": [{"key": "metric_1", "eq": self.column("metrics")[0]}],
                "rare": [{"key": "metric_1", "gt": 0.9999}],
                "several": [{"key": "metric_1", "gt": 0.5}, {"key": "metric_2", "lt": 0.1}],
            },
            "RunFilter.commit": {"whole": commits[0], "beginning": commits[0][:39]},
            "RunFilter.matching": _matching(runs[0], run_name, dataset[0]),
            "RunFilter.or": [{"users": ["user-7"]}, {"statuses": ["FAILED"]}],
            "RunFilter.not": {"": {"statuses": ["FINISHED"]}},
            "DatasetRef.name": dataset[0],
            "DatasetRef.digest": dataset[1],
            "RunOrder.metric": "metric_3",
            "RunOrder.param": "param_1",
            "ModelVersionRef.model": models[0],
            "ModelVersionRef.version": 3,
            "ModelVersionRef.stage": "PRODUCTION",
            "ModelVersionRef.alias": "champion",
            "TradeoffAxisInput.metric": "metric_1",
            "TradeoffAxisInput.param": "param_1",
        }


_TAGGABLE = ("Experiment", "Run", "LoggedModel", "RegisteredModel", "ModelVersion")
_LINEAGE = ("Dataset", "Run", "LoggedModel", "ModelVersion")
_PAST = ("RegisteredModel", "ModelVersion")

# The one in the middle of its table: neither the newest, which is found at once, nor the oldest.
_MIDDLE = "LIMIT 1 OFFSET (SELECT COUNT(*) / 2 FROM runs)"
_QUERIES = {
    "runs": "SELECT r.run_uuid, c.value, r.name FROM runs r JOIN tags c ON c.run_uuid = r.run_uuid"
    " AND c.key = 'mlflow.source.git.commit' WHERE r.lifecycle_stage = 'active' ORDER BY r.run_uuid LIMIT 200",
    "params": f"SELECT value FROM params WHERE run_uuid = (SELECT run_uuid FROM runs ORDER BY start_time {_MIDDLE})"
    " AND key = 'param_1'",
    "metrics": f"SELECT value FROM latest_metrics WHERE run_uuid = (SELECT run_uuid FROM runs ORDER BY start_time"
    f" {_MIDDLE}) AND key = 'metric_1'",
    "experiments": "SELECT experiment_id FROM experiments WHERE experiment_id > 0 ORDER BY experiment_id",
    "models": "SELECT name FROM registered_models WHERE name LIKE 'model-%' ORDER BY name",
    "versions": "SELECT name, version FROM model_versions WHERE name LIKE 'model-%' ORDER BY name, version LIMIT 20",
    "logged": "SELECT model_id FROM logged_models ORDER BY model_id LIMIT 20",
    "datasets": "SELECT name, digest FROM datasets ORDER BY name, digest LIMIT 1",
    "tickets": "SELECT value FROM model_version_tags WHERE key = 'ticket' AND name LIKE 'model-05%' LIMIT 1",
    "events": "SELECT id FROM lineage_events ORDER BY id DESC LIMIT 20 OFFSET 100",
    "moments": "SELECT MIN(start_time) + (MAX(start_time) - MIN(start_time)) / 10,"
    " MIN(start_time) + (MAX(start_time) - MIN(start_time)) / 100 * 99 FROM runs",
}


def _conditions(key: str, value: str) -> dict[str, Any]:
    """A condition on the text under a key for each way to compare it."""
    compared = {"ne": value, "in": [value, "team-4"], "contains": value[:3]}
    return {"there": [{"key": key}], "eq": [{"key": key, "eq": value}]} | {
        name: [{"key": key, name: other}] for name, other in compared.items()
    }


def _matching(run_id: str, name: str, dataset: str) -> dict[str, str]:
    """An expression in MLflow's syntax for each kind of thing that it can be about."""
    return {
        "metric": "metrics.metric_1 > 0.5",
        "param": "params.param_1 LIKE '0.5%'",
        "tag": "tags.team = 'team-3'",
        "status": "attributes.status = 'FAILED'",
        "user": "attributes.user_id = 'user-7'",
        "start": "attributes.start_time > 0",
        "name": f"attributes.run_name = '{name}'",
        "ID": f"attributes.run_id = '{run_id}'",
        "dataset": f"datasets.name = '{dataset}'",
        "context": "datasets.context = 'training'",
    }


def _moment(milliseconds: int) -> str:
    from benchmarks.questions import moment  # noqa: PLC0415

    return str(moment(int(milliseconds)))
