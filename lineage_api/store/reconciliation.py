"""Comparing the history with the tables, and adding what was missed.

Both are brought into one form, rows of (model, slot, state), and compared by the database. What differs becomes
events that are INFERRED, each at the latest moment at which it can have happened.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    Text,
    case,
    cast,
    except_,
    func,
    literal,
    select,
    union_all,
    update,
)

from lineage_api.store import tables as t
from lineage_api.store.history import DELETED, events, models
from lineage_api.store.origins import WORKSPACE, is_prompt
from lineage_api.store.trigger_forms import COMMIT_LOCK

State = tuple[str, str, str]
"""A model's name, a slot, and what is in it."""

_FEW = 500
"""Up to how many models are asked for by name."""


def differences(connection: Connection, names: Collection[str] | None = None) -> tuple[set[State], set[State]]:
    """What is in the tables and not in the history, and the reverse; of some models, or of all."""
    there, recorded = _in_tables(names), _in_history(names)
    missing = connection.execute(except_(there, recorded)).all()
    ended = connection.execute(except_(recorded, there)).all()
    return {tuple(row) for row in missing}, {tuple(row) for row in ended}


def reconcile(connection: Connection, now: int, names: Collection[str] | None = None) -> int:
    """Adds to the history what it lacks, of some models or of all; gives how many events.

    Call it where nobody else can write events: see `locked`.
    """
    missing, ended = differences(connection, names)
    if not missing and not ended:
        return 0
    found = _Findings(connection, now)
    found.identify(missing, ended)
    # With the identities settled, the rest is said of the models that are there.
    missing, ended = differences(connection, names)
    found.add(missing, ended)
    return found.write()


