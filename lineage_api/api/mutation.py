"""What can be changed: the root fields of mutations."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Annotated, Any

import orjson
import strawberry

from lineage_api.api import inputs as i
from lineage_api.api import payloads as p
from lineage_api.api.user_errors import Told
from lineage_api.graph import identity
from lineage_api.graph.conditions import is_given
from lineage_api.graph.node import NODES
from lineage_api.registry import aliases, models, rollback, tags, texts, versions
from lineage_api.registry.outcome import Asked, Outcome
from lineage_api.registry.reasons import Invalid, Refused, require
from lineage_api.registry.service import Registry
from lineage_api.registry.units import Unit

Info = strawberry.Info


async def _changed(info: Info, given: Any, change: Callable[[Unit], Outcome]) -> Any:
    """What came of a change, as its payload."""
    return await _answered(info, given, lambda asked, registry: registry.made(asked, change))


async def _answered(info: Info, given: Any, doing: Callable[[Asked, Registry], Any]) -> Any:
    """What came of something that is done, or why it was refused; what is read after it is read afresh."""
    context = info.context
    await context.reader.close()
    try:
        asked = _asked(info.field_name, context.actor, given)
        return p.Answer(await doing(asked, context.service(Registry)))
    except Refused as refused:
        return p.Answer(Outcome(), [Told(reason) for reason in refused.reasons])
    finally:
        await context.reader.close()


def _asked(mutation: str, actor: str | None, given: Any) -> Asked:
    """Who asks for what; refuses texts that no database keeps."""
    require(*(texts.storable(text, *path) for path, text in _texts(given)))
    reason, key = _given(given.reason), _given(given.idempotency_key)
    require(texts.reason(reason or "", "reason"), [] if key is None else texts.idempotency_key(key, "idempotencyKey"))
    return Asked(mutation, actor, reason, key, _digest(given))


def _given(value: Any) -> Any:
    """A value of an input; None where it was left out."""
    return value if is_given(value) else None


def _texts(value: Any, *path: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """All texts of an input, each with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, *path, str(index))
    elif is_dataclass(value):
        for part in fields(value):
            yield from _texts(getattr(value, part.name), *path, _camel(part.name))


def _camel(name: str) -> str:
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(map(str.capitalize, rest))


def _digest(given: Any) -> str:
    """What tells an input from another one, the key apart."""
    plain = {name: value for name, value in _plain(given).items() if name != "idempotency_key"}
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if is_dataclass(value):
        return {part.name: _plain(getattr(value, part.name)) for part in fields(value)}
    return value if is_given(value) else None


def _tags(given: Any) -> list[tuple[str, str]]:
    return [(tag.key, tag.value) for tag in _given(given) or []]


def _subject(id_: str) -> tags.Subject | None:
    """What an ID names that has tags."""
    found = identity.decoded(id_)
    kinds = {"Experiment", "Run", "LoggedModel", "RegisteredModel", "ModelVersion"}
    if found is None or found[0] not in kinds or not identity.is_key(found[1], NODES[found[0]][1]):
        return None
    return tags.Subject(found[0], found[1])  # type: ignore[arg-type] # it is one of the kinds


def _stage(stage: Any) -> str | None:
    return stage.value if is_given(stage) else None


def _of(what: str) -> Any:
    return strawberry.argument(description=what)


def _from(input: i.RegisterModelVersionInput) -> versions.From:
    return versions.From(_given(input.logged_model_id), _given(input.run_id), input.artifact_path, _given(input.source))


def _place(input: i.RollBackInput) -> rollback.Place:
    if is_given(input.stage) == is_given(input.alias):
        raise Refused(Invalid("Give exactly one of `stage` and `alias`."))
    if is_given(input.stage) and _stage(input.stage) not in versions.ACTIVE:
        raise Refused(Invalid("Only STAGING and PRODUCTION can be given back, and aliases.", ("stage",)))
    if is_given(input.alias):
        require(texts.alias(_given(input.alias), "alias"))
    return rollback.Place(_stage(input.stage), _given(input.alias))


_CHANGE = _of("What is to be changed, and why.")


