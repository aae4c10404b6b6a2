"""Versions of registered models, and where they come from."""

import pytest

from lineage_api.graph.identity import encoded
from lineage_api.store.convert import moment

RUN_ID, MODEL_ID = "a" * 32, "m-" + "1" * 32

VERSION = 'query ($n: Int!) { modelVersion(ref: {model: "m", version: $n}) { %s } }'
ORIGIN = "version run { name isDeleted } loggedModel { name } copiedFrom { label }"
EVERYWHERE = """{
    registeredModels { nodes {
        name aliases { name } versions { totalCount nodes { label } } inStage(stage: NONE) { label }
    } }
    modelVersions { totalCount nodes { label } edges { node { label } } }
    runs { nodes { modelVersions { totalCount nodes { label } } } }
    loggedModels { nodes { modelVersions { totalCount nodes { label } } } }
}"""


def node(id_):
    return f'node(id: "{id_}")'


def set_version(store, version=1, **columns):
    """Changes columns of a version of `m` as no client would."""
    changes = ", ".join(f"{name} = :{name}" for name in columns)
    store.sql(f"UPDATE model_versions SET {changes} WHERE name = 'm' AND version = :number", number=version, **columns)


async def test_the_fields_of_a_version(store, client):
    """What its own row says, and its tags and aliases."""
    store.registered_model("m")
    run = store.run(store.experiment("e"))
    tags = {"b": "2", "a": "1", "mlflow.kept": "yes"}
    store.version("m", run_id=run, source="s3://b/model", tags=tags, description="Good.")
    store.alias("m", "next", 1)
    store.alias("m", "champion", 1)
    store.stage("m", 1, "Staging")
    set_version(store, creation_time=1_001, last_updated_time=2_000)

    query = VERSION % (
        "__typename id label model { name } version isDeleted stage aliases status statusMessage description createdAt"
        ' updatedAt tags { key value } all: tags(includeSystem: true) { key } some: tags(keys: ["b", "c"]) { key }'
        ' system: tags(keys: ["mlflow.kept"], includeSystem: true) { value }'
        ' hidden: tags(keys: ["mlflow.kept"]) { key }'
        " source artifactUri run { runId } loggedModel { name } copiedFrom { id }"
    )
    assert (await client.ask(query, n=1))["modelVersion"] == {
        "__typename": "ModelVersion",
        "id": encoded("ModelVersion", "m", 1),
        "label": "m v1",
        "model": {"name": "m"},
        "version": 1,
        "isDeleted": False,
        "stage": "STAGING",
        "aliases": ["champion", "next"],
        "status": "READY",
        "statusMessage": None,
        "description": "Good.",
        "createdAt": "1970-01-01T00:00:01.001+00:00",
        "updatedAt": "1970-01-01T00:00:02.000+00:00",
        "tags": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}],
        "all": [{"key": "a"}, {"key": "b"}, {"key": "mlflow.kept"}],
        "some": [{"key": "b"}],
        "system": [{"value": "yes"}],
        "hidden": [],
        "source": "s3://b/model",
        "artifactUri": "s3://b/model",
        "run": {"runId": run},
        "loggedModel": None,
        "copiedFrom": None,
    }


@pytest.mark.parametrize("nothing", ["", None])
async def test_what_was_never_said_is_null(store, client, nothing):
    """MLflow leaves empty texts, or nothing, where it was told nothing."""
    store.registered_model("m")
    store.version("m", source="s3://b/model")
    texts = ["description", "status_message", "source", "storage_location", "run_id", "status"]
    set_version(store, **dict.fromkeys(texts, nothing), creation_time=None, last_updated_time=None)

    query = VERSION % (
        "status statusMessage description createdAt updatedAt source artifactUri tags { key } aliases"
        " run { name } loggedModel { name } copiedFrom { label } manifest { flavors } artifacts { path }"
    )
    answer = (await client.ask(query, n=1))["modelVersion"]

    assert answer.pop("status") == "READY"
    assert {name for name, value in answer.items() if value == []} == {"tags", "aliases"}
    assert {value for value in answer.values() if value != []} == {None}


