"""Changes to aliases."""

from sqlalchemy import select

from lineage_api.registry import texts
from lineage_api.registry.outcome import Outcome
from lineage_api.registry.reasons import Conflict, NotFound, Refused, require
from lineage_api.registry.units import Unit
from lineage_api.store import tables
from lineage_api.store.origins import WORKSPACE

_a = tables.registered_model_aliases.c


def set_to(unit: Unit, model: str, alias: str, version: int, expected: int | None) -> Outcome:
    """Points an alias at a version."""
    require(texts.alias(alias, "alias"))
    unit.lock(model, version=version)
    unit.version(model, version)
    previous = target(unit, model, alias)
    if expected is not None and previous != expected:
        there = () if previous is None else (previous,)
        fact = "is not set" if previous is None else f"points at version {previous}"
        message = f"The alias {texts.shown(alias)} {fact}, not at version {expected}."
        raise Refused(Conflict(message, ("expectedVersion",), model, there))
    unit.begins_with("ALIAS_SET")
    unit.registry.set_registered_model_alias(model, alias, version)
    return Outcome(model=model, version=version, alias=alias, previous=previous)


def remove(unit: Unit, model: str, alias: str) -> Outcome:
    """Removes an alias."""
    require(texts.storable(alias, "alias"))
    unit.lock(model)
    previous = target(unit, model, alias)
    if previous is None:
        raise Refused(NotFound(f"There is no alias {texts.shown(alias)}.", ("alias",)))
    unit.begins_with("ALIAS_REMOVED")
    unit.registry.delete_registered_model_alias(model, alias)
    return Outcome(model=model, version=previous, alias=alias)


def target(unit: Unit, model: str, alias: str) -> int | None:
    """The version that an alias points at."""
    rows = select(_a.version).where(_a.workspace == WORKSPACE, _a.name == model, _a.alias == alias)
    return unit.session.scalar(rows)
