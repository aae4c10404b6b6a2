"""Candidates weighed against each other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from itertools import chain, islice
from typing import Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Dialect, Select, and_, select
from sqlalchemy import column as named

from lineage_api.analysis import tradeoff
from lineage_api.analysis.tradeoff import Point
from lineage_api.engine.arrows import Many, distinct, fetched, frozen, kept_statement
from lineage_api.engine.levels import Call, Column, Level
from lineage_api.engine.listed import Listed
from lineage_api.engine.nouns import arrow, given, listed, noun, resolved
from lineage_api.engine.sql import among, key_values
from lineage_api.engine.steps import Steps, awaited
from lineage_api.engine.tables import Grouped, Picked, Table
from lineage_api.errors import Unreadable
from lineage_api.graph.conditions import is_given, only_one
from lineage_api.graph.nouns import Run
from lineage_api.graph.redaction import is_readable
from lineage_api.graph.rows import LOGGED_MODELS, NEWEST_RUNS, RUNS
from lineage_api.graph.run_filter import RunFilter, RunStatus, latest_metric, narrow_runs
from lineage_api.store import convert, tables
from lineage_api.store.manifests import Manifest
from lineage_api.store.model_files import ModelFiles

MOST = 1_000
"""How many candidates are given at most."""

MOST_AXES = 10


@strawberry.enum(description="What can be weighed of every run.")
class TradeoffProperty(Enum):
    DURATION = strawberry.enum_value("DURATION", description="How long it took, in seconds.")
    SIZE = strawberry.enum_value("SIZE", description="Of all logged models of the run together.")


@strawberry.enum(description="What is better on an axis.")
class Goal(Enum):
    MINIMIZE = strawberry.enum_value("MINIMIZE", description="Less is better.")
    MAXIMIZE = strawberry.enum_value("MAXIMIZE", description="More is better.")


@given
class TradeoffAxisInput:
    """An axis: exactly one of metric, param and property."""

    metric: str | None = None
    """The last value of this metric."""
    param: str | None = None
    """The value of this parameter, where it is a number."""
    property: TradeoffProperty | None = None
    """A property that every run may have."""
    goal: Goal
    """What is better."""


Axes = Annotated[list[TradeoffAxisInput], strawberry.argument(description="What to weigh; at least one axis.")]
Candidates = Annotated[
    RunFilter,
    strawberry.argument(description="Which runs are candidates; by default all that are finished and not deleted."),
]
First = Annotated[
    int,
    strawberry.argument(description=f"How many candidates at most, best on the first axis first, 1 to {MOST}."),
]
FirstSkipped = Annotated[int, strawberry.argument(description=f"How many at most, newest first, 1 to {MOST}.")]


def weighing(axes: Axes, filter_by: Candidates | None = None, first: First = 100) -> None:
    """The arguments of `tradeoff`."""


def _skipping(first: FirstSkipped = 100) -> None:
    """The arguments of `skipped`."""


class _Skipped(Level):
    """The first of the runs that were skipped."""

    needs = ("skipped",)
    _listed = Listed(RUNS, "first", [RUNS.c.run_uuid])

    def resolve(self, call: Call) -> Steps[Any]:
        first = _checked(call.arguments["first"])
        keys = [each[:first] for each in call.column("skipped")]
        return self._listed.resolve(Call(Table({"first": keys}, len(keys)), {}, call.context, call.below, call.memo))


@noun
class TradeoffPoint:
    """One candidate."""

    run: Run = arrow(RUNS, of=named("key"), to=RUNS.c.run_uuid)
    """The run."""
    values: list[float] = resolved(Column("values"))
    """Its value on each axis, in their order; seconds and bytes where the axis is duration and size."""
    is_optimal: bool = resolved(Column("isOptimal"))
    """Whether no other candidate is at least as good on every axis and better on one."""
    dominated_by: list[Run] = listed(RUNS, of=named("dominatedBy"), to=RUNS.c.run_uuid)
    """The candidates that are better; empty when it is optimal."""


@noun
class Tradeoff:
    """Candidates weighed against each other."""

    points: list[TradeoffPoint] = resolved(Column("points"))
    """The candidates, best on the first axis first."""
    skipped: list[Run] = resolved(_Skipped(), _skipping)
    """Runs that lack a value on some axis."""
    skipped_count: int = resolved(Column("skippedCount"))
    """How many runs lack a value on some axis."""


@dataclass(frozen=True)
class _Axis:
    """What candidates are weighed by."""

    is_maximised: bool
    columns: Sequence[ColumnElement[Any]] = ()
    """What is read of a run."""
    value: Callable[..., float | None] | None = None
    """From these to its value; without it, the value is the size of its models."""

    @classmethod
    def of(cls, axis: TradeoffAxisInput) -> "_Axis":
        """What somebody asks for."""
        only_one(["metric", "param", "property"], [axis.metric, axis.param, axis.property])
        is_maximised = axis.goal is Goal.MAXIMIZE
        if is_given(axis.metric):
            return cls(is_maximised, [latest_metric(axis.metric, RUNS.c.run_uuid)], convert.finite)
        if is_given(axis.param):
            return cls(is_maximised, [_param(axis.param)], tradeoff.number)
        if axis.property is TradeoffProperty.SIZE:
            return cls(is_maximised)
        return cls(is_maximised, [RUNS.c.start_time, RUNS.c.end_time], convert.seconds_between)


def _param(key: str | None) -> ColumnElement[Any]:
    params = tables.params.c
    is_of_run = and_(params.key == key, params.run_uuid == RUNS.c.run_uuid)
    return select(params.value).where(is_of_run, is_readable(key, params.value)).scalar_subquery()


@dataclass(slots=True)
class _Candidate:
    """A run, with its values on the axes as far as they are known."""

    key: str
    values: list[float | None]

    @property
    def is_complete(self) -> bool:
        """Whether it has a value on every axis."""
        return None not in self.values


class Weighing(Level):
    """Weighs the runs of experiments: a statement for all candidates, and one more for the sizes of their models."""

    needs = ("experiment_id",)
    _models = Many(
        LOGGED_MODELS,
        of=[RUNS.c.run_uuid],
        to=[LOGGED_MODELS.c.source_run_id],
        value=LOGGED_MODELS.c.artifact_location,
    )

    def resolve(self, call: Call) -> Steps[Picked]:
        first, axes = _checked(call.arguments["first"]), _axes(call.arguments["axes"])
        keys = call.column("experiment_id")
        found = yield from self._candidates(call, axes, distinct(keys))
        every = [*found.values()]
        yield from self._measure(call, axes, [*chain.from_iterable(every)])
        are_maximised = [axis.is_maximised for axis in axes]
        points = [tradeoff.weighed(_complete(candidates), are_maximised, first) for candidates in every]
        with_dominators = call.below.below("points").selects("dominatedBy")
        skipped = [[each.key for each in candidates if not each.is_complete] for candidates in every]
        columns = {
            "points": _table(points, with_dominators=with_dominators),
            "skipped": skipped,
            "skippedCount": [*map(len, skipped)],
        }
        places = {key: place for place, key in enumerate(found)}
        return Picked(Table(columns, len(found)), [places[key] for key in keys])

    @staticmethod
    def _candidates(call: Call, axes: Sequence[_Axis], keys: Sequence[int]) -> Steps[dict[int, list[_Candidate]]]:
        """The candidates of each experiment, newest first."""
        filter_by, dialect = call.arguments.get("filter_by"), call.context.reader.dialect
        key = (frozen(call.arguments["axes"]), frozen(filter_by))
        make = partial(_statement, axes, filter_by or _FINISHED, dialect)
        statement = kept_statement(call.memo, key, make, dialect)
        rows = yield from fetched(call.context.reader, statement, key_values(keys, 1, dialect))
        found: dict[int, list[_Candidate]] = {key: [] for key in keys}
        for experiment_id, run_id, *read in rows:
            found[experiment_id].append(_Candidate(run_id, [*_values(axes, iter(read))]))
        return found

    def _measure(self, call: Call, axes: Sequence[_Axis], candidates: Sequence[_Candidate]) -> Steps[None]:
        """Adds sizes where these are an axis; nothing is read for candidates that lack another value."""
        places = [place for place, axis in enumerate(axes) if axis.value is None]
        measured = [each for each in candidates if each.values.count(None) == len(places)]
        if not places or not measured:
            return
        sizes = yield from self._sizes(call, [each.key for each in measured])
        for candidate, size in zip(measured, sizes, strict=True):
            for place in places:
                candidate.values[place] = size

    def _sizes(self, call: Call, keys: Sequence[str]) -> Steps[list[float | None]]:
        """What the logged models of each run take together."""
        memo, runs = call.memo.setdefault("models", {}), Table({"run_uuid": keys}, len(keys))
        locations = yield from self._models.resolve(Call(runs, {}, call.context, call.below, memo))
        files = call.context.service(ModelFiles)
        manifests = iter((yield from awaited(files.manifests([*chain.from_iterable(locations)]))))
        return [_size([*islice(manifests, len(each))]) for each in locations]


_FINISHED = RunFilter(statuses=[RunStatus.FINISHED])


def _statement(axes: Sequence[_Axis], filter_by: RunFilter, dialect: Dialect) -> Select[Any]:
    """The statement that reads the candidates of any number of experiments."""
    columns = [column for axis in axes for column in axis.columns]
    rows = narrow_runs(RUNS.select(RUNS.c.experiment_id, RUNS.c.run_uuid, *columns), filter_by)
    newest = (term.clause() for term in NEWEST_RUNS)
    return rows.where(among([RUNS.c.experiment_id], dialect)).order_by(RUNS.c.experiment_id, *newest)  # type: ignore[no-any-return]


def _values(axes: Sequence[_Axis], read: Iterator[Any]) -> Iterator[float | None]:
    for axis in axes:
        yield axis.value(*islice(read, len(axis.columns))) if axis.value else None


def _size(manifests: Sequence[Manifest | None]) -> float | None:
    """Of all together; None when there is none, or the size of one is not known."""
    sizes = [manifest.size_bytes for manifest in manifests if manifest and manifest.size_bytes is not None]
    return float(sum(sizes)) if sizes and len(sizes) == len(manifests) else None


def _complete(candidates: Sequence[_Candidate]) -> dict[str, list[float]]:
    """The values of those that have one on every axis."""
    known = {each.key: [value for value in each.values if value is not None] for each in candidates}
    return {each.key: known[each.key] for each in candidates if each.is_complete}


def _table(points: Sequence[Sequence[Point]], *, with_dominators: bool) -> Grouped:
    """The points of each experiment; who dominates them only where somebody wants to know, since they may be many."""
    every = [point for each in points for point in each]
    dominators = [
        [each[place].key for place in tradeoff.places_of(point.dominators)] if with_dominators else []
        for each in points
        for point in each
    ]
    columns = {
        "key": [point.key for point in every],
        "values": [point.values for point in every],
        "isOptimal": [point.is_optimal for point in every],
        "dominatedBy": dominators,
    }
    return Grouped(Table(columns, len(every)), [*map(len, points)])


def _axes(axes: Sequence[TradeoffAxisInput]) -> list[_Axis]:
    if not 1 <= len(axes) <= MOST_AXES:
        raise Unreadable(f"Give 1 to {MOST_AXES} axes, not {len(axes)}.")
    return [*map(_Axis.of, axes)]


def _checked(first: int) -> int:
    if not 1 <= first <= MOST:
        raise Unreadable(f"`first` must be between 1 and {MOST}, not {first}.")
    return first
