"""How versions are registered, described, deleted and copied, through the whole server."""

import json
from pathlib import Path

import sqlalchemy

from lineage_api.graph.identity import encoded
from tests.changing import EVENTS, event, prompt

VERSION = """modelVersion {
    id version stage description source aliases tags { key value } run { runId } loggedModel { modelId }
    copiedFrom { label }
}"""
MODEL = "registeredModel { name versions { nodes { version } } }"
BOTH = f"{VERSION} {MODEL} {EVENTS}"


def version(number=1, name="m", **more):
    """A version as `VERSION` selects it."""
    nothing = dict.fromkeys(("description", "source", "run", "loggedModel", "copiedFrom"))
    id_ = encoded("ModelVersion", name, number)
    return {"id": id_, "version": number, "stage": "NONE", "aliases": [], "tags": [], **nothing, **more}


def model(*versions, name="m"):
    """A registered model as `MODEL` selects it."""
    return {"name": name, "versions": {"nodes": [{"version": each} for each in versions]}}


def row(store, name, number=1):
    """What a version's row says of where it comes from."""
    columns = "source, storage_location, run_id, run_link, status, current_stage, description"
    statement = f"SELECT {columns} FROM model_versions WHERE name = :name AND version = :number"
    with store._engine.connect() as connection:
        return tuple(connection.execute(sqlalchemy.text(statement), {"name": name, "number": number}).one())


def run_with_model(store, experiment):
    """A run that has a model in its folder `model`, as older clients of MLflow log them."""
    id_ = store.run(experiment)
    folder = Path(store.client.get_run(id_).info.artifact_uri) / "model"
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text(f"run_id: {id_}\nflavors: {{python_function: {{}}}}\n")
    return id_, str(folder)


async def test_registering_a_logged_model(store, changer):
    """The registered model is made with it, and the logged model says what became of it."""
    experiment = store.experiment("e")
    run = store.run(experiment)
    logged = store.logged_model(experiment, run_id=run)
    given = {"description": "Good.", "tags": [{"key": "a", "value": "1"}], "reason": "ready"}

    made = await changer.change("registerModelVersion", BOTH, model="m", loggedModelId=logged.model_id, **given)

    caused = {"reason": "ready", "cause": {"kind": "VERSION_REGISTERED"}}
    assert made == {
        "modelVersion": version(
            description="Good.",
            source=f"models:/{logged.model_id}",
            run={"runId": run},
            loggedModel={"modelId": logged.model_id},
            tags=[{"key": "a", "value": "1"}],
        ),
        "registeredModel": model(1),
        "events": [
            event("VERSION_REGISTERED", version=1, reason="ready"),
            event("MODEL_CREATED", **caused),
            event("DESCRIPTION_CHANGED", version=1, value="Good.", **caused),
            event("TAG_SET", version=1, key="a", value="1", **caused),
        ],
    }
    seen = store.client.get_model_version("m", 1)
    assert (seen.source, seen.run_id, seen.description) == (f"models:/{logged.model_id}", run, "Good.")
    assert store.client.get_model_version_download_uri("m", 1) == logged.artifact_location
    kept = store.client.get_logged_model(logged.model_id).tags
    assert json.loads(kept["mlflow.modelVersions"]) == [{"name": "m", "version": 1}]


async def test_registering_the_next_one(store, changer):
    """It gets the next number, also after the last one was deleted, and the model need not be made."""
    store.registered_model("m")
    store.version("m", source="s3://b/1")
    store.version("m", source="s3://b/2")
    store.client.delete_model_version("m", 2)

    made = await changer.change("registerModelVersion", BOTH, model="m", source="s3://b/3", createModel=False)

    assert made == {
        "modelVersion": version(3, source="s3://b/3"),
        "registeredModel": model(3, 1),
        "events": [event("VERSION_REGISTERED", version=3)],
    }


