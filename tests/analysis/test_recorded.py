from dataclasses import replace

import pytest

from lineage_api.analysis.checks import Check, Status
from lineage_api.analysis.recorded import Facts, checks, missing, score
from lineage_api.analysis.safety import Run
from lineage_api.store.manifests import Environment, Manifest, Package, Signature
from lineage_api.store.recorded_runs import Code, Dataset

PASS, WARN, FAIL, UNKNOWN = Status
COMMIT = "0123456789abcdef0123456789abcdef01234567"
NUMPY = Package("numpy", "2.1.0", "numpy==2.1.0")
ENVIRONMENT = Environment("3.11.7", [NUMPY])
MANIFEST = Manifest(9, ["sklearn"], Signature([], [], []), ENVIRONMENT, "3.17.0", "r", "m")
CODE = Code("train.py", "https://github.com/org/flights.git", COMMIT, "main", is_dirty=False)
DATA = Dataset("flights", "d1", "training", "local", '{"url": "data.csv"}')
FACTS = Facts("m v1", Run.KEPT, CODE, {"lr": "0.1"}, {"rmse": "1.0"}, [DATA], MANIFEST)
NOTHING = Facts("m v2", Run.NEVER_NAMED, Code(), {}, {}, [], None)

RUN, REPOSITORY, COMMITS, UNCOMMITTED = (
    "run is recorded",
    "repository is recorded",
    "commit is recorded",
    "nothing was uncommitted",
)
ENTRY_POINT, DATASETS, PARAMETERS, METRICS = (
    "entry point is recorded",
    "datasets are recorded",
    "parameters are recorded",
    "metrics are recorded",
)
ENVIRONMENTS, PYTHON, PINNED = "environment is recorded", "Python version is recorded", "packages are pinned"
SIGNATURE, FILES = "signature is recorded", "model files can be read"
NAMES = [RUN, REPOSITORY, COMMITS, UNCOMMITTED, ENTRY_POINT, DATASETS, PARAMETERS, METRICS]
NAMES += [ENVIRONMENTS, PYTHON, PINNED, SIGNATURE, FILES]
UNREAD = "the model files could not be read"


def code(**other):
    """The facts of a run of other code."""
    return replace(FACTS, code=replace(CODE, **other))


def files(environment=ENVIRONMENT, signature=MANIFEST.signature):
    """The facts of other model files."""
    return replace(FACTS, manifest=replace(MANIFEST, environment=environment, signature=signature))


def packages(*packages):
    """The facts of model files that name these packages."""
    return files(replace(ENVIRONMENT, packages=[*packages]))


def test_everything_is_recorded():
    """Every check is there, in its order, and passes."""
    made = checks(FACTS)
    assert made == [Check(name, PASS) for name in NAMES]
    assert score(made) == 1
    assert missing(FACTS) == []


def test_nothing_is_recorded():
    """The same checks; what one thing says of another is said once."""
    made = checks(NOTHING)
    assert [(check.name, check.status, check.detail) for check in made] == [
        (RUN, FAIL, "there is none behind it"),
        (REPOSITORY, FAIL, None),
        (COMMITS, FAIL, None),
        (UNCOMMITTED, UNKNOWN, "that was not recorded"),
        (ENTRY_POINT, FAIL, None),
        (DATASETS, FAIL, "there are none"),
        (PARAMETERS, FAIL, "there are none"),
        (METRICS, FAIL, "there are none"),
        (ENVIRONMENTS, UNKNOWN, UNREAD),
        (PYTHON, UNKNOWN, UNREAD),
        (PINNED, UNKNOWN, UNREAD),
        (SIGNATURE, UNKNOWN, UNREAD),
        (FILES, FAIL, "MLmodel cannot be read"),
    ]
    assert score(made) == 0
    assert missing(NOTHING) == [
        *("no run", "no repository", "no commit", "no entry point", "no dataset", "no parameters"),
        "no environment: the model files could not be read",
    ]


