"""How a stage or an alias is given back: the plan, and doing it, through the whole server."""

import asyncio
import json
import shutil
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path

import pytest

from lineage_api.migrations import recording
from lineage_api.registry import service
from tests.changing import EVENTS, event, everything, prompt

PLAN = """rollbackPlan(stage: $stage, alias: $alias, to: $to) {
    current { version } target { version } basis isSafe checks { name status detail } alternatives { version }
    lastTenure {
        since until version modelName event { kind origin toStage alias version }
        ... on StageTenure { stage } ... on AliasTenure { alias }
    }
}"""
ASKED = f'query ($stage: Stage, $alias: String, $to: Int) {{ registeredModel(name: "m") {{ {PLAN} }} }}'
SELECTED = f"""
    modelVersion {{ version stage aliases }} displaced {{ version stage aliases }}
    registeredModel {{ inStage(stage: PRODUCTION) {{ version }} aliases {{ name modelVersion {{ version }} }} }}
    {EVENTS}
"""
AT = """query ($at: DateTime!) {
    registryAt(at: $at) { stages { version stage } aliases { version alias } }
    registeredModel(name: "m") {
        inStage(stage: PRODUCTION, at: $at) { version } aliases(at: $at) { name modelVersion { version } }
        v1: version(number: 1) { stage(at: $at) }
        v2: version(number: 2) { stage(at: $at) }
        v3: version(number: 3) { stage(at: $at) }
    }
}"""
SIGNATURE = [{"name": "km", "type": "double", "required": True}]


class Models:
    """Versions of `m`, each from the folder of a run of its own."""

    def __init__(self, store):
        self.store = store
        self.experiment = store.experiment("e")
        self.runs, self.folders = {}, {}

    def add(self, python="3.11.4", numpy="2.1.0", signature=SIGNATURE, name="m"):
        """The number of a new version with all of its files."""
        run = self.store.run(self.experiment)
        folder = Path(self.store.client.get_run(run).info.artifact_uri) / "model"
        folder.mkdir(parents=True)
        mlmodel = {
            "run_id": run,
            "flavors": {"python_function": {"data": "model.pkl"}},
            "signature": {"inputs": json.dumps(signature)},
        }
        (folder / "MLmodel").write_text(json.dumps(mlmodel))
        (folder / "model.pkl").write_bytes(b"a model")
        (folder / "requirements.txt").write_text(f"numpy=={numpy}\n")
        (folder / "python_env.yaml").write_text(f"python: {python}\ndependencies: [-r requirements.txt]\n")
        (folder / "conda.yaml").write_text(f"dependencies: [python={python}, pip: [numpy=={numpy}]]\n")
        number = self.store.version(name, run_id=run, source=str(folder))
        self.runs[number], self.folders[number] = run, folder
        return number

    def held(self, *numbers):
        """Each of some versions held PRODUCTION, one after the other; the last one still does."""
        for number in numbers:
            self.store.stage("m", number, "Production", archive=True)


@pytest.fixture
def models(store):
    """With three versions whose files are alike."""
    store.registered_model("m")
    made = Models(store)
    for _ in range(3):
        made.add()
    return made


async def planned(client, stage="PRODUCTION", alias=None, to=None):
    """The plan, as `PLAN` selects it."""
    answer = await client.ask(ASKED, stage=None if alias else stage, alias=alias, to=to)
    return answer["registeredModel"]["rollbackPlan"]


def passed(version, **found):
    """The checks of a version, all of which pass but for those that are named: status and detail."""
    names = {
        "version": "there is a version to go back to",
        "artifacts": "artifacts are there",
        "mlmodel": "MLmodel can be read",
        "environment": "environment can be read",
        "signature": "signature fits",
        "same": "environment is the same",
        "run": "run was not deleted",
    }
    found = {"version": ("PASS", f"version {version}"), **found}
    pairs = {name: found.get(key, ("PASS", None)) for key, name in names.items()}
    return [{"name": name, "status": status, "detail": detail} for name, (status, detail) in pairs.items()]


