"""What the files of a model say of it, through the graph."""

import platform
import shutil
import warnings
from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from sklearn.linear_model import LinearRegression

from lineage_api.graph.identity import encoded
from tests.model_folders import own
from tests.stores import filled

MANIFEST = """manifest {
    sizeBytes flavors mlflowVersion
    signature {
        inputs { name type isRequired shape }
        outputs { name type isRequired shape }
        params { name type isRequired shape }
    }
    environment { pythonVersion packages { name version requirement } }
}"""
BOTH = f"""{{
    loggedModels {{ nodes {{ {MANIFEST} }} }}
    modelVersion(ref: {{model: "m", version: 1}}) {{ {MANIFEST} }}
}}"""
PACKAGES = """query ($names: [String!]) {
    loggedModels { nodes { manifest { environment { packages(names: $names) { name } } } } }
}"""
FILES = """query ($name: String!) {
    modelVersion(ref: {model: $name, version: 1}) { manifest { flavors } artifacts { path } }
}"""


@pytest.fixture
def tmp_path(tmp_path):
    """An artifact folder: nothing else is read."""
    return own(tmp_path)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request, templates, tmp_path_factory):
    """A store with a model of scikit-learn, which tests only read."""
    with filled(request.param, templates, tmp_path_factory.mktemp("models")) as made:
        log_model(made)
        yield made


def log_model(store):
    """A model as MLflow writes it, registered as version 1 of `m`."""
    signature = ModelSignature(
        Schema([ColSpec("double", "km"), ColSpec("long", "hour", required=False)]),
        Schema([TensorSpec(np.dtype("float64"), (-1,))]),
        ParamSchema([ParamSpec("rounded", "boolean", True)]),
    )
    data = pd.DataFrame({"km": [1.0, 2.0], "hour": [1, 2]})
    mlflow.set_tracking_uri(store.uri)
    with warnings.catch_warnings(), mlflow.start_run(experiment_id=store.experiment("e")):
        warnings.simplefilter("ignore")
        mlflow.sklearn.log_model(
            LinearRegression().fit(data, [1.0, 2.0]),
            name="model",
            signature=signature,
            registered_model_name="m",
            pip_requirements=["scikit-learn==1.5.0", "NumPy>=1,<3", "shap"],
            serialization_format="cloudpickle",
        )


def folder(store):
    """Where the files of the model lie."""
    [model] = store.client.search_logged_models(["1"])
    return Path(model.artifact_location)


async def manifest(client, name, fields=MANIFEST):
    """What version 1 of a registered model says of its files."""
    query = "query ($name: String!) { modelVersion(ref: {model: $name, version: 1}) { %s } }"
    return (await client.ask(query % fields, name=name))["modelVersion"]["manifest"]


def version_of(store, name, location, **files):
    """A registered model whose version lies in a folder with these files, an underscore being a dot."""
    location.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (location / file.replace("_", ".")).write_bytes(content)
    store.registered_model(name)
    store.version(name, source=str(location))


async def test_the_manifest_of_a_model(store, client):
    """All that MLflow wrote beside it, the same by the version and by the logged model."""
    answer = await client.ask(BOTH)
    [by_model], by_version = answer["loggedModels"]["nodes"], answer["modelVersion"]

    assert by_model == by_version
    size = by_version["manifest"].pop("sizeBytes")
    assert size == (folder(store) / "model.pkl").stat().st_size
    assert by_version["manifest"] == {
        "flavors": ["python_function", "sklearn"],
        "mlflowVersion": version("mlflow"),
        "signature": {
            "inputs": [
                {"name": "km", "type": "double", "isRequired": True, "shape": None},
                {"name": "hour", "type": "long", "isRequired": False, "shape": None},
            ],
            "outputs": [{"name": None, "type": "float64", "isRequired": True, "shape": [-1]}],
            "params": [{"name": "rounded", "type": "boolean", "isRequired": False, "shape": None}],
        },
        "environment": {
            "pythonVersion": platform.python_version(),
            "packages": [
                {"name": "mlflow", "version": version("mlflow"), "requirement": f"mlflow=={version('mlflow')}"},
                {"name": "numpy", "version": None, "requirement": "NumPy<3,>=1"},
                {"name": "scikit-learn", "version": "1.5.0", "requirement": "scikit-learn==1.5.0"},
                {"name": "shap", "version": None, "requirement": "shap"},
            ],
        },
    }


