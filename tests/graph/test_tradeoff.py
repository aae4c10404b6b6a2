"""Candidates weighed against each other."""

import math
from pathlib import Path

import pytest

RMSE = '{metric: "rmse", goal: MINIMIZE}'
QUICK = "{property: DURATION, goal: MINIMIZE}"
DEEP = '{param: "depth", goal: MAXIMIZE}'
SMALL = "{property: SIZE, goal: MINIMIZE}"
WHOLE = """{ experiments { nodes { name tradeoff(axes: [%s]%s) {
    points { run { name } values isOptimal dominatedBy { name } }
    skipped { name } skippedCount
} } } }"""


@pytest.fixture
def searched(store):
    """A parent run that started candidates: one is dominated, two are equal, some lack a value, some are none."""
    experiment = store.experiment("e")
    parent = store.run(experiment, "parent", start=1_000, end=90_000)

    def candidate(name, seconds, rmse=None, depth=None, **more):
        ids[name] = store.run(
            experiment,
            name,
            start=2_000 + len(ids),
            end=2_000 + len(ids) + 1_000 * seconds,
            params=None if depth is None else {"depth": depth},
            metrics=None if rmse is None else {"rmse": rmse},
            parent=parent,
            **more,
        )

    ids = {}
    candidate("good", 4, 1.0, "3")
    candidate("quick", 1, 2.0, "1e1")
    candidate("worse", 4, 3.0, "3")
    candidate("as quick", 1, 2.0, "10")
    candidate("not a number", 1, math.nan, "5")
    candidate("endless", 1, math.inf, "none")
    candidate("failed", 1, 0.5, "7", status="FAILED")
    candidate("running", 1, 0.25, "8", status="RUNNING")
    candidate("gone", 1, 0.1, "9")
    store.client.delete_run(ids["gone"])
    return ids


async def weighed(client, *axes, more=""):
    """What the trade-off of the experiment `e` says, whole; the other one has no runs."""
    answer = await client.ask(WHOLE % (", ".join(axes), more))
    [other, found] = sorted(answer["experiments"]["nodes"], key=lambda each: each["name"])
    assert other == {"name": "Default", "tradeoff": {"points": [], "skipped": [], "skippedCount": 0}}
    return found["tradeoff"]


def named(*names):
    return [{"name": name} for name in names]


def point(name, *values, dominated_by=()):
    """A point as it is answered."""
    return {
        "run": {"name": name},
        "values": [*values],
        "isOptimal": not dominated_by,
        "dominatedBy": named(*dominated_by),
    }


@pytest.fixture
def equal(searched):
    """The two that are equal, in the order of their runs' IDs."""
    return sorted(["quick", "as quick"], key=searched.__getitem__)


async def test_score_against_duration(client, equal):
    """Best score first; equal ones stay, the dominated one names who is better, best first; the rest is skipped."""
    answer = await weighed(client, RMSE, QUICK)

    assert answer == {
        "points": [
            point("good", 1.0, 4.0),
            *[point(name, 2.0, 1.0) for name in equal],
            point("worse", 3.0, 4.0, dominated_by=["good", *equal]),
        ],
        "skipped": named("endless", "not a number", "parent"),
        "skippedCount": 3,
    }


async def test_a_parameter_that_should_be_great(client, equal):
    """A number in whatever notation; more is better."""
    answer = await weighed(client, DEEP, RMSE)

    assert answer == {
        "points": [
            *[point(name, 10.0, 2.0) for name in equal],
            point("good", 3.0, 1.0),
            point("worse", 3.0, 3.0, dominated_by=[*equal, "good"]),
        ],
        "skipped": named("endless", "not a number", "parent"),
        "skippedCount": 3,
    }


@pytest.mark.usefixtures("searched")
async def test_other_candidates(client):
    """Just those that a filter keeps: of every status, and from the trash only when it says so."""
    for more, gone in (("", []), (", includeDeleted: true", ["gone"])):
        kept = f'filterBy: {{params: [{{key: "depth", in: ["5", "7", "8", "9"]}}]{more}}}'
        answer = await weighed(client, DEEP, more=f", {kept}")
        assert [each["run"]["name"] for each in answer["points"]] == [*gone, "running", "failed", "not a number"]

        answer = await weighed(client, RMSE, QUICK, more=f", {kept}")
        assert [each["run"]["name"] for each in answer["points"]] == [*gone, "failed"]
        assert answer["skipped"] == named("running", "not a number")
    answer = await weighed(client, DEEP, more=", filterBy: {}")
    assert {each["run"]["name"] for each in answer["points"]} > {"failed", "running", "good"}