async def test_a_version_is_the_row_that_mlflow_leaves(store, changer):
    """Whatever it is registered from: source, place of the files, run and the logged model's list of versions."""
    experiment = store.experiment("e")
    run, folder = run_with_model(store, experiment)
    logged = store.logged_model(experiment, "named", run_id=run)
    store.registered_model("origin")
    store.version("origin", run_id=run)
    cases = [
        ({"loggedModelId": logged.model_id}, f"models:/{logged.model_id}"),
        ({"runId": run}, f"runs:/{run}/model"),
        ({"runId": run, "artifactPath": "named"}, f"runs:/{run}/named"),
        ({"source": f"runs:/{run}/model"}, f"runs:/{run}/model"),
        ({"source": f"models:/{logged.model_id}"}, f"models:/{logged.model_id}"),
        ({"source": "s3://bucket/model"}, "s3://bucket/model"),
        ({"source": "gs://bucket/model"}, "gs://bucket/model"),
        ({"source": "dbfs:/models/1"}, "dbfs:/models/1"),
    ]

    for number, (given, uri) in enumerate(cases, 1):
        await changer.change("registerModelVersion", model="ours", **given)
        store.registered(uri, "theirs")
        assert row(store, "ours", number) == row(store, "theirs", number), uri

    assert row(store, "ours", 2)[:3] == (folder, folder, run)
    kept = json.loads(store.client.get_logged_model(logged.model_id).tags["mlflow.modelVersions"])
    numbers = {
        name: sorted(int(each["version"]) for each in kept if each["name"] == name) for name in ("ours", "theirs")
    }
    assert numbers["ours"] == numbers["theirs"]


async def test_registering_the_files_of_a_run(store, changer):
    """A path on this machine in a run's folder is that run's, as MLflow's own server has it."""
    run, folder = run_with_model(store, store.experiment("e"))

    made = await changer.change("registerModelVersion", VERSION, model="m", source=folder)

    assert made == {"modelVersion": version(source=folder, run={"runId": run})}
    assert row(store, "m")[:3] == (folder, folder, run)


async def test_sources_that_are_refused(store, refused, tmp_path):
    """Nothing is registered that lies elsewhere on this machine, and no model is made for it."""
    store.experiment("e")
    for source in ("/etc", f"file://{tmp_path}", "http://h/x", "s3://b/../x", "models:/none/1", "models:/m@none", ""):
        [error] = await refused("registerModelVersion", model="m", source=source)
        assert error["path"] == ["source"]
        assert error["__typename"] == ("NotFoundError" if "none" in source else "InvalidInputError")


async def test_sources_that_whoever_runs_mlflow_does_not_allow(store, changer, refused, monkeypatch):
    """MLflow's own server looks at the same variable."""
    monkeypatch.setenv("MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX", "^s3://ours/")
    variable = "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX"

    assert await refused("registerModelVersion", model="m", source="s3://theirs/1") == [
        {
            "__typename": "InvalidInputError",
            "message": f"No such source may be registered here: {variable} allows other ones.",
            "path": None,
        }
    ]
    made = await changer.change("registerModelVersion", "modelVersion { source }", model="m", source="s3://ours/1")
    assert made == {"modelVersion": {"source": "s3://ours/1"}}


async def test_what_may_not_become_a_version(store, refused):
    """Each with the field at fault."""
    experiment = store.experiment("e")
    run = store.run(experiment)
    pending = store.client.create_logged_model(experiment, "pending", source_run_id=run).model_id
    gone = store.run(experiment)
    store.client.delete_run(gone)
    store.registered_model("taken")
    prompt(store, "greeting")
    one = {"source": "s3://b/1"}
    cases = [
        ({"model": "m"}, "InvalidInputError", None),
        ({"model": "m", "runId": run, **one}, "InvalidInputError", None),
        ({"model": "m", "loggedModelId": "m-none"}, "NotFoundError", ["loggedModelId"]),
        ({"model": "m", "loggedModelId": pending}, "InvalidInputError", ["loggedModelId"]),
        ({"model": "m", "runId": "none"}, "NotFoundError", ["runId"]),
        ({"model": "m", "runId": gone}, "InvalidInputError", ["runId"]),
        ({"model": "m", "runId": run, "artifactPath": "../x"}, "InvalidInputError", ["artifactPath"]),
        ({"model": "m", "runId": run, "artifactPath": "pending"}, "InvalidInputError", ["artifactPath"]),
        ({"model": "m", "createModel": False, **one}, "NotFoundError", ["model"]),
        ({"model": "greeting", **one}, "NotFoundError", ["model"]),
        ({"model": "a/b", **one}, "InvalidInputError", ["model"]),
        ({"model": "m", "description": "d" * 5_001, **one}, "InvalidInputError", ["description"]),
        ({"model": "m", "tags": [{"key": "", "value": ""}], **one}, "InvalidInputError", ["tags", "0", "key"]),
        (
            {"model": "m", "tags": [{"key": "k", "value": "v" * 100_001}], **one},
            "InvalidInputError",
            ["tags", "0", "value"],
        ),
    ]
    for given, kind, path in cases:
        [error] = await refused("registerModelVersion", **given)
        assert (error["__typename"], error["path"]) == (kind, path), given