@pytest.mark.parametrize(
    ("names", "packages"),
    [
        (["scikit-learn"], ["scikit-learn"]),
        (["Scikit_Learn", "NUMPY", "none"], ["numpy", "scikit-learn"]),
        ([], []),
        (None, ["mlflow", "numpy", "scikit-learn", "shap"]),
    ],
)
async def test_some_packages_of_an_environment(client, names, packages):
    """However their names are written."""
    [model] = (await client.ask(PACKAGES, names=names))["loggedModels"]["nodes"]

    assert model["manifest"]["environment"]["packages"] == [{"name": name} for name in packages]


@pytest.mark.parametrize(
    ("mlmodel", "left"),
    [
        (b"", None),
        (b"\xff\xfe\x00", None),
        (b"flavors: [}", None),
        (b"- a list", None),
        (b"run_id: a", []),
        (b"flavors: {sklearn: {}}\nsignature: {inputs: 'no JSON'}\nmodel_size_bytes: many", ["sklearn"]),
    ],
)
async def test_a_damaged_file(store, client, tmp_path, mlmodel, left):
    """Of MLmodel is left out what cannot be read; null, and no error, when nothing can."""
    version_of(store, f"damaged {tmp_path}".replace("/", " "), tmp_path, MLmodel=mlmodel)

    found = await manifest(client, f"damaged {tmp_path}".replace("/", " "))

    nothing = dict.fromkeys(["sizeBytes", "mlflowVersion", "signature", "environment"])
    assert found == (None if left is None else {"flavors": left, **nothing})


async def test_a_version_of_files_that_are_no_model(store, client, tmp_path):
    """A folder without MLmodel has no manifest; neither has a place that is not there."""
    name = f"no model {tmp_path}".replace("/", " ")
    version_of(store, name, tmp_path / "files", requirements_txt=b"shap")
    assert await manifest(client, name) is None

    shutil.rmtree(tmp_path / "files")

    assert await manifest(client, name) is None


async def test_stores_that_do_not_answer(store, client):
    """Nothing is known of files in a bucket that is not there, or at an address that we do not call; it is no error."""
    for source in (
        "s3://",
        "http://127.0.0.1:1/model",
        "mlflow-artifacts:/1/model",
        "strange://b/model",
        "models:/m-gone",
    ):
        name = f"at {source}".replace("/", " ").replace(":", " ")
        store.registered_model(name)
        store.version(name, source="x")
        store.sql(
            "UPDATE model_versions SET source = :source, storage_location = :source WHERE name = :name",
            source=source,
            name=name,
        )

        answer = await client.ask(FILES, name=name)

        assert answer == {"modelVersion": {"manifest": None, "artifacts": None}}


async def test_the_manifest_of_a_deleted_version(store, client):
    """Its files are still there, and so is what they say."""

    store.registered_model("gone")
    store.version("gone", source=str(folder(store)))
    store.client.delete_model_version("gone", 1)

    query = "query ($id: ID!) { node(id: $id) { ... on ModelVersion { isDeleted manifest { flavors } } } }"
    answer = await client.ask(query, id=encoded("ModelVersion", "gone", 1))

    assert answer == {"node": {"isDeleted": True, "manifest": {"flavors": ["python_function", "sklearn"]}}}


async def test_what_manifests_cost(store, client, statements):
    """Files are read without a word to the database."""
    await client.ask(BOTH)

    assert len(statements) == 2
