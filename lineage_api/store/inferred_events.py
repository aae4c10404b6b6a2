"""How events are written that were found after the fact."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from lineage_api.store.history import events, models

Slot = tuple[int, str]
"""A model's identity, and a slot of its."""

_FEW = 500
"""Up to how many models are asked for by their identities."""
_e = events.c
_COLUMNS = [column.name for column in events.c if column.name != "id"]


def end_followed(connection: Connection) -> None:
    """Ends the events that others follow, and those of models that are gone, where no trigger does it."""
    n, next_ = events.alias("following").c, events.alias("next")
    following = select(func.min(n.id)).where(n.model_id == _e.model_id, n.slot == _e.slot, n.id > _e.id)
    is_next = next_.c.id == following.correlate(events).scalar_subquery()
    followed = select(_e.id, next_.c.occurred_at).join_from(events, next_, is_next)
    left = select(_e.id, models.c.deleted_at).join_from(events, models, models.c.id == _e.model_id)
    for rows in (followed, left.where(models.c.deleted_at.is_not(None))):
        open_ = rows.where(_e.ended_at.is_(None), _e.slot.is_not(None))
        _end(connection, dict(connection.execute(open_).all()))


def write(connection: Connection, found: Sequence[dict[str, Any]], emptied: Collection[Slot], now: int) -> int:
    """Writes events by time, each ending what was in its slot before, and ends what was emptied; gives how many."""
    last = select(_e.occurred_at).where(_e.id > 0).order_by(_e.id.desc()).limit(1)
    moment = connection.scalar(last) or 0
    for event in found:
        event["occurred_at"] = max(event["occurred_at"], moment)
    # What was noted first comes first of what happened at the same time: models before what is said of them.
    noted = sorted(found, key=lambda event: event["occurred_at"])
    _call(noted)
    open_ = _open(connection, {event["model_id"] for event in noted} | {model for model, _ in emptied})
    ended = {id_: max(moment, now) for model, slot in emptied for id_ in open_[model].pop(slot, ())}
    ended |= _closed(noted, open_)
    _end(connection, ended)
    if noted:
        rows = [{name: event.get(name) for name in _COLUMNS} | {"origin": "INFERRED"} for event in noted]
        ids = _numbers(connection, len(rows))
        connection.execute(events.insert(), [row | id_ for row, id_ in zip(rows, ids, strict=True)])
    return len(noted)


def _end(connection: Connection, ended: Mapping[int, int]) -> None:
    if ended:
        ends = update(events).where(_e.id == bindparam("of")).values(ended_at=bindparam("at"))
        connection.execute(ends, [{"of": id_, "at": at} for id_, at in ended.items()])


def _call(noted: Sequence[dict[str, Any]]) -> None:
    """Gives each event the name that its model had at that time."""
    names = {event["model_id"]: event["previous_name"] for event in noted if event["kind"] == "MODEL_RENAMED"}
    for event in noted:
        if event["kind"] == "MODEL_RENAMED":
            del names[event["model_id"]]
        event["model_name"] = names.get(event["model_id"], event["model_name"])


def _open(connection: Connection, of: Collection[int]) -> dict[int, dict[str, list[int]]]:
    """The events of models that have not ended, by model and slot."""
    rows = select(_e.model_id, _e.slot, _e.id).where(_e.ended_at.is_(None), _e.slot.is_not(None))
    if len(of) <= _FEW:
        rows = rows.where(_e.model_id.in_(of))
    found: dict[int, dict[str, list[int]]] = defaultdict(dict)
    for model, slot, id_ in connection.execute(rows):
        found[model].setdefault(slot, []).append(id_)
    return found


def _closed(noted: Sequence[dict[str, Any]], open_: dict[int, dict[str, list[int]]]) -> dict[int, int]:
    """When those that were written before end; those that are to be written are told when they do."""
    ended: dict[int, int] = {}
    last: dict[Slot, dict[str, Any]] = {}
    for event in noted:
        model, slot, at = event["model_id"], event["slot"], event["occurred_at"]
        for each in list(open_[model]) if event["kind"] == "MODEL_DELETED" else [slot]:
            ended |= dict.fromkeys(open_[model].pop(each, ()), at)
        if (model, slot) in last:
            last[model, slot]["ended_at"] = at
        event["ended_at"] = at if _is_end(event) else None
        last[model, slot] = event
    return ended


def _is_end(event: Mapping[str, Any]) -> bool:
    """Whether nothing is in the slot of an event after it."""
    match event["kind"]:
        case "ALIAS_REMOVED" | "TAG_REMOVED" | "MODEL_DELETED":
            return True
        case "DESCRIPTION_CHANGED":
            return event.get("value") is None
        case "VERSION_DELETED":
            return event.get("to_stage") is None
        case _:
            return False


def _numbers(connection: Connection, count: int) -> Iterable[dict[str, int]]:
    """The IDs of new events, where the database does not count them up by itself."""
    if connection.dialect.name != "postgresql":
        return [{}] * count
    numbers = select(func.nextval("lineage_event_number")).select_from(func.generate_series(1, count))
    return [{"id": number} for number in connection.scalars(numbers)]