async def test_describing_a_version(store, changer):
    """An empty description takes it away."""
    store.registered_model("m")
    store.version("m", source="s3://b/1", description="Good.")

    changed = await changer.change("updateModelVersion", BOTH, model="m", version=1, description="Bad.", reason="seen")
    assert changed == {
        "modelVersion": version(source="s3://b/1", description="Bad."),
        "registeredModel": model(1),
        "events": [event("DESCRIPTION_CHANGED", version=1, value="Bad.", previousValue="Good.", reason="seen")],
    }
    assert store.client.get_model_version("m", 1).description == "Bad."
    emptied = await changer.change("updateModelVersion", EVENTS, model="m", version=1, description="")
    assert emptied == {"events": [event("DESCRIPTION_CHANGED", version=1, previousValue="Bad.")]}
    assert not store.client.get_model_version("m", 1).description


async def test_deleting_a_version(store, changer):
    """Its description and aliases go with it, caused by the deletion."""
    store.registered_model("m")
    run = store.run(store.experiment("e"))
    store.version("m", run_id=run, description="Good.", tags={"a": "1"})
    store.version("m", source="s3://b/2")
    store.alias("m", "champion", 1)
    store.stage("m", 1, "Production")

    deleted = await changer.change(
        "deleteModelVersion", f"deletedId deletedVersion {MODEL} {EVENTS}", model="m", version=1, reason="bad"
    )

    first, *others = deleted.pop("events")
    caused = {"version": 1, "reason": "bad", "cause": {"kind": "VERSION_DELETED"}}
    assert deleted == {
        "deletedId": encoded("ModelVersion", "m", 1),
        "deletedVersion": 1,
        "registeredModel": model(2),
    }
    assert first == event("VERSION_DELETED", version=1, fromStage="PRODUCTION", reason="bad")
    assert sorted(others, key=lambda each: each["kind"]) == [
        event("ALIAS_REMOVED", alias="champion", previousVersion=1, **caused),
        event("DESCRIPTION_CHANGED", previousValue="Good.", **caused),
    ]
    assert [int(each.version) for each in store.client.search_model_versions("name = 'm'")] == [2]


async def test_versions_that_are_not_there(store, refused):
    """Those that never were, those that were deleted, those of prompts and of no model."""
    store.registered_model("m")
    store.version("m", source="s3://b/1")
    store.client.delete_model_version("m", 1)
    prompt(store, "greeting")
    changes = {"updateModelVersion": {"description": "d"}, "deleteModelVersion": {}}
    changes["transitionModelVersion"] = {"stage": "STAGING"}
    changes["setModelAlias"] = {"alias": "champion"}

    for mutation, more in changes.items():
        for number in (1, 2, 0, -1, -(2**31), 2**31 - 1):
            assert await refused(mutation, model="m", version=number, **more) == [
                {
                    "__typename": "NotFoundError",
                    "message": f"The registered model 'm' has no version {number}.",
                    "path": ["version"],
                }
            ]
        for name in ("greeting", "none"):
            [error] = await refused(mutation, model=name, version=1, **more)
            assert (error["__typename"], error["path"]) == ("NotFoundError", ["model"])


