"""What a version is made of: how to train it again, and whether all that lineage needs was recorded."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import column as named

from lineage_api.analysis.recipe import Recipe as Written
from lineage_api.analysis.recipe import recipe
from lineage_api.analysis.recorded import Facts, checks, score
from lineage_api.analysis.safety import Run
from lineage_api.engine.levels import Call, Level
from lineage_api.engine.nouns import arrow, noun
from lineage_api.engine.tables import Table
from lineage_api.graph.check import Check
from lineage_api.graph.manifest import Environment
from lineage_api.graph.rows import CODE, INPUTS, PARAMS, READ_DATASETS
from lineage_api.graph.run import Code, RunInput
from lineage_api.graph.values import Param
from lineage_api.store import recorded_runs as recorded
from lineage_api.store.manifests import Manifest
from lineage_api.store.model_files import ModelFiles
from lineage_api.store.recorded_runs import RecordedRun, recorded_runs

_NEEDS = ("name", "version", "origin_run_id", "artifact_uri")
"""What both levels have to know of versions."""
_OF_RECIPE = recorded.EVERYTHING - {recorded.METRICS}


@noun
class Recipe:
    """How to train a version again."""

    code: Code | None = arrow(CODE, of=named("run_id"), to=CODE.c.run_uuid)
    """The code that it was trained with; null when nothing about it was recorded."""
    inputs: list[RunInput] = arrow(
        INPUTS, of=named("run_id"), to=READ_DATASETS.c.destination_id, order=[INPUTS.c.name, INPUTS.c.digest]
    )
    """The datasets that its run read."""
    params: list[Param] = arrow(PARAMS, of=named("run_id"), to=PARAMS.c.run_uuid, order=[PARAMS.c.key])
    """The parameters of its run, by key."""
    environment: Environment | None
    """What has to be installed; null when that was not recorded, or its files cannot be read."""
    script: str
    """The steps as a shell script, every value quoted."""
    missing: list[str]
    """What was not recorded, so that a person has to find it."""


@noun
class Completeness:
    """Whether all that lineage needs was recorded."""

    score: float
    """The share of checks that passed, 0 to 1."""
    checks: list[Check]
    """What was looked at."""


class Recipes(Level):
    """The recipes of versions; of their runs and files only what the question needs is read."""

    needs = _NEEDS

    async def resolve(self, call: Call) -> Table:
        columns: dict[str, Sequence[Any]] = {"run_id": call.column("origin_run_id")}
        if call.below.selects("environment"):
            manifests = await _manifests(call)
            columns["environment"] = [manifest and manifest.environment for manifest in manifests]
        if call.below.selects("script") or call.below.selects("missing"):
            written: list[Written] = [recipe(facts) for facts in await _facts(call, _OF_RECIPE)]
            columns["script"] = [each.script for each in written]
            columns["missing"] = [each.missing for each in written]
        return Table(columns, len(call.parents))


class Completenesses(Level):
    """How completely versions were recorded."""

    needs = _NEEDS

    async def resolve(self, call: Call) -> Table:
        made = [checks(facts) for facts in await _facts(call, recorded.EVERYTHING)]
        return Table({"checks": made, "score": [*map(score, made)]}, len(made))


async def _facts(call: Call, parts: Collection[str]) -> list[Facts]:
    """What was recorded of each version."""
    run_ids = call.column("origin_run_id")
    runs = await recorded_runs(call.context.reader, [id_ for id_ in run_ids if id_], parts)
    versions = zip(call.column("name"), call.column("version"), run_ids, await _manifests(call), strict=True)
    return [_of(f"{name} v{version}", id_, runs.get(id_), manifest) for name, version, id_, manifest in versions]


async def _manifests(call: Call) -> list[Manifest | None]:
    files: ModelFiles = call.context.service(ModelFiles)
    return await files.manifests(call.column("artifact_uri"))


def _of(label: str, run_id: str | None, run: RecordedRun | None, manifest: Manifest | None) -> Facts:
    """What was recorded of one version."""
    if run is None:
        return Facts(label, Run.GONE if run_id else Run.NEVER_NAMED, recorded.Code(), {}, {}, [], manifest)
    fate = Run.IN_TRASH if run.is_deleted else Run.KEPT
    return Facts(label, fate, run.code, run.params, run.metrics, run.datasets, manifest)
