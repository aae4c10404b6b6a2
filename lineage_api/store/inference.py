"""What must have happened, for the tables to be as they are."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select, update

from lineage_api.store import tables as t
from lineage_api.store.history import DELETED, events, models
from lineage_api.store.origins import WORKSPACE, is_prompt

State = tuple[str, str, str]
"""A model's name, a slot, and what is in it."""

Model = tuple[int, str, int | None]
"""A model of history: its identity, its name, and when MLflow made it."""

PROMPT = "prompt"
"""What marks a model as a prompt: no slot of events, but compared like one."""

_FEW = 500
"""Up to how many models are asked for by name."""
_m, _e = models.c, events.c
_is_open = _e.ended_at.is_(None)
_is_live = _m.deleted_at.is_(None)


@dataclass
class Findings:
    """Events that are to be added, and what has to be known for it."""

    connection: Connection
    now: int
    ids: dict[str, int] = field(default_factory=dict)
    """The identities of the models that are there, by name."""
    found: list[dict[str, Any]] = field(default_factory=list)
    emptied: list[tuple[int, str]] = field(default_factory=list)
    """Slots that are empty, with no event to say so."""
    times: dict[tuple[str, int | None], tuple[int | None, int | None]] = field(default_factory=dict)
    """When models and versions were made and last changed."""
    known: set[tuple[str, str]] = field(default_factory=set)
    """The slots of versions that history has heard of."""

    # Which models there are

    def identify(self, names: Collection[str] | None) -> None:
        """Settles which registered models there are: those that are new, gone, or have another name."""
        self._read_models(names)
        made = {name: at for (name, _), (at, _) in self.times.items()}
        live = select(_m.id, _m.name, _m.created_at).where(_is_live).order_by(_m.id.desc())
        lost: list[Model] = []
        for known in self.connection.execute(live if names is None else live.where(_m.name.in_(names))):
            if known.name not in self.ids and known.name in made and made[known.name] == known.created_at:
                self.ids[known.name] = known.id
            else:
                lost.append((known.id, known.name, known.created_at))
        self._find(lost, {name: at for name, at in made.items() if name not in self.ids})
        self._mark_prompts()

    def _read_models(self, names: Collection[str] | None) -> None:
        m = t.registered_models.c
        rows = select(m.name, m.creation_time, m.last_updated_time).where(m.workspace == WORKSPACE)
        for name, made, changed in self.connection.execute(rows if names is None else rows.where(m.name.in_(names))):
            self.times[name, None] = made, changed

    def _find(self, lost: Sequence[Model], new: dict[str, int | None]) -> None:
        """The models that are not there under their names: renamed, where only one can be meant, or deleted."""
        for id_, name, made in reversed(lost):
            heirs = [other for other, at in new.items() if at is not None and at == made]
            if len(heirs) == 1 and [at for _, _, at in lost].count(made) == 1:
                self._rename(id_, name, heirs[0])
                del new[heirs[0]]
            else:
                self._delete(id_, name)
        if new:
            rows = [{"name": name, "created_at": made, "is_prompt": False} for name, made in new.items()]
            self.connection.execute(models.insert(), rows)
            self.ids |= self._live(new)

    def _mark_prompts(self) -> None:
        marked = is_prompt(_m.name)
        self.connection.execute(update(models).where(_is_live, marked, ~_m.is_prompt).values(is_prompt=True))
        self.connection.execute(update(models).where(_is_live, ~marked, _m.is_prompt).values(is_prompt=False))

    def _rename(self, id_: int, before: str, after: str) -> None:
        self.connection.execute(update(models).where(_m.id == id_).values(name=after))
        self.ids[after] = id_
        at = min(self._changed(after, None), self._left(before))
        self._note("MODEL_RENAMED", after, "name", at, previous_name=before)

    def _left(self, name: str) -> int:
        """When a model has left its name at the latest: before the next one took it."""
        made, _ = self.times.get((name, None), (None, None))
        return min(made or self.now, self.now)

    def _delete(self, id_: int, name: str) -> None:
        of_model, at = {"model_id": id_}, self._left(name)
        left = select(_e.slot, _e.version, _e.alias, _e.to_stage).where(_e.model_id == id_, _is_open)
        for slot, version, alias, stage in self.connection.execute(left.order_by(_e.id)).all():
            if slot.startswith("alias/"):
                gone = {"version": version, "alias": alias, "previous_version": version}
                self._note("ALIAS_REMOVED", name, slot, at, **of_model, **gone)
            elif slot.startswith("stage/") and stage != DELETED:
                self._note("VERSION_DELETED", name, slot, at, **of_model, version=version, from_stage=stage)
        self._note("MODEL_DELETED", name, "name", at, **of_model)
        self.connection.execute(update(models).where(_m.id == id_).values(deleted_at=at))

    def _live(self, names: Collection[str]) -> dict[str, int]:
        rows = select(_m.name, func.max(_m.id)).where(_is_live).group_by(_m.name)
        if len(names) <= _FEW:
            rows = rows.where(_m.name.in_(names))
        return dict(self.connection.execute(rows).all())

    # What has become of them

    def add(self, missing: Collection[State], ended: Collection[State]) -> None:
        """Notes what has to have happened, for the tables to be as they are."""
        names = {name for name, *_ in missing} | {name for name, *_ in ended}
        self.ids |= self._live(names)
        self._read_times(names)
        self._read_known(names)
        before = {(name, slot): state for name, slot, state in ended}
        for name, slot, state in sorted(missing, key=_in_order):
            was = before.pop((name, slot), None)
            _SET[slot.partition("/")[0]](self, name, slot, state, was)
        gone = {(name, slot.partition("/")[2]) for name, slot in before if slot.startswith("stage/")}
        for (name, slot), was in sorted(before.items()):
            self._end(name, slot, was, gone)

    def _read_times(self, names: Collection[str]) -> None:
        v = t.model_versions.c
        rows = select(v.name, v.version, v.creation_time, v.last_updated_time).where(v.workspace == WORKSPACE)
        if len(names) <= _FEW:
            rows = rows.where(v.name.in_(names))
        for name, version, made, changed in self.connection.execute(rows):
            self.times[name, version] = made, changed

    def _read_known(self, names: Collection[str]) -> None:
        rows = select(_m.name, _e.slot).join_from(events, models, _m.id == _e.model_id)
        rows = rows.where(_e.slot.like("stage/%"), _is_live).distinct()
        if len(names) <= _FEW:
            rows = rows.where(_m.name.in_(names))
        self.known = {(name, slot) for name, slot in self.connection.execute(rows)}

    def _made(self, name: str, version: int | None = None) -> int:
        """When a model or a version was made; not after it was last changed."""
        made, _ = self.times.get((name, version), (None, None))
        return min(made or self.now, self._changed(name, version))

    def _changed(self, name: str, version: int | None) -> int:
        made, changed = self.times.get((name, version), (None, None))
        return min(changed or made or self.now, self.now)

    def create(self, name: str, slot: str, _state: str, _was: str | None) -> None:
        """A model was made."""
        self._note("MODEL_CREATED", name, slot, self._made(name))

    def describe(self, name: str, slot: str, state: str, was: str | None) -> None:
        """A model or a version was described."""
        version = _version_of(slot)
        said = {"version": version, "value": state, "previous_value": was}
        self._note("DESCRIPTION_CHANGED", name, slot, self._changed(name, version), **said)

    def point(self, name: str, slot: str, state: str, was: str | None) -> None:
        """An alias was set."""
        previous = None if was is None else int(was)
        said = {"version": int(state), "alias": slot.partition("/")[2], "previous_version": previous}
        self._note("ALIAS_SET", name, slot, self.now, **said)

    def tag(self, name: str, slot: str, state: str, was: str | None) -> None:
        """A tag was set."""
        said = {"version": _version_of(slot), "key": _key_of(slot), "value": state, "previous_value": was}
        self._note("TAG_SET", name, slot, self.now, **said)

    def move(self, name: str, slot: str, state: str, was: str | None) -> None:
        """A version was registered, came into another stage, was deleted or restored."""
        version = _version_of(slot)
        if (name, slot) not in self.known:
            self._note("VERSION_REGISTERED", name, slot, self._made(name, version), version=version, to_stage="None")
            was = "None"
        if was == state:
            return
        kind = "VERSION_RESTORED" if was in {DELETED, None} else "STAGE_CHANGED"
        kind = "VERSION_DELETED" if state == DELETED else kind
        stages = {"from_stage": was or DELETED, "to_stage": state}
        self._note(kind, name, slot, self._changed(name, version), version=version, **stages)

    def _end(self, name: str, slot: str, was: str, gone: Collection[tuple[str, str]]) -> None:
        kind, _, key = slot.partition("/")
        version = _version_of(slot)
        if kind == "alias":
            removed = {"version": int(was), "alias": key, "previous_version": int(was)}
            self._note("ALIAS_REMOVED", name, slot, self.now, **removed)
        elif kind == "tag":
            removed = {"version": version, "key": _key_of(slot), "previous_value": was}
            self._note("TAG_REMOVED", name, slot, self.now, **removed)
        elif kind == "stage" and was != DELETED:
            self._note("VERSION_DELETED", name, slot, self.now, version=version, from_stage=was)
        elif kind == "description" and (name, key) not in gone:
            changed = self._changed(name, version)
            self._note("DESCRIPTION_CHANGED", name, slot, changed, version=version, previous_value=was)
        elif kind != "name":
            self.emptied.append((self.ids[name], slot))

    def _note(self, kind: str, name: str, slot: str, at: int, **columns: Any) -> None:
        ids = {"model_id": columns.get("model_id") or self.ids[name], "model_name": name}
        self.found.append({"kind": kind, "slot": slot, "occurred_at": at, **columns, **ids})


_SET: Mapping[str, Callable[[Findings, str, str, str, str | None], None]] = {
    "name": Findings.create,
    "stage": Findings.move,
    "description": Findings.describe,
    "tag": Findings.tag,
    "alias": Findings.point,
}
"""What has happened when a slot is filled; models before their versions, and those before what is said of them."""
_ORDER = list(_SET)


def _version_of(slot: str) -> int | None:
    """The version that a slot is about."""
    kind, _, rest = slot.partition("/")
    number = rest.partition("/")[0]
    return int(number) if kind in {"stage", "description", "tag"} and number else None


def _key_of(slot: str) -> str:
    """The key of the tag that a slot is about, which may have slashes itself."""
    return slot.split("/", 2)[2]


def _in_order(state: State) -> tuple[Any, ...]:
    name, slot, _ = state
    return name, _ORDER.index(slot.partition("/")[0]), _version_of(slot) or 0, slot
