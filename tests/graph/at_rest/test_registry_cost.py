"""What relations of the registry and of logged models cost: statements by the level, however many objects it has."""

from pathlib import Path

import pytest

from tests.stores import filled

MANY = 50
BIG = """{ registeredModel(name: "m") { versions(first: 4) { totalCount nodes {
    version stage aliases tags { key value }
    run {
        name duration experiment { name } params { key value } metrics { key value }
        inputs { context dataset { name digest } } code { commit } artifacts { path }
    }
    loggedModel {
        modelId
        manifest {
            sizeBytes flavors signature { inputs { name type } }
            environment { pythonVersion packages { name version } }
        }
    }
} } } }"""
MLMODEL = """flavors:
  python_function: {python_version: 3.11.7}
model_size_bytes: 813
signature:
  inputs: '[{"type": "double", "name": "km", "required": true}]'
"""

NOW = '"2100-01-01T00:00:00Z"'
RELATIONS = [
    # parents, what is asked of each, statements beside the one for the parents
    ("registeredModels", "id name description createdAt updatedAt", 0),
    ("registeredModels", "tags { key }", 1),
    ("registeredModels", "aliases { name }", 1),
    ("registeredModels", "aliases { modelVersion { label } }", 2),
    ("registeredModels", "aliases { modelVersion { aliases } }", 3),
    ("registeredModels", "versions { nodes { label } }", 1),
    ("registeredModels", "versions { totalCount }", 1),
    ("registeredModels", "versions { totalCount nodes { label } }", 2),
    ("registeredModels", "versions { edges { cursor node { label } } pageInfo { endCursor } }", 1),
    ("registeredModels", 'versions(first: 1, orderBy: [{metric: "rmse"}]) { nodes { label } }', 1),
    ("registeredModels", 'versions(filterBy: {run: {nameContains: "r"}}) { totalCount nodes { label } }', 2),
    ("registeredModels", "versions { nodes { run { name experiment { name } } loggedModel { name } } }", 4),
    ("registeredModels", "version(number: 1) { label }", 1),
    ("registeredModels", "version(stage: STAGING) { label }", 1),
    ("registeredModels", 'version(alias: "champion") { label }', 1),
    ("registeredModels", "inStage(stage: STAGING) { label }", 1),
    ("registeredModels", f"inStage(stage: STAGING, at: {NOW}) {{ label }}", 1),
    ("registeredModels", "aliases { since modelVersion { stageSince } }", 2),
    ("registeredModels", f"aliases(at: {NOW}) {{ name since modelVersion {{ stageSince }} }}", 2),
    ("registeredModels", "history { nodes { kind occurredAt modelName origin } }", 1),
    ("registeredModels", "history(orderBy: OLDEST_FIRST, first: 2) { totalCount edges { node { kind } } }", 2),
    ("registeredModels", "history(kinds: [VERSION_REGISTERED]) { nodes { model { name } modelVersion { label } } }", 3),
    ("modelVersions", "id label version stage status isDeleted source artifactUri", 0),
    ("modelVersions", "stageSince", 0),
    ("modelVersions", f"stage(at: {NOW})", 1),
    ("modelVersions", "history { nodes { kind version } }", 1),
    ("modelVersions", "history(first: 1) { totalCount pageInfo { endCursor } }", 2),
    ("modelVersions", "history { nodes { modelVersion { label } model { name } } }", 3),
    ("modelVersions", "model { name }", 1),
    ("modelVersions", "aliases", 1),
    ("modelVersions", "tags { key }", 1),
    ("modelVersions", "run { name }", 1),
    ("modelVersions", "loggedModel { name }", 1),
    ("modelVersions", "copiedFrom { label }", 1),
    ("modelVersions", "run { modelVersions { nodes { label } } }", 2),
    ("modelVersions", "run { modelVersions { totalCount nodes { label } } }", 3),
    ("modelVersions", "manifest { flavors } artifacts { path }", 0),
    ("loggedModels", "id label modelId name status createdAt updatedAt artifactUri", 0),
    ("loggedModels", "experiment { name }", 1),
    ("loggedModels", "run { name }", 1),
    ("loggedModels", "params { key }", 1),
    ("loggedModels", "metrics { key value }", 1),
    ("loggedModels", "metrics { dataset { name } }", 2),
    ("loggedModels", "tags { key }", 1),
    ("loggedModels", "usedBy { nodes { name } }", 1),
    ("loggedModels", "usedBy { totalCount nodes { name } }", 2),
    ("loggedModels", "modelVersions { nodes { label } }", 1),
    ("loggedModels", "modelVersions { totalCount nodes { label } }", 2),
    ("loggedModels", "modelVersions { totalCount }", 1),
    ("loggedModels", "manifest { flavors } artifacts { path }", 0),
]


@pytest.fixture(scope="module", params=["rows"])
def settings(request):
    """As rows on both databases; what PostgreSQL answers by itself is told below."""
    return {"backend": request.param}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request, templates, tmp_path_factory):
    """Many registered models, each with a version that is a copy of one of `m`, and all that these lead to."""
    with filled(request.param, templates, tmp_path_factory.mktemp("registry")) as made:
        fill(made)
        yield made