def plan(target, current, alternatives=(), basis="HISTORY", tenure=None, *, is_safe=True, checks=None):
    """A plan as `PLAN` selects it."""
    return {
        "current": [{"version": each} for each in current],
        "target": target and {"version": target},
        "basis": basis,
        "isSafe": is_safe,
        "checks": passed(target) if checks is None else checks,
        "alternatives": [{"version": each} for each in alternatives],
        "lastTenure": tenure,
    }


async def moments(client, entered):
    """When each change began and ended whose last event enters a place: MLflow's own may take a millisecond."""
    kinds = "kinds: [STAGE_CHANGED, ALIAS_SET], orderBy: OLDEST_FIRST"
    query = f"{{ registryEvents({kinds}) {{ nodes {{ occurredAt toStage alias }} }} }}"
    found = (await client.ask(query))["registryEvents"]["nodes"]
    begun, times = [], []
    for each in found:
        begun.append(each["occurredAt"])
        if entered in {each["toStage"], each["alias"]}:
            times.append((begun[0], each["occurredAt"]))
            begun = []
    return times


def before(moment):
    """The last millisecond before a moment."""
    return (datetime.fromisoformat(moment) - timedelta(milliseconds=1)).isoformat()


async def test_the_story_of_a_stage(models, client, changer):
    """v1 to Production by us, v2 by us with archiving, v3 by a plain MlflowClient, back to v2, and then to v1."""
    moving = {"model": "m", "stage": "PRODUCTION", "archiveExisting": True}
    await changer.change("transitionModelVersion", **moving, version=1)
    await asyncio.sleep(0.005)
    await changer.change("transitionModelVersion", **moving, version=2)
    await asyncio.sleep(0.005)
    models.store.stage("m", 3, "Production", archive=True)
    await asyncio.sleep(0.005)
    times = await moments(client, "PRODUCTION")

    tenure = {"version": 2, "modelName": "m", "stage": "PRODUCTION", "since": times[1][1], "until": times[2][0]}
    entered = {"kind": "STAGE_CHANGED", "origin": "API", "toStage": "PRODUCTION", "alias": None, "version": 2}
    assert await planned(client) == plan(2, [3], [1], tenure={**tenure, "event": entered})

    returned = await changer.change(
        "rollBack", SELECTED, model="m", stage="PRODUCTION", expectedCurrent=[3], reason="it fails"
    )

    assert returned == {
        "modelVersion": {"version": 2, "stage": "PRODUCTION", "aliases": []},
        "displaced": [{"version": 3, "stage": "ARCHIVED", "aliases": []}],
        "registeredModel": {"inStage": [{"version": 2}], "aliases": []},
        "events": [
            event("STAGE_CHANGED", version=2, fromStage="ARCHIVED", toStage="PRODUCTION", reason="it fails"),
            event(
                "STAGE_CHANGED",
                version=3,
                fromStage="PRODUCTION",
                toStage="ARCHIVED",
                reason="it fails",
                cause={"kind": "STAGE_CHANGED"},
            ),
        ],
    }
    assert models.store.client.get_model_version("m", 3).current_stage == "Archived"
    times = await moments(client, "PRODUCTION")
    assert len(times) == 4
    tenure = {"version": 1, "modelName": "m", "stage": "PRODUCTION", "since": times[0][1], "until": times[1][0]}
    assert await planned(client) == plan(1, [2], [3], tenure={**tenure, "event": {**entered, "version": 1}})
    stages = [{}, {1: "PRODUCTION"}, {1: "ARCHIVED", 2: "PRODUCTION"}, {1: "ARCHIVED", 2: "ARCHIVED", 3: "PRODUCTION"}]
    stages.append({1: "ARCHIVED", 2: "PRODUCTION", 3: "ARCHIVED"})
    for index, (begun, ended) in enumerate(times):
        for at, known in ((before(begun), stages[index]), (ended, stages[index + 1])):
            await stood(client, at, known)


async def stood(client, at, known):
    """The registry stood like this at a moment, however it is asked for."""
    held = [{"version": number} for number, stage in known.items() if stage == "PRODUCTION"]
    answer = await client.ask(AT, at=at)
    model = answer["registeredModel"]
    assert answer["registryAt"]["stages"] == [{**each, "stage": "PRODUCTION"} for each in held]
    assert model["inStage"] == held
    assert {number: model[f"v{number}"]["stage"] for number in (1, 2, 3)} == {1: "NONE", 2: "NONE", 3: "NONE", **known}


