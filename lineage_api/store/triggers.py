"""Triggers on MLflow's tables of the registry: whoever changes them, the change is recorded in the same transaction.

They name nothing but OLD, NEW and our own tables: a body that names another table of MLflow's makes its migrations
fail on SQLite. The databases share the expressions here; each has its own form of a trigger (see `trigger_forms`).
Between angle brackets stands what they say differently: `<text of NEW.version>` and `<deletion of OLD>`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

_STAGE = "COALESCE({row}.current_stage, 'None')"
_DELETED = "'Deleted_Internal'"
_NEW_STAGE, _OLD_STAGE = _STAGE.format(row="NEW"), _STAGE.format(row="OLD")
_IS_DELETION = f"{_NEW_STAGE} = {_DELETED} AND {_OLD_STAGE} <> {_DELETED}"


@dataclass(frozen=True)
class Record:
    """An event that a trigger writes: SQL expressions of its columns, and when it is written at all."""

    kind: str
    slot: str
    columns: Mapping[str, str] = field(default_factory=dict)
    when: str = "1 = 1"
    ends: str = "1 = 0"
    """Whether nothing is in the slot after it."""
    row: str = "NEW"


@dataclass(frozen=True)
class Further:
    """A further step of a trigger, which each form has under this name."""

    name: str
    row: str = "NEW"
    when: str = "1 = 1"


@dataclass(frozen=True)
class Trigger:
    """What is recorded when rows of a table are inserted, updated or deleted."""

    name: str
    table: str
    event: str
    """Such as `UPDATE OF version`."""
    steps: Sequence[Record | Further]
    when: str = "1 = 1"


def _text(expression: str) -> str:
    return "''" if expression == "NULL" else f"<text of {expression}>"


_IS_PROMPT = """NEW."key" = 'mlflow.prompt.is_prompt' AND LOWER(NEW.value) = 'true'"""


def _tag_triggers(table: str, of_version: bool) -> Iterator[Trigger]:
    version = {row: f"{row}.version" if of_version else "NULL" for row in ("NEW", "OLD")}
    slot = {row: f"""'tag/' || {_text(version[row])} || '/' || {row}."key\"""" for row in ("NEW", "OLD")}
    new = {"version": version["NEW"], "key": 'NEW."key"', "value": "COALESCE(NEW.value, '')"}
    old = {"version": version["OLD"], "key": 'OLD."key"', "previous_value": "COALESCE(OLD.value, '')"}
    marks = () if of_version else (Further("mark_prompt", when=_IS_PROMPT),)
    is_moved = 'NEW."key" <> OLD."key"'
    is_kept = 'NEW."key" = OLD."key"'
    removed = Record("TAG_REMOVED", slot["OLD"], old, ends="1 = 1", row="OLD")
    yield Trigger(f"lineage_{table}_insert", table, "INSERT", [Record("TAG_SET", slot["NEW"], new), *marks])
    yield Trigger(
        f"lineage_{table}_update",
        table,
        'UPDATE OF "key", value',
        [
            replace(removed, when=is_moved),
            Record("TAG_SET", slot["NEW"], new, when=is_moved),
            Record("TAG_SET", slot["NEW"], {**new, "previous_value": old["previous_value"]}, when=is_kept),
            *marks,
        ],
        when=f"{is_moved} OR {new['value']} <> {old['previous_value']}",
    )
    yield Trigger(f"lineage_{table}_delete", table, "DELETE", [removed])


def _description(row: str) -> str:
    return f"COALESCE({row}.description, '')"


def _description_or_null(row: str) -> str:
    return f"CASE WHEN LENGTH({row}.description) > 0 THEN {row}.description END"


_IS_SAID = "COALESCE(LENGTH(NEW.description), 0) > 0"
_IS_EMPTY = "COALESCE(LENGTH(NEW.description), 0) = 0"
_NEW_TEXT = {"value": _description_or_null("NEW")}
_OLD_TEXT = {"previous_value": _description_or_null("OLD")}
_IS_RENAMED = "NEW.name <> OLD.name"
_ALIAS = {row: {"version": f"{row}.version", "alias": f"{row}.alias"} for row in ("NEW", "OLD")}
_ALIAS_IS_MOVED = "NEW.alias <> OLD.alias"
_VERSION_SLOT = {row: f"'stage/' || {_text(f'{row}.version')}" for row in ("NEW", "OLD")}
_ALIAS_SLOT = {row: f"'alias/' || {row}.alias" for row in ("NEW", "OLD")}
_VERSION_DESCRIPTION_SLOT = f"'description/' || {_text('NEW.version')}"
_WIPED = {name: f"OLD.{name}" for name in ("source", "run_id", "run_link")}
_ALIAS_REMOVED = Record(
    "ALIAS_REMOVED",
    _ALIAS_SLOT["OLD"],
    {**_ALIAS["OLD"], "previous_version": "OLD.version", "cause_id": "<deletion of OLD>"},
    ends="1 = 1",
    row="OLD",
)


def _displaced(when: str = "1 = 1") -> Iterator[Record | Further]:
    """What ends a model whose row went without a word, as REPLACE and TRUNCATE do, before another takes its name."""
    yield Record("MODEL_DELETED", "'name'", when=when, ends="1 = 1")
    yield Further("end_model", when=when)