@pytest.mark.parametrize(
    ("facts", "found", "lacking"),
    [
        (replace(FACTS, run=Run.IN_TRASH), (RUN, WARN, "it is in the trash"), []),
        (replace(FACTS, run=Run.GONE), (RUN, FAIL, "it is gone"), ["no run"]),
        (code(repo_url=None), (REPOSITORY, FAIL, None), ["no repository"]),
        (code(commit="-f"), (COMMITS, FAIL, "what was recorded is no commit of git"), ["no commit"]),
        (code(is_dirty=True), (UNCOMMITTED, FAIL, "some changes are in no commit"), ["uncommitted changes"]),
        (code(is_dirty=None), (UNCOMMITTED, UNKNOWN, "that was not recorded"), ["whether anything was uncommitted"]),
        (code(entry_point=None), (ENTRY_POINT, FAIL, None), ["no entry point"]),
        (
            code(entry_point="/opt/ipykernel_launcher.py"),
            (ENTRY_POINT, FAIL, "only the kernel of a notebook is"),
            ["no entry point"],
        ),
        (
            code(entry_point="<console>"),
            (ENTRY_POINT, WARN, "it is not clear how it is started"),
            ["how the entry point is started"],
        ),
        (
            code(entry_point="/tmp/train.py"),
            (ENTRY_POINT, WARN, "it does not say where train.py lies in the repository"),
            ["where train.py lies in the repository"],
        ),
        (
            code(entry_point="/tmp/\x1b[2J.py"),
            (ENTRY_POINT, WARN, "it does not say where (a name that cannot be shown) lies in the repository"),
            ["where (a name that cannot be shown) lies in the repository"],
        ),
        (replace(FACTS, datasets=[]), (DATASETS, FAIL, "there are none"), ["no dataset"]),
        (
            replace(FACTS, datasets=[DATA, replace(DATA, digest="")]),
            (DATASETS, WARN, "without a digest: flights"),
            ["the digest of flights"],
        ),
        (replace(FACTS, params={}), (PARAMETERS, FAIL, "there are none"), ["no parameters"]),
        (replace(FACTS, metrics={}), (METRICS, FAIL, "there are none"), []),
        (files(replace(ENVIRONMENT, python_version=None)), (PYTHON, FAIL, None), ["no Python version"]),
        (
            files(replace(ENVIRONMENT, python_version="3.11 -c x")),
            (PYTHON, FAIL, "what was recorded is no version of Python 3"),
            ["no Python version"],
        ),
        (packages(), (PINNED, FAIL, "there are none"), ["no packages"]),
        (
            packages(Package("pandas", None, "pandas>=2"), NUMPY, Package("shap", None, "shap")),
            (PINNED, WARN, "these are not: pandas, shap"),
            ["unpinned packages: pandas, shap"],
        ),
        (files(signature=None), (SIGNATURE, FAIL, None), []),
    ],
)
def test_one_thing_is_not_recorded(facts, found, lacking):
    """The check says so, and the score; and it is missing where one needs it to train again."""
    made = checks(facts)
    assert [check.name for check in made] == NAMES
    assert [(check.name, check.status, check.detail) for check in made if check.status is not PASS] == [found]
    assert score(made) == 12 / 13
    assert missing(facts) == lacking


def test_no_environment():
    """There is no Python version and no package either, which is missing once."""
    made = checks(files(environment=None))
    assert {check.name: check.status for check in made if check.status is not PASS} == {
        ENVIRONMENTS: FAIL,
        PYTHON: UNKNOWN,
        PINNED: UNKNOWN,
    }
    assert missing(files(environment=None)) == ["no environment"]


def test_a_package_at_a_commit():
    """It is pinned as well as a version."""
    assert missing(packages(Package("x", None, f"git+https://host/x.git@{COMMIT}"))) == []
    assert missing(packages(Package("x", None, "git+https://host/x.git@main"))) == ["unpinned packages: x"]