async def test_the_first_of_many(client, equal):
    """What is cut off changes nothing of what is left, and is counted where it was skipped."""
    answer = await client.ask(
        f"""{{ experiment(name: "e") {{ tradeoff(axes: [{DEEP}, {RMSE}], first: 3) {{
        points {{ run {{ name }} isOptimal }} skipped(first: 1) {{ name }} skippedCount
        }} }} }}"""
    )

    assert answer["experiment"]["tradeoff"] == {
        "points": [{"run": {"name": name}, "isOptimal": True} for name in (*equal, "good")],
        "skipped": named("endless"),
        "skippedCount": 3,
    }


def model(store, run, size):
    """A logged model of a run, whose MLmodel says how big it is; without a size, it has no files."""
    made = store.logged_model(store.client.get_run(run).info.experiment_id, "model", run)
    if size is not None:
        folder = Path(made.artifact_location)
        folder.mkdir(parents=True)
        folder.joinpath("MLmodel").write_text(
            f"model_size_bytes: {size}\nflavors:\n  python_function:\n    loader_module: x\n"
        )
    return made


async def test_how_much_models_take(store, client):
    """All models of a run together; a run is skipped when it has none, or the size of one is not known."""
    experiment = store.experiment("e")
    sizes = {"small": [100], "two": [100, 50], "large": [2**40], "none": [], "unreadable": [100, None]}
    for start, (name, models) in enumerate(sizes.items()):
        run = store.run(experiment, name, start=1_000 + start, status="RUNNING", metrics={"rmse": start})
        for size in models:
            model(store, run, size)
        store.client.delete_logged_model(model(store, run, 7).model_id)
        store.client.set_terminated(run)

    answer = await weighed(client, SMALL, RMSE)

    assert answer == {
        "points": [
            point("small", 100.0, 0.0),
            point("two", 150.0, 1.0, dominated_by=["small"]),
            point("large", 2.0**40, 2.0, dominated_by=["small", "two"]),
        ],
        "skipped": named("unreadable", "none"),
        "skippedCount": 2,
    }


ONE_OF = "Give exactly one of `metric`, `param` and `property`."
REFUSED = [
    ("axes: []", "", "Give 1 to 10 axes, not 0."),
    (f"axes: [{', '.join([RMSE] * 11)}]", "", "Give 1 to 10 axes, not 11."),
    ("axes: [{goal: MINIMIZE}]", "", ONE_OF),
    ('axes: [{metric: "a", param: "b", goal: MINIMIZE}]', "", ONE_OF),
    (f"axes: [{RMSE}], first: 0", "", "`first` must be between 1 and 1000, not 0."),
    (f"axes: [{RMSE}], first: 1001", "", "`first` must be between 1 and 1000, not 1001."),
    (f"axes: [{RMSE}]", "(first: 1001)", "`first` must be between 1 and 1000, not 1001."),
]


async def test_what_makes_no_sense(client):
    """It is refused, with what would be right."""
    for arguments, skipped, message in REFUSED:
        asked = f"tradeoff({arguments}) {{ skipped{skipped} {{ name }} }}"
        error = await client.refused(f'{{ experiment(name: "Default") {{ {asked} }} }}')
        assert (error["message"], error["extensions"]["code"]) == (message, "BAD_USER_INPUT")


COSTS = [
    ([RMSE], "skippedCount points { values isOptimal }", 1),
    ([RMSE, DEEP, QUICK], "points { values run { name } }", 2),
    ([RMSE, SMALL], "points { values }", 2),
    ([RMSE, SMALL], "points { run { name } dominatedBy { runId } } skipped { runId }", 5),
]


async def test_the_cost_of_a_tradeoff(store, client, statements):
    """As many statements for many experiments, and for many runs, as for one of each."""
    for count in (1, 3):
        for number in range(count):
            experiment = store.experiment(f"{count} {number}")
            for metrics in [{"rmse": 1.0}, {"rmse": 2.0}, {}]:
                model(store, store.run(experiment, metrics=metrics, params={"depth": 1}), 100)
        for axes, fields, cost in COSTS:
            asked = f"nodes {{ tradeoff(axes: [{', '.join(axes)}]) {{ {fields} }} }}"
            answer = await client.ask(f'{{ experiments(filterBy: {{nameContains: "{count} "}}) {{ {asked} }} }}')
            assert [len(each["tradeoff"]["points"]) for each in answer["experiments"]["nodes"]] == [2] * count
            assert len(statements) == 1 + cost