def lock(connection: Connection) -> None:
    """Keeps others from writing events until the transaction ends; on SQLite it does so from its beginning."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(COMMIT_LOCK)))


# Both in one form


def _words(*parts: Any) -> ColumnElement[str]:
    text = literal("", Text)
    for part in parts:
        text = text + (literal(part, Text) if isinstance(part, str) else cast(part, Text().with_variant(String(300), "mysql", "mariadb")))
    return text


def _in_tables(names: Collection[str] | None) -> Any:
    m, v, a = t.registered_models.c, t.model_versions.c, t.registered_model_aliases.c
    mt, vt = t.registered_model_tags.c, t.model_version_tags.c
    parts = [
        _state(m, literal("name", Text), _words(func.coalesce(m.creation_time, 0))),
        _state(m, literal("description/", Text), m.description).where(m.description != ""),
        _state(v, _words("stage/", v.version), func.coalesce(v.current_stage, "None")),
        _state(v, _words("description/", v.version), v.description).where(v.description != ""),
        _state(a, _words("alias/", a.alias), _words(a.version)),
        _state(mt, _words("tag//", mt.key), func.coalesce(mt.value, "")),
        _state(vt, _words("tag/", vt.version, "/", vt.key), func.coalesce(vt.value, "")),
    ]
    named = parts if names is None else [part.where(part.selected_columns.name.in_(names)) for part in parts]
    # As one source, since SQLite takes no parentheses around a part of EXCEPT.
    return select(union_all(*named).subquery())


def _state(columns: Any, slot: ColumnElement[Any], state: ColumnElement[Any]) -> Select[Any]:
    return select(columns.name, slot.label("slot"), state.label("state")).where(columns.workspace == WORKSPACE)


def _in_history(names: Collection[str] | None) -> Select[Any]:
    e, m = events.c, models.c
    state = case(
        (e.slot == "name", _words(func.coalesce(m.created_at, 0))),
        (e.slot.like("alias/%"), _words(e.version)),
        (e.slot.like("stage/%"), e.to_stage),
        else_=e.value,
    )
    rows = (
        select(m.name, e.slot, state.label("state"))
        .join_from(events, models, m.id == e.model_id)
        .where(e.ended_at.is_(None), e.slot.is_not(None), m.deleted_at.is_(None))
    )
    return rows if names is None else rows.where(m.name.in_(names))


# What differs, as events


@dataclass
class _Findings:
    """Events that are to be added, and what has to be known for it."""

    connection: Connection
    now: int
    identities: dict[str, int] = field(default_factory=dict)
    found: list[dict[str, Any]] = field(default_factory=list)

    def identify(self, missing: Iterable[State], ended: Iterable[State]) -> None:
        """Settles which registered models there are: those that are new, gone, or have another name."""
        new = {name: int(made) for name, slot, made in missing if slot == "name"}
        gone = {name: int(made) for name, slot, made in ended if slot == "name"}
        for name, made in gone.items():
            heirs = [other for other in new if made and new[other] == made and other not in gone]
            if len(heirs) == 1 and list(gone.values()).count(made) == 1:
                self._rename(name, heirs[0])
                del new[heirs[0]]
            else:
                self._delete(name)
        if new:
            rows = [{"name": name, "created_at": made or None, "is_prompt": False} for name, made in new.items()]
            self.connection.execute(models.insert(), rows)
        self._mark_prompts()

    def _mark_prompts(self) -> None:
        is_live = models.c.deleted_at.is_(None)
        marked = is_prompt(models.c.name)
        self.connection.execute(update(models).where(is_live, marked, ~models.c.is_prompt).values(is_prompt=True))
        self.connection.execute(update(models).where(is_live, ~marked, models.c.is_prompt).values(is_prompt=False))

    def _rename(self, before: str, after: str) -> None:
        self.connection.execute(
            update(models).where(models.c.name == before, models.c.deleted_at.is_(None)).values(name=after)
        )
        self._note("MODEL_RENAMED", after, "name", self.now, previous_name=before)

    def _delete(self, name: str) -> None:
        e = events.c
        id_ = self._identity(name)
        left = select(e.slot, e.version, e.alias, e.to_stage).where(e.model_id == id_, e.ended_at.is_(None))
        for slot, version, alias, stage in self.connection.execute(left.order_by(e.id)).all():
            if slot.startswith("alias/"):
                gone = {"version": version, "alias": alias, "previous_version": version}
                self._note("ALIAS_REMOVED", name, slot, self.now, **gone)
            elif slot.startswith("stage/") and stage != DELETED:
                self._note("VERSION_DELETED", name, slot, self.now, version=version, from_stage=stage)
        self._note("MODEL_DELETED", name, "name", self.now)
        self.write()
        self.connection.execute(
            update(events).where(e.model_id == id_, e.ended_at.is_(None)).values(ended_at=self.now)
        )
        self.connection.execute(update(models).where(models.c.id == id_).values(deleted_at=self.now))
        del self.identities[name]

    def _identity(self, name: str) -> int:
        if name not in self.identities:
            live = select(func.max(models.c.id)).where(models.c.name == name, models.c.deleted_at.is_(None))
            self.identities[name] = self.connection.scalars(live).one()
        return self.identities[name]

    def add(self, missing: Collection[State], ended: Collection[State]) -> None:
        """Notes what has to have happened, for the tables to be as they are."""
        names = {name for name, *_ in missing} | {name for name, *_ in ended}
        self.identities |= self._live(names)
        times = self._times(names)
        known = self._known_versions(names)
        before = {(name, slot): state for name, slot, state in ended}
        for name, slot, state in sorted(missing, key=_in_order):
            if name in self.identities:
                was = before.pop((name, slot), None)
                self._set(name, slot, state, was, times, is_known=(name, slot) in known)
        for (name, slot), was in sorted(before.items()):
            if name in self.identities:
                self._end(name, slot, was)

    def _live(self, names: Collection[str]) -> dict[str, int]:
        rows = select(models.c.name, func.max(models.c.id)).where(models.c.deleted_at.is_(None)).group_by(models.c.name)
        if len(names) <= _FEW:
            rows = rows.where(models.c.name.in_(names))
        return {name: id_ for name, id_ in self.connection.execute(rows)}

    def _times(self, names: Collection[str]) -> Mapping[tuple[str, int | None], tuple[int | None, int | None]]:
        """When models and versions were made and last changed."""
        m, v = t.registered_models.c, t.model_versions.c
        parts = [
            select(m.name, literal(None, v.version.type), m.creation_time, m.last_updated_time),
            select(v.name, v.version, v.creation_time, v.last_updated_time),
        ]
        if len(names) <= _FEW:
            parts = [part.where(part.selected_columns.name.in_(names)) for part in parts]
        return {(name, version): (made, changed) for part in parts for name, version, made, changed in self.connection.execute(part)}

    def _known_versions(self, names: Collection[str]) -> set[tuple[str, str]]:
        """The slots of versions that history has heard of."""
        e = events.c
        rows = select(models.c.name, e.slot).join_from(events, models, models.c.id == e.model_id)
        rows = rows.where(e.slot.like("stage/%"), models.c.deleted_at.is_(None)).distinct()
        if len(names) <= _FEW:
            rows = rows.where(models.c.name.in_(names))
        return {(name, slot) for name, slot in self.connection.execute(rows)}

    def _set(self, name: str, slot: str, state: str, was: str | None, times: Any, *, is_known: bool) -> None:
        kind, _, key = slot.partition("/")
        version = _version_of(slot)
        made, changed = times.get((name, version), (None, None))
        latest = min(changed or made or self.now, self.now)
        match kind:
            case "name":
                self._note("MODEL_CREATED", name, slot, min(made or self.now, self.now))
            case "description":
                self._note(
                    "DESCRIPTION_CHANGED", name, slot, latest, version=version, value=state, previous_value=was
                )
            case "alias":
                previous = None if was is None else int(was)
                self._note("ALIAS_SET", name, slot, self.now, version=int(state), alias=key, previous_version=previous)
            case "tag":
                key = key.partition("/")[2]
                self._note("TAG_SET", name, slot, self.now, version=version, key=key, value=state, previous_value=was)
            case _:
                if not is_known:
                    first = min(made or latest, latest)
                    self._note("VERSION_REGISTERED", name, slot, first, version=version, to_stage="None")
                    was = "None"
                if was is None or was != state:
                    changed_kind = "VERSION_DELETED" if state == DELETED else "VERSION_RESTORED" if was in {DELETED, None} else "STAGE_CHANGED"
                    self._note(changed_kind, name, slot, latest, version=version, from_stage=was or DELETED, to_stage=state)

    def _end(self, name: str, slot: str, was: str) -> None:
        kind, _, key = slot.partition("/")
        version = _version_of(slot)
        match kind:
            case "description":
                self._note("DESCRIPTION_CHANGED", name, slot, self.now, version=version, previous_value=was)
            case "alias":
                gone = {"version": int(was), "alias": key, "previous_version": int(was)}
                self._note("ALIAS_REMOVED", name, slot, self.now, **gone)
            case "tag":
                key = key.partition("/")[2]
                self._note("TAG_REMOVED", name, slot, self.now, version=version, key=key, previous_value=was)
            case "stage":
                self._note("VERSION_DELETED", name, slot, self.now, version=version, from_stage=was)

    def _note(self, kind: str, name: str, slot: str, at: int, **columns: Any) -> None:
        ids = {"model_id": self._identity(name), "model_name": name}
        self.found.append({"kind": kind, "slot": slot, "occurred_at": at, **ids, **columns})

    def write(self) -> int:
        """Writes what was noted, by time, each ending what was in its slot before; gives how many."""
        noted, self.found = sorted(self.found, key=lambda event: event["occurred_at"]), []
        if not noted:
            return 0
        last = select(events.c.occurred_at).where(events.c.id > 0).order_by(events.c.id.desc()).limit(1)
        moment = self.connection.scalar(last) or 0
        open_: dict[tuple[int, str], dict[str, Any]] = {}
        for event in noted:
            moment = event["occurred_at"] = max(event["occurred_at"], moment)
            slot = event["model_id"], event["slot"]
            if slot in open_:
                open_[slot]["ended_at"] = moment
            else:
                self._close(*slot, moment)
            event["ended_at"] = moment if _is_end(event) else None
            open_[slot] = event
        rows = [{name: event.get(name) for name in _COLUMNS} | {"origin": "INFERRED"} for event in noted]
        self.connection.execute(events.insert(), [row | id_ for row, id_ in zip(rows, self._ids(len(rows)), strict=True)])
        return len(noted)

    def _ids(self, count: int) -> Sequence[dict[str, int]]:
        """The IDs of new events, where the database does not count them up by itself."""
        if self.connection.dialect.name != "postgresql":
            return [{}] * count
        numbers = select(func.nextval("lineage_event_number")).select_from(func.generate_series(1, count))
        return [{"id": number} for number in self.connection.scalars(numbers)]

    def _close(self, model_id: int, slot: str, moment: int) -> None:
        e = events.c
        is_open = (e.model_id == model_id, e.slot == slot, e.ended_at.is_(None))
        self.connection.execute(update(events).where(*is_open).values(ended_at=moment))


_COLUMNS = [column.name for column in events.c if column.name != "id"]


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


def _version_of(slot: str) -> int | None:
    """The version that a slot is about."""
    kind, _, rest = slot.partition("/")
    number = rest.partition("/")[0]
    return int(number) if kind in {"stage", "description", "tag"} and number else None


_ORDER: Sequence[str] = ("name", "stage", "description", "tag", "alias")


def _in_order(state: State) -> tuple[Any, ...]:
    """Models before their versions, and those before what is said of them."""
    name, slot, _ = state
    return name, _ORDER.index(slot.partition("/")[0]), _version_of(slot) or 0, slot
