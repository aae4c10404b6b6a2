"""What the texts of a change may be, checked before any SQL.

The rules are MLflow's, and those of the columns: SQLite takes what PostgreSQL refuses, and here both refuse the same.
Each function gives back what is wrong, with the input field at fault, and nothing when all is well. Lengths are in
characters.
"""

import posixpath
import re
from collections.abc import Sequence
from typing import Literal

from lineage_api.registry.reasons import Invalid

Kind = Literal["RegisteredModel", "ModelVersion", "Run", "Experiment", "LoggedModel"]
"""What has tags."""

MAX_MODEL_NAME_LENGTH = 256
"""That of the column registered_models.name; MLflow itself does not look."""
MAX_ALIAS_LENGTH = 255
"""MLflow's MAX_REGISTERED_MODEL_ALIAS_LENGTH."""
MAX_DESCRIPTION_LENGTH = 5_000
"""That of the columns registered_models.description and model_versions.description; MLflow does not look."""
MAX_TAG_KEY_LENGTH = 250
"""MLflow's MAX_ENTITY_KEY_LENGTH, MAX_EXPERIMENT_TAG_KEY_LENGTH and MAX_MODEL_REGISTRY_TAG_KEY_LENGTH."""
MAX_KEPT_TAG_KEY_LENGTH = 255
"""That of the longest column of keys, logged_model_tags.tag_key: no key that is there is longer."""
MAX_TAG_VALUE_LENGTHS: dict[Kind, int] = {
    "RegisteredModel": 5_000,  # the column registered_model_tags.value; MLflow would try 100,000
    "ModelVersion": 100_000,  # MAX_MODEL_REGISTRY_TAG_VALUE_LENGTH
    "Run": 8_000,  # MAX_TAG_VAL_LENGTH
    "Experiment": 20_000,  # MAX_EXPERIMENT_TAG_VAL_LENGTH
    "LoggedModel": 100_000,  # ours: MLflow has no limit, nor has the column
}
MAX_RUN_NAME_LENGTH = 250
"""That of the column runs.name, into which MLflow copies the tag `mlflow.runName`."""
MAX_REASON_LENGTH = 5_000
MAX_IDEMPOTENCY_KEY_LENGTH = 255

_MOST_SHOWN = 40
_RUN_NAME = "mlflow.runName"
_PROMPT_MARK = "mlflow.prompt.is_prompt"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# MLflow's own expressions end with `$`, which lets a line break at the end through.
_ALIAS = re.compile(r"[\w\-]+")
_NUMBERED = re.compile(r"[vV]\d+")
_TAG_KEY = re.compile(r"[/\w.\- :]*")


def model_name(name: str, *path: str) -> list[Invalid]:
    """What is wrong with a name for a registered model."""
    if not name.strip():
        return [Invalid("A registered model needs a name that is not blank.", path)]
    return storable(name, *path) or _found(
        path,
        _longer("The name of a registered model", name, MAX_MODEL_NAME_LENGTH),
        (
            "/" in name or ":" in name,
            f"{shown(name)} cannot name a registered model: `/` and `:` separate the parts of a URI; use `-` or `_`.",
        ),
        (
            name == "." or name.startswith(".."),
            f"{shown(name)} cannot name a registered model: it would lead to another folder; begin with a letter.",
        ),
    )


def alias(alias: str, *path: str) -> list[Invalid]:
    """What is wrong with an alias that is to be given."""
    if not alias:
        return [Invalid("An alias needs at least one character.", path)]
    return storable(alias, *path) or _found(
        path,
        _longer("An alias", alias, MAX_ALIAS_LENGTH),
        (
            not _ALIAS.fullmatch(alias),
            f"{shown(alias)} is no alias: it may only have letters, digits, `_` and `-`.",
        ),
        (
            alias.lower() == "latest" or _NUMBERED.fullmatch(alias) is not None,
            f"{shown(alias)} is reserved, as are `latest` and `v` with a number; say what it is for: `champion`.",
        ),
    )


def description(text: str, *path: str) -> list[Invalid]:
    """What is wrong with a description; it may be empty."""
    return storable(text, *path) or _found(path, _longer("A description", text, MAX_DESCRIPTION_LENGTH))


