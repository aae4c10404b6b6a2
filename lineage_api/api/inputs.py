"""What changes are asked for with."""

import strawberry

from lineage_api.engine.nouns import given
from lineage_api.graph.version_filter import ModelVersionRef, Stage


@given
class TagInput:
    """A tag that is to be set."""

    key: str
    """Its key."""
    value: str
    """Its value."""


@given
class Repeatable:
    """What may be said of everything that is to be done once."""

    idempotency_key: str | None = None
    """A text of the caller's own, kept for 7 days: the same call with the same key changes nothing more and gives the
    same objects, read afresh."""


@given
class Change(Repeatable):
    """What may be said of every change of the registry."""

    reason: str | None = None
    """Why, kept in history."""


@given
class CreateRegisteredModelInput(Change):
    """A registered model that is to be made."""

    name: str
    """Its name."""
    description: str | None = None
    """What people are to read about it."""
    tags: list[TagInput] | None = None
    """Tags to set on it."""


@given
class UpdateRegisteredModelInput(Change):
    """What is to be changed of a registered model."""

    model: str
    """The registered model's name."""
    name: str | None = None
    """Its new name."""
    description: str | None = None
    """Its new description; an empty one takes it away."""


@given
class DeleteRegisteredModelInput(Change):
    """A registered model that is to be deleted, with all its versions."""

    model: str
    """The registered model's name."""


@given
class RegisterModelVersionInput(Change):
    """A version that is to be made."""

    model: str
    """The registered model that gets the version."""
    create_model: bool = True
    """Make that registered model when there is none."""
    logged_model_id: str | None = None
    """What becomes the version: exactly one of loggedModelId, runId and source."""
    run_id: str | None = None
    """A run, by MLflow's own ID, whose model it becomes."""
    artifact_path: str = "model"
    """With runId: the model's folder under the run's artifacts, or the name of a logged model of that run."""
    source: str | None = None
    """The URI of files in an artifact store, or `models:/NAME/VERSION`."""
    description: str | None = None
    """What people are to read about it."""
    tags: list[TagInput] | None = None
    """Tags to set on it."""


@given
class UpdateModelVersionInput(Change):
    """What is to be changed of a version."""

    model: str
    """The registered model's name."""
    version: int
    """The version's number."""
    description: str
    """Its new description; an empty one takes it away."""


@given
class DeleteModelVersionInput(Change):
    """A version that is to be deleted."""

    model: str
    """The registered model's name."""
    version: int
    """The version's number."""


@given
class RestoreModelVersionInput(Change):
    """A deleted version that is to come back."""

    model: str
    """The registered model's name."""
    version: int
    """The version's number."""


@given
class CopyModelVersionInput(Change):
    """A version that is to be copied."""

    source: ModelVersionRef
    """The version to copy."""
    model: str
    """The registered model to copy to; made when there is none."""


@given
class TransitionModelVersionInput(Change):
    """A version that is to move to another stage."""

    model: str
    """The registered model's name."""
    version: int
    """The version's number."""
    stage: Stage
    """The stage to move to."""
    archive_existing: bool = False
    """Archive the versions that are in that stage now."""
    expected_stage: Stage | None = None
    """Refuse unless the version is in this stage now."""
    expected_current: list[int] | None = None
    """Refuse unless exactly these versions are in the stage to move to now; empty for none."""


@given
class RollBackInput(Change):
    """A stage or an alias that is to be given back."""

    model: str
    """The registered model's name."""
    stage: Stage | None = None
    """Exactly one of stage and alias."""
    alias: str | None = None
    """The alias to give back."""
    to: int | None = None
    """The version to go back to; by default the one in the rollback plan."""
    expected_current: list[int]
    """Refuse unless exactly these versions hold the place now; empty for none."""
    reason: str
    """Why."""
    force: bool = False
    """Go back even though a check failed."""


@given
class SetModelAliasInput(Change):
    """An alias that is to point at a version."""

    model: str
    """The registered model's name."""
    alias: str
    """The alias."""
    version: int
    """The version's number."""
    expected_version: int | None = None
    """Refuse unless the alias points at this version now."""


@given
class RemoveModelAliasInput(Change):
    """An alias that is to be removed."""

    model: str
    """The registered model's name."""
    alias: str
    """The alias."""


@given
class SetTagsInput(Change):
    """Tags that are to be set."""

    subject_id: strawberry.ID
    """An experiment, run, logged model, registered model or version."""
    tags: list[TagInput]
    """Tags to set; a key that is there already gets the new value."""


@given
class RemoveTagsInput(Change):
    """Tags that are to be removed."""

    subject_id: strawberry.ID
    """An experiment, run, logged model, registered model or version."""
    keys: list[str]
    """The keys of the tags to remove."""
