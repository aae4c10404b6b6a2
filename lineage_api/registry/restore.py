"""Bringing back a version that was deleted, with what MLflow wiped out as far as it can be recovered."""

import time
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from lineage_api.registry.outcome import Outcome
from lineage_api.registry.reasons import Invalid, Refused
from lineage_api.registry.units import Unit, no_version
from lineage_api.store import tables
from lineage_api.store.database import Snapshot
from lineage_api.store.history import DELETED, events, models
from lineage_api.store.model_files import Manifest, ModelFiles
from lineage_api.store.origins import WORKSPACE

_v, _t, _e = tables.model_versions.c, tables.model_version_tags.c, events.c
_REDACTED = "REDACTED-"


async def manifest(reader: Snapshot, files: ModelFiles, model: str, version: int) -> Manifest | None:
    """What the files of a version say now; None when they cannot be read."""
    place = select(_v.storage_location).where(
        _v.workspace == WORKSPACE, _v.name == model, _v.version == version, _v.current_stage == DELETED
    )
    rows = await reader.read(place)
    [found] = await files.examined([rows[0][0] if rows else None])
    return found.manifest


@dataclass
class _Recovery:
    """What is put back, and what is not."""

    values: dict[str, Any] = field(default_factory=dict)
    recovered: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def put_back(self, name: str, column: str, value: Any, why_not: str) -> None:
        """Puts a value back, or says why not."""
        self.values[column] = value
        if value is None:
            self.missing.append(f"{name}: {why_not}")
        else:
            self.recovered.append(name)


def restored(unit: Unit, model: str, version: int, manifest: Manifest | None) -> Outcome:
    """Brings a version back to ARCHIVED, from its history, and from its files where history does not know."""
    from mlflow.store.model_registry.dbmodels.models import SqlModelVersion  # noqa: PLC0415 - MLflow takes seconds
    from sqlalchemy import update  # noqa: PLC0415

    unit.lock(model, version=version)
    row = _deleted(unit, model, version)
    recovery = _recovery(unit, model, version, manifest, row.storage_location)
    values = {**recovery.values, "current_stage": "Archived", "last_updated_time": time.time_ns() // 1_000_000}
    is_it = (
        SqlModelVersion.workspace == WORKSPACE,
        SqlModelVersion.name == model,
        SqlModelVersion.version == version,
    )
    unit.session.execute(update(SqlModelVersion).where(*is_it).values(values))
    unit.begins_with("VERSION_RESTORED", version=version)
    return Outcome(model=model, version=version, recovered=recovery.recovered, missing=recovery.missing)


def _deleted(unit: Unit, model: str, version: int) -> Any:
    is_it = (_v.workspace == WORKSPACE, _v.name == model, _v.version == version)
    row = unit.session.execute(select(tables.model_versions).where(*is_it)).first()
    if row is None:
        raise Refused(no_version(model, version))
    if row.current_stage != DELETED:
        raise Refused(Invalid(f"Version {version} is not deleted: it is in {row.current_stage.upper()}.", ("version",)))
    return row


def _recovery(unit: Unit, model: str, version: int, manifest: Manifest | None, location: str | None) -> _Recovery:
    deletion = _deletion(unit, model, version)
    found = _Recovery()
    source = _kept(deletion, "source") or _source_of(unit, manifest) or location or None
    found.put_back("source", "source", source, "neither its history nor its files say what it was registered from")
    run = _kept(deletion, "run_id") or (manifest.run_id if manifest else None) or None
    found.put_back("run", "run_id", run, "neither its history nor its files name one")
    found.values["run_link"] = _kept(deletion, "run_link")
    caused = _caused(unit, deletion.id) if deletion else []
    descriptions = [row.previous_value for row in caused if row.kind == "DESCRIPTION_CHANGED"]
    if descriptions:
        found.put_back("description", "description", descriptions[0], "")
    elif deletion is None or deletion.origin == "INFERRED":
        found.missing.append("description: it was deleted before history was recorded, or while it was not")
    tags = select(func.count()).where(_t.workspace == WORKSPACE, _t.name == model, _t.version == version)
    if unit.session.scalar(tags):
        found.recovered.append("tags")
    found.missing += [
        f"alias {row.alias}: it is not set again by itself" for row in caused if row.kind == "ALIAS_REMOVED"
    ]
    return found


def _deletion(unit: Unit, model: str, version: int) -> Any:
    """The event by which a version was deleted; None when history does not know of it."""
    live = select(func.max(models.c.id)).where(models.c.name == model, models.c.deleted_at.is_(None)).scalar_subquery()
    rows = select(events).where(_e.model_id == live, _e.version == version, _e.kind == "VERSION_DELETED", _e.id > 0)
    return unit.session.execute(rows.order_by(_e.id.desc()).limit(1)).first()


def _caused(unit: Unit, deletion: int) -> list[Any]:
    return list(unit.session.execute(select(events).where(_e.cause_id == deletion).order_by(_e.id)))


def _kept(deletion: Any, name: str) -> str | None:
    """What was recorded of a version as it was deleted."""
    value = getattr(deletion, name, None)
    return None if not value or value.startswith(_REDACTED) else str(value)


def _source_of(unit: Unit, manifest: Manifest | None) -> str | None:
    """The logged model that its files name, where it is still there."""
    if manifest is None or manifest.model_id is None:
        return None
    there = select(tables.logged_models.c.model_id).where(tables.logged_models.c.model_id == manifest.model_id)
    return f"models:/{manifest.model_id}" if unit.session.execute(there).first() else None
