"""The registry as it stood at a moment."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any

import strawberry
from sqlalchemy import BigInteger, ColumnElement, Integer, Select, Subquery, and_, bindparam, literal_column, select

from lineage_api.engine.arrows import One, fetched, frozen, kept_statement
from lineage_api.engine.levels import Call, Column, Level
from lineage_api.engine.nouns import arrow, column, interface, noun, resolved
from lineage_api.engine.steps import Steps, together
from lineage_api.engine.tables import Grouped, Table, several
from lineage_api.errors import Unreadable
from lineage_api.graph.nouns import ModelVersion, RegistryEvent
from lineage_api.graph.rows import EVENTS, LAST_TENURES, MODEL_VERSIONS_EVER, RECORDING
from lineage_api.graph.version_filter import Stage
from lineage_api.store import convert, history, states

MOST = 10_000
"""How many items each list may have."""

_DEFAULT_STAGES: Any = (Stage.STAGING, Stage.PRODUCTION)  # no list: defaults are hashed

At = Annotated[datetime, strawberry.argument(description="The moment.")]
Stages = Annotated[list[Stage], strawberry.argument(description="Only these stages.")]
Models = Annotated[list[str], strawberry.argument(description="Only these registered models.")]
First = Annotated[int, strawberry.argument(description=f"How many of each list at most, 1 to {MOST}.")]


def as_of(at: At, stages: Stages = _DEFAULT_STAGES, models: Models | None = None, first: First = 1_000) -> None:
    """The arguments of `registryAt`."""


@interface
class Tenure:
    """A version's time in a place."""

    model_name: str = column(LAST_TENURES.c.model_name)
    """The name of the registered model, at that time."""
    version: int = column(LAST_TENURES.c.version)
    """The number of the version."""
    model_version: ModelVersion | None = arrow(
        MODEL_VERSIONS_EVER,
        of=[LAST_TENURES.c.name, LAST_TENURES.c.version],
        to=[MODEL_VERSIONS_EVER.c.name, MODEL_VERSIONS_EVER.c.version],
    )
    """The version; null when its registered model has been deleted since."""
    since: datetime | None = column(LAST_TENURES.c.since, convert=convert.moment)
    """Since when; null when that was before history was recorded."""
    until: datetime | None = column(LAST_TENURES.c.ended_at, convert=convert.moment)
    """Until when; null when it is still there."""
    event: RegistryEvent | None = arrow(EVENTS, of=LAST_TENURES.c.event_id, to=EVENTS.c.id)
    """What put it there; null when that was before history was recorded."""


@noun
class StageTenure(Tenure):
    """A version's time in a stage."""

    stage: Stage = column(LAST_TENURES.c.to_stage, convert=Stage)
    """The stage."""


@noun
class AliasTenure(Tenure):
    """A version's time under an alias."""

    alias: str = column(LAST_TENURES.c.alias)
    """The alias."""


@noun
class RegistrySnapshot:
    """The registry as it stood at a moment."""

    at: datetime = resolved(Column("at"))
    """That moment."""
    recorded_since: datetime | None = resolved(Column("recordedSince", convert=convert.moment))
    """From when on history has been recorded; what is said of earlier moments is inferred. Null when none is
    recorded."""
    stages: list[StageTenure] = resolved(Column("stages"))
    """Which version was in which stage, by model and version."""
    aliases: list[AliasTenure] = resolved(Column("aliases"))
    """Which alias pointed at which version, by model and alias."""
    is_truncated: bool = resolved(Column("isTruncated"))
    """Whether `first` cut one of the lists."""


_AT = bindparam("at", None, type_=BigInteger)
_FIRST = bindparam("first", None, type_=Integer)
_COLUMNS: Mapping[str, ColumnElement[Any]] = {
    **LAST_TENURES.columns,
    "model_name": states.name_at(_AT),
    "target_stage": states.target_stage_at(_AT),
}