@pytest.mark.parametrize(
    "status", ["PENDING_REGISTRATION", "FAILED_REGISTRATION", "READY", "PENDING_DELETION", "PENDING_UPLOAD"]
)
async def test_the_status_of_a_version(store, client, status):
    """Each of MLflow's states, and why it is in it."""
    store.registered_model("m")
    store.version("m", source="s3://b/model")
    message = None if status == "READY" else "Not yet."
    set_version(store, status=status, status_message=message)

    answer = await client.ask(VERSION % "status statusMessage", n=1)

    assert answer == {"modelVersion": {"status": status, "statusMessage": message}}


@pytest.mark.parametrize("stage", ["None", "Staging", "Production", "Archived"])
async def test_the_stage_of_a_version(store, client, stage):
    """Each of MLflow's stages."""
    store.registered_model("m")
    store.version("m", source="s3://b/model")
    store.stage("m", 1, stage)

    assert await client.ask(VERSION % "stage", n=1) == {"modelVersion": {"stage": stage.upper()}}


@pytest.mark.parametrize(
    ("source", "storage_location", "uri"),
    [
        ("s3://b/model", None, "s3://b/model"),
        ("s3://b/model", "", "s3://b/model"),
        ("s3://b/model", "s3://b/elsewhere", "s3://b/elsewhere"),
        ("/folder/model", "/folder/model", "/folder/model"),
        (f"models:/{MODEL_ID}", "/folder/model", "/folder/model"),
        (f"models:/{MODEL_ID}", None, None),
        ("models:/n/1", None, None),
        (f"runs:/{RUN_ID}/model", None, None),
        (f"runs:/{RUN_ID}/model", f"runs:/{RUN_ID}/model", None),
        (f"models:/{MODEL_ID}", f"models:/{MODEL_ID}", None),
    ],
)
async def test_where_the_files_of_a_version_lie(store, client, source, storage_location, uri):
    """The place that MLflow resolved, or else the source where that is a place and no name."""
    store.registered_model("m")
    store.version("m", source="s3://b/model")
    set_version(store, source=source, storage_location=storage_location)

    answer = await client.ask(VERSION % "source artifactUri", n=1)

    assert answer == {"modelVersion": {"source": source, "artifactUri": uri}}


async def test_the_origins_of_a_version_of_a_logged_model(store, client):
    """MLflow keeps the run's ID, but not the model's; without either, the model still leads to the run."""
    run = store.run(experiment := store.experiment("e"))
    model = store.logged_model(experiment, "logged", run)
    store.registered_model("m")
    store.version("m", model_id=model.model_id)
    store.version("m", model_id=model.model_id)
    set_version(store, 2, run_id=None, storage_location=None)
    store.version("m", source=model.artifact_location)

    origin = {"run": {"name": "a run", "isDeleted": False}, "loggedModel": {"name": "logged"}, "copiedFrom": None}
    for number in (1, 2, 3):
        assert await client.ask(VERSION % ORIGIN, n=number) == {"modelVersion": {"version": number, **origin}}


async def test_the_origins_of_a_version_of_files_of_a_run(store, client):
    """As MLflow 1 and 2 did it: what the source names, or the folder that it is in, leads to the run."""
    run = store.run(store.experiment("e"))
    store.registered_model("m")
    for source in (f"runs:/{run}/model", f"{store.artifacts}/e/{run}/artifacts/model", f"s3://b/0/{run}/artifacts"):
        set_version(store, store.version("m", source=source), storage_location=None)

    answer = await client.ask(f'{{ registeredModel(name: "m") {{ versions {{ nodes {{ {ORIGIN} }} }} }} }}')

    origin = {"run": {"name": "a run", "isDeleted": False}, "loggedModel": None, "copiedFrom": None}
    assert answer["registeredModel"]["versions"]["nodes"] == [{"version": n, **origin} for n in (3, 2, 1)]


