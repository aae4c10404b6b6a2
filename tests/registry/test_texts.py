"""What texts of a change may be, beside what MLflow's validators and columns let through."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage_api.registry import texts
from lineage_api.registry.reasons import Invalid

UNSTORABLE = ["a\0b", "\0", "a\ud800", "\udfffb", "\udc00\ud800"]

NAMES = [
    *[
        "a",
        "a b",
        " a ",
        "a.b",
        ".a",
        "größe 🚲",
        "a@b",
        "a%2fb",
        "a\\b",
        "-",
        "_",
        "v1",
        "V12",
        "v",
        "latest",
        "LATEST",
    ],
    *["", " ", "\t", ".", "..", "...", "..a", "a..", "/", "/a", "a/", "a/b", "a//b", "a/./b", "a/../b", "./a", "../a"],
    *["//a", "a:b", ":", "a,b", "a;b", "a#b", "a?b", "a\nb", "m-" + "0" * 32, "latest1", "v1a", "1v", "a" * 250],
    *["a" * 251, "a" * 255, "a" * 256, "v" + "٣"],
]


def is_refused(validate, *values):
    """Whether one of MLflow's validators refuses."""
    from mlflow.exceptions import MlflowException

    try:
        validate(*values)
    except MlflowException:
        return True
    return False


@pytest.fixture
def validation():
    """MLflow's validators."""
    import mlflow.utils.validation

    return mlflow.utils.validation


@pytest.mark.parametrize("name", NAMES)
def test_names_are_refused_as_by_mlflow(validation, name):
    """Of models, aliases and tags alike."""
    alias = is_refused(validation._validate_model_alias_name, name)
    alias = alias or is_refused(validation._validate_model_alias_name_reserved, name)

    assert bool(texts.model_name(name)) == is_refused(validation._validate_model_name, name)
    assert bool(texts.alias(name)) == alias
    assert bool(texts.tags([(name, "")], "Run")) == is_refused(validation._validate_tag, name, "")
    assert bool(texts.tags([(name, "")], "Experiment")) == is_refused(validation._validate_experiment_tag, name, "")
    for kind in ("RegisteredModel", "ModelVersion"):
        validate = validation._validate_registered_model_tag
        assert bool(texts.tags([(name, "")], kind)) == is_refused(validate, name, "")


@given(st.text(alphabet="av1./:@ -\\%", max_size=6))
def test_any_names_are_refused_as_by_mlflow(name):
    """Made of what its rules are about."""
    from mlflow.utils import validation

    assert bool(texts.model_name(name)) == is_refused(validation._validate_model_name, name)
    assert bool(texts.tags([(name, "")], "Run")) == is_refused(validation._validate_tag, name, "")


def test_what_mlflow_lets_through(validation):
    """Its expressions miss a line break at the end, and it leaves the length of a model's name to the database."""
    missed = ["a\n", "a" * 257]

    assert not is_refused(validation._validate_model_alias_name, "a\n")
    assert not is_refused(validation._validate_tag, "a\n", "")
    assert not any(is_refused(validation._validate_model_name, name) for name in missed)
    assert texts.alias("a\n", "alias") == [
        Invalid("'a\\n' is no alias: it may only have letters, digits, `_` and `-`.", ("alias",))
    ]
    assert texts.tag_keys(["a\n"]) == []
    assert len(texts.tags([("a\n", "")], "Run")) == 1
    assert texts.model_name("a" * 257, "name") == [
        Invalid("The name of a registered model may have 256 characters at most; this has 257.", ("name",))
    ]


def test_the_limits_are_mlflows(validation):
    """Those that have a name there."""
    lengths = texts.MAX_TAG_VALUE_LENGTHS

    assert texts.MAX_ALIAS_LENGTH == validation.MAX_REGISTERED_MODEL_ALIAS_LENGTH
    assert texts.MAX_TAG_KEY_LENGTH == validation.MAX_ENTITY_KEY_LENGTH
    assert texts.MAX_TAG_KEY_LENGTH == validation.MAX_EXPERIMENT_TAG_KEY_LENGTH
    assert texts.MAX_TAG_KEY_LENGTH == validation.MAX_MODEL_REGISTRY_TAG_KEY_LENGTH
    assert lengths["ModelVersion"] == validation.MAX_MODEL_REGISTRY_TAG_VALUE_LENGTH
    assert lengths["Run"] == validation.MAX_TAG_VAL_LENGTH
    assert lengths["Experiment"] == validation.MAX_EXPERIMENT_TAG_VAL_LENGTH


def test_the_limits_are_those_of_the_columns():
    """Where MLflow checks nothing, or more than fits."""
    from mlflow.store.model_registry.dbmodels import models as registry
    from mlflow.store.tracking.dbmodels import models as tracking

    columns = {
        registry.SqlRegisteredModel.name: texts.MAX_MODEL_NAME_LENGTH,
        registry.SqlRegisteredModel.description: texts.MAX_DESCRIPTION_LENGTH,
        registry.SqlModelVersion.description: texts.MAX_DESCRIPTION_LENGTH,
        registry.SqlRegisteredModelTag.value: texts.MAX_TAG_VALUE_LENGTHS["RegisteredModel"],
        registry.SqlModelVersionTag.value: None,
        tracking.SqlRun.name: texts.MAX_RUN_NAME_LENGTH,
        tracking.SqlTag.value: texts.MAX_TAG_VALUE_LENGTHS["Run"],
        tracking.SqlExperimentTag.value: None,
        tracking.SqlLoggedModelTag.tag_key: texts.MAX_KEPT_TAG_KEY_LENGTH,
        tracking.SqlLoggedModelTag.tag_value: None,
    }

    assert {column: column.type.length for column in columns} == columns


