"""Plans: to which version a stage or an alias can be given back, and whether that is safe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, or_, select

from lineage_api.analysis.checks import Check
from lineage_api.analysis.rollback import Basis, Candidate, Choice, Held, choice
from lineage_api.analysis.safety import Facts, Run, checks, is_safe
from lineage_api.errors import Unreadable
from lineage_api.registry.versions import ACTIVE
from lineage_api.store import origins, tables
from lineage_api.store.database import Snapshot
from lineage_api.store.functions import one_of
from lineage_api.store.history import DELETED, events, models
from lineage_api.store.model_files import ModelFiles

MUTATION = "rollBack"
"""What events say that a rollback brought about."""

_ARCHIVED = "Archived"
_v, _a, _e = tables.model_versions.c, tables.registered_model_aliases.c, events.c


@dataclass(frozen=True, slots=True)
class Place:
    """What is given back: a stage or an alias of a registered model."""

    stage: str | None = None
    alias: str | None = None

    def __post_init__(self) -> None:
        if "\0" in (self.alias or ""):
            raise Unreadable("A text must not contain the character NUL.")
        if (self.stage is None) == (self.alias is None):
            raise Unreadable("Give exactly one of `stage` and `alias`.")
        if self.stage is not None and self.stage not in ACTIVE:
            raise Unreadable("Only STAGING and PRODUCTION can be given back, and aliases.")

    @property
    def name(self) -> str:
        """What people call it."""
        return self.stage.upper() if self.stage is not None else f"The alias {self.alias!r}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to go back to, and whether that is safe."""

    model: str
    place: Place
    current: list[int]
    choice: Choice
    checks: list[Check]
    seen: int
    """The last event that had to do with it when this was planned."""
    has_version: bool = True
    """Whether there is the version that was asked for."""

    @property
    def target(self) -> int | None:
        """The version to go back to."""
        return self.choice.target

    @property
    def basis(self) -> Basis | None:
        """Why it is the target."""
        return self.choice.basis

    @property
    def last_event(self) -> int | None:
        """The event by which the target came to the place before."""
        return None if self.choice.last is None else self.choice.last.event

    @property
    def is_safe(self) -> bool:
        """Whether there is a target and no check failed."""
        return is_safe(self.checks)

    @property
    def tenure_type(self) -> str:
        """What a stay in the place is called."""
        return "StageTenure" if self.place.alias is None else "AliasTenure"

    @property
    def current_keys(self) -> list[tuple[str, int]]:
        """The versions that hold the place now."""
        return [(self.model, version) for version in self.current]

    @property
    def alternative_keys(self) -> list[tuple[str, int]]:
        """Other versions that could be gone back to, the best first."""
        return [(self.model, version) for version in self.choice.alternatives]


class _Event(NamedTuple):
    """What happened to a version or an alias of a model."""

    id: int
    slot: str
    kind: str
    version: int
    to_stage: str | None
    since: int
    until: int | None
    mutation: str | None

    def puts_into(self, place: Place) -> bool:
        """Whether it puts its version into a place."""
        return self.to_stage == place.stage if place.alias is None else self.kind == "ALIAS_SET"

    def displaces_from(self, place: Place) -> bool:
        """Whether it is part of giving a place back to another version; that one may come from another stage."""
        return self.mutation == MUTATION and (place.alias is not None or self.to_stage == _ARCHIVED)


@dataclass
class _Model:
    """What the tables say of one model."""

    versions: list[Candidate] = field(default_factory=list)
    places: dict[int, str | None] = field(default_factory=dict)
    """Where the files of versions lie."""
    holders: list[int] = field(default_factory=list)
    events: list[_Event] = field(default_factory=list)


async def plans(
    reader: Snapshot, files: ModelFiles, names: Sequence[str], place: Place, to: int | None = None
) -> list[Plan]:
    """A plan for each of some registered models; nothing is changed."""
    found = await _models(reader, names, place)
    chosen = {
        name: choice(_stays(model.events, place), model.versions, model.holders, to) for name, model in found.items()
    }
    runs = await _runs(reader, [(name, made.target) for name, made in chosen.items() if made.target is not None])
    facts = await _facts(files, found, chosen, runs)
    return [
        Plan(
            name,
            place,
            found[name].holders,
            chosen[name],
            checks(facts[name]),
            max((event.id for event in found[name].events), default=0),
            has_version=to is None or to in found[name].places,
        )
        for name in names
    ]