@dataclass(frozen=True)
class _Part:
    """A list of a snapshot."""

    name: str
    order: str
    """By what it is ordered below a registered model."""
    begins: Callable[[Sequence[Stage]], ColumnElement[bool]]
    """Whether an event begins what is listed; given the stages that are asked for."""
    further: tuple[str, ...] = ()
    """Columns that only `is_there` needs."""
    is_there: Callable[[Any], ColumnElement[bool]] = lambda found: found.model_name.is_not(None)
    """Whether what was found is listed; given its columns."""

    def rows(self, call: Call) -> Steps[Table]:
        """Its rows, and one more where there are more."""
        arguments, reader = call.arguments, call.context.reader
        wanted = call.below.below(self.name).columns()
        # Where none is wanted, one says that the row is there.
        names = sorted(LAST_TENURES.columns if wanted is None else wanted) or ["version"]
        stages, models = tuple(arguments["stages"]), arguments.get("models")
        key = (self.name, stages, frozen(models), *names)
        make = partial(self._statement, names, stages, models)
        statement = kept_statement(call.memo, key, make, reader.dialect)
        values = {"at": convert.millisecond_of(arguments["at"]), "first": arguments["first"] + 1}
        rows = yield from fetched(reader, statement, values)
        return Table.of(names, rows)

    def _statement(self, names: Sequence[str], stages: Sequence[Stage], models: list[str] | None) -> Select[Any]:
        found = self._found({*names, "model_name", self.order, *self.further}, stages).c
        rows = select(*(found[name] for name in names)).where(self.is_there(found))
        if models is not None:
            rows = rows.where(found.model_name.in_(models))
        return rows.order_by(found.model_name, found[self.order]).limit(_FIRST)

    def _found(self, names: Iterable[str], stages: Sequence[Stage]) -> Subquery:
        """The events that had begun and not ended, with the names that their registered models had."""
        columns = (_COLUMNS[name].label(name) for name in sorted(names))
        rows = LAST_TENURES.select(*columns).where(states.is_state_at(_AT, is_sought=True), self.begins(stages))
        # The OFFSET keeps it apart: otherwise PostgreSQL may begin with all names, and look for the events of each.
        return rows.offset(literal_column("0")).subquery("found")


_EVENTS = history.events.c
_PARTS = (
    _Part("stages", "version", lambda stages: _EVENTS.to_stage.in_([stage.value for stage in stages])),
    _Part(
        "aliases",
        "alias",
        lambda _: _EVENTS.alias.is_not(None),
        further=("target_stage",),
        is_there=lambda found: and_(found.model_name.is_not(None), found.target_stage != history.DELETED),
    ),
)
_SINCE = One(RECORDING, order=[RECORDING.c.since], value=RECORDING.c.since)


class AsOf(Level):
    """Reads a snapshot of the registry: a statement for each of its lists that is asked for."""

    def resolve(self, call: Call) -> Steps[Table]:
        first = call.arguments["first"]
        if not 1 <= first <= MOST:
            raise Unreadable(f"`first` must be between 1 and {MOST}, not {first}.")
        selects = call.below.selects
        parts = [part for part in _PARTS if selects(part.name) or selects("isTruncated")]
        dated = [self._since(call)] if selects("recordedSince") else []
        read: list[Any] = yield from together([*dated, *(part.rows(call) for part in parts)])
        columns: dict[str, Any] = {"at": [call.arguments["at"]], "recordedSince": read.pop(0) if dated else [None]}
        columns["isTruncated"] = [any(rows.size > first for rows in read)]
        for part, rows in zip(parts, read, strict=True):
            kept = several(rows, range(min(first, rows.size)))
            columns[part.name] = Grouped(kept, [kept.size])
        return Table(columns, 1)

    @staticmethod
    def _since(call: Call) -> Steps[Sequence[Any]]:
        memo = call.memo.setdefault("recordedSince", {})
        since: Sequence[Any] = yield from _SINCE.resolve(Call([None], {}, call.context, call.below, memo))
        return since