async def test_the_story_of_an_alias(models, client, changer):
    """The same; whoever had it before keeps its other aliases and its stage."""
    setting = {"model": "m", "alias": "champion"}
    await changer.change("setModelAlias", **setting, version=1)
    await asyncio.sleep(0.005)
    await changer.change("setModelAlias", **setting, version=2)
    await asyncio.sleep(0.005)
    models.store.alias("m", "champion", 3)
    models.store.alias("m", "newest", 3)
    models.store.stage("m", 3, "Production")
    times = [ended for _, ended in await moments(client, "champion")]

    tenure = {"version": 2, "modelName": "m", "alias": "champion", "since": times[1], "until": times[2]}
    entered = {"kind": "ALIAS_SET", "origin": "API", "toStage": None, "alias": "champion", "version": 2}
    assert await planned(client, alias="champion") == plan(2, [3], [1], tenure={**tenure, "event": entered})

    returned = await changer.change(
        "rollBack", SELECTED, model="m", alias="champion", expectedCurrent=[3], reason="it fails"
    )

    aliases = [{"name": "champion", "modelVersion": {"version": 2}}, {"name": "newest", "modelVersion": {"version": 3}}]
    assert returned == {
        "modelVersion": {"version": 2, "stage": "NONE", "aliases": ["champion"]},
        "displaced": [{"version": 3, "stage": "PRODUCTION", "aliases": ["newest"]}],
        "registeredModel": {"inStage": [{"version": 3}], "aliases": aliases},
        "events": [event("ALIAS_SET", alias="champion", version=2, previousVersion=3, reason="it fails")],
    }
    tenure = {"version": 1, "modelName": "m", "alias": "champion", "since": times[0], "until": times[1]}
    then = plan(1, [2], [3], tenure={**tenure, "event": {**entered, "version": 1}})
    assert await planned(client, alias="champion") == then
    for at, version in ((before(times[1]), 1), (times[1], 2), (before(times[2]), 2), (times[2], 3)):
        answer = await client.ask(AT, at=at)
        champions = [each for each in answer["registeredModel"]["aliases"] if each["name"] == "champion"]
        assert champions == [{"name": "champion", "modelVersion": {"version": version}}]
        assert {"alias": "champion", "version": version} in answer["registryAt"]["aliases"]


async def test_an_alias_whose_name_begins_like_another(models, client):
    """What the other one pointed at is none of its business."""
    for number in (1, 2):
        models.store.alias("m", "champion", number)
    models.store.alias("m", "champ", 3)

    missing = [{"name": "there is a version to go back to", "status": "FAIL"}]
    missing[0]["detail"] = "neither history nor an archived version offers one"
    assert await planned(client, alias="champ") == plan(None, [3], basis=None, is_safe=False, checks=missing)


async def test_a_version_that_came_from_the_other_stage(models, client, changer):
    """Taken from Production to give Staging back to it, it was not rolled away from Production."""
    models.store.stage("m", 1, "Staging")
    models.store.stage("m", 2, "Staging", archive=True)
    models.store.stage("m", 1, "Production")

    returned = await changer.change(
        "rollBack", "modelVersion { version }", model="m", stage="STAGING", expectedCurrent=[2], reason="r"
    )

    assert returned == {"modelVersion": {"version": 1}}
    found = await planned(client)
    assert (found["current"], found["target"], found["basis"]) == ([], {"version": 1}, "HISTORY")


async def test_several_versions_that_hold_the_place(models, changer):
    """All of them make room."""
    models.held(1, 2)
    models.store.stage("m", 3, "Production")

    returned = await changer.change(
        "rollBack", "modelVersion { version } displaced { version }",
        model="m", stage="PRODUCTION", expectedCurrent=[3, 2], reason="r",
    )  # fmt: skip

    assert returned == {"modelVersion": {"version": 1}, "displaced": [{"version": 2}, {"version": 3}]}


