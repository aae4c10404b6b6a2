"""What versions are made of: recipes, and how completely they were recorded."""

import pytest

from tests.model_folders import own
from tests.stores import filled

MANY = 50
COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIT = "mlflow.source.git"
TAGS = {
    f"{GIT}.commit": COMMIT,
    f"{GIT}.repoURL": "https://ann:pw@github.com/org/flights.git",
    f"{GIT}.dirty": "false",
    "mlflow.source.name": "train.py",
}
FILES = {
    "MLmodel": """flavors:
  python_function: {env: {virtualenv: python_env.yaml}}
model_size_bytes: 813
signature:
  inputs: '[{"type": "double", "name": "km", "required": true}]'
""",
    "python_env.yaml": "python: 3.11.7\n",
    "requirements.txt": "scikit-learn==1.5.0\nnumpy>=2\n",
}
RECIPE = """recipe {
    code {repoUrl commit entryPoint isDirty branch} inputs {context dataset {name digest}} params {key value}
    environment {pythonVersion packages {name version}} script missing
}"""
COMPLETENESS = "completeness {score checks {name status detail}}"
SCRIPT = f"""#!/bin/sh
set -eu
printf 'This trains %s again.\\n' 'm v1'
git clone -- 'https://github.com/org/flights.git' source
cd source
git checkout --detach '{COMMIT}'
'python3.11' -m venv .venv
.venv/bin/python -m pip install -- 'scikit-learn==1.5.0' 'numpy>=2'
printf 'Dataset %s (%s), digest %s, from %s\\n' 'flights' 'training' 'd1' 'data.csv'
.venv/bin/python 'train.py' '--lr=0.1; rm -rf ~'
"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request, templates, tmp_path_factory):
    """A version of which nearly everything was recorded, and others of which less was."""
    with filled(request.param, templates, tmp_path_factory.mktemp("store")) as made:
        runs = [recorded(made, "kept"), recorded(made, "trash")]
        made.registered_model("m")
        made.registered_model("copies")
        for run in runs:
            made.version("m", run_id=run, source=folder(made, "model", **FILES))
        made.client.delete_run(runs[1])
        made.version("m", source=folder(made, "bare"))
        made.version("m", run_id=made.run("0", "gone"), source="s3://")
        made.sql("UPDATE model_versions SET run_id = :gone WHERE version = 4", gone="f" * 32)
        for version in range(1, MANY):
            made.version("copies", run_id=runs[version % 2], source=folder(made, f"model {version % 5}", **FILES))
        made.copied("m", 1, "copies")
        yield made


def recorded(store, name):
    """The ID of a run of which everything was recorded."""
    params = {"lr": "0.1; rm -rf ~", "api_key": "hidden"}
    run = store.run("0", name, params=params, metrics={"rmse": 1.0}, tags=TAGS, status="RUNNING")
    store.dataset(run, "flights", "d1")
    return run


def folder(store, name, **files):
    """A folder with these files."""
    made = own(store.artifacts) / name
    made.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (made / file).write_text(content)
    return str(made)


async def version(client, number, what, model="m"):
    """What is asked of one version."""
    query = "query ($model: String!, $number: Int!) {modelVersion(ref: {model: $model, version: $number}) {%s}}"
    return (await client.ask(query % what, model=model, number=number))["modelVersion"]


async def test_how_to_train_a_version_again(client):
    """All that its run and its files say; no value is anything else in the script, and no secret is in it."""
    found = await version(client, 1, RECIPE)

    code = {"repoUrl": TAGS[f"{GIT}.repoURL"], "commit": COMMIT, "entryPoint": "train.py"}
    assert found["recipe"] == {
        "code": {**code, "isDirty": False, "branch": None},
        "inputs": [{"context": "training", "dataset": {"name": "flights", "digest": "d1"}}],
        "params": [{"key": "api_key", "value": "hidden"}, {"key": "lr", "value": "0.1; rm -rf ~"}],
        "environment": {
            "pythonVersion": "3.11.7",
            "packages": [{"name": "numpy", "version": None}, {"name": "scikit-learn", "version": "1.5.0"}],
        },
        "script": SCRIPT,
        "missing": [
            "unpinned packages: numpy",
            "the credentials in the URL of the repository",
            "the value of api_key, which looks like a secret",
        ],
    }


async def test_a_version_from_a_bare_folder(client):
    """It has a recipe, in which everything is missing."""
    found = await version(client, 3, RECIPE)

    script = found["recipe"].pop("script")
    assert "# No repository is known: put the code into the folder source yourself.\ncd source\n" in script
    assert found["recipe"] == {
        "code": None,
        "inputs": [],
        "params": [],
        "environment": None,
        "missing": [
            *("no run", "no repository", "no commit", "no entry point", "no dataset", "no parameters"),
            "no environment: the model files could not be read",
        ],
    }


async def test_a_version_whose_run_was_deleted(client):
    """What was recorded in the trash is still there."""
    kept = (await version(client, 1, RECIPE))["recipe"]
    trashed = await version(client, 2, f"{RECIPE} {COMPLETENESS}")

    assert trashed["recipe"] == {**kept, "script": kept["script"].replace("'m v1'", "'m v2'")}
    assert trashed["completeness"]["checks"][0] == {
        "name": "run is recorded",
        "status": "WARN",
        "detail": "it is in the trash",
    }


async def test_a_version_whose_run_and_files_are_gone(client):
    """It is no error: what is not there was not recorded."""
    found = await version(client, 4, f"recipe {{code {{commit}} environment {{pythonVersion}} missing}} {COMPLETENESS}")

    assert found["recipe"]["code"] is found["recipe"]["environment"] is None
    assert found["recipe"]["missing"][0] == "no run"
    assert found["completeness"]["score"] == 0
    assert found["completeness"]["checks"][0] == {"name": "run is recorded", "status": "FAIL", "detail": "it is gone"}


async def test_a_copied_version(client):
    """It is made of what its original is made of."""
    kept = await version(client, 1, f"{RECIPE} {COMPLETENESS}")
    copied = await version(client, MANY, f"{RECIPE} {COMPLETENESS}", model="copies")

    kept["recipe"]["script"] = kept["recipe"]["script"].replace("'m v1'", f"'copies v{MANY}'")
    assert copied == kept


async def test_how_completely_a_version_was_recorded(client):
    """Every check, and the share of those that passed."""
    found = (await version(client, 1, COMPLETENESS))["completeness"]

    assert found["score"] == 12 / 13
    assert found["checks"] == [
        *(
            {"name": f"{what} recorded", "status": "PASS", "detail": None}
            for what in ("run is", "repository is", "commit is")
        ),
        {"name": "nothing was uncommitted", "status": "PASS", "detail": None},
        *(
            {"name": f"{what} recorded", "status": "PASS", "detail": None}
            for what in ("entry point is", "datasets are", "parameters are", "metrics are", "environment is")
        ),
        {"name": "Python version is recorded", "status": "PASS", "detail": None},
        {"name": "packages are pinned", "status": "WARN", "detail": "these are not: numpy"},
        {"name": "signature is recorded", "status": "PASS", "detail": None},
        {"name": "model files can be read", "status": "PASS", "detail": None},
    ]


COSTS = [
    # what is asked of each version, statements beside the one for the versions
    ("recipe {__typename}", 0),
    ("recipe {environment {pythonVersion}}", 0),
    ("recipe {params {key}}", 1),
    ("recipe {code {commit} inputs {context} params {key}}", 3),
    ("recipe {script}", 4),
    ("recipe {script missing environment {pythonVersion}}", 4),
    (RECIPE, 8),
    (COMPLETENESS, 5),
    (f"{RECIPE} {COMPLETENESS}", 13),
]


@pytest.mark.parametrize("settings", [{"backend": "rows"}], ids=["rows"])
async def test_what_recipes_cost(client, statements):
    """A statement for each kind of thing that is asked for, however many versions there are."""
    for what, beside in COSTS:
        for first in (1, MANY):
            statements.clear()
            query = f"{{modelVersions(first: {first}) {{nodes {{{what}}}}}}}"
            answer = (await client.http.post("/graphql", json={"query": query})).json()
            assert len(answer["data"]["modelVersions"]["nodes"]) == first
            assert len(statements) == 1 + beside, what


async def test_recipes_of_several_versions(client):
    """Each version has its own, whatever the others lack."""
    found = await client.ask(
        f'{{registeredModel(name: "m") {{versions {{nodes {{version {RECIPE} {COMPLETENESS}}}}}}}}}'
    )

    for node in found["registeredModel"]["versions"]["nodes"]:
        assert await version(client, node["version"], f"version {RECIPE} {COMPLETENESS}") == node
