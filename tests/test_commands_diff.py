"""The command `diff`, run as a person would, but in this process."""

from hashlib import sha256

import pytest
from click.testing import CliRunner

from lineage_api.cli import main
from tests.trained import NEW, OLD, PREPROCESSORS, Models, column


@pytest.fixture
def models(store):
    """Two versions of `m`, the second trained again, in Production and the champion."""
    made = Models(store)
    made.version(made.run())
    head = made.run(
        rate=0.3, commit=NEW, end=6_000, tags={"note": "a\x1b[2Jb\n" + "x" * 90}, preprocessor=PREPROCESSORS[1]
    )
    made.version(head, columns=[column("hour", "long")], size=1_000)
    store.stage("m", 2, "Production")
    store.alias("m", "champion", 2)
    return made


@pytest.fixture
def diff(store):
    """Exit code, standard output and standard error."""

    def diff(*arguments):
        done = CliRunner().invoke(main, ["diff", *arguments, "--backend-store-uri", store.uri])
        return done.exit_code, done.stdout, done.stderr

    return diff


def test_what_differs(models, diff):
    """A table, by what it is about, in which nothing speaks to the terminal; then the verdict, and the link."""
    code, said, complained = diff("m", "1", "production")

    old, new = (f"sha256:{sha256(each).hexdigest()}" for each in PREPROCESSORS[:2])
    rows = [
        ("what", "key", "base", "head", "change"),
        ("params", "learning_rate", "0.1", "0.3", "+0.2 (+200.0%)"),
        ("tags", "note", "", r"a\x1b[2Jb\nxxxxxxx...xxxxxxxxxxxxxxxxxx", "added"),
        ("signature", "inputs.hour", "", "long", "added"),
        ("artifacts", "preprocessor.bin", f"{old[:18]}...{old[-18:]}", f"{new[:18]}...{new[-18:]}", "changed"),
        ("code", "commit", OLD, NEW, "changed"),
        ("size", "size", "900", "1000", "+100 (+11.1%)"),
        ("duration", "duration", "2.5", "5.0", "+2.5 (+100.0%)"),
    ]
    table = [f"{what:<9}  {key:<16}  {base:<40}  {head:<40}  {change}" for what, key, base, head, change in rows]
    verdict = "callers of version 1 cannot call version 2 unchanged"
    link = f"commits between them: https://github.com/o/r/compare/{OLD}...{NEW}"
    assert said.splitlines() == ["m: from version 1 to version 2", "", *table, "", verdict, link]
    assert (code, complained) == (1, "")
    assert diff("m", "1", "@champion") == diff("m", "1", "champion") == (code, said, "")


def test_what_is_the_same_or_not_known(models, diff):
    """The exit code tells them apart from what differs and from what makes no sense."""
    same = "m: from version 1 to version 1\n\ncallers of version 1 can call version 1 unchanged\nidentical\n"
    assert diff("m", "1", "1") == (0, same, "")

    models.store.sql("UPDATE model_versions SET source = 'strange://b/m', storage_location = 'strange://b/m'")
    code, said, complained = diff("m", "2", "2")
    assert (code, complained) == (1, "")
    assert said.splitlines() == [
        "m: from version 2 to version 2",
        "",
        "whether callers of version 2 can call version 2 unchanged is not known",
        "not known:",
        "  environment: MLmodel of the base could not be read",
        "  environment: MLmodel of the head could not be read",
        "  signature: MLmodel of the base could not be read",
        "  signature: MLmodel of the head could not be read",
        "  artifacts: the artifact store of the base did not answer",
        "  artifacts: the artifact store of the head did not answer",
        "  size: MLmodel of the base could not be read",
        "  size: MLmodel of the head could not be read",
        "no difference is known",
    ]


def test_versions_that_are_not_there(models, diff):
    """One line on standard error, and the exit code 2."""
    assert diff("m", "1", "7") == (2, "", "lineage-api: There is no version 7 of 'm'.\n")
    assert diff("m", "Staging", "1") == (2, "", "lineage-api: There is no version of 'm' in STAGING.\n")
    assert diff("m", "@1", "1") == (2, "", "lineage-api: There is no version of 'm' with the alias '1'.\n")
    assert diff("n", "1", "1" * 20) == (2, "", "lineage-api: There is no version 1 of 'n'.\n")
    code, said, complained = diff("m", "1")
    assert (code, said) == (2, "")
    assert "Missing argument 'HEAD'" in complained