async def test_copying_a_version(store, changer):
    """Its tags, description and lineage go with it; its stage and aliases are its own."""
    experiment = store.experiment("e")
    run = store.run(experiment)
    logged = store.logged_model(experiment, run_id=run)
    store.registered_model("dev")
    store.version("dev", model_id=logged.model_id, run_id=run, description="Good.", tags={"a": "1", "b": ""})
    store.alias("dev", "champion", 1)
    store.stage("dev", 1, "Staging")
    copy = version(
        source="models:/dev/1",
        description="Good.",
        run={"runId": run},
        loggedModel={"modelId": logged.model_id},
        tags=[{"key": "a", "value": "1"}, {"key": "b", "value": ""}],
        copiedFrom={"label": "dev v1"},
    )
    caused = {"cause": {"kind": "VERSION_REGISTERED"}, "reason": "tried"}

    made = await changer.change(
        "copyModelVersion", BOTH, source={"model": "dev", "version": 1}, model="m", reason="tried"
    )

    assert made == {
        "modelVersion": copy,
        "registeredModel": model(1),
        "events": [
            event("VERSION_REGISTERED", version=1, reason="tried"),
            event("MODEL_CREATED", **caused),
            event("DESCRIPTION_CHANGED", version=1, value="Good.", **caused),
            event("TAG_SET", version=1, key="a", value="1", **caused),
            event("TAG_SET", version=1, key="b", value="", **caused),
        ],
    }
    assert store.copied("dev", 1, "theirs") == 1
    assert row(store, "m") == row(store, "theirs")
    for number, ref in enumerate(({"stage": "STAGING"}, {"alias": "champion"}), 2):
        again = await changer.change("copyModelVersion", VERSION, source={"model": "dev", **ref}, model="m")
        assert again == {"modelVersion": {**copy, "id": encoded("ModelVersion", "m", number), "version": number}}


async def test_a_model_may_be_named_like_the_id_of_a_logged_model(store, changer):
    """A copy of a version of it is taken for that, and for nothing else."""
    experiment = store.experiment("e")
    logged = store.logged_model(experiment, run_id=store.run(experiment))
    name = "m-" + "0" * 32
    store.registered_model(name)
    store.version(name, model_id=logged.model_id)

    await changer.change("copyModelVersion", source={"model": name, "version": 1}, model="m")

    assert row(store, "m")[:2] == (f"models:/{name}/1", logged.artifact_location)
    kept = store.client.get_logged_model(logged.model_id).tags
    assert [each["name"] for each in json.loads(kept.get("mlflow.modelVersions", "[]"))] in ([], [name])


async def test_copies_that_are_refused(store, refused):
    """What is to be copied must be one version that is there, with files that may be registered."""
    store.registered_model("dev")
    for number in (1, 2, 3):
        store.version("dev", source=f"s3://b/{number}")
        store.stage("dev", number, "Production")
    store.client.delete_model_version("dev", 3)
    store.version("dev", source="/etc")
    prompt(store, "greeting")
    both = [{"label": "dev v1"}, {"label": "dev v2"}]
    cases = [
        ({"model": "dev"}, "m", "InvalidInputError", ["source"]),
        ({"model": "dev", "version": 1, "alias": "a"}, "m", "InvalidInputError", ["source"]),
        ({"model": "none", "version": 1}, "m", "NotFoundError", ["source", "model"]),
        ({"model": "greeting", "version": 1}, "m", "NotFoundError", ["source", "model"]),
        ({"model": "dev", "version": 3}, "m", "NotFoundError", ["source", "version"]),
        ({"model": "dev", "alias": "none"}, "m", "NotFoundError", ["source", "alias"]),
        ({"model": "dev", "stage": "STAGING"}, "m", "NotFoundError", ["source", "stage"]),
        ({"model": "dev", "version": 4}, "m", "InvalidInputError", ["source"]),
        ({"model": "dev", "version": 1}, "greeting", "NotFoundError", ["model"]),
        ({"model": "dev", "version": 1}, "a/b", "InvalidInputError", ["model"]),
    ]
    for source, to, kind, path in cases:
        [error] = await refused("copyModelVersion", source=source, model=to)
        assert (error["__typename"], error["path"]) == (kind, path), source
    assert await refused("copyModelVersion", source={"model": "dev", "stage": "PRODUCTION"}, model="m") == [
        {
            "__typename": "ConflictError",
            "message": "The stage holds several versions: 1, 2. Name one by `version`.",
            "path": ["source", "stage"],
            "current": both,
        }
    ]
