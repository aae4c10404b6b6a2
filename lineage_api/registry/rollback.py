"""Giving a stage or an alias back to the version that held it before: the plan, and doing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, func, select, tuple_

from lineage_api.analysis.checks import Check
from lineage_api.analysis.rollback import Basis, Candidate, Choice, Held, choice
from lineage_api.analysis.safety import Facts, Run, checks, is_safe
from lineage_api.errors import Unreadable
from lineage_api.registry import aliases, versions
from lineage_api.registry.outcome import Outcome
from lineage_api.registry.reasons import Invalid, Refused, Unsafe
from lineage_api.registry.units import Unit, no_version
from lineage_api.store import origins, tables
from lineage_api.store.database import Snapshot
from lineage_api.store.history import DELETED, events, models, recording
from lineage_api.store.model_files import ModelFiles

MUTATION = "rollBack"
"""What events say that a rollback brought about."""

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
        if self.stage is not None and self.stage not in versions.ACTIVE:
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
    """The last event of the model that was known when this was planned."""
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


@dataclass
class _Model:
    """What the tables say of one model."""

    versions: list[Candidate] = field(default_factory=list)
    places: dict[int, str | None] = field(default_factory=dict)
    """Where the files of versions lie."""
    holders: list[int] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    last_event: int = 0


async def plans(
    reader: Snapshot, files: ModelFiles, names: Sequence[str], place: Place, to: int | None = None
) -> list[Plan]:
    """A plan for each of some registered models; nothing is changed."""
    found = await _models(reader, names, place)
    since = (await reader.read(select(func.min(recording.c.since))))[0][0]
    chosen = {name: _choice(model, place, to, since) for name, model in found.items()}
    runs = await _runs(reader, [(name, made.target) for name, made in chosen.items() if made.target is not None])
    facts = await _facts(files, found, chosen, runs)
    return [
        Plan(
            name,
            place,
            found[name].holders,
            chosen[name],
            checks(facts[name]),
            found[name].last_event,
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
    for name, *event in await reader.read(_event_rows(names)):
        model = found[name]
        model.last_event = max(model.last_event, event[0])
        model.events.append(event)
    return found


def _version_rows(names: Sequence[str]) -> Select[Any]:
    location = func.coalesce(func.nullif(_v.storage_location, ""), _v.source)
    rows = select(_v.name, _v.version, _v.current_stage, location)
    return rows.where(_v.workspace == origins.WORKSPACE, _v.name.in_(names)).order_by(_v.name, _v.version.desc())


def _event_rows(names: Sequence[str]) -> Select[Any]:
    columns = (_e.id, _e.slot, _e.kind, _e.version, _e.to_stage, _e.occurred_at, _e.ended_at, _e.origin, _e.mutation)
    rows = select(models.c.name, *columns).join_from(models, events, _e.model_id == models.c.id)
    rows = rows.where(models.c.name.in_(names), models.c.deleted_at.is_(None), _e.id > 0)
    return rows.where(_e.slot.is_not(None)).order_by(_e.id)


def _choice(model: _Model, place: Place, to: int | None, since: int | None) -> Choice:
    return choice(_stays(model.events, place, since or 0), model.versions, model.holders, to)


def _stays(rows: Sequence[Any], place: Place, recorded_since: int) -> list[Held]:
    """The stays in a place, from the events of a model."""
    by_slot: dict[str, list[Any]] = {}
    for row in rows:
        by_slot.setdefault(row[1], []).append(row)
    stays = []
    for slot, in_slot in by_slot.items():
        for row, following in zip(in_slot, [*in_slot[1:], None], strict=True):
            id_, _, kind, version, to_stage, since, until, origin, _ = row
            is_there = to_stage == place.stage if place.alias is None else kind == "ALIAS_SET"
            if is_there and slot.startswith("stage/" if place.alias is None else f"alias/{place.alias}"):
                is_known = not (origin == "INFERRED" and since <= recorded_since)
                was_rolled_away = following is not None and following[8] == MUTATION
                stays.append(Held(version, since, until, id_, is_known, was_rolled_away))
    return sorted(stays, key=lambda stay: stay.event)


async def _runs(reader: Snapshot, targets: Sequence[tuple[str, int]]) -> Mapping[str, Run]:
    """What became of the runs behind the targets."""
    if not targets:
        return {}
    r = tables.runs.c
    rows = (
        select(_v.name, origins.run_id, r.run_uuid, r.lifecycle_stage)
        .select_from(tables.model_versions.outerjoin(tables.runs, r.run_uuid == origins.run_id))
        .where(_v.workspace == origins.WORKSPACE, tuple_(_v.name, _v.version).in_(targets))
    )
    return {name: _fate(*fate) for name, *fate in await reader.read(rows)}


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


# Doing it


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for."""

    model: str
    place: Place
    to: int | None
    expected: Sequence[int]
    force: bool


class StaleError(Exception):
    """The registry changed after the plan was made."""


def require_sound(wish: Wish, plan: Plan) -> None:
    """Refuses what the plan says cannot, or should not, be done."""
    if not plan.has_version:
        raise Refused(no_version(wish.model, wish.to or 0, "to"))
    versions.require_current(wish.model, wish.place.name, sorted(plan.current), wish.expected)
    if wish.to is not None and wish.to in plan.current:
        raise Refused(Invalid(f"{wish.place.name} is held by version {wish.to} already.", ("to",)))
    if plan.target is None or not (plan.is_safe or wish.force):
        failed = "; ".join(f"{check.name}: {check.detail}" for check in plan.checks if check.status.value == "FAIL")
        path = None if plan.target is None else ("force",)
        raise Refused(Unsafe(f"Going back is not safe. {failed}", path, tuple(plan.checks)))


def given_back(unit: Unit, wish: Wish, plan: Plan) -> Outcome:
    """Gives the place to the target of a plan, if nothing has happened to the model, which is locked, since."""
    target = plan.target
    assert target is not None
    there = _holders(unit, wish)
    versions.require_current(wish.model, wish.place.name, there, wish.expected)
    if unit.is_recorded and unit.last_event_of(wish.model) != plan.seen:
        raise StaleError
    unit.version(wish.model, target, "to")
    if wish.place.stage is not None:
        unit.begins_with("STAGE_CHANGED", version=target)
        unit.registry.transition_model_version_stage(wish.model, target, wish.place.stage, True)
    else:
        unit.begins_with("ALIAS_SET", version=target)
        unit.registry.set_registered_model_alias(wish.model, wish.place.alias, target)
    return Outcome(model=wish.model, version=target, others=[each for each in there if each != target])


def _holders(unit: Unit, wish: Wish) -> list[int]:
    if wish.place.stage is not None:
        return unit.in_stage(wish.model, wish.place.stage)
    assert wish.place.alias is not None
    target = aliases.target(unit, wish.model, wish.place.alias)
    return [] if target is None else [target]
