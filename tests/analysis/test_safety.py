from dataclasses import replace

import pytest

from lineage_api.analysis.checks import Check, Status
from lineage_api.analysis.safety import Facts, Run, checks, is_safe
from lineage_api.store.manifests import Environment, Manifest, Package, Signature, SignatureField
from lineage_api.store.model_files import Examined

PASS, WARN, FAIL, UNKNOWN = Status
VERSION = "there is a version to go back to"
ARTIFACTS = "artifacts are there"
MLMODEL = "MLmodel can be read"
ENVIRONMENT = "environment can be read"
SIGNATURE = "signature fits"
SAME_ENVIRONMENT = "environment is the same"
RUN = "run was not deleted"


def package(requirement):
    """A package, such as `numpy==2.1.0` or `numpy>=2`."""
    name, _, version = requirement.partition("==")
    return Package(name.split(">")[0].split("[")[0].lower().replace("_", "-"), version or None, requirement)


def environment(python, *requirements):
    """What has to be installed."""
    return Environment(python, [*map(package, requirements)])


def signature(**inputs):
    """What a model takes."""
    return Signature([SignatureField(name, kind, True, None) for name, kind in inputs.items()], [], [])


SOUND = Manifest(9, ["sklearn"], signature(a="double"), environment("3.11.7", "numpy==2.1.0"), "3.17.0", "r", "m")
FILES = Examined(is_reached=True, missing=[], manifest=SOUND, unread=[])
FACTS = Facts(version=2, location="/kept", files=FILES, current=SOUND, run=Run.KEPT)
ALL_IS_WELL = {
    VERSION: (PASS, "version 2"),
    ARTIFACTS: (PASS, None),
    MLMODEL: (PASS, None),
    ENVIRONMENT: (PASS, None),
    SIGNATURE: (PASS, None),
    SAME_ENVIRONMENT: (PASS, None),
    RUN: (PASS, None),
}


def looked_at(facts):
    """The checks, in their order, and whether it is safe."""
    made = checks(facts)
    return {check.name: (check.status, check.detail) for check in made}, is_safe(made)


def found(facts):
    """The checks that came out otherwise than when all is well, and whether it is safe."""
    made, safe = looked_at(facts)
    assert [*made] == [*ALL_IS_WELL]
    return {name: made[name] for name in made if made[name] != ALL_IS_WELL[name]}, safe


def test_all_is_well():
    """Every check is there, in its order."""
    made = checks(FACTS)
    assert made == [Check(name, status, detail) for name, (status, detail) in ALL_IS_WELL.items()]
    assert is_safe(made)


def test_there_is_no_version():
    """Then there is nothing else to look at."""
    made = checks(Facts(version=None))
    assert made == [Check(VERSION, FAIL, "neither history nor an archived version offers one")]
    assert not is_safe(made)