async def test_a_version_of_files_from_elsewhere(store, client):
    """A version may come from no run that MLflow knows, whatever ID its author gave."""
    store.registered_model("m")
    store.version("m", source="s3://b/model", run_id="0" * 32)
    store.version("m", source="/some/folder")

    for number in (1, 2):
        answer = await client.ask(VERSION % ORIGIN, n=number)
        assert answer == {"modelVersion": {"version": number, "run": None, "loggedModel": None, "copiedFrom": None}}


async def test_a_version_whose_run_is_in_the_trash(store, client):
    """It still leads to its run."""
    store.registered_model("m")
    store.version("m", run_id=(run := store.run(store.experiment("e"))))
    store.client.delete_run(run)

    answer = await client.ask(VERSION % "run { name isDeleted modelVersions { nodes { version } } }", n=1)

    there = {"name": "a run", "isDeleted": True, "modelVersions": {"nodes": [{"version": 1}]}}
    assert answer == {"modelVersion": {"run": there}}


async def test_a_version_whose_run_and_model_are_gone(store, client):
    """MLflow's garbage collection does not ask whether a version names a run."""
    run = store.run(experiment := store.experiment("e"))
    model = store.logged_model(experiment, "logged", run)
    store.registered_model("m")
    store.version("m", model_id=model.model_id)
    store.client.delete_logged_model(model.model_id)
    for table in ("tags", "runs"):
        store.sql(f"DELETE FROM {table} WHERE run_uuid = '{run}'")

    answer = await client.ask(VERSION % ORIGIN, n=1)

    assert answer == {"modelVersion": {"version": 1, "run": None, "loggedModel": None, "copiedFrom": None}}


async def test_a_chain_of_copies(store, client):
    """A copy leads to what it was copied from, and, like that, to the model and the run behind it."""
    run = store.run(experiment := store.experiment("e"))
    model = store.logged_model(experiment, "logged", run)
    store.registered_model("m")
    store.version("m", model_id=model.model_id, tags={"a": "1"})
    store.copied("m", 1, "staged")
    store.copied("staged", 1, "live")
    store.sql("UPDATE model_versions SET run_id = NULL")

    query = '{ modelVersion(ref: {model: "live", version: 1}) { run { runId } loggedModel { name } aliases copiedFrom {'
    query += " label run { runId } copiedFrom { label copiedFrom { label } } } } }"
    staged = {"label": "staged v1", "run": {"runId": run}, "copiedFrom": {"label": "m v1", "copiedFrom": None}}
    live = {"run": {"runId": run}, "loggedModel": {"name": "logged"}, "aliases": [], "copiedFrom": staged}
    assert await client.ask(query) == {"modelVersion": live}


@pytest.mark.parametrize("lost", ["rename_registered_model", "delete_model_version", "delete_registered_model"])
async def test_a_copy_whose_original_is_lost(store, client, lost):
    """It names an original that is not there, but its files still tell the model and the run."""
    run = store.run(experiment := store.experiment("e"))
    store.registered_model("origin")
    store.version("origin", model_id=store.logged_model(experiment, "logged", run).model_id)
    store.copied("origin", 1, "m")
    set_version(store, run_id=None)
    arguments = {"rename_registered_model": ["renamed"], "delete_model_version": [1]}.get(lost, [])
    getattr(store.client, lost)("origin", *arguments)

    origin = {"run": {"name": "a run", "isDeleted": False}, "loggedModel": {"name": "logged"}, "copiedFrom": None}
    assert await client.ask(VERSION % ORIGIN, n=1) == {"modelVersion": {"version": 1, **origin}}


