import re
from dataclasses import replace

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lineage_api.analysis.comparison import PARTS, Side, comparison
from lineage_api.analysis.differences import ValueChange
from lineage_api.store.manifests import Environment, Manifest, Package, Signature, SignatureField
from lineage_api.store.recorded_runs import Dataset, RecordedRun

RUN = RecordedRun("r", "run", 1_000, 2_000, None, False)
MODEL = Manifest(9, [], Signature([], [], []), Environment("3.11.7", []), None, None, None)
SIDE = Side("v", "r", RUN, {}, "/r/model", MODEL)
FROM_RUNS = ["params", "metrics", "tags", "datasets", "artifacts", "code", "duration"]


def other(**run):
    """A side of another run and other files."""
    recorded = replace(RUN, run_id="s", **run)
    return Side("w", "s", recorded, {}, "/s/model", MODEL)


def tags(commit="a" * 40, entry="train.py", **more):
    """What MLflow says of code in its tags."""
    git = "mlflow.source.git"
    repository = {f"{git}.repoURL": "https://github.com/o/r"}
    return {"tags": {f"{git}.commit": commit, "mlflow.source.name": entry, **repository, **more}}


def compared(base, head, *parts):
    """What differs, of those parts that do or are not known."""
    found = comparison(base, head, parts or PARTS, {})
    differs = {part: getattr(found, part) for part in PARTS if getattr(found, part)}
    return differs, found.unknown


def test_code():
    """A link to what lies between two commits; what only one of them recorded is unknown."""
    base = replace(SIDE, run=replace(RUN, **tags()))
    found, unknown = compared(base, other(**tags("b" * 40, **{"mlflow.source.git.dirty": "True"})), "code")
    assert (found["code"].base_run_id, found["code"].head_run_id) == ("r", "s")
    assert found["code"].compare_url == f"https://github.com/o/r/compare/{'a' * 40}...{'b' * 40}"
    assert unknown == ["code: the head had uncommitted changes"]

    ssh = {"mlflow.source.git.repoURL": "git@github.com:o/r.git"}
    assert compared(base, other(**tags(**ssh)), "code") == ({}, [])
    assert compared(base, other(**tags("")), "code") == ({}, ["code: no commit was recorded for the head"])
    found, unknown = compared(base, other(**tags(entry="other.py")), "code")
    assert found["code"].compare_url is None
    assert compared(other(), base, "code") == ({}, ["code: nothing about it was recorded for the base"])
    no_entry = ["code: no entry point was recorded for the head"]
    assert compared(base, other(**tags(entry="")), "code") == ({}, no_entry)


def test_duration():
    """Only of runs that began and ended."""
    assert compared(SIDE, other(ended_at=2_500), "duration") == (
        {"duration": ValueChange("duration", "1.0", "1.5")}, []
    )  # fmt: skip
    assert compared(SIDE, other(ended_at=2_000), "duration") == ({}, [])
    running, never = other(ended_at=None), other(started_at=0)
    assert compared(running, SIDE, "duration") == ({}, ["duration: the base's run has not ended"])
    assert compared(SIDE, never, "duration") == ({}, ["duration: nothing says when the head's run began"])


def test_environment():
    """By normalised names, with what was asked for where no version is named; versions are no numbers."""
    packages = [Package("numpy", None, "NumPy>=1"), Package("shap", "0.4", "shap==0.4")]
    base = replace(SIDE, manifest=replace(MODEL, environment=Environment("3.11", packages)))
    head = replace(other(), manifest=replace(MODEL, environment=Environment("3.12", packages[:1])))

    found, unknown = compared(base, head, "environment")
    assert found["environment"] == [
        ValueChange("python", "3.11", "3.12", are_names=True), ValueChange("shap", "0.4", None, are_names=True)
    ]  # fmt: skip
    assert {change.delta for change in found["environment"]} == {None}
    assert unknown == []

    head = replace(head, manifest=replace(MODEL, environment=Environment(None, packages)))
    assert compared(base, head, "environment") == ({}, ["environment: Python was not recorded for the head"])


def test_signature():
    """Columns by what they are called, with their types as people read them."""
    inputs = [SignatureField("km", "double", True, None), SignatureField(None, "float64", False, [-1, 3])]
    head = replace(other(), manifest=replace(MODEL, signature=Signature(inputs, [], [])))
    assert compared(SIDE, head, "signature") == (
        {
            "signature": [
                ValueChange("inputs.1", None, "float64 [-1, 3] (optional)"), ValueChange("inputs.km", None, "double")
            ]
        },
        [],
    )  # fmt: skip
    assert comparison(SIDE, head, ["signature"], {}).is_signature_compatible is False
    assert comparison(SIDE, head, ["size"], {}).is_signature_compatible is None