async def test_a_place_that_nothing_holds(models, client, changer):
    """It is given back to the version that held it last."""
    models.held(1, 2)
    models.store.stage("m", 2, "None")
    same = ("UNKNOWN", "there is no one current version whose MLmodel was read")

    found = await planned(client)
    found["lastTenure"] = None
    assert found == plan(2, [], [1], checks=passed(2, signature=same, same=same))
    returned = await changer.change(
        "rollBack", SELECTED, model="m", stage="PRODUCTION", expectedCurrent=[], reason="gone"
    )
    assert returned == {
        "modelVersion": {"version": 2, "stage": "PRODUCTION", "aliases": []},
        "displaced": [],
        "registeredModel": {"inStage": [{"version": 2}], "aliases": []},
        "events": [event("STAGE_CHANGED", version=2, fromStage="NONE", toStage="PRODUCTION", reason="gone")],
    }


async def test_a_version_of_ones_own_choice(models, client, changer, refused):
    """It need not have held the place before; it has to be there, and not to hold the place already."""
    models.held(1, 2)
    models.store.client.delete_model_version("m", 3)
    number = models.add()
    wish = {"model": "m", "stage": "PRODUCTION", "expectedCurrent": [2], "reason": "r"}

    assert await planned(client, to=number) == plan(number, [2], [1], basis="CHOSEN")
    for to in (3, 5, 0, -1):
        [error] = await refused("rollBack", **wish, to=to)
        assert (error["__typename"], error["path"]) == ("NotFoundError", ["to"])
    assert await refused("rollBack", **wish, to=2) == [
        {"__typename": "InvalidInputError", "message": "PRODUCTION is held by version 2 already.", "path": ["to"]}
    ]
    returned = await changer.change("rollBack", "modelVersion { version }", **wish, to=number)
    assert returned == {"modelVersion": {"version": number}}


async def test_history_that_does_not_reach_back(store, client, changer):
    """Then it is the newest archived version, marked as such, and nobody knows when it held the place."""
    recording.end(store.uri)
    store.registered_model("m")
    models = Models(store)
    models.held(models.add(), models.add(), models.add())
    recording.begin(store.uri)

    assert await planned(client) == plan(2, [3], [1], basis="NEWEST_ARCHIVED")
    returned = await changer.change(
        "rollBack", "modelVersion { version }", model="m", stage="PRODUCTION", expectedCurrent=[3], reason="r"
    )
    assert returned == {"modelVersion": {"version": 2}}


async def test_nothing_to_go_back_to(models, client, refused):
    """No force helps where there is no version."""
    models.store.stage("m", 1, "Production")
    missing = {"name": "there is a version to go back to", "status": "FAIL"}
    missing["detail"] = "neither history nor an archived version offers one"

    assert await planned(client) == plan(None, [1], basis=None, is_safe=False, checks=[missing])
    for force in (False, True):
        wish = {"model": "m", "stage": "PRODUCTION", "expectedCurrent": [1], "reason": "r", "force": force}
        assert await refused("rollBack", **wish) == [
            {
                "__typename": "UnsafeError",
                "message": f"Going back is not safe. {missing['name']}: {missing['detail']}",
                "path": None,
                "checks": [missing],
            }
        ]


async def test_files_that_are_gone(models, client, changer, refused):
    """The target stays the one that history names; it takes force to go there."""
    models.held(1, 2, 3)
    safe = await planned(client)
    shutil.rmtree(models.folders[2])
    incomparable = ("UNKNOWN", "its MLmodel was not read")
    checks = passed(
        2,
        artifacts=("FAIL", "MLmodel is missing"),
        mlmodel=("FAIL", "it is missing"),
        environment=("WARN", "requirements.txt, conda.yaml, python_env.yaml cannot be read"),
        signature=incomparable,
        same=incomparable,
    )

    assert await planned(client) == {**safe, "isSafe": False, "checks": checks}
    wish = {"model": "m", "stage": "PRODUCTION", "expectedCurrent": [3], "reason": "r"}
    assert await refused("rollBack", **wish) == [
        {
            "__typename": "UnsafeError",
            "message": "Going back is not safe. artifacts are there: MLmodel is missing; MLmodel can be read: it is"
            " missing",
            "path": ["force"],
            "checks": checks,
        }
    ]
    returned = await changer.change("rollBack", "modelVersion { version }", **wish, force=True)
    assert returned == {"modelVersion": {"version": 2}}


