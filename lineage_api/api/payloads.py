"""What changes answer with: all objects that changed, read afresh, and why a change was refused."""

from dataclasses import dataclass, field
from typing import Any

import strawberry
from sqlalchemy import column as named

from lineage_api.api.user_errors import UserError
from lineage_api.engine.levels import Call, Level
from lineage_api.engine.nouns import arrow, column, listed, noun, resolved
from lineage_api.graph.abilities import Taggable
from lineage_api.graph.event import RegistryEvent
from lineage_api.graph.identity import encoded
from lineage_api.graph.node import ByID
from lineage_api.graph.nouns import ModelVersion, RegisteredModel
from lineage_api.graph.registered_model import ModelAlias
from lineage_api.graph.rows import ALIASES, EVENTS, MODEL_VERSIONS, REGISTERED_MODELS
from lineage_api.registry.outcome import Outcome


@dataclass
class Answer:
    """What came of a change, as the parent of its payload."""

    outcome: Outcome
    errors: list[Any] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.outcome, name)

    @property
    def other_keys(self) -> list[tuple[Any, int]]:
        """The versions that made room."""
        return [(self.outcome.model, version) for version in self.outcome.others]

    @property
    def subject_id(self) -> str | None:
        """The ID of what was tagged."""
        return None if self.outcome.subject is None else encoded(*self.outcome.subject)

    @property
    def deleted_version_id(self) -> str | None:
        """The ID of the version that is gone."""
        version = self.outcome.deleted
        return None if version is None else encoded("ModelVersion", self.outcome.gone, version)

    @property
    def deleted_webhook_id(self) -> str | None:
        """The ID of the webhook that is gone."""
        number = self.outcome.deleted
        return None if number is None else encoded("Webhook", number)

    @property
    def deleted_model_id(self) -> str | None:
        """The ID of the registered model that is gone."""
        name = self.outcome.gone
        return None if name is None else encoded("RegisteredModel", name)


_VERSION = [MODEL_VERSIONS.c.name, MODEL_VERSIONS.c.version]


def _model() -> Any:
    return arrow(REGISTERED_MODELS, of=named("model"), to=REGISTERED_MODELS.c.name)


def _version(number: str = "version") -> Any:
    return arrow(MODEL_VERSIONS, of=[named("model"), named(number)], to=_VERSION)


def _others() -> Any:
    return listed(MODEL_VERSIONS, of=named("other_keys"), to=_VERSION)


def _events() -> Any:
    return listed(EVENTS, of=named("events"), to=EVENTS.c.id)


class _Subject(Level):
    """What was tagged, by its ID."""

    needs = ("subject_id",)
    _by_id = ByID(is_list=False)

    def resolve(self, call: Call) -> Any:
        [id_] = call.column("subject_id")
        if id_ is None:
            return [None]
        return self._by_id.resolve(Call(call.parents, {"id": id_}, call.context, call.below, call.memo))