@pytest.mark.parametrize(
    ("missing", "status", "detail"),
    [
        (["model.pkl"], FAIL, "model.pkl is missing"),
        (["code", "model.pkl"], FAIL, "code, model.pkl are missing"),
        ([str(n) for n in range(13)], FAIL, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 more are missing"),
        (None, UNKNOWN, "some of the folders that MLmodel names could not be looked at"),
    ],
)
def test_files_that_are_missing(missing, status, detail):
    """The model could not be loaded."""
    facts = replace(FACTS, files=replace(FILES, missing=missing))
    assert found(facts) == ({ARTIFACTS: (status, detail)}, status is UNKNOWN)


def test_nothing_says_where_the_files_are():
    """So there are none."""
    assert found(replace(FACTS, location=None, files=None)) == (
        {
            ARTIFACTS: (FAIL, "nothing says where they are"),
            MLMODEL: (FAIL, "nothing says where it is"),
            ENVIRONMENT: (WARN, "nothing says where its files are"),
            SIGNATURE: (UNKNOWN, "its MLmodel was not read"),
            SAME_ENVIRONMENT: (UNKNOWN, "its MLmodel was not read"),
        },
        False,
    )


def test_the_store_does_not_answer():
    """What was not seen is neither good nor bad; what is known besides is told."""
    files = Examined(is_reached=False, missing=None, manifest=None, unread=[])
    unreached = (UNKNOWN, "the artifact store could not be reached")
    assert found(replace(FACTS, files=files, run=Run.GONE)) == (
        {
            ARTIFACTS: unreached,
            MLMODEL: unreached,
            ENVIRONMENT: unreached,
            SIGNATURE: (UNKNOWN, "its MLmodel was not read"),
            SAME_ENVIRONMENT: (UNKNOWN, "its MLmodel was not read"),
            RUN: (WARN, "its run is gone"),
        },
        True,
    )


@pytest.mark.parametrize(
    ("missing", "detail"), [(["MLmodel"], "it is missing"), ([], "it is damaged"), (None, "it is damaged")]
)
def test_mlmodel_cannot_be_read(missing, detail):
    """Then nothing says how to load the model."""
    made, safe = looked_at(replace(FACTS, files=replace(FILES, missing=missing, manifest=None)))
    assert (made[MLMODEL], made[SIGNATURE], safe) == ((FAIL, detail), (UNKNOWN, "its MLmodel was not read"), False)


def test_mlmodel_names_no_flavor():
    """It may have been cut off."""
    files = replace(FILES, manifest=replace(SOUND, flavors=[]))
    assert found(replace(FACTS, files=files)) == ({MLMODEL: (FAIL, "it names no flavor")}, False)


def test_the_environment_cannot_be_read():
    """A warning: it may still be installed somewhere."""
    files = replace(FILES, unread=["requirements.txt", "conda.yaml"])
    assert found(replace(FACTS, files=files)) == (
        {ENVIRONMENT: (WARN, "requirements.txt, conda.yaml cannot be read")},
        True,
    )


def test_the_signature_does_not_fit():
    """What breaks for those who call the current version."""
    current = replace(SOUND, signature=signature(a="integer", b="string", c="double"))
    head = replace(SOUND, signature=signature(a="long", b="double", d="long"))
    assert found(replace(FACTS, current=current, files=replace(FILES, manifest=head))) == (
        {
            SIGNATURE: (
                WARN,
                "inputs.c is gone, inputs.b was string and is double, inputs.d is required and new",
            )
        },
        True,
    )


def test_much_that_breaks():
    """The first ten are named."""
    current = replace(SOUND, signature=signature(**dict.fromkeys("abcdefghijkl", "long")))
    made, _ = looked_at(
        replace(FACTS, current=current, files=replace(FILES, manifest=replace(current, signature=signature())))
    )
    assert made[SIGNATURE] == (WARN, ", ".join(f"inputs.{name} is gone" for name in "abcdefghij") + " and 2 more")


NOTHING = replace(SOUND, signature=None, environment=None)


def test_nothing_to_compare_with():
    """No version holds the place, several do, or the files of the one that does can't be read."""
    nobody = (UNKNOWN, "there is no one current version whose MLmodel was read")
    assert found(replace(FACTS, current=None)) == ({SIGNATURE: nobody, SAME_ENVIRONMENT: nobody}, True)


def test_the_current_version_says_nothing_of_itself():
    """It has no signature and no environment."""
    assert found(replace(FACTS, current=NOTHING)) == (
        {
            SIGNATURE: (UNKNOWN, "the signature of the current version is unknown"),
            SAME_ENVIRONMENT: (UNKNOWN, "the environment of the current version is unknown"),
        },
        True,
    )


def test_the_other_version_says_nothing_of_itself():
    """Nor does this one."""
    assert found(replace(FACTS, files=replace(FILES, manifest=NOTHING))) == (
        {
            SIGNATURE: (UNKNOWN, "its signature is unknown"),
            SAME_ENVIRONMENT: (UNKNOWN, "its environment is unknown"),
        },
        True,
    )


@pytest.mark.parametrize(
    ("current", "target", "detail"),
    [
        (
            environment("3.11.7", "scikit-learn==1.5.0", "numpy==2"),
            environment("3.10.0", "numpy==2", "scikit-learn==1.4.2"),
            "python 3.11.7 -> 3.10.0, scikit-learn 1.5.0 -> 1.4.2",
        ),
        (
            environment("3.11.7", "a==1"),
            environment(None, "b==1"),
            "python 3.11.7 -> not named, a 1 -> not named, b not named -> 1",
        ),
        (
            environment("3", "a==1", "my_Lib>=2"),
            environment("3", "a", "my-lib[x]>1"),
            "a 1 -> any, my-lib >=2 -> [x]>1",
        ),
        (environment("3", "a==1", "a==2"), environment("3", "a==2"), "a 1, 2 -> 2"),
        (
            environment("3", *[f"p{n:02}==1" for n in range(12)]),
            environment("3"),
            ", ".join(f"p{n:02} 1 -> not named" for n in range(10)) + " and 2 more",
        ),
    ],
)
def test_another_environment(current, target, detail):
    """What would be installed now, and what then; Python first."""
    facts = replace(
        FACTS,
        current=replace(SOUND, environment=current),
        files=replace(FILES, manifest=replace(SOUND, environment=target)),
    )
    assert found(facts) == ({SAME_ENVIRONMENT: (WARN, detail)}, True)


def test_a_requirement_that_begins_with_no_name():
    """It is told as it was written."""
    by_place = Environment("3", [Package("b", None, "git+https://host/b")])
    facts = replace(FACTS, current=replace(SOUND, environment=by_place))
    made, _ = looked_at(facts)
    assert made[SAME_ENVIRONMENT] == (
        WARN,
        "python 3 -> 3.11.7, b git+https://host/b -> not named, numpy not named -> 2.1.0",
    )


@pytest.mark.parametrize(
    ("run", "detail"),
    [
        (Run.IN_TRASH, "its run is in the trash"),
        (Run.GONE, "its run is gone"),
        (Run.NEVER_NAMED, "there is no run behind it"),
    ],
)
def test_the_run_is_not_there(run, detail):
    """A warning: how it was trained is hard to see, but it works."""
    assert found(replace(FACTS, run=run)) == ({RUN: (WARN, detail)}, True)