TRIGGERS: Sequence[Trigger] = (
    Trigger(
        "lineage_registered_models_insert",
        "registered_models",
        "INSERT",
        [
            *_displaced(),
            Further("begin_model"),
            Record("MODEL_CREATED", "'name'"),
            Record("DESCRIPTION_CHANGED", "'description/'", _NEW_TEXT, when=_IS_SAID),
        ],
    ),
    Trigger(
        "lineage_registered_models_update",
        "registered_models",
        "UPDATE OF name, description",
        [
            *_displaced(_IS_RENAMED),
            Further("rename_model", "OLD", _IS_RENAMED),
            Record("MODEL_RENAMED", "'name'", {"previous_name": "OLD.name"}, when=_IS_RENAMED),
            Record(
                "DESCRIPTION_CHANGED",
                "'description/'",
                {**_NEW_TEXT, **_OLD_TEXT},
                when=f"{_description('NEW')} <> {_description('OLD')}",
                ends=_IS_EMPTY,
            ),
        ],
        when=f"{_IS_RENAMED} OR {_description('NEW')} <> {_description('OLD')}",
    ),
    Trigger(
        "lineage_registered_models_delete",
        "registered_models",
        "DELETE",
        [
            Further("end_aliases", "OLD"),
            Further("end_versions", "OLD"),
            Record("MODEL_DELETED", "'name'", ends="1 = 1", row="OLD"),
            Further("end_model", "OLD"),
        ],
    ),
    Trigger(
        "lineage_model_versions_insert",
        "model_versions",
        "INSERT",
        [
            Record("VERSION_REGISTERED", _VERSION_SLOT["NEW"], {"version": "NEW.version", "to_stage": _NEW_STAGE}),
            Record(
                "DESCRIPTION_CHANGED",
                _VERSION_DESCRIPTION_SLOT,
                {"version": "NEW.version", **_NEW_TEXT},
                when=_IS_SAID,
            ),
        ],
    ),
    Trigger(
        "lineage_model_versions_update",
        "model_versions",
        "UPDATE OF current_stage, description",
        [
            Record(
                "VERSION_DELETED",
                _VERSION_SLOT["NEW"],
                {"version": "NEW.version", "from_stage": _OLD_STAGE, "to_stage": _NEW_STAGE, **_WIPED},
                when=_IS_DELETION,
            ),
            Record(
                "VERSION_RESTORED",
                _VERSION_SLOT["NEW"],
                {"version": "NEW.version", "from_stage": _OLD_STAGE, "to_stage": _NEW_STAGE},
                when=f"{_OLD_STAGE} = {_DELETED} AND {_NEW_STAGE} <> {_DELETED}",
            ),
            Record(
                "STAGE_CHANGED",
                _VERSION_SLOT["NEW"],
                {"version": "NEW.version", "from_stage": _OLD_STAGE, "to_stage": _NEW_STAGE},
                when=f"{_NEW_STAGE} <> {_OLD_STAGE} AND {_NEW_STAGE} <> {_DELETED} AND {_OLD_STAGE} <> {_DELETED}",
            ),
            Record(
                "DESCRIPTION_CHANGED",
                _VERSION_DESCRIPTION_SLOT,
                {"version": "NEW.version", **_NEW_TEXT, **_OLD_TEXT},
                when=f"{_description('NEW')} <> {_description('OLD')} AND NOT ({_IS_DELETION})",
                ends=_IS_EMPTY,
            ),
            Record(
                "DESCRIPTION_CHANGED",
                _VERSION_DESCRIPTION_SLOT,
                {"version": "NEW.version", **_NEW_TEXT, **_OLD_TEXT, "cause_id": "<deletion of NEW>"},
                when=f"{_description('NEW')} <> {_description('OLD')} AND {_IS_DELETION}",
                ends=_IS_EMPTY,
            ),
        ],
        when=f"{_NEW_STAGE} <> {_OLD_STAGE} OR {_description('NEW')} <> {_description('OLD')}",
    ),
    Trigger(
        "lineage_model_versions_delete",
        "model_versions",
        "DELETE",
        [
            Record(
                "VERSION_DELETED",
                _VERSION_SLOT["OLD"],
                {"version": "OLD.version", "from_stage": _OLD_STAGE, **_WIPED},
                when=f"{_OLD_STAGE} <> {_DELETED}",
                ends="1 = 1",
                row="OLD",
            ),
            Further("end_version", "OLD"),
        ],
    ),
    Trigger(
        "lineage_registered_model_aliases_insert",
        "registered_model_aliases",
        "INSERT",
        [Record("ALIAS_SET", _ALIAS_SLOT["NEW"], _ALIAS["NEW"])],
    ),
    Trigger(
        "lineage_registered_model_aliases_update",
        "registered_model_aliases",
        "UPDATE OF alias, version",
        [
            replace(_ALIAS_REMOVED, when=_ALIAS_IS_MOVED),
            Record("ALIAS_SET", _ALIAS_SLOT["NEW"], _ALIAS["NEW"], when=_ALIAS_IS_MOVED),
            Record(
                "ALIAS_SET",
                _ALIAS_SLOT["NEW"],
                {**_ALIAS["NEW"], "previous_version": "OLD.version"},
                when="NEW.alias = OLD.alias",
            ),
        ],
        when=f"{_ALIAS_IS_MOVED} OR NEW.version <> OLD.version",
    ),
    Trigger("lineage_registered_model_aliases_delete", "registered_model_aliases", "DELETE", [_ALIAS_REMOVED]),
    *_tag_triggers("registered_model_tags", of_version=False),
    *_tag_triggers("model_version_tags", of_version=True),
)