@noun
class CreateRegisteredModelPayload:
    """What came of it: a registered model was made, or why not."""

    registered_model: RegisteredModel | None = _model()
    """The registered model; null when the change was refused."""
    events: list[RegistryEvent] = _events()
    """What history says of it, what brought about the others first."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class UpdateRegisteredModelPayload:
    """What came of it: a registered model was changed, or why not."""

    registered_model: RegisteredModel | None = _model()
    """The registered model; null when the change was refused."""
    events: list[RegistryEvent] = _events()
    """What history says of it, what brought about the others first."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class DeleteRegisteredModelPayload:
    """What came of it: a registered model was deleted, or why not."""

    deleted_id: strawberry.ID | None = column(named("deleted_model_id"))
    """The ID that it had; null when the change was refused."""
    deleted_name: str | None = column(named("gone"))
    """The name that it had; null when the change was refused."""
    events: list[RegistryEvent] = _events()
    """What history says of it, what brought about the others first."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class RegisterModelVersionPayload:
    """What came of it: a version was made, or why not."""

    model_version: ModelVersion | None = _version()
    """The version; null when the change was refused."""
    registered_model: RegisteredModel | None = _model()
    """The registered model; null when the change was refused."""
    events: list[RegistryEvent] = _events()
    """What history says of it, what brought about the others first."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class UpdateModelVersionPayload:
    """What came of it: a version was changed, or why not."""

    model_version: ModelVersion | None = _version()
    """The version; null when the change was refused."""
    registered_model: RegisteredModel | None = _model()
    """The registered model; null when the change was refused."""
    events: list[RegistryEvent] = _events()
    """What history says of it, what brought about the others first."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class DeleteModelVersionPayload:
    """What came of it: a version was deleted, or why not."""

    deleted_id: strawberry.ID | None = column(named("deleted_version_id"))
    """Its ID; null when the change was refused."""
    deleted_version: int | None = column(named("deleted"))
    """Its number; null when the change was refused."""
    registered_model: RegisteredModel | None = _model()
    """The registered model; null when the change was refused."""
    events: list[RegistryEvent] = _events()
    """What history says of it, what brought about the others first."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class RestoreModelVersionPayload:
    """What came of it: a deleted version came back, or why not."""

    model_version: ModelVersion | None = _version()
    """The version; null when the change was refused."""
    registered_model: RegisteredModel | None = _model()
    """The registered model; null when the change was refused."""
    recovered: list[str] = column(named("recovered"))
    """What came back, such as `run` and `tags`."""
    missing: list[str] = column(named("missing"))
    """What could not be recovered."""
    events: list[RegistryEvent] = _events()
    """What history says of it, what brought about the others first."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class CopyModelVersionPayload:
    """What came of it: a version was copied, or why not."""

    model_version: ModelVersion | None = _version()
    """The version; null when the change was refused."""
    registered_model: RegisteredModel | None = _model()
    """The registered model; null when the change was refused."""
    events: list[RegistryEvent] = _events()
    """What history says of it, what brought about the others first."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class TransitionModelVersionPayload:
    """What came of it: a version moved to another stage, or why not."""

    model_version: ModelVersion | None = _version()
    """The version; null when the change was refused."""
    archived: list[ModelVersion] = _others()
    """The versions that were archived to make room."""
    registered_model: RegisteredModel | None = _model()
    """The registered model; null when the change was refused."""
    events: list[RegistryEvent] = _events()
    """What history says of it, what brought about the others first."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class RollBackPayload:
    """What came of it: a stage or an alias was given back, or why not."""

    model_version: ModelVersion | None = _version()
    """The version that holds the place now."""
    displaced: list[ModelVersion] = _others()
    """The versions that held it before; for a stage they are in ARCHIVED now."""
    registered_model: RegisteredModel | None = _model()
    """The registered model; null when the change was refused."""
    events: list[RegistryEvent] = _events()
    """The return first; the others carry the same reason, and the return as their cause."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class SetModelAliasPayload:
    """What came of it: an alias was pointed at a version, or why not."""

    alias: ModelAlias | None = arrow(ALIASES, of=[named("model"), named("alias")], to=[ALIASES.c.name, ALIASES.c.alias])
    """The alias; null when the change was refused."""
    model_version: ModelVersion | None = _version()
    """The version; null when the change was refused."""
    previous_model_version: ModelVersion | None = _version("previous")
    """The version that it pointed at before; null when it is new."""
    registered_model: RegisteredModel | None = _model()
    """The registered model; null when the change was refused."""
    events: list[RegistryEvent] = _events()
    """What history says of it, what brought about the others first."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class RemoveModelAliasPayload:
    """What came of it: an alias was removed, or why not."""

    removed_alias: str | None = column(named("alias"))
    """The alias that is gone; null when the change was refused."""
    model_version: ModelVersion | None = _version()
    """The version; null when the change was refused."""
    registered_model: RegisteredModel | None = _model()
    """The registered model; null when the change was refused."""
    events: list[RegistryEvent] = _events()
    """What history says of it, what brought about the others first."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class SetTagsPayload:
    """What came of it: tags were set, or why not."""

    subject: Taggable | None = resolved(_Subject())
    """What was tagged; null when the change was refused."""
    events: list[RegistryEvent] = _events()
    """Empty for what is not in the registry."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""


@noun
class RemoveTagsPayload:
    """What came of it: tags were removed, or why not."""

    subject: Taggable | None = resolved(_Subject())
    """What was tagged; null when the change was refused."""
    events: list[RegistryEvent] = _events()
    """Empty for what is not in the registry."""
    errors: list[UserError]
    """Why the change was refused; empty when it was made."""
