"""What differs between two versions, or between two runs."""

from collections.abc import Collection, Sequence
from enum import Enum
from functools import partial
from typing import Annotated, Any

import strawberry
from sqlalchemy import Select, bindparam
from sqlalchemy import column as named

from lineage_api.analysis.comparison import PARTS, PARTS_OF_RUNS
from lineage_api.analysis.differences import Kind
from lineage_api.engine.arrows import One, fetched, kept_statement
from lineage_api.engine.levels import Call, Level, Lookahead
from lineage_api.engine.nouns import arrow, column, noun
from lineage_api.engine.sql import checked
from lineage_api.engine.steps import Steps, awaited
from lineage_api.engine.tables import Table
from lineage_api.errors import NotFound
from lineage_api.graph.conditions import is_given, only_one
from lineage_api.graph.nouns import ModelVersion, Run
from lineage_api.graph.rows import CODE, MODEL_VERSIONS, RUNS
from lineage_api.graph.run import Code
from lineage_api.graph.version_filter import ModelVersionRef, Stage, narrow_to_one, several_in_stage
from lineage_api.registry.comparisons import VERSION_COLUMNS, Comparisons, Version
from lineage_api.store.artifacts import Artifacts
from lineage_api.store.model_files import ModelFiles

BaseRef = Annotated[ModelVersionRef, strawberry.argument(description="The version compared against.")]
HeadRef = Annotated[ModelVersionRef, strawberry.argument(description="The version compared.")]
BaseRun = Annotated[str, strawberry.argument(description="The run compared against.")]
HeadRun = Annotated[str, strawberry.argument(description="The run compared.")]

_KEY = [MODEL_VERSIONS.c.name, MODEL_VERSIONS.c.version]


@strawberry.enum(description="What became of a value.")
class ChangeKind(Enum):
    ADDED = strawberry.enum_value("ADDED", description="Only the head has it.")
    REMOVED = strawberry.enum_value("REMOVED", description="Only the base has it.")
    CHANGED = strawberry.enum_value("CHANGED", description="It is another one.")


def _kind(kind: Kind) -> ChangeKind:
    return ChangeKind(kind.value)


@noun
class ValueChange:
    """One difference."""

    key: str
    """What differs."""
    kind: ChangeKind = column(named("kind"), convert=_kind)
    """What became of it."""
    base: str | None
    """Null when it was added."""
    head: str | None
    """Null when it was removed."""
    delta: float | None
    """Head less base; null unless both are numbers."""
    relative: float | None
    """Delta over base; null unless both are numbers and base is not 0."""


@noun
class CodeChange:
    """A difference in code."""

    base: Code | None = arrow(CODE, of=named("base_run_id"), to=CODE.c.run_uuid)
    """The code of the base; null when nothing about it was recorded."""
    head: Code | None = arrow(CODE, of=named("head_run_id"), to=CODE.c.run_uuid)
    """The code of the head; null when nothing about it was recorded."""
    compare_url: str | None
    """A page that shows the commits between; null when the repository's host is not known."""


@noun
class ModelVersionComparison:
    """What differs between two versions. Lists hold only what differs."""

    base: ModelVersion = arrow(MODEL_VERSIONS, of=named("base_key"), to=_KEY)
    """The version compared against."""
    head: ModelVersion = arrow(MODEL_VERSIONS, of=named("head_key"), to=_KEY)
    """The version compared."""
    is_identical: bool
    """Whether nothing differs and nothing is unknown."""
    is_signature_compatible: bool | None
    """Whether callers of the base can call the head unchanged; null when a signature is unknown."""
    unknown: list[str]
    """What could not be compared, and why."""
    params: list[ValueChange]
    """Parameters of the runs, by key."""
    metrics: list[ValueChange]
    """The last values of metrics of the runs, by key."""
    tags: list[ValueChange]
    """Tags of the versions and of their runs, by key; where both have one, the version's own counts. Keys that start
    with `mlflow.` are left out."""
    environment: list[ValueChange]
    """Packages, and Python itself under the key `python`."""
    signature: list[ValueChange]
    """Columns, as `inputs.PU_DO`."""
    datasets: list[ValueChange]
    """Digests of the datasets that the runs read, by name."""
    artifacts: list[ValueChange]
    """Files of the run and of the model, by path, such as a preprocessor."""
    code: CodeChange | None
    """The code of the runs; null when nothing about it differs."""
    size: ValueChange | None
    """In bytes."""
    duration: ValueChange | None
    """In seconds."""


@noun
class RunComparison:
    """What differs between two runs. Lists hold only what differs."""

    base: Run = arrow(RUNS, of=named("base_key"), to=RUNS.c.run_uuid)
    """The run compared against."""
    head: Run = arrow(RUNS, of=named("head_key"), to=RUNS.c.run_uuid)
    """The run compared."""
    is_identical: bool
    """Whether nothing differs and nothing is unknown."""
    unknown: list[str]
    """What could not be compared, and why."""
    params: list[ValueChange]
    """Parameters, by key."""
    metrics: list[ValueChange]
    """The last values of metrics, by key."""
    tags: list[ValueChange]
    """Tags, by key. Keys that start with `mlflow.` are left out."""
    datasets: list[ValueChange]
    """Digests of the datasets that they read, by name."""
    artifacts: list[ValueChange]
    """Files, by path."""
    code: CodeChange | None
    """The code; null when nothing about it differs."""
    duration: ValueChange | None
    """In seconds."""