@pytest.mark.parametrize(
    ("check", "fits"),
    [
        (texts.model_name, "a" * 256),
        (texts.alias, "a" * 255),
        (texts.description, "🚲" * 5_000),
        (texts.description, ""),
        (texts.reason, "a" * 5_000),
        (texts.reason, ""),
        (texts.idempotency_key, "a" * 255),
        (texts.idempotency_key, " "),
        (lambda text, *path: texts.tags([("a" * 250, text)], "RegisteredModel", *path), "a" * 5_000),
        (lambda text, *path: texts.tags([("k", text)], "ModelVersion", *path), "a" * 100_000),
        (lambda text, *path: texts.tags([("k", text)], "Run", *path), "a" * 8_000),
        (lambda text, *path: texts.tags([("mlflow.runName", text)], "Run", *path), "a" * 250),
        (lambda text, *path: texts.tags([("k", text)], "Experiment", *path), "a" * 20_000),
        (lambda text, *path: texts.tags([("k", text)], "LoggedModel", *path), "a" * 100_000),
        (lambda text, *path: texts.tag_keys([text], *path), "a" * 255),
    ],
)
def test_the_longest_text_that_fits(check, fits):
    """And with one character more it does not, if it is not empty."""
    assert check(fits, "field") == []
    if len(fits) > 1:
        [reason] = check(fits + "a", "field")
        assert re.fullmatch(
            rf".* may have {len(fits):,} characters at most; this has {len(fits) + 1:,}\.", reason.message
        )


@pytest.mark.parametrize(
    ("check", "path"),
    [
        (texts.model_name, ("field",)),
        (texts.alias, ("field",)),
        (texts.description, ("field",)),
        (texts.reason, ("field",)),
        (texts.idempotency_key, ("field",)),
        (lambda text, *path: texts.tags([("k", "v"), (text, "")], "Run", *path), ("field", "1", "key")),
        (lambda text, *path: texts.tags([("k", text)], "LoggedModel", *path), ("field", "0", "value")),
        (lambda text, *path: texts.tag_keys(["k", text], *path), ("field", "1")),
    ],
)
def test_no_text_has_what_a_database_cannot_keep(check, path):
    """NUL and lone surrogates are refused everywhere, and the message can be sent."""
    for text in UNSTORABLE:
        reasons = check(text, "field")
        assert {reason.path for reason in reasons} == {path}
        assert all(re.search("NUL|surrogate", reason.message) for reason in reasons)
        assert all(reason.message.encode() for reason in reasons)


def test_what_is_wrong_with_tags():
    """All of it is said at once, each at its place; `mlflow.` alone is no fault."""
    given = [("a", "1"), ("mlflow.note.content", "x"), ("a", "2"), ("b@", "\0"), ("../c", ""), ("", "")]

    assert texts.tags(given, "ModelVersion", "tags") == [
        Invalid("The key 'a' is given twice; give each key once.", ("tags", "2", "key")),
        Invalid(
            "'b@' cannot be the key of a tag: it may only have letters, digits, spaces and `_ - . : /`.",
            ("tags", "3", "key"),
        ),
        Invalid("The text has a NUL character, which PostgreSQL cannot keep; leave it out.", ("tags", "3", "value")),
        Invalid(
            "'../c' cannot be the key of a tag: as a path it would lead elsewhere; write it like `team/name`.",
            ("tags", "4", "key"),
        ),
        Invalid("A tag needs a key of at least one character.", ("tags", "5", "key")),
    ]


def test_no_model_is_turned_into_a_prompt():
    """By MLflow's mark of prompts, which is nothing special elsewhere."""
    mark = [("mlflow.prompt.is_prompt", "true")]
    reason = Invalid(
        "`mlflow.prompt.is_prompt` would turn a model into a prompt; choose another key.", ("tags", "0", "key")
    )

    found = {kind: texts.tags(mark, kind, "tags") for kind in texts.MAX_TAG_VALUE_LENGTHS}

    assert found == {
        "RegisteredModel": [reason],
        "ModelVersion": [reason],
        "Run": [],
        "Experiment": [],
        "LoggedModel": [],
    }


def test_keys_that_are_removed_twice():
    """The second is at fault; a key that MLflow let through on a logged model can be removed."""
    assert texts.tag_keys(["a@b", "", "x", "a@b"], "keys") == [
        Invalid("The key 'a@b' is given twice; give each key once.", ("keys", "3"))
    ]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (texts.model_name("  "), "A registered model needs a name that is not blank."),
        (
            texts.model_name("a/b"),
            "'a/b' cannot name a registered model: `/` and `:` separate the parts of a URI; use `-` or `_`.",
        ),
        (
            texts.model_name(".."),
            "'..' cannot name a registered model: it would lead to another folder; begin with a letter.",
        ),
        (texts.alias(""), "An alias needs at least one character."),
        (
            texts.alias("V3"),
            "'V3' is reserved, as are `latest` and `v` with a number; say what it is for: `champion`.",
        ),
        (
            texts.idempotency_key(""),
            "An idempotency key needs at least one character; leave it out to do without one.",
        ),
        (
            texts.alias("é " * 30),
            f"'{'é ' * 20}'… is no alias: it may only have letters, digits, `_` and `-`.",
        ),
    ],
)
def test_messages(found, message):
    """They say what is wrong and what would be right, with the beginning of a long text."""
    assert found == [Invalid(message, ())]
