"""Changes to tags, of whatever has them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, select

from lineage_api.registry import texts
from lineage_api.registry.outcome import Outcome
from lineage_api.registry.reasons import Invalid, NotFound, Refused, require
from lineage_api.registry.units import Unit
from lineage_api.store import tables as t
from lineage_api.store.convert import in_trash
from lineage_api.store.origins import WORKSPACE


@dataclass(frozen=True, slots=True)
class Subject:
    """What has tags: its type and its key in MLflow."""

    kind: texts.Kind
    key: Sequence[Any]


def set_to(unit: Unit, subject: Subject | None, tags: Sequence[tuple[str, str]]) -> Outcome:
    """Sets tags, of which those that are there already get the new value."""
    there = _required(subject)
    require(texts.tags(tags, there.kind, "tags"))
    if not tags:
        raise Refused(Invalid("Give at least one tag.", ("tags",)))
    _require_there(unit, there)
    _WRITERS[there.kind].put(unit, there.key, tags)
    unit.begins_with("TAG_SET")
    return Outcome(subject=[there.kind, *there.key])


def remove(unit: Unit, subject: Subject | None, keys: Sequence[str]) -> Outcome:
    """Removes tags, all of which have to be there."""
    there = _required(subject)
    require(texts.tag_keys(keys, "keys"))
    if not keys:
        raise Refused(Invalid("Give at least one key.", ("keys",)))
    _require_there(unit, there)
    writer = _WRITERS[there.kind]
    rows = select(writer.key).where(*writer.owned(there.key), writer.key.in_(keys))
    found = set(unit.session.scalars(rows))
    require(
        [
            NotFound(f"There is no tag {texts.shown(key)}.", ("keys", str(index)))
            for index, key in enumerate(keys)
            if key not in found
        ]
    )
    for key in keys:
        writer.remove(unit, there.key, key)
    unit.begins_with("TAG_REMOVED")
    return Outcome(subject=[there.kind, *there.key])


def _required(subject: Subject | None) -> Subject:
    if subject is None:
        message = "This is not the ID of an experiment, run, logged model, registered model or version."
        raise Refused(NotFound(message, ("subjectId",)))
    return subject


def _require_there(unit: Unit, subject: Subject) -> None:
    """What is to be tagged is there, and locked where it is in the registry."""
    missing = NotFound("There is no such object.", ("subjectId",))
    if subject.kind in {"RegisteredModel", "ModelVersion"}:
        if not unit.has_model(subject.key[0]):
            raise Refused(missing)
        unit.lock(subject.key[0], "subjectId")
    if subject.kind == "ModelVersion":
        unit.version(*subject.key, "subjectId")
        return
    row = unit.session.execute(_WRITERS[subject.kind].there(subject.key)).first()
    if row is None:
        raise Refused(missing)
    if in_trash(getattr(row, "lifecycle_stage", None)):
        raise Refused(Invalid("It is in the trash; restore it first.", ("subjectId",)))


_Put = Callable[[Unit, Sequence[Any], Sequence[tuple[str, str]]], None]


@dataclass(frozen=True)
class _Writer:
    """How the tags of one type are written."""

    there: Callable[[Sequence[Any]], Any]
    """A statement that finds the object, with its stage of life where it has one."""
    tags: Table
    key: ColumnElement[str]
    owner: Sequence[str]
    """The columns of `tags` that name the object."""
    put: _Put
    remove: Callable[[Unit, Sequence[Any], str], None]

    def owned(self, key: Sequence[Any]) -> list[ColumnElement[bool]]:
        """Which rows are the tags of one object."""
        columns = self.tags.c
        found = [columns[name] == value for name, value in zip(self.owner, key, strict=True)]
        return [*found, columns.workspace == WORKSPACE] if "workspace" in columns else found


def _one_by_one(method: str, store: str, entity: str) -> _Put:
    """Sets tags by a method of MLflow's that sets one."""

    def put(unit: Unit, key: Sequence[Any], tags: Sequence[tuple[str, str]]) -> None:
        from mlflow import entities  # noqa: PLC0415 - MLflow takes seconds
        from mlflow.entities import model_registry  # noqa: PLC0415

        kind = getattr(entities, entity, None) or getattr(model_registry, entity)
        for tag in tags:
            getattr(getattr(unit, store), method)(*key, kind(*tag))

    return put


def _put_on_logged_model(unit: Unit, key: Sequence[Any], tags: Sequence[tuple[str, str]]) -> None:
    from mlflow.entities import LoggedModelTag  # noqa: PLC0415 - MLflow takes seconds

    unit.tracking.set_logged_model_tags(key[0], [LoggedModelTag(*tag) for tag in tags])


_WRITERS: Mapping[str, _Writer] = {
    "RegisteredModel": _Writer(
        lambda key: select(t.registered_models.c.name).where(t.registered_models.c.name == key[0]),
        t.registered_model_tags,
        t.registered_model_tags.c.key,
        ("name",),
        _one_by_one("set_registered_model_tag", "registry", "RegisteredModelTag"),
        lambda unit, key, tag: unit.registry.delete_registered_model_tag(*key, tag),
    ),
    "ModelVersion": _Writer(
        lambda key: select(t.model_versions.c.name).where(t.model_versions.c.name == key[0]),
        t.model_version_tags,
        t.model_version_tags.c.key,
        ("name", "version"),
        _one_by_one("set_model_version_tag", "registry", "ModelVersionTag"),
        lambda unit, key, tag: unit.registry.delete_model_version_tag(*key, tag),
    ),
    "Run": _Writer(
        lambda key: select(t.runs.c.lifecycle_stage).where(t.runs.c.run_uuid == key[0]),
        t.tags,
        t.tags.c.key,
        ("run_uuid",),
        _one_by_one("set_tag", "tracking", "RunTag"),
        lambda unit, key, tag: unit.tracking.delete_tag(*key, tag),
    ),
    "Experiment": _Writer(
        lambda key: select(t.experiments.c.lifecycle_stage).where(
            t.experiments.c.experiment_id == key[0], t.experiments.c.workspace == WORKSPACE
        ),
        t.experiment_tags,
        t.experiment_tags.c.key,
        ("experiment_id",),
        _one_by_one("set_experiment_tag", "tracking", "ExperimentTag"),
        lambda unit, key, tag: unit.tracking.delete_experiment_tag(*key, tag),
    ),
    "LoggedModel": _Writer(
        lambda key: select(t.logged_models.c.model_id).where(
            t.logged_models.c.model_id == key[0], t.logged_models.c.lifecycle_stage != "deleted"
        ),
        t.logged_model_tags,
        t.logged_model_tags.c.tag_key,
        ("model_id",),
        _put_on_logged_model,
        lambda unit, key, tag: unit.tracking.delete_logged_model_tag(*key, tag),
    ),
}
