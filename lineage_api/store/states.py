"""The history as states, in SQL: what has filled a slot at a moment, and since when."""

from typing import Any

from sqlalchemy import ColumnElement, Text, and_, case, cast, func, literal, literal_column, or_, select

from lineage_api.store.history import events, models, recording

_e, _m = events.c, models.c

INFERRED = "INFERRED"
"""The origin of events that were found after the fact."""

recorded_since: ColumnElement[int] = select(func.min(recording.c.since)).scalar_subquery()
"""When history began to be recorded."""

current_name: ColumnElement[str] = (
    select(_m.name).where(_m.id == _e.model_id, _m.deleted_at.is_(None)).correlate(events).scalar_subquery()
)
"""The name that an event's registered model has now; null when it is gone."""

is_recorded: ColumnElement[bool] = and_(
    _e.id > 0,  # PostgreSQL has others while their transaction is being committed
    ~select(_m.id).where(_m.id == _e.model_id, _m.is_prompt).correlate(events).exists(),
)
"""Whether an event is one of a registered model, and no prompt's."""

is_known: ColumnElement[bool] = or_(_e.origin != INFERRED, _e.occurred_at > recorded_since)
"""Whether an event is known to have happened when it says: not one that was found when history began."""

known_since: ColumnElement[int] = case((is_known, _e.occurred_at))
"""When an event happened; null when it did before history was recorded."""


def is_state_at(moment: Any, columns: Any = _e, *, is_sought: bool = False) -> ColumnElement[bool]:
    """Whether an event was the last of its slot at a moment; where several happened in it, the last of these.

    Unless events are sought by it, it is said so that no database looks into its indexes of times for that.
    """
    began, ended = columns.occurred_at, columns.ended_at
    if not is_sought:
        began, ended = began + literal_column("0"), ended + literal_column("0")
    return and_(began <= moment, or_(columns.ended_at.is_(None), ended > moment))


def identity(name: ColumnElement[str], of: Any) -> ColumnElement[int]:
    """Which registered model has a name, as history knows it; the name is a column of the table `of`."""
    live = select(func.max(_m.id)).where(_m.name == name, _m.deleted_at.is_(None))
    return live.correlate(of).scalar_subquery()


def stage_slot(version: ColumnElement[int]) -> ColumnElement[str]:
    """The slot of a version's stage."""
    return literal("stage/", Text) + cast(version, Text)


def alias_slot(alias: ColumnElement[str]) -> ColumnElement[str]:
    """The slot of an alias."""
    return literal("alias/", Text) + alias


def filled_since(name: ColumnElement[str], slot: ColumnElement[str], of: Any) -> ColumnElement[int]:
    """Since when a slot of a registered model is as it is; null when that was before history was recorded."""
    is_last = (_e.model_id == identity(name, of), _e.slot == slot, _e.ended_at.is_(None), _e.id > 0)
    return select(known_since).where(*is_last).order_by(_e.id.desc()).limit(1).correlate(of).scalar_subquery()


def registrar(name: ColumnElement[str], version: ColumnElement[int], of: Any) -> ColumnElement[str]:
    """Who registered a version, as far as history knows."""
    registered = (_e.model_id == identity(name, of), _e.version == version, _e.kind == "VERSION_REGISTERED", _e.id > 0)
    return select(_e.actor).where(*registered).order_by(_e.id.desc()).limit(1).correlate(of).scalar_subquery()


# As values, and not by EXISTS: of that PostgreSQL makes joins that may begin with all that ever was in a stage.


def stage_at(name: ColumnElement[str], version: ColumnElement[int], moment: Any, of: Any) -> ColumnElement[str]:
    """The stage of a version at a moment; null when it was not there."""
    is_its = (_e.model_id == identity(name, of), _e.slot == stage_slot(version), _e.id > 0)
    return select(_e.to_stage).where(*is_its, is_state_at(moment)).limit(1).correlate(of).scalar_subquery()


_then = events.alias("then")
_t = _then.c


def name_at(moment: Any) -> ColumnElement[str]:
    """The name that an event's registered model had at a moment; null when it was not there."""
    is_its = (_t.model_id == _e.model_id, _t.slot == "name", _t.id > 0)
    return select(_t.model_name).where(*is_its, is_state_at(moment, _t)).limit(1).correlate(events).scalar_subquery()


def target_stage_at(moment: Any) -> ColumnElement[str]:
    """The stage of the version that an event of an alias names, at a moment; null when it was not there."""
    is_its = (_t.model_id == _e.model_id, _t.slot == stage_slot(_e.version), _t.id > 0)
    return select(_t.to_stage).where(*is_its, is_state_at(moment, _t)).limit(1).correlate(events).scalar_subquery()
