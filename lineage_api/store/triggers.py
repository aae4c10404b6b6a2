"""Triggers on MLflow's tables of the registry: whoever changes them, the change is recorded in the same transaction.

They name nothing but OLD, NEW and our own tables: a body that names another table of MLflow's makes its migrations
fail on SQLite. The databases share the expressions here; each has its own form of a trigger (see `trigger_forms`).
Between angle brackets stands what they say differently: `<text>` and `<deletion of OLD>`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_STAGE = "COALESCE({row}.current_stage, 'None')"
_DELETED = "'Deleted_Internal'"
_IS_DELETION = f"{_STAGE.format(row='NEW')} = {_DELETED} AND {_STAGE.format(row='OLD')} <> {_DELETED}"


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
class Trigger:
    """What is recorded when rows of a table are inserted, updated or deleted."""

    name: str
    table: str
    event: str
    """Such as `UPDATE OF version`."""
    steps: Sequence[Record | str]
    """Records, and names of further statements, which each form has."""
    when: str = "1 = 1"


def _tagged(row: str, version: str) -> dict[str, str]:
    return {"version": version, "key": f'{row}."key"'}


def _tag_triggers(table: str, of_version: bool) -> Iterator[Trigger]:
    version = {row: f"{row}.version" if of_version else "NULL" for row in ("NEW", "OLD")}
    slot = {row: f"""'tag/' || {_text(version[row])} || '/' || {row}."key\"""" for row in ("NEW", "OLD")}
    new, old = _tagged("NEW", version["NEW"]), _tagged("OLD", version["OLD"])
    marks = () if of_version else ("mark_prompt",)
    value, before = "COALESCE(NEW.value, '')", "COALESCE(OLD.value, '')"
    yield Trigger(
        f"lineage_{table}_insert", table, "INSERT", [Record("TAG_SET", slot["NEW"], {**new, "value": value}), *marks]
    )
    yield Trigger(
        f"lineage_{table}_update",
        table,
        "UPDATE OF value",
        [Record("TAG_SET", slot["NEW"], {**new, "value": value, "previous_value": before}), *marks],
        when=f"{value} <> {before}",
    )
    yield Trigger(
        f"lineage_{table}_delete",
        table,
        "DELETE",
        [Record("TAG_REMOVED", slot["OLD"], {**old, "previous_value": before}, ends="1 = 1", row="OLD")],
    )


def _text(expression: str) -> str:
    return "''" if expression == "NULL" else f"CAST({expression} AS <text>)"


def _description(row: str) -> str:
    return f"COALESCE({row}.description, '')"


_IS_EMPTY = f"{_description('NEW')} = ''"
_NEW_TEXT = {"value": "NULLIF(NEW.description, '')"}
_VERSION_SLOT = {row: f"'stage/' || {_text(f'{row}.version')}" for row in ("NEW", "OLD")}
_ALIAS_SLOT = {row: f"'alias/' || {row}.alias" for row in ("NEW", "OLD")}
_VERSION_DESCRIPTION_SLOT = f"'description/' || {_text('NEW.version')}"
_WIPED = {name: f"OLD.{name}" for name in ("source", "run_id", "run_link")}
_NEW_STAGE, _OLD_STAGE = _STAGE.format(row="NEW"), _STAGE.format(row="OLD")

TRIGGERS: Sequence[Trigger] = (
    Trigger(
        "lineage_registered_models_insert",
        "registered_models",
        "INSERT",
        [
            "begin_model",
            Record("MODEL_CREATED", "'name'"),
            Record("DESCRIPTION_CHANGED", "'description/'", _NEW_TEXT, when=f"{_description('NEW')} <> ''"),
        ],
    ),
    Trigger(
        "lineage_registered_models_update",
        "registered_models",
        "UPDATE OF name, description",
        [
            "rename_model",
            Record("MODEL_RENAMED", "'name'", {"previous_name": "OLD.name"}, when="NEW.name <> OLD.name"),
            Record(
                "DESCRIPTION_CHANGED",
                "'description/'",
                {**_NEW_TEXT, "previous_value": "NULLIF(OLD.description, '')"},
                when=f"{_description('NEW')} <> {_description('OLD')}",
                ends=_IS_EMPTY,
            ),
        ],
        when=f"NEW.name <> OLD.name OR {_description('NEW')} <> {_description('OLD')}",
    ),
    Trigger(
        "lineage_registered_models_delete",
        "registered_models",
        "DELETE",
        ["end_aliases", "end_versions", Record("MODEL_DELETED", "'name'", ends="1 = 1", row="OLD"), "end_model"],
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
                when=f"{_description('NEW')} <> ''",
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
                {
                    "version": "NEW.version",
                    **_NEW_TEXT,
                    "previous_value": "NULLIF(OLD.description, '')",
                    "cause_id": f"CASE WHEN {_IS_DELETION} THEN <deletion of NEW> END",
                },
                when=f"{_description('NEW')} <> {_description('OLD')}",
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
            "end_version",
        ],
    ),
    Trigger(
        "lineage_registered_model_aliases_insert",
        "registered_model_aliases",
        "INSERT",
        [Record("ALIAS_SET", _ALIAS_SLOT["NEW"], {"version": "NEW.version", "alias": "NEW.alias"})],
    ),
    Trigger(
        "lineage_registered_model_aliases_update",
        "registered_model_aliases",
        "UPDATE OF version",
        [
            Record(
                "ALIAS_SET",
                _ALIAS_SLOT["NEW"],
                {"version": "NEW.version", "alias": "NEW.alias", "previous_version": "OLD.version"},
            )
        ],
        when="NEW.version <> OLD.version",
    ),
    Trigger(
        "lineage_registered_model_aliases_delete",
        "registered_model_aliases",
        "DELETE",
        [
            Record(
                "ALIAS_REMOVED",
                _ALIAS_SLOT["OLD"],
                {
                    "version": "OLD.version",
                    "alias": "OLD.alias",
                    "previous_version": "OLD.version",
                    "cause_id": "<deletion of OLD>",
                },
                ends="1 = 1",
                row="OLD",
            )
        ],
    ),
    *_tag_triggers("registered_model_tags", of_version=False),
    *_tag_triggers("model_version_tags", of_version=True),
)