@strawberry.type(description="What can be changed.")
class Mutation:
    @strawberry.mutation(description="Make a registered model.")
    async def create_registered_model(
        self, info: Info, input: Annotated[i.CreateRegisteredModelInput, _CHANGE]
    ) -> p.CreateRegisteredModelPayload:
        description, set_ = _given(input.description), _tags(input.tags)
        return await _changed(info, input, lambda unit: models.create(unit, input.name, description, set_))  # type: ignore[no-any-return]

    @strawberry.mutation(description="Change the name or the description of a registered model.")
    async def update_registered_model(
        self, info: Info, input: Annotated[i.UpdateRegisteredModelInput, _CHANGE]
    ) -> p.UpdateRegisteredModelPayload:
        name, description = _given(input.name), _given(input.description)
        return await _changed(info, input, lambda unit: models.update(unit, input.model, name, description))  # type: ignore[no-any-return]

    @strawberry.mutation(description="Delete a registered model with all its versions.")
    async def delete_registered_model(
        self, info: Info, input: Annotated[i.DeleteRegisteredModelInput, _CHANGE]
    ) -> p.DeleteRegisteredModelPayload:
        return await _changed(info, input, lambda unit: models.delete(unit, input.model))  # type: ignore[no-any-return]

    @strawberry.mutation(
        description="Make a run's model, a logged model or files into the next version of a registered model."
    )
    async def register_model_version(
        self, info: Info, input: Annotated[i.RegisterModelVersionInput, _CHANGE]
    ) -> p.RegisterModelVersionPayload:
        description, set_ = _given(input.description), _tags(input.tags)
        create = input.create_model

        def change(unit: Unit) -> Outcome:
            return versions.register(unit, input.model, _from(input), description, set_, create_model=create)

        return await _changed(info, input, change)  # type: ignore[no-any-return]

    @strawberry.mutation(description="Change the description of a version.")
    async def update_model_version(
        self, info: Info, input: Annotated[i.UpdateModelVersionInput, _CHANGE]
    ) -> p.UpdateModelVersionPayload:
        return await _changed(  # type: ignore[no-any-return]
            info, input, lambda unit: versions.update(unit, input.model, input.version, input.description)
        )

    @strawberry.mutation(description="Delete a version; it can be restored.")
    async def delete_model_version(
        self, info: Info, input: Annotated[i.DeleteModelVersionInput, _CHANGE]
    ) -> p.DeleteModelVersionPayload:
        return await _changed(info, input, lambda unit: versions.delete(unit, input.model, input.version))  # type: ignore[no-any-return]

    @strawberry.mutation(
        description="Bring back a deleted version, with as much of its lineage as can be recovered, to the stage ARCHIVED."
    )
    async def restore_model_version(
        self, info: Info, input: Annotated[i.RestoreModelVersionInput, _CHANGE]
    ) -> p.RestoreModelVersionPayload:
        reader = info.context.reader
        return await _answered(  # type: ignore[no-any-return]
            info, input, lambda asked, registry: registry.restored(reader, asked, input.model, input.version)
        )

    @strawberry.mutation(description="Copy a version, with its tags, to another registered model.")
    async def copy_model_version(
        self, info: Info, input: Annotated[i.CopyModelVersionInput, _CHANGE]
    ) -> p.CopyModelVersionPayload:
        ref = input.source
        source = versions.Ref(ref.model, _given(ref.version), _stage(ref.stage), _given(ref.alias))
        return await _changed(info, input, lambda unit: versions.copy(unit, source, input.model))  # type: ignore[no-any-return]

    @strawberry.mutation(description="Move a version to another stage.")
    async def transition_model_version(
        self, info: Info, input: Annotated[i.TransitionModelVersionInput, _CHANGE]
    ) -> p.TransitionModelVersionPayload:
        expected = versions.Expected(_stage(input.expected_stage), _given(input.expected_current))

        def change(unit: Unit) -> Outcome:
            return versions.transition(
                unit,
                input.model,
                input.version,
                input.stage.value,
                archive_existing=input.archive_existing,
                expected=expected,
            )

        return await _changed(info, input, change)  # type: ignore[no-any-return]

    @strawberry.mutation(description="Give a stage or an alias back to an earlier version: all of it, or nothing.")
    async def roll_back(self, info: Info, input: Annotated[i.RollBackInput, _CHANGE]) -> p.RollBackPayload:
        reader = info.context.reader

        async def doing(asked: Asked, registry: Registry) -> Outcome:
            wish = rollback.Wish(input.model, _place(input), _given(input.to), input.expected_current, input.force)
            return await registry.rolled_back(reader, asked, wish)

        return await _answered(info, input, doing)  # type: ignore[no-any-return]

    @strawberry.mutation(description="Point an alias at a version; it leaves the one that it pointed at before.")
    async def set_model_alias(
        self, info: Info, input: Annotated[i.SetModelAliasInput, _CHANGE]
    ) -> p.SetModelAliasPayload:
        expected = _given(input.expected_version)

        def change(unit: Unit) -> Outcome:
            return aliases.set_to(unit, input.model, input.alias, input.version, expected)

        return await _changed(info, input, change)  # type: ignore[no-any-return]

    @strawberry.mutation(description="Remove an alias.")
    async def remove_model_alias(
        self, info: Info, input: Annotated[i.RemoveModelAliasInput, _CHANGE]
    ) -> p.RemoveModelAliasPayload:
        return await _changed(info, input, lambda unit: aliases.remove(unit, input.model, input.alias))  # type: ignore[no-any-return]

    @strawberry.mutation(description="Set tags; a key that is there already gets the new value.")
    async def set_tags(self, info: Info, input: Annotated[i.SetTagsInput, _CHANGE]) -> p.SetTagsPayload:
        return await _changed(  # type: ignore[no-any-return]
            info, input, lambda unit: tags.set_to(unit, _subject(input.subject_id), _tags(input.tags))
        )

    @strawberry.mutation(description="Remove tags.")
    async def remove_tags(self, info: Info, input: Annotated[i.RemoveTagsInput, _CHANGE]) -> p.RemoveTagsPayload:
        return await _changed(  # type: ignore[no-any-return]
            info, input, lambda unit: tags.remove(unit, _subject(input.subject_id), input.keys)
        )