async def test_a_copy_of_a_model_whose_name_looks_like_an_id(store, client):
    """`models:/m-small/1` is a version; only `models:/m-…` alone is a logged model."""
    run = store.run(experiment := store.experiment("e"))
    store.registered_model("m-small")
    store.version("m-small", model_id=store.logged_model(experiment, "logged", run).model_id)
    store.copied("m-small", 1, "m")

    origin = {"run": {"name": "a run", "isDeleted": False}, "loggedModel": {"name": "logged"}}
    answer = await client.ask(VERSION % ORIGIN, n=1)
    assert answer == {"modelVersion": {"version": 1, **origin, "copiedFrom": {"label": "m-small v1"}}}


async def test_a_source_with_a_number_that_no_version_has(store, client):
    """A source is any text; a number too large for the database names nothing, and harms nothing."""
    store.registered_model("m")
    store.version("m", source="s3://b/model")
    set_version(store, source=f"models:/m/{10**20}")

    assert await client.ask(VERSION % "copiedFrom { label }", n=1) == {"modelVersion": {"copiedFrom": None}}


async def test_a_deleted_version_is_in_no_list(store, client):
    """Neither listed nor counted anywhere, nor found by its number, though MLflow keeps the row."""
    run = store.run(experiment := store.experiment("e"))
    model = store.logged_model(experiment, "logged", run)
    store.registered_model("m")
    store.version("m", model_id=model.model_id)
    store.alias("m", "champion", 1)
    store.client.delete_model_version("m", 1)

    answer = await client.ask(EVERYWHERE)
    none = {"totalCount": 0, "nodes": []}
    named = {"name": "m", "aliases": [], "versions": none, "inStage": []}
    assert answer == {
        "registeredModels": {"nodes": [named]},
        "modelVersions": {**none, "edges": []},
        "runs": {"nodes": [{"modelVersions": none}]},
        "loggedModels": {"nodes": [{"modelVersions": none}]},
    }
    assert await client.ask(VERSION % "label", n=1) == {"modelVersion": None}


async def test_a_deleted_version_is_reached_by_its_id(store, client):
    """With what MLflow left of it: tags, and where its files lie, which lead to the model and the run."""
    run = store.run(experiment := store.experiment("e"))
    model = store.logged_model(experiment, "logged", run)
    store.registered_model("m")
    store.version("m", model_id=model.model_id, tags={"a": "1"}, description="Good.")
    store.stage("m", 1, "Production")
    store.client.delete_model_version("m", 1)

    fields = "isDeleted stage aliases source artifactUri description tags { key } model { name } run { runId }"
    query = "{ %s { ... on ModelVersion { %s loggedModel { modelId } copiedFrom { id } } } }"
    assert (await client.ask(query % (node(encoded("ModelVersion", "m", 1)), fields)))["node"] == {
        "isDeleted": True,
        "stage": "NONE",
        "aliases": [],
        "source": None,
        "artifactUri": model.artifact_location,
        "description": None,
        "tags": [{"key": "a"}],
        "model": {"name": "m"},
        "run": {"runId": run},
        "loggedModel": {"modelId": model.model_id},
        "copiedFrom": None,
    }


async def test_a_deleted_version_without_a_place_has_no_files(store, client):
    """What MLflow writes over the source of a deleted version is not a place."""
    store.registered_model("m")
    store.version("m", source="s3://b/model")
    set_version(store, storage_location=None)
    store.client.delete_model_version("m", 1)

    query = "{ %s { ... on ModelVersion { source artifactUri manifest { flavors } artifacts { path } run { name } } } }"
    answer = await client.ask(query % node(encoded("ModelVersion", "m", 1)))

    nothing = dict.fromkeys(["source", "artifactUri", "manifest", "artifacts", "run"])
    assert answer == {"node": nothing}