async def test_files_are_looked_at_anew_for_each_plan(models, client, refused):
    """What was seen a moment ago may be gone, or be back."""
    models.held(1, 2)
    weights = models.folders[1] / "model.pkl"
    wish = {"model": "m", "stage": "PRODUCTION", "expectedCurrent": [2], "reason": "r"}

    assert (await planned(client))["isSafe"]
    weights.rename(weights.with_suffix(".kept"))
    assert (await planned(client))["checks"] == passed(1, artifacts=("FAIL", "model.pkl is missing"))
    assert [error["__typename"] for error in await refused("rollBack", **wish)] == ["UnsafeError"]
    weights.with_suffix(".kept").rename(weights)
    (models.folders[1] / "MLmodel").write_text("{")
    found = await planned(client)
    assert {check["name"]: check["status"] for check in found["checks"]}["MLmodel can be read"] == "FAIL"
    assert [error["__typename"] for error in await refused("rollBack", **wish)] == ["UnsafeError"]


async def test_what_a_person_should_look_at(models, client, changer):
    """Another environment, a signature that no longer fits, a run in the trash: it is said, and can be done."""
    old = models.add(python="3.10.2", numpy="1.26.4", signature=[{"name": "m", "type": "double", "required": True}])
    models.held(old, 3)
    models.store.client.delete_run(models.runs[old])

    found = await planned(client)

    found["lastTenure"] = None
    assert found == plan(
        old,
        [3],
        checks=passed(
            old,
            signature=("WARN", "inputs.km is gone, inputs.m is required and new"),
            same=("WARN", "python 3.11.4 -> 3.10.2, numpy 2.1.0 -> 1.26.4"),
            run=("WARN", "its run is in the trash"),
        ),
    )
    returned = await changer.change(
        "rollBack", "modelVersion { version }", model="m", stage="PRODUCTION", expectedCurrent=[3], reason="r"
    )
    assert returned == {"modelVersion": {"version": old}}


async def test_an_environment_that_cannot_be_read(models, client):
    """It is no failure: the model may be loaded all the same."""
    models.held(1, 2)
    for name in ("requirements.txt", "conda.yaml", "python_env.yaml"):
        (models.folders[1] / name).write_bytes(b"\xff\xfe{")
        found = await planned(client)
        statuses = {check["name"]: check["status"] for check in found["checks"]}
        assert (statuses["environment can be read"], found["isSafe"]) == ("WARN", True)


async def test_a_store_that_does_not_answer(store, client, changer):
    """Nothing is known of the files, which is no failure."""
    store.registered_model("m")
    for number in (1, 2):
        store.version("m", source=f"s3://nowhere/{number}")
        store.stage("m", number, "Production", archive=True)
    silent, unread = ("UNKNOWN", "the artifact store could not be reached"), ("UNKNOWN", "its MLmodel was not read")
    checks = passed(
        1,
        artifacts=silent,
        mlmodel=silent,
        environment=silent,
        signature=unread,
        same=unread,
        run=("WARN", "there is no run behind it"),
    )

    found = await planned(client)

    found["lastTenure"] = None
    assert found == plan(1, [2], checks=checks)
    returned = await changer.change(
        "rollBack", "modelVersion { version }", model="m", stage="PRODUCTION", expectedCurrent=[2], reason="r"
    )
    assert returned == {"modelVersion": {"version": 1}}


async def test_a_plan_changes_nothing(models, client):
    """However often it is asked for."""
    models.held(1, 2)
    models.store.alias("m", "champion", 1)
    there = everything(models.store)

    for alias in (None, "champion", "none"):
        await planned(client, alias=alias)

    assert everything(models.store) == there


async def test_others_in_the_place_than_expected(models, refused):
    """Those that are there in fact are told, also with force and a choice of one's own."""
    models.held(1, 2)
    models.store.alias("m", "champion", 3)
    for expected, named in (([], "no version"), ([1], "1"), ([2, 3], "2, 3")):
        for more in ({}, {"force": True}, {"to": 1}):
            wish = {"model": "m", "stage": "PRODUCTION", "expectedCurrent": expected, "reason": "r", **more}
            assert await refused("rollBack", **wish) == [
                {
                    "__typename": "ConflictError",
                    "message": f"PRODUCTION holds 2, not {named}.",
                    "path": ["expectedCurrent"],
                    "current": [{"label": "m v2"}],
                }
            ]
    assert await refused("rollBack", model="m", alias="champion", expectedCurrent=[], reason="r", to=1) == [
        {
            "__typename": "ConflictError",
            "message": "The alias 'champion' holds 3, not no version.",
            "path": ["expectedCurrent"],
            "current": [{"label": "m v3"}],
        }
    ]


