"""Changes to versions of registered models: how they come and go, and between which stages they move."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy import update as update_rows

from lineage_api.access import roles as access
from lineage_api.access.roles import Action
from lineage_api.registry import models, sources, texts
from lineage_api.registry.outcome import Outcome
from lineage_api.registry.reasons import Conflict, Invalid, NotFound, Refused, no_model, require
from lineage_api.registry.units import Unit
from lineage_api.store import tables
from lineage_api.store.origins import WORKSPACE

ACTIVE = ("Staging", "Production")
"""The stages that are cleared by archiving what is in them."""

_v, _a, _t = tables.model_versions.c, tables.registered_model_aliases.c, tables.model_version_tags.c


@dataclass(frozen=True, slots=True)
class Ref:
    """Names one version of a registered model, by exactly one of number, stage and alias."""

    model: str
    version: int | None = None
    stage: str | None = None
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class From:
    """What becomes a version: exactly one of a logged model, a run and a source."""

    logged_model_id: str | None = None
    run_id: str | None = None
    artifact_path: str = "model"
    source: str | None = None

    def origin(self, unit: Unit) -> sources.Origin:
        """Where it comes from; refuses what may not become a version."""
        given = [each for each in (self.logged_model_id, self.run_id, self.source) if each is not None]
        if len(given) != 1:
            raise Refused(Invalid("Give exactly one of `loggedModelId`, `runId` and `source`."))
        if self.logged_model_id is not None:
            return sources.of_logged_model(unit.session, self.logged_model_id)
        if self.run_id is not None:
            return sources.of_run(unit.session, self.run_id, self.artifact_path)
        return sources.of_source(unit.session, given[0])


def register(
    unit: Unit, model: str, origin: From, description: str | None, tags: models.Tags, *, create_model: bool
) -> Outcome:
    """Makes a logged model, a run's model or files into the next version of a registered model."""
    require(texts.description(description or "", "description"), texts.tags(tags, "ModelVersion", "tags"))
    _require_model(unit, model, create=create_model)
    return _registered(unit, model, origin.origin(unit), description, tags)


def _require_model(unit: Unit, name: str, *, create: bool) -> None:
    """A registered model is there and locked; it is made first where that is wanted."""
    if unit.locked(name):
        return
    if not create or unit.has_model(name):  # which is a prompt
        raise Refused(no_model(name))
    require(texts.model_name(name, "model"))
    models.make(unit, name)


def _registered(
    unit: Unit,
    model: str,
    origin: sources.Origin,
    description: str | None,
    tags: models.Tags,
    run_link: str | None = None,
) -> Outcome:
    from mlflow.entities.model_registry import ModelVersionTag  # noqa: PLC0415 - MLflow takes seconds

    _require_allowed(origin.source)
    # By the place of its files: a `models:/m-…` MLflow would look up through its global client.
    made = unit.registry.create_model_version(
        model,
        origin.storage_location,
        run_id=origin.run_id,
        tags=[ModelVersionTag(*tag) for tag in tags],
        run_link=run_link,
        description=description,
    )
    version = int(made.version)
    if origin.source != origin.storage_location:
        row = (_v.workspace == WORKSPACE, _v.name == model, _v.version == version)
        unit.session.execute(update_rows(tables.model_versions).where(*row).values(source=origin.source))
    if origin.source == f"models:/{origin.model_id}":
        # MLflow's own pages find the versions of a logged model by this tag.
        unit.tracking.set_model_versions_tags(model, version, origin.model_id)
    unit.begins_with("VERSION_REGISTERED", version=version)
    return Outcome(model=model, version=version)


def _require_allowed(source: str) -> None:
    """Refuses what whoever runs MLflow does not allow, by a variable that its server looks at."""
    from mlflow.environment_variables import (  # noqa: PLC0415 - MLflow takes seconds
        MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX as ALLOWED,
    )

    if ALLOWED.get() and not re.search(ALLOWED.get(), source):
        raise Refused(Invalid(f"No such source may be registered here: {ALLOWED.name} allows other ones."))


def update(unit: Unit, model: str, version: int, description: str) -> Outcome:
    """Gives a version another description."""
    require(texts.description(description, "description"))
    unit.lock(model, version=version)
    unit.version(model, version)
    unit.begins_with("DESCRIPTION_CHANGED")
    unit.registry.update_model_version(model, version, description)
    return Outcome(model=model, version=version)