async def test_prompts_are_nowhere(store, client):
    """MLflow keeps prompts in the tables of registered models; they are none."""
    store.prompt("p")
    store.client.set_prompt_alias("p", "champion", 1)

    answer = await client.ask(EVERYWHERE)
    assert answer["registeredModels"] == {"nodes": []}
    assert answer["modelVersions"] == {"totalCount": 0, "nodes": [], "edges": []}
    query = """query ($ids: [ID!]!) {
        registeredModel(name: "p") { name }
        nodes(ids: $ids) { id }
        number: modelVersion(ref: {model: "p", version: 1}) { id }
        alias: modelVersion(ref: {model: "p", alias: "champion"}) { id }
        stage: modelVersion(ref: {model: "p", stage: NONE}) { id }
        registeredModels(filterBy: {aliases: ["champion"]}) { totalCount }
        modelVersions(filterBy: {models: ["p"]}) { totalCount }
    }"""
    found = await client.ask(query, ids=[encoded("RegisteredModel", "p"), encoded("ModelVersion", "p", 1)])
    nothing = dict.fromkeys(["number", "alias", "stage"])
    none = {"registeredModels": {"totalCount": 0}, "modelVersions": {"totalCount": 0}}
    assert found == {"registeredModel": None, "nodes": [None, None], **nothing, **none}


async def test_a_version_by_number_stage_or_alias(store, client):
    """Each names one version, or none."""
    store.registered_model("m")
    for _ in range(3):
        store.version("m", source="s3://b/model")
    store.stage("m", 2, "Production")
    store.alias("m", "champion", 3)

    answer = await client.ask("""query ($none: Int) {
        number: modelVersion(ref: {model: "m", version: 1, stage: null, alias: null}) { version }
        stage: modelVersion(ref: {model: "m", stage: PRODUCTION, version: $none}) { version }
        alias: modelVersion(ref: {model: "m", alias: "champion"}) { version }
        noNumber: modelVersion(ref: {model: "m", version: -1}) { version }
        noStage: modelVersion(ref: {model: "m", stage: ARCHIVED}) { version }
        noAlias: modelVersion(ref: {model: "m", alias: "latest"}) { version }
        noModel: modelVersion(ref: {model: "M", version: 1}) { version }
    }""")

    nothing = dict.fromkeys(["noNumber", "noStage", "noAlias", "noModel"])
    assert answer == {"number": {"version": 1}, "stage": {"version": 2}, "alias": {"version": 3}, **nothing}


async def test_a_stage_that_holds_several_versions(store, client):
    """MLflow allows it; then the stage names no version, and the error says which there are."""
    store.registered_model("m")
    for number in (1, 2, 3):
        store.version("m", source="s3://b/model")
        if number > 1:
            store.stage("m", number, "Production")

    error = await client.refused('{ modelVersion(ref: {model: "m", stage: PRODUCTION}) { version } }')

    assert error["message"].startswith("The stage holds several versions: 3, 2.")
    assert error["path"] == ["modelVersion"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "named", ["", "version: 1, stage: NONE", 'version: 1, alias: "a"', 'stage: NONE, alias: "a"', "version: null"]
)
async def test_a_version_is_named_in_one_way(client, named):
    """By exactly one of number, stage and alias."""
    error = await client.refused(f'{{ modelVersion(ref: {{model: "m", {named}}}) {{ version }} }}')

    assert error["message"] == "Give exactly one of `version`, `stage` and `alias`."
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_the_versions_of_all_models(store, client):
    """The newest first; those of one moment by model, and of a model the highest number first."""
    for name, times in {"b": [5, 7, 7], "a": [7, 7, 1], "c": [None, 9]}.items():
        store.registered_model(name)
        for number, time in enumerate(times, 1):
            store.version(name, source="s3://b/model")
            store.sql(
                "UPDATE model_versions SET creation_time = :time WHERE name = :name AND version = :number",
                time=time,
                name=name,
                number=number,
            )

    answer = await client.ask("{ modelVersions { totalCount nodes { label createdAt } } }")

    labels = [version["label"] for version in answer["modelVersions"]["nodes"]]
    assert labels == ["c v2", "a v2", "a v1", "b v3", "b v2", "b v1", "a v3", "c v1"]
    assert answer["modelVersions"]["totalCount"] == 8
    assert answer["modelVersions"]["nodes"][0]["createdAt"] == moment(9).isoformat(timespec="milliseconds")
