"""What can be changed: the root fields of mutations."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar, cast

import strawberry

from lineage_api.access import roles
from lineage_api.access.roles import Action
from lineage_api.api import inputs as i
from lineage_api.api import payloads as p
from lineage_api.api.asked import asked_for, given_or_none
from lineage_api.api.fields import change
from lineage_api.api.user_errors import Told
from lineage_api.api.webhooks import WebhookMutation
from lineage_api.graph import identity
from lineage_api.graph.conditions import is_given
from lineage_api.graph.node import NODES
from lineage_api.registry import aliases, models, rollback, tags, texts, versions
from lineage_api.registry.outcome import Asked, Outcome
from lineage_api.registry.plans import Place
from lineage_api.registry.reasons import Invalid, Refused, require
from lineage_api.registry.service import Registry
from lineage_api.registry.units import Unit

Info = strawberry.Info


P = TypeVar("P")


async def _changed(payload: type[P], info: Info, given: Any, change: Callable[[Unit], Outcome]) -> P:
    """What came of a change."""
    return await _answered(payload, info, given, lambda asked, registry: registry.made(asked, change))


async def _answered(
    payload: type[P],  # noqa: ARG001 - the fields of the type are read from the answer
    info: Info,
    given: Any,
    doing: Callable[[Asked, Registry], Awaitable[Outcome]],
) -> P:
    """What came of something that is done, or why it was refused; what is read after it is read afresh."""
    context = info.context
    await context.reader.close()
    try:
        asked = asked_for(info.field_name, context, given)
        answer = p.Answer(await doing(asked, context.service(Registry)))
    except Refused as refused:
        answer = p.Answer(Outcome(), [Told(reason) for reason in refused.reasons])
    finally:
        await context.reader.close()
    return cast("P", answer)


def _tags(given: Any) -> list[tuple[str, str]]:
    return [(tag.key, tag.value) for tag in given_or_none(given) or []]


def _subject(id_: str) -> tags.Subject | None:
    """What an ID names that has tags."""
    found = identity.decoded(id_)
    kinds = {"Experiment", "Run", "LoggedModel", "RegisteredModel", "ModelVersion"}
    if found is None or found[0] not in kinds or not identity.is_key(found[1], NODES[found[0]][1]):
        return None
    return tags.Subject(found[0], found[1])  # type: ignore[arg-type] # it is one of the kinds


def _stage(stage: Any) -> str | None:
    return _stage_name(stage) if is_given(stage) else None


def _stage_name(stage: Any) -> str:
    """A stage as MLflow writes it."""
    return str(stage.value)


def _from(input: i.RegisterModelVersionInput) -> versions.From:
    return versions.From(
        given_or_none(input.logged_model_id),
        given_or_none(input.run_id),
        input.artifact_path,
        given_or_none(input.source),
    )


def _place(input: i.RollBackInput) -> Place:
    if is_given(input.stage) == is_given(input.alias):
        raise Refused(Invalid("Give exactly one of `stage` and `alias`."))
    if is_given(input.stage) and _stage(input.stage) not in versions.ACTIVE:
        raise Refused(Invalid("Only STAGING and PRODUCTION can be given back, and aliases.", ("stage",)))
    if is_given(input.alias):
        require(texts.alias(given_or_none(input.alias), "alias"))
    return Place(_stage(input.stage), given_or_none(input.alias))


_CHANGE: Any = strawberry.argument(description="What is to be changed, and why.")


@strawberry.type(description="What can be changed.")
class Mutation(WebhookMutation):
    @change(Action.REGISTER)
    async def create_registered_model(
        self, info: Info, input: Annotated[i.CreateRegisteredModelInput, _CHANGE]
    ) -> p.CreateRegisteredModelPayload:
        """Make a registered model."""
        description, set_ = given_or_none(input.description), _tags(input.tags)
        return await _changed(
            p.CreateRegisteredModelPayload, info, input, lambda unit: models.create(unit, input.name, description, set_)
        )

    @change(Action.DESCRIBE)
    async def update_registered_model(
        self, info: Info, input: Annotated[i.UpdateRegisteredModelInput, _CHANGE]
    ) -> p.UpdateRegisteredModelPayload:
        """Change the name or the description of a registered model."""
        name, description = given_or_none(input.name), given_or_none(input.description)
        if name not in {None, input.model}:
            roles.require(info.context.caller.role, Action.RENAME)
        return await _changed(
            p.UpdateRegisteredModelPayload,
            info,
            input,
            lambda unit: models.update(unit, input.model, name, description),
        )

    @change(Action.DELETE)
    async def delete_registered_model(
        self, info: Info, input: Annotated[i.DeleteRegisteredModelInput, _CHANGE]
    ) -> p.DeleteRegisteredModelPayload:
        """Delete a registered model with all its versions."""
        return await _changed(
            p.DeleteRegisteredModelPayload, info, input, lambda unit: models.delete(unit, input.model)
        )

    @change(Action.REGISTER)
    async def register_model_version(
        self, info: Info, input: Annotated[i.RegisterModelVersionInput, _CHANGE]
    ) -> p.RegisterModelVersionPayload:
        """Make a run's model, a logged model or files into the next version of a registered model."""
        description, set_ = given_or_none(input.description), _tags(input.tags)
        create = input.create_model

        def change(unit: Unit) -> Outcome:
            return versions.register(unit, input.model, _from(input), description, set_, create_model=create)

        return await _changed(p.RegisterModelVersionPayload, info, input, change)

    @change(Action.DESCRIBE)
    async def update_model_version(
        self, info: Info, input: Annotated[i.UpdateModelVersionInput, _CHANGE]
    ) -> p.UpdateModelVersionPayload:
        """Change the description of a version."""
        return await _changed(
            p.UpdateModelVersionPayload,
            info,
            input,
            lambda unit: versions.update(unit, input.model, input.version, input.description),
        )

    @change(Action.DELETE)
    async def delete_model_version(
        self, info: Info, input: Annotated[i.DeleteModelVersionInput, _CHANGE]
    ) -> p.DeleteModelVersionPayload:
        """Delete a version; it can be restored."""
        return await _changed(
            p.DeleteModelVersionPayload, info, input, lambda unit: versions.delete(unit, input.model, input.version)
        )

    @change(Action.RESTORE)
    async def restore_model_version(
        self, info: Info, input: Annotated[i.RestoreModelVersionInput, _CHANGE]
    ) -> p.RestoreModelVersionPayload:
        """Bring back a deleted version, with as much of its lineage as can be recovered, to the stage ARCHIVED."""
        reader = info.context.reader
        return await _answered(
            p.RestoreModelVersionPayload,
            info,
            input,
            lambda asked, registry: registry.restored(reader, asked, input.model, input.version),
        )

    @change(Action.COPY)
    async def copy_model_version(
        self, info: Info, input: Annotated[i.CopyModelVersionInput, _CHANGE]
    ) -> p.CopyModelVersionPayload:
        """Copy a version, with its tags, to another registered model."""
        ref = input.source
        source = versions.Ref(ref.model, given_or_none(ref.version), _stage(ref.stage), given_or_none(ref.alias))
        return await _changed(
            p.CopyModelVersionPayload, info, input, lambda unit: versions.copy(unit, source, input.model)
        )

    @change(Action.MOVE)
    async def transition_model_version(
        self, info: Info, input: Annotated[i.TransitionModelVersionInput, _CHANGE]
    ) -> p.TransitionModelVersionPayload:
        """Move a version to another stage."""
        expected = versions.Expected(_stage(input.expected_stage), given_or_none(input.expected_current))

        def change(unit: Unit) -> Outcome:
            return versions.transition(
                unit,
                input.model,
                input.version,
                _stage_name(input.stage),
                archive_existing=input.archive_existing,
                expected=expected,
            )

        return await _changed(p.TransitionModelVersionPayload, info, input, change)

    @change(Action.ROLL_BACK)
    async def roll_back(self, info: Info, input: Annotated[i.RollBackInput, _CHANGE]) -> p.RollBackPayload:
        """Give a stage or an alias back to an earlier version: all of it, or nothing."""
        reader = info.context.reader

        async def doing(asked: Asked, registry: Registry) -> Outcome:
            wish = rollback.Wish(
                input.model, _place(input), given_or_none(input.to), input.expected_current, input.force
            )
            return await registry.rolled_back(reader, asked, wish)

        return await _answered(p.RollBackPayload, info, input, doing)

    @change(Action.SET_ALIAS)
    async def set_model_alias(
        self, info: Info, input: Annotated[i.SetModelAliasInput, _CHANGE]
    ) -> p.SetModelAliasPayload:
        """Point an alias at a version; it leaves the one that it pointed at before."""
        expected = given_or_none(input.expected_version)

        def change(unit: Unit) -> Outcome:
            return aliases.set_to(unit, input.model, input.alias, input.version, expected)

        return await _changed(p.SetModelAliasPayload, info, input, change)

    @change(Action.SET_ALIAS)
    async def remove_model_alias(
        self, info: Info, input: Annotated[i.RemoveModelAliasInput, _CHANGE]
    ) -> p.RemoveModelAliasPayload:
        """Remove an alias."""
        return await _changed(
            p.RemoveModelAliasPayload, info, input, lambda unit: aliases.remove(unit, input.model, input.alias)
        )

    @change(Action.TAG)
    async def set_tags(self, info: Info, input: Annotated[i.SetTagsInput, _CHANGE]) -> p.SetTagsPayload:
        """Set tags; a key that is there already gets the new value."""
        return await _changed(
            p.SetTagsPayload, info, input, lambda unit: tags.set_to(unit, _subject(input.subject_id), _tags(input.tags))
        )

    @change(Action.TAG)
    async def remove_tags(self, info: Info, input: Annotated[i.RemoveTagsInput, _CHANGE]) -> p.RemoveTagsPayload:
        """Remove tags."""
        return await _changed(
            p.RemoveTagsPayload, info, input, lambda unit: tags.remove(unit, _subject(input.subject_id), input.keys)
        )