async def _models(reader: Snapshot, names: Sequence[str], place: Place) -> dict[str, _Model]:
    found = {name: _Model() for name in names}
    for name, version, stage, location in await reader.read(_version_rows(names)):
        model = found[name]
        model.versions.append(Candidate(version, stage or "None"))
        if stage != DELETED:
            model.places[version] = location
        if place.stage is not None and stage == place.stage:
            model.holders.append(version)
    if place.alias is not None:
        rows = select(_a.name, _a.version).where(
            _a.workspace == origins.WORKSPACE, _a.name.in_(names), _a.alias == place.alias
        )
        for name, version in await reader.read(rows):
            found[name].holders.append(version)
    for name, *event in await reader.read(_event_rows(names, place)):
        found[name].events.append(_Event(*event))
    return found


def _version_rows(names: Sequence[str]) -> Select[Any]:
    location = func.coalesce(func.nullif(_v.storage_location, ""), _v.source)
    rows = select(_v.name, _v.version, _v.current_stage, location)
    return rows.where(_v.workspace == origins.WORKSPACE, _v.name.in_(names)).order_by(_v.name, _v.version.desc())


def _event_rows(names: Sequence[str], place: Place) -> Select[Any]:
    columns = (_e.id, _e.slot, _e.kind, _e.version, _e.to_stage, _e.occurred_at, _e.ended_at, _e.mutation)
    rows = select(models.c.name, *columns).join_from(models, events, _e.model_id == models.c.id)
    rows = rows.where(models.c.name.in_(names), models.c.deleted_at.is_(None), _e.id > 0)
    return rows.where(decides_on(place)).order_by(_e.id)


def decides_on(place: Place) -> ColumnElement[bool]:
    """Whether an event has to do with where a place can be given back to."""
    is_about_version = _e.slot.like("stage/%")
    return is_about_version if place.alias is None else or_(is_about_version, _e.slot == f"alias/{place.alias}")


def _stays(rows: Sequence[_Event], place: Place) -> list[Held]:
    """The stays in a place, from the events of a model."""
    by_slot: dict[str, list[_Event]] = {}
    for row in rows:
        by_slot.setdefault(row.slot, []).append(row)
    stays = []
    for in_slot in by_slot.values():
        for row, following in zip(in_slot, [*in_slot[1:], None], strict=True):
            if row.puts_into(place):
                was_rolled_away = following is not None and following.displaces_from(place)
                stays.append(Held(row.version, row.since, row.until, row.id, was_rolled_away))
    return sorted(stays, key=lambda stay: stay.event)


async def _runs(reader: Snapshot, targets: Sequence[tuple[str, int]]) -> Mapping[str, Run]:
    """What became of the runs behind the targets."""
    if not targets:
        return {}
    r = tables.runs.c
    names, numbers = zip(*targets, strict=True)
    rows = (
        select(_v.name, _v.version, origins.run_id, r.run_uuid, r.lifecycle_stage)
        .select_from(tables.model_versions.outerjoin(tables.runs, r.run_uuid == origins.run_id))
        # Apart, and not as pairs, for which SQLite would look at all versions.
        .where(_v.workspace == origins.WORKSPACE, one_of(_v.name, names), _v.version.in_(set(numbers)))
    )
    found = await reader.read(rows)
    return {name: _fate(*fate) for name, version, *fate in found if (name, version) in targets}


def _fate(named: str | None, run_id: str | None, lifecycle_stage: str | None) -> Run:
    if not named:
        return Run.NEVER_NAMED
    if run_id is None:
        return Run.GONE
    return Run.IN_TRASH if lifecycle_stage == "deleted" else Run.KEPT


async def _facts(
    files: ModelFiles, found: Mapping[str, _Model], chosen: Mapping[str, Choice], runs: Mapping[str, Run]
) -> dict[str, Facts]:
    """What the artifact store holds now of the targets, and of the versions that they would displace."""
    names = list(found)
    targets = [_location(found[name], chosen[name].target) for name in names]
    holders = [_location(found[name], *found[name].holders) for name in names]
    examined = await files.examined([*targets, *holders])
    return {
        name: Facts(
            chosen[name].target,
            target,
            there if target else None,
            held.manifest if holder else None,
            runs.get(name, Run.NEVER_NAMED),
        )
        for name, target, there, holder, held in zip(
            names, targets, examined[: len(names)], holders, examined[len(names) :], strict=True
        )
    }


def _location(model: _Model, *versions: int | None) -> str | None:
    """Where the files of the one version lie; None when it is not one, or nobody knows."""
    if len(versions) != 1 or versions[0] is None:
        return None
    location = model.places.get(versions[0])
    # What MLflow did not resolve is a name, at which no files lie.
    return None if location is None or location.startswith(("models:/", "runs:/")) else location