def test_what_is_not_there():
    """Every part that it would tell of says so, once for each side."""
    found, unknown = compared(Side("v", None), Side("w", "gone"))
    assert found == {}
    nowhere = [f"nothing says where the files of the {side} are" for side in ("base", "head")]
    runless = ["the base has no run", "the head's run is gone"]
    assert sorted(unknown) == sorted(
        [f"{part}: {why}" for part in FROM_RUNS for why in runless]
        + [f"{part}: {why}" for part in ("environment", "signature", "size") for why in nowhere]
    )


KEYS = st.sampled_from(["a", "b", "mlflow.a", "mlflow.source.git.commit", "mlflow.source.name"])
TEXTS = st.dictionaries(KEYS, st.sampled_from(["1", "2", "NaN"]), max_size=3)
PACKAGES = st.lists(st.sampled_from([Package("a", "1", "a==1"), Package("a", None, "a>1"), Package("b", "2", "b==2")]))
FIELDS = st.lists(
    st.builds(SignatureField, st.sampled_from("xy"), st.sampled_from(["long", "double"]), st.booleans(), st.none())
)
MANIFESTS = st.builds(
    Manifest, st.none() | st.integers(1, 2), st.just([]), st.none() | st.builds(Signature, FIELDS, FIELDS, FIELDS),
    st.none() | st.builds(Environment, st.none() | st.just("3.11"), PACKAGES), st.none(), st.none(), st.none(),
)  # fmt: skip
DATASETS = st.lists(
    st.builds(Dataset, st.sampled_from("de"), st.sampled_from("12"), st.none() | st.just("eval"), *[st.just("")] * 2)
)
TIMES = st.none() | st.integers(1, 3)
RUNS = st.builds(
    RecordedRun, st.sampled_from("rs"), st.just("run"), TIMES, TIMES, st.none(), st.booleans(), *[TEXTS] * 3, DATASETS
)  # fmt: skip
SIDES = st.builds(
    lambda key, run, own, location, manifest: Side(key, run and run.run_id, run, own, location, manifest),
    st.sampled_from("vw"), st.none() | RUNS, TEXTS, st.none() | st.sampled_from(["/1", "/2"]), st.none() | MANIFESTS,
)  # fmt: skip
SWAPPED = {"base": "head", "head": "base"}


def turned(lines):
    """What is said of the base and of the head, the other way round."""
    return sorted(re.sub("base|head", lambda found: SWAPPED[found[0]], line) for line in lines)


@settings(deadline=None, max_examples=100, phases=[Phase.generate])
@given(SIDES, SIDES)
def test_the_other_way_round(base, head):
    """What was added was removed, what is unknown stays unknown; and what is unknown is never identical."""
    there, back = comparison(base, head, PARTS, {}), comparison(head, base, PARTS, {})

    for part in sorted(PARTS - {"code", "size", "duration"}):
        changes = [(change.key, change.head, change.base) for change in getattr(there, part)]
        assert changes == [(change.key, change.base, change.head) for change in getattr(back, part)]
    assert turned(there.unknown) == sorted(back.unknown)
    assert there.is_identical == back.is_identical
    assert not (there.is_identical and there.unknown)


@settings(deadline=None, max_examples=100, phases=[Phase.generate])
@given(SIDES)
def test_a_side_and_itself(side):
    """Nothing differs; only what could not be read is unknown."""
    found = comparison(side, side, PARTS, {})
    assert compared(side, side) == ({}, found.unknown)
    assert bool(found.unknown) == (side.manifest is None)


@settings(deadline=None, max_examples=100, phases=[Phase.generate])
@given(SIDES, SIDES, st.sets(st.sampled_from(sorted(PARTS))))
def test_some_parts(base, head, parts):
    """They are as in a whole comparison, and the others are empty."""
    some, whole = comparison(base, head, parts, {}), comparison(base, head, PARTS, {})
    empty = comparison(base, base, [], {})
    for part in PARTS:
        assert getattr(some, part) == getattr(whole if part in parts else empty, part)
    assert some.unknown == [line for line in whole.unknown if line.partition(":")[0] in parts]