async def test_places_that_cannot_be_given_back(models, client, refused):
    """None or two of them, stages in which nothing is in use, aliases that are none, models that are not there."""
    prompt(models.store, "greeting")
    cases = [
        ({}, "InvalidInputError", None),
        ({"stage": "PRODUCTION", "alias": "champion"}, "InvalidInputError", None),
        ({"stage": "ARCHIVED"}, "InvalidInputError", ["stage"]),
        ({"stage": "NONE"}, "InvalidInputError", ["stage"]),
        ({"alias": "v1"}, "InvalidInputError", ["alias"]),
        ({"alias": ""}, "InvalidInputError", ["alias"]),
        ({"stage": "PRODUCTION", "model": "none"}, "NotFoundError", ["model"]),
        ({"stage": "PRODUCTION", "model": "greeting"}, "NotFoundError", ["model"]),
    ]
    for given, kind, path in cases:
        [error] = await refused("rollBack", **{"model": "m", "expectedCurrent": [], "reason": "r", **given})
        assert (error["__typename"], error["path"]) == (kind, path), given
    for stage, alias in ((None, None), ("PRODUCTION", "champion"), ("ARCHIVED", None), ("NONE", None)):
        error = await client.refused(ASKED, stage=stage, alias=alias)
        assert error["extensions"] == {"code": "BAD_USER_INPUT"}


async def test_a_change_by_somebody_else_after_the_plan(models, changer, monkeypatch):
    """It is planned again: the version that was meant has been deleted by then."""
    models.held(1, 2, 3)
    plans = []

    async def planned_and_overtaken(*given):
        plans.append(await service_plans(*given))
        if len(plans) == 1:
            models.store.client.delete_model_version("m", 2)
        return plans[-1]

    service_plans = service.plans
    monkeypatch.setattr(service, "plans", planned_and_overtaken)

    returned = await changer.change(
        "rollBack", "modelVersion { version }", model="m", stage="PRODUCTION", expectedCurrent=[3], reason="r"
    )

    assert returned == {"modelVersion": {"version": 1}}
    assert [plan.target for [plan] in plans] == [2, 1]


async def test_a_model_that_changes_all_the_time(models, changer, monkeypatch):
    """Somebody has to give up, and nothing was changed."""
    models.held(1, 2)

    async def overtaken(*given):
        made = await service_plans(*given)
        models.store.stage("m", 3, next(stages))
        return made

    service_plans, stages = service.plans, cycle(["Staging", "None"])
    monkeypatch.setattr(service, "plans", overtaken)
    wish = {"model": "m", "stage": "PRODUCTION", "expectedCurrent": [2], "reason": "r"}

    document = "mutation ($input: RollBackInput!) { rollBack(input: $input) { modelVersion { version } } }"
    [error] = (await changer.answer(document, input=wish))["errors"]

    assert error["extensions"] == {"code": "TIMEOUT"}
    assert models.store.client.get_model_version("m", 2).current_stage == "Production"


async def test_what_plans_cost(store, client, statements):
    """However many models are asked about, the statements are the same."""
    counts = []
    for number in range(20):
        name = f"m{number}"
        store.registered_model(name)
        for version in (1, 2):
            store.version(name, source=f"{store.artifacts}/{version}")
            store.stage(name, version, "Production", archive=True)
        if number in {0, 19}:
            fields = (
                "current { version } target { version } lastTenure { since event { kind } } alternatives { version }"
            )
            query = f"{{ registeredModels {{ nodes {{ rollbackPlan(stage: PRODUCTION) {{ {fields} }} }} }} }}"
            answer = await client.ask(query)
            counts.append(len(statements))

    plans = [each["rollbackPlan"] for each in answer["registeredModels"]["nodes"]]
    assert [plan["target"] for plan in plans] == [{"version": 1}] * 20
    assert counts[0] == counts[1] <= 10
