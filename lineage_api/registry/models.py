"""Changes to registered models."""

from collections.abc import Sequence

from lineage_api.registry import texts
from lineage_api.registry.outcome import Outcome
from lineage_api.registry.reasons import AlreadyExists, Invalid, Refused, require
from lineage_api.registry.units import Unit

Tags = Sequence[tuple[str, str]]


def create(unit: Unit, name: str, description: str | None, tags: Tags) -> Outcome:
    """Makes a registered model."""
    require(
        texts.model_name(name, "name"),
        texts.description(description or "", "description"),
        texts.tags(tags, "RegisteredModel", "tags"),
    )
    require_new(unit, name)
    unit.begins_with("MODEL_CREATED")
    make(unit, name, description, tags)
    return Outcome(model=name)


def make(unit: Unit, name: str, description: str | None = None, tags: Tags = ()) -> None:
    """Makes a registered model whose name was looked at."""
    from mlflow.entities.model_registry import RegisteredModelTag  # noqa: PLC0415 - MLflow takes seconds

    unit.watch(name)
    unit.registry.create_registered_model(name, [RegisteredModelTag(*tag) for tag in tags], description)


def require_new(unit: Unit, name: str) -> None:
    """Refuses a name that is taken, be it by a prompt."""
    if unit.has_model(name):
        raise Refused(AlreadyExists(f"There is a registered model or prompt {texts.shown(name)} already.", ("name",)))


def update(unit: Unit, model: str, name: str | None, description: str | None) -> Outcome:
    """Gives a registered model another name, another description, or both."""
    if name is None and description is None:
        raise Refused(Invalid("Nothing is to be changed; give `name`, `description`, or both."))
    require([] if name is None else texts.model_name(name, "name"), texts.description(description or "", "description"))
    unit.lock(model)
    unit.begins_with("MODEL_RENAMED", "DESCRIPTION_CHANGED")
    if name is not None and name != model:
        require_new(unit, name)
        unit.watch(name)
        unit.registry.rename_registered_model(model, name)
        model = name
    if description is not None:
        unit.registry.update_registered_model(model, description)
    return Outcome(model=model)


def delete(unit: Unit, model: str) -> Outcome:
    """Deletes a registered model with all its versions."""
    unit.lock(model)
    unit.begins_with("MODEL_DELETED")
    unit.registry.delete_registered_model(model)
    return Outcome(gone=model)
