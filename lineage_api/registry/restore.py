"""Bringing back a version that was deleted, with what MLflow wiped out as far as it can be recovered."""

import time
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, func, select, update

from lineage_api.registry.outcome import Outcome
from lineage_api.registry.reasons import Invalid, Refused, no_version
from lineage_api.registry.units import Unit
from lineage_api.store import tables
from lineage_api.store.database import Snapshot
from lineage_api.store.history import DELETED, events, models
from lineage_api.store.manifests import Manifest
from lineage_api.store.model_files import ModelFiles
from lineage_api.store.origins import WORKSPACE

_m, _v, _t, _e = tables.registered_models.c, tables.model_versions.c, tables.model_version_tags.c, events.c
_REDACTED = "REDACTED-"


async def manifest(reader: Snapshot, files: ModelFiles, model: str, version: int) -> Manifest | None:
    """What the files of a version say now; None when they cannot be read."""
    place = select(_v.storage_location).where(*_is(model, version), _v.current_stage == DELETED)
    rows = await reader.read(place)
    [found] = await files.examined([rows[0][0] if rows else None])
    return found.manifest


@dataclass
class _Recovery:
    """What is put back, and what is not."""

    values: dict[str, Any] = field(default_factory=dict)
    recovered: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def put_back(self, name: str, column: str, value: str | None, why_not: str | None = None) -> None:
        """Puts a value back, or says why not."""
        self.values[column] = value
        if value is not None:
            self.recovered.append(name)
        elif why_not is not None:
            self.missing.append(f"{name}: {why_not}")


def restored(unit: Unit, model: str, version: int, manifest: Manifest | None) -> Outcome:
    """Brings a version back to ARCHIVED, from its history, and from its files where history does not know."""
    unit.lock(model, version=version)
    row = _deleted(unit, model, version)
    recovery = _recovery(unit, model, version, manifest, row.storage_location)
    now = {"last_updated_time": time.time_ns() // 1_000_000}
    values = {**recovery.values, **now, "current_stage": "Archived"}
    unit.session.execute(update(tables.model_versions).where(*_is(model, version)).values(values))
    is_model = (_m.workspace == WORKSPACE, _m.name == model)
    unit.session.execute(update(tables.registered_models).where(*is_model).values(now))
    unit.begins_with("VERSION_RESTORED", version=version)
    return Outcome(model=model, version=version, recovered=recovery.recovered, missing=recovery.missing)


def _deleted(unit: Unit, model: str, version: int) -> Any:
    row = unit.session.execute(select(tables.model_versions).where(*_is(model, version))).first()
    if row is None:
        raise Refused(no_version(model, version))
    stage = row.current_stage or "None"
    if stage != DELETED:
        raise Refused(Invalid(f"Version {version} is not deleted: it is in {stage.upper()}.", ("version",)))
    return row


def _is(model: str, version: int) -> tuple[ColumnElement[bool], ...]:
    return _v.workspace == WORKSPACE, _v.name == model, _v.version == version


def _recovery(unit: Unit, model: str, version: int, manifest: Manifest | None, location: str | None) -> _Recovery:
    deletion = _deletion(unit, model, version)
    if deletion is None or deletion.origin == "INFERRED":
        found = _guessed(unit, manifest, location)
    else:
        found = _recorded(unit, deletion)
    tags = select(func.count()).where(_t.workspace == WORKSPACE, _t.name == model, _t.version == version)
    if unit.session.scalar(tags):
        found.recovered.append("tags")
    return found


def _recorded(unit: Unit, deletion: Any) -> _Recovery:
    """What was recorded as the version was deleted; what it never had is not missing."""
    found = _Recovery()
    caused = list(unit.session.execute(select(events).where(_e.cause_id == deletion.id).order_by(_e.id)))
    description = next((row.previous_value for row in caused if row.kind == "DESCRIPTION_CHANGED"), None)
    found.put_back("source", "source", _kept(deletion.source))
    found.put_back("run", "run_id", _kept(deletion.run_id))
    found.put_back("description", "description", description)
    found.values["run_link"] = _kept(deletion.run_link)
    found.missing += [
        f"alias {row.alias}: it is not set again by itself" for row in caused if row.kind == "ALIAS_REMOVED"
    ]
    return found


def _guessed(unit: Unit, manifest: Manifest | None, location: str | None) -> _Recovery:
    """What the files say, where nobody recorded the deletion."""
    found = _Recovery()
    source = _source_of(unit, manifest) or location or None
    found.put_back("source", "source", source, "its files do not say what it was registered from")
    found.put_back("run", "run_id", (manifest.run_id if manifest else None) or None, "its files name none")
    found.values["run_link"] = None
    unrecorded = "it was deleted while history was not recorded"
    found.missing += [f"description: {unrecorded}", f"aliases: {unrecorded}"]
    return found


def _deletion(unit: Unit, model: str, version: int) -> Any:
    """The event by which a version was deleted; None when history does not know of it."""
    live = select(func.max(models.c.id)).where(models.c.name == model, models.c.deleted_at.is_(None)).scalar_subquery()
    rows = select(events).where(_e.model_id == live, _e.version == version, _e.kind == "VERSION_DELETED", _e.id > 0)
    return unit.session.execute(rows.order_by(_e.id.desc()).limit(1)).first()


def _kept(value: str | None) -> str | None:
    """A value as it was before MLflow wiped it out."""
    return None if not value or value.startswith(_REDACTED) else value


def _source_of(unit: Unit, manifest: Manifest | None) -> str | None:
    """The logged model that its files name, where it is still there."""
    if manifest is None or manifest.model_id is None:
        return None
    there = select(tables.logged_models.c.model_id).where(tables.logged_models.c.model_id == manifest.model_id)
    return f"models:/{manifest.model_id}" if unit.session.execute(there).first() else None
