"""Giving a stage or an alias back to the version that held it before, as planned."""

from collections.abc import Sequence
from dataclasses import dataclass

from lineage_api.registry import aliases, versions
from lineage_api.registry.outcome import Outcome
from lineage_api.registry.plans import Place, Plan, decides_on
from lineage_api.registry.reasons import Invalid, Refused, Unsafe, no_version
from lineage_api.registry.units import Unit


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
    if unit.is_recorded and unit.last_event_of(wish.model, decides_on(wish.place)) != plan.seen:
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