def fill(store):
    experiment = store.experiment("e")
    store.registered_model("m", tags={"a": "1"}, description="Good.")
    for number in range(1, MANY + 1):
        model = logged_model(store, experiment, number)
        store.version("m", model_id=model.model_id, tags={"number": str(number)})
        store.alias("m", f"a{number}", number)
        name = store.copied("m", number, f"copy {number}") and f"copy {number}"
        store.client.set_registered_model_tag(name, "a", "1")
        store.client.set_model_version_tag(name, 1, "a", "1")
        store.alias(name, "champion", 1)
        store.stage(name, 1, "Staging")
    store.stage("m", MANY, "Staging")
    store.alias("m", "champion", MANY)
    store.sql("UPDATE model_versions SET creation_time = CASE WHEN name = 'm' THEN 1 ELSE 2 END")


def logged_model(store, experiment, number):
    """A logged model of a run of its own, which that run used too; its files are a sketch of MLflow's."""
    tags = {"mlflow.source.git.commit": "c0ffee"}
    run = store.run(experiment, f"run {number}", params={"depth": number}, tags=tags, status="RUNNING")
    store.dataset(run, "train", "1a")
    model = store.logged_model(experiment, "model", run, params={"depth": "3"}, tags={"a": "1"})
    measured = {"model_id": model.model_id, "dataset_name": "train", "dataset_digest": "1a"}
    store.metric(run, "rmse", float(number), **measured)
    store.used_model(run, model.model_id)
    store.client.set_terminated(run, end_time=2_500)
    for location, files in {
        model.artifact_location: {"MLmodel": MLMODEL, "requirements.txt": "scikit-learn==1.5.0\n"},
        store.client.get_run(run).info.artifact_uri: {"plot.png": ""},
    }.items():
        Path(location).mkdir(parents=True)
        for name, text in files.items():
            Path(location, name).write_text(text)
    return model


@pytest.mark.parametrize(("parents", "fields", "more"), RELATIONS)
async def test_the_cost_of_a_relation(client, statements, parents, fields, more):
    """As many statements for many objects as for one."""
    arguments = ', filterBy: {not: {models: ["m"]}}' if parents == "modelVersions" else ""
    for count in (1, MANY):
        answer = await client.ask(f"{{ {parents}(first: {count}{arguments}) {{ nodes {{ {fields} }} }} }}")

        assert len(answer[parents]["nodes"]) == count
        assert "[]" not in repr(answer)
        assert "None" not in repr(answer) or not more
        assert len(statements) == 1 + more


@pytest.mark.parametrize("parents", ["registeredModels", "modelVersions", "loggedModels"])
async def test_the_cost_of_a_count(client, statements, parents):
    """One statement more, and none for the page where only the count is asked for."""
    costs = []
    for fields in ("nodes { id }", "nodes { id } totalCount", "totalCount", "__typename"):
        await client.ask(f"{{ {parents} {{ {fields} }} }}")
        costs.append(len(statements))

    assert costs == [1, 2, 1, 0]


async def test_the_cost_of_a_whole_story(store, client, statements):
    """Versions with their runs, data, code, files and models: a statement for each relation, thirteen in all."""
    answer = await client.ask(BIG)

    assert len(statements) == 13
    models = {
        version.version: version.source.rpartition("/")[2]
        for version in store.client.search_model_versions("name = 'm'")
    }
    numbers = [MANY, MANY - 1, MANY - 2, MANY - 3]
    nodes = [story(number, models) for number in numbers]
    assert answer == {"registeredModel": {"versions": {"totalCount": MANY, "nodes": nodes}}}


def story(number, models):
    """What BIG says of a version."""
    environment = {"pythonVersion": "3.11.7", "packages": [{"name": "scikit-learn", "version": "1.5.0"}]}
    signature = {"inputs": [{"name": "km", "type": "double"}]}
    return {
        "version": number,
        "stage": "STAGING" if number == MANY else "NONE",
        "aliases": [f"a{number}", *(["champion"] if number == MANY else [])],
        "tags": [{"key": "number", "value": str(number)}],
        "run": {
            "name": f"run {number}",
            "duration": 1.5,
            "experiment": {"name": "e"},
            "params": [{"key": "depth", "value": str(number)}],
            "metrics": [{"key": "rmse", "value": float(number)}],
            "inputs": [{"context": "training", "dataset": {"name": "train", "digest": "1a"}}],
            "code": {"commit": "c0ffee"},
            "artifacts": [{"path": "plot.png"}],
        },
        "loggedModel": {
            "modelId": models[number],
            "manifest": {
                "sizeBytes": 813,
                "flavors": ["python_function"],
                "signature": signature,
                "environment": environment,
            },
        },
    }


async def test_the_cost_does_not_grow_with_the_page(client, statements):
    """The same story of fifty versions costs as many statements."""
    await client.ask(BIG.replace("first: 4", f"first: {MANY}"))

    assert len(statements) == 13


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
@pytest.mark.parametrize("settings", ["json"], indirect=True)
@pytest.mark.parametrize(("parents", "fields"), [(parents, fields) for parents, fields, _ in RELATIONS])
async def test_what_postgresql_answers_by_itself(client, statements, parents, fields):
    """One statement, however deep."""
    await client.ask(f"{{ {parents}(first: {MANY}) {{ nodes {{ {fields} }} }} }}")

    assert len(statements) == 1
