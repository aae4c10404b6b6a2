"""The registry as it stood at a moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Select

from lineage_api.engine.arrows import Many, One
from lineage_api.engine.levels import Call, Column, Level
from lineage_api.engine.nouns import arrow, column, interface, noun, resolved
from lineage_api.engine.sql import Late
from lineage_api.engine.steps import Steps, together
from lineage_api.engine.tables import Grouped, Table, several
from lineage_api.errors import Unreadable
from lineage_api.graph.nouns import ModelVersion, RegistryEvent
from lineage_api.graph.rows import EVENTS, MODEL_VERSIONS_EVER, NAMED, RECORDING, TENURES
from lineage_api.graph.version_filter import Stage
from lineage_api.store import convert, history, states

MOST = 10_000
"""How many items each list may have."""

_events = history.events.c
_DEFAULT_STAGES: Any = (Stage.STAGING, Stage.PRODUCTION)  # no list: a default is hashed


def _one_more(first: int) -> int:
    """How many rows to read, for it to be known whether there are more."""
    return first + 1


At = Annotated[datetime, Late(convert.millisecond_of), strawberry.argument(description="The moment.")]
Stages = Annotated[list[Stage], strawberry.argument(description="Only these stages.")]
Models = Annotated[list[str], strawberry.argument(description="Only these registered models.")]
First = Annotated[
    int, Late(_one_more), strawberry.argument(description=f"How many of each list at most, 1 to {MOST}.")
]


def as_of(at: At, stages: Stages = _DEFAULT_STAGES, models: Models | None = None, first: First = 1_000) -> None:
    """The arguments of `registryAt`."""


@interface
class Tenure:
    """A version's time in a place."""

    model_name: str = column(TENURES.c.model_name)
    """The name of the registered model, at that time."""
    version: int = column(TENURES.c.version)
    """The number of the version."""
    model_version: ModelVersion | None = arrow(
        MODEL_VERSIONS_EVER,
        of=[TENURES.c.name, TENURES.c.version],
        to=[MODEL_VERSIONS_EVER.c.name, MODEL_VERSIONS_EVER.c.version],
    )
    """The version; null when its registered model has been deleted since."""
    since: datetime | None = column(TENURES.c.since, convert=convert.moment)
    """Since when; null when that was before history was recorded."""
    until: datetime | None = column(TENURES.c.ended_at, convert=convert.moment)
    """Until when; null when it is still there."""
    event: RegistryEvent | None = arrow(EVENTS, of=TENURES.c.event_id, to=EVENTS.c.id)
    """What put it there; null when that was before history was recorded."""


@noun
class StageTenure(Tenure):
    """A version's time in a stage."""

    stage: Stage = column(TENURES.c.to_stage, convert=Stage)
    """The stage."""


@noun
class AliasTenure(Tenure):
    """A version's time under an alias."""

    alias: str = column(TENURES.c.alias)
    """The alias."""


@noun
class RegistrySnapshot:
    """The registry as it stood at a moment."""

    at: datetime = resolved(Column("at"))
    """That moment."""
    recorded_since: datetime | None = resolved(Column("recorded_since", convert=convert.moment))
    """From when on history has been recorded; what is said of earlier moments is inferred. Null when none is
    recorded."""
    stages: list[StageTenure] = resolved(Column("stages"))
    """Which version was in which stage, by model and version."""
    aliases: list[AliasTenure] = resolved(Column("aliases"))
    """Which alias pointed at which version, by model and alias."""
    is_truncated: bool = resolved(Column("is_truncated"))
    """Whether `first` cut one of the lists."""


def _narrowed(rows: Select[Any], at: Any, models: Any, first: Any, *conditions: ColumnElement[bool]) -> Select[Any]:
    rows = rows.where(*conditions, states.is_state_at(at), states.is_state_at(at, NAMED.c))
    if models is not None:
        rows = rows.where(NAMED.c.model_name.in_(models))
    return rows.limit(first)


def _stages_at(rows: Select[Any], at: At, stages: Stages, models: Models | None, first: First) -> Select[Any]:
    return _narrowed(rows, at, models, first, _events.to_stage.in_([stage.value for stage in stages]))


def _aliases_at(rows: Select[Any], at: At, models: Models | None, first: First) -> Select[Any]:
    return _narrowed(rows, at, models, first, _events.alias.is_not(None), states.pointed_somewhere(at))


@dataclass(frozen=True)
class _Part:
    """A list of a snapshot."""

    name: str
    level: Many

    def rows(self, call: Call) -> Steps[Table]:
        """Its rows, and one more where there are more."""
        memo = call.memo.setdefault(self.name, {})
        found = yield from self.level.resolve(Call([None], call.arguments, call.context, call.below.below(self.name), memo))
        rows: Table = found.rows
        return rows


_PARTS = (
    _Part("stages", Many(TENURES, order=[TENURES.c.model_name, TENURES.c.version], narrow=_stages_at)),
    _Part("aliases", Many(TENURES, order=[TENURES.c.model_name, TENURES.c.alias], narrow=_aliases_at)),
)
_SINCE = One(RECORDING, order=[RECORDING.c.since], value=RECORDING.c.since)


class AsOf(Level):
    """Reads a snapshot of the registry: a statement for each of its lists that is asked for."""

    def resolve(self, call: Call) -> Steps[Table]:
        first = call.arguments["first"]
        if not 1 <= first <= MOST:
            raise Unreadable(f"`first` must be between 1 and {MOST}, not {first}.")
        is_truncated = call.below.selects("isTruncated")
        wanted = [part for part in _PARTS if is_truncated or call.below.selects(part.name)]
        is_dated = call.below.selects("recordedSince")
        read = yield from together([*(part.rows(call) for part in wanted), *([self._since(call)] if is_dated else [])])
        columns: dict[str, Any] = {"at": [call.arguments["at"]]}
        if is_dated:
            columns["recorded_since"] = read.pop()
        for part, rows in zip(wanted, read, strict=True):
            kept = several(rows, range(min(first, rows.size)))
            columns[part.name] = Grouped(kept, [kept.size])
        columns["is_truncated"] = [any(rows.size > first for rows in read)]
        return Table(columns, 1)

    @staticmethod
    def _since(call: Call) -> Steps[Sequence[Any]]:
        memo = call.memo.setdefault("recordedSince", {})
        since: Sequence[Any] = yield from _SINCE.resolve(Call([None], {}, call.context, call.below, memo))
        return since