def tags(tags: Sequence[tuple[str, str]], kind: Kind, *path: str) -> list[Invalid]:
    """What is wrong with keys and values that are to be set on something of a kind."""
    found = []
    for index, (key, value) in enumerate(tags):
        at = (*path, str(index))
        found += _tag_key(key, kind, (*at, "key"))
        found += _repeated(key, [each for each, _ in tags[:index]], (*at, "key"))
        found += _tag_value(key, value, kind, (*at, "value"))
    return found


def tag_keys(keys: Sequence[str], *path: str) -> list[Invalid]:
    """What is wrong with the keys of tags that are to be removed.

    Any key that may be there can be removed: MLflow does not look at those of logged models.
    """
    found = []
    for index, key in enumerate(keys):
        at = (*path, str(index))
        found += storable(key, *at) or _found(at, _longer("The key of a tag", key, MAX_KEPT_TAG_KEY_LENGTH))
        found += _repeated(key, keys[:index], at)
    return found


def reason(text: str, *path: str) -> list[Invalid]:
    """What is wrong with the reason given for a change; it may be empty."""
    return storable(text, *path) or _found(path, _longer("A reason", text, MAX_REASON_LENGTH))


def idempotency_key(text: str, *path: str) -> list[Invalid]:
    """What is wrong with the key by which a repeated request is known."""
    if not text:
        return [Invalid("An idempotency key needs at least one character; leave it out to do without one.", path)]
    return storable(text, *path) or _found(path, _longer("An idempotency key", text, MAX_IDEMPOTENCY_KEY_LENGTH))


def storable(text: str, *path: str) -> list[Invalid]:
    """What keeps a text out of a database, whatever it is for."""
    return _found(
        path,
        ("\0" in text, "The text has a NUL character, which PostgreSQL cannot keep; leave it out."),
        (
            _LONE_SURROGATE.search(text) is not None,
            "The text has half of a surrogate pair, which is no character in UTF-8; send the whole character.",
        ),
    )


def shown(text: str) -> str:
    """A text as messages quote it: its beginning, and with nothing that could not be sent."""
    return repr(text) if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]!r}…"


def _tag_key(key: str, kind: Kind, path: tuple[str, ...]) -> list[Invalid]:
    if not key:
        return [Invalid("A tag needs a key of at least one character.", path)]
    return storable(key, *path) or _found(
        path,
        _longer("The key of a tag", key, MAX_TAG_KEY_LENGTH),
        (
            not _TAG_KEY.fullmatch(key),
            f"{shown(key)} cannot be the key of a tag: it may only have letters, digits, spaces and `_ - . : /`.",
        ),
        (
            _leads_elsewhere(key),
            f"{shown(key)} cannot be the key of a tag: as a path it would lead elsewhere; write it like `team/name`.",
        ),
        (
            key == _PROMPT_MARK and kind in {"RegisteredModel", "ModelVersion"},
            f"`{_PROMPT_MARK}` would turn a model into a prompt; choose another key.",
        ),
    )


def _tag_value(key: str, value: str, kind: Kind, path: tuple[str, ...]) -> list[Invalid]:
    is_name = kind == "Run" and key == _RUN_NAME
    longest = MAX_RUN_NAME_LENGTH if is_name else MAX_TAG_VALUE_LENGTHS[kind]
    return storable(value, *path) or _found(
        path, _longer("The name of a run" if is_name else "The value of this tag", value, longest)
    )


def _leads_elsewhere(key: str) -> bool:
    """Whether a key, read as the path of a file, would be another one, or one outside."""
    path = posixpath.normpath(key)
    return path != key or path == "." or path.startswith(("..", "/"))


def _repeated(key: str, before: Sequence[str], path: tuple[str, ...]) -> list[Invalid]:
    return _found(path, (key in before, f"The key {shown(key)} is given twice; give each key once."))


def _longer(what: str, text: str, most: int) -> tuple[bool, str]:
    """Whether a text is longer than it may be, and what to say then."""
    return len(text) > most, f"{what} may have {most:,} characters at most; this has {len(text):,}."


def _found(path: tuple[str, ...], *checks: tuple[bool, str]) -> list[Invalid]:
    """What is wrong of all that was looked at."""
    return [Invalid(message, path) for is_wrong, message in checks if is_wrong]