def of_versions(base: BaseRef, head: HeadRef) -> None:
    """The arguments of `compareModelVersions`."""


def of_runs(base: BaseRun, head: HeadRun) -> None:
    """The arguments of `compareRuns`."""


class BetweenVersions(Level):
    """What differs between the two versions that are named."""

    def resolve(self, call: Call) -> Steps[Any]:
        base = yield from _named(call, call.arguments["base"])
        head = yield from _named(call, call.arguments["head"])
        compared = _comparisons(call).of_versions([(base, head)], _wanted(call.below, PARTS))
        return (yield from awaited(compared))


class BetweenRuns(Level):
    """What differs between the two runs that are named."""

    _there = One(RUNS, of=[named("named_id")], to=[RUNS.c.run_uuid], value=RUNS.c.run_uuid)

    def resolve(self, call: Call) -> Steps[Any]:
        run_ids = [checked(call.arguments[side]) for side in ("base", "head")]
        asked = Call(Table({"named_id": run_ids}, 2), {}, call.context, call.below, call.memo)
        there: Sequence[Any] = yield from self._there.resolve(asked)
        for run_id, found in zip(run_ids, there, strict=True):
            if found is None:
                raise NotFound(f"There is no run {run_id!r}.")
        compared = _comparisons(call).of_runs(run_ids[0], run_ids[1], _wanted(call.below, PARTS_OF_RUNS))
        return [(yield from awaited(compared))]


class BetweenCurrentAndTarget(Level):
    """What going back would change; None for a plan without one current version and a target."""

    needs = ("model", "current", "target")

    async def resolve(self, call: Call) -> Any:
        planned = list(map(_pair, *(call.column(name) for name in self.needs)))
        comparisons = _comparisons(call)
        there = await comparisons.there({key for pair in planned for key in pair})
        pairs = {pair: (there[pair[0]], there[pair[1]]) for pair in planned if pair and {*pair} <= there.keys()}
        found = await comparisons.of_versions(list(pairs.values()), _wanted(call.below, PARTS))
        by_pair = dict(zip(pairs, found, strict=True))
        return [by_pair.get(pair) for pair in planned]


def _pair(model: str, current: Sequence[int], target: int | None) -> tuple[tuple[str, int], ...]:
    """The keys of the current version and of the target; none when they are not one each."""
    return ((model, current[0]), (model, target)) if len(current) == 1 and target is not None else ()


def _comparisons(call: Call) -> Comparisons:
    context = call.context
    return Comparisons(context.reader, context.service(Artifacts), context.service(ModelFiles))


def _wanted(below: Lookahead, parts: Collection[str]) -> Collection[str]:
    """Which parts a query needs."""
    if below.selects("isIdentical") or below.selects("unknown"):
        return parts
    needed = {"signature"} if below.selects("isSignatureCompatible") else set()
    return {part for part in parts if below.selects(part)} | needed


def _named(call: Call, ref: ModelVersionRef) -> Steps[Version]:
    """The one version that is meant."""
    only_one(["version", "stage", "alias"], [ref.version, ref.stage, ref.alias])
    given = {name: value for name in ("version", "alias") if is_given(value := getattr(ref, name))}
    stage, reader = None if given else ref.stage, call.context.reader
    make = partial(_one_version, given, stage)
    statement = kept_statement(call.memo, (*given, stage), make, reader.dialect)
    values = {"model_": checked(ref.model), **{f"{name}_": checked(value) for name, value in given.items()}}
    found = yield from fetched(reader, statement, values)
    if len(found) > 1:
        raise several_in_stage([number for _, number, *_ in found])
    if not found:
        raise NotFound(_not_there(ref))
    return Version(*found[0])


def _one_version(given: Collection[str], stage: Stage | None) -> Select[Any]:
    """The statement that finds a version, for any of one kind of reference."""
    rows = MODEL_VERSIONS.select(*VERSION_COLUMNS).where(MODEL_VERSIONS.c.name == bindparam("model_"))
    binds: dict[str, Any] = {name: bindparam(f"{name}_") for name in given}
    return narrow_to_one(rows, binds.get("version"), stage, binds.get("alias"))


def _not_there(ref: ModelVersionRef) -> str:
    """What to tell somebody who means a version that there isn't."""
    if is_given(ref.version):
        return f"There is no version {ref.version} of {ref.model!r}."
    if is_given(ref.stage) and ref.stage is not None:
        return f"There is no version of {ref.model!r} in {ref.stage.name}."
    return f"There is no version of {ref.model!r} with the alias {ref.alias!r}."