def delete(unit: Unit, model: str, version: int) -> Outcome:
    """Deletes a version: MLflow keeps its row and tags, and forgets its source, run, description and aliases."""
    unit.lock(model, version=version)
    unit.version(model, version)
    unit.begins_with("VERSION_DELETED", version=version)
    unit.registry.delete_model_version(model, version)
    return Outcome(model=model, gone=model, deleted=version)


def copy(unit: Unit, source: Ref, model: str) -> Outcome:
    """Copies a version, with its tags and description, to another registered model."""
    version = _named(unit, source)
    _require_model(unit, model, create=True)
    row = unit.version(source.model, version, "source", "version")
    kept = select(_t.key, _t.value).where(
        _t.workspace == WORKSPACE, _t.name == source.model, _t.version == version, _t.key != "mlflow.prompt.is_prompt"
    )
    tags = [(key, value or "") for key, value in unit.session.execute(kept.order_by(_t.key))]
    origin = sources.of_source(unit.session, f"models:/{source.model}/{version}")
    return _registered(unit, model, origin, row.description, tags, row.run_link)


def _named(unit: Unit, ref: Ref) -> int:
    """The number of the version that is named; refuses when none is, or several are."""
    given = {"version": ref.version, "stage": ref.stage, "alias": ref.alias}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise Refused(Invalid("Give exactly one of `version`, `stage` and `alias`.", ("source",)))
    unit.lock(ref.model, "source", "model")
    found = _found(unit, ref)
    if not found:
        raise Refused(NotFound("This names no version of the registered model.", ("source", *named)))
    if len(found) > 1:
        listed = ", ".join(map(str, found))
        message = f"The stage holds several versions: {listed}. Name one by `version`."
        raise Refused(Conflict(message, ("source", "stage"), ref.model, tuple(found)))
    return found[0]


def _found(unit: Unit, ref: Ref) -> list[int]:
    if ref.version is not None:
        return [int(unit.version(ref.model, ref.version, "source", "version").version)]
    if ref.stage is not None:
        return unit.in_stage(ref.model, ref.stage)
    rows = select(_a.version).where(_a.workspace == WORKSPACE, _a.name == ref.model, _a.alias == ref.alias)
    return list(unit.session.scalars(rows))


@dataclass(frozen=True, slots=True)
class Expected:
    """How the caller believes the registry to be; what is None is not looked at."""

    stage: str | None = None
    current: Sequence[int] | None = None


def transition(
    unit: Unit, model: str, version: int, stage: str, *, archive_existing: bool, expected: Expected
) -> Outcome:
    """Moves a version to another stage."""
    if archive_existing and stage not in ACTIVE:
        message = "Only STAGING and PRODUCTION can be cleared by archiving; leave `archiveExisting` out."
        raise Refused(Invalid(message, ("archiveExisting",)))
    unit.lock(model, stage=stage, version=version)
    current = unit.version(model, version).current_stage or "None"
    there = unit.in_stage(model, stage)
    others = [each for each in there if each != version] if archive_existing else []
    access.require(unit.role, Action.MOVE, [(current, stage), *((stage, "Archived") for _ in others)])
    if expected.stage is not None and current != expected.stage:
        message = f"Version {version} is in {current.upper()}, not in {expected.stage.upper()}."
        raise Refused(Conflict(message, ("expectedStage",), model, tuple(there)))
    require_current(model, stage.upper(), there, expected.current)
    unit.begins_with("STAGE_CHANGED", version=version)
    unit.registry.transition_model_version_stage(model, version, stage, archive_existing)
    return Outcome(model=model, version=version, others=others)


def require_current(model: str, place: str, there: Sequence[int], expected: Sequence[int] | None) -> None:
    """Refuses when other versions hold a place than the caller believes."""
    if expected is not None and sorted(set(expected)) != sorted(there):
        held = ", ".join(map(str, there)) or "no version"
        message = f"{place} holds {held}, not {', '.join(map(str, sorted(set(expected)))) or 'no version'}."
        raise Refused(Conflict(message, ("expectedCurrent",), model, tuple(there)))
