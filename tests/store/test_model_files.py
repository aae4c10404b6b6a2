import json
import platform
import shutil
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.entities import FileInfo
from mlflow.models import ModelSignature, infer_signature
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry as registry
from mlflow.types.schema import (
    AnyType,
    Array,
    ColSpec,
    Map,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
    SparkMLVector,
    TensorSpec,
)
from sklearn.linear_model import LinearRegression

from lineage_api.store.artifacts import Artifacts
from lineage_api.store.manifests import Environment, Manifest, Package, Signature, SignatureField
from lineage_api.store.model_files import Examined, ModelFiles


@pytest.fixture
def artifacts():
    opened = Artifacts(only_own=False)
    yield opened
    opened.close()


@pytest.fixture
def files(artifacts):
    return ModelFiles(artifacts, retry_after_s=0.2)


@pytest.fixture
def location(tmp_path):
    """Where a model is kept."""
    return str(tmp_path)


def write(location, **files):
    """Files of a model, by name; an underscore stands for the dot."""
    for name, text in files.items():
        path = f"{location}/{name.replace('_yaml', '.yaml').replace('_txt', '.txt')}"
        with open(path, "w" if isinstance(text, str) else "wb") as file:  # noqa: PTH123
            file.write(text)


MLMODEL = "flavors: {python_function: {}}\n"


async def manifest(files, location, **written):
    """What the model says after these files were written."""
    write(location, **written)
    [read] = await files.manifests([location])
    return read


async def packages(files, location, **written):
    """The packages that it needs: name, version, as written."""
    read = await manifest(files, location, MLmodel=MLMODEL, **written)
    return read.environment and [(p.name, p.version, p.requirement) for p in read.environment.packages]


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType")
async def test_a_model_that_mlflow_logged(files, tmp_path):
    """Everything that is in its files, as MLflow's client wrote them for scikit-learn."""
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("e", artifact_location=f"{tmp_path}/kept"))
    data = pd.DataFrame({"age": [0.1, 0.2], "bmi": [1.0, 2.0]})
    model = LinearRegression().fit(data, [1.0, 2.0])
    signature = infer_signature(data, model.predict(data), {"rounded": False})
    pins = [f"scikit-learn=={version('scikit-learn')}", "numpy"]
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(
            model, name="model", signature=signature, pip_requirements=pins, serialization_format="cloudpickle"
        )
    where = mlflow.get_logged_model(logged.model_id).artifact_location
    mlflow.set_tracking_uri(None)

    [read] = await files.manifests([where])

    assert read == Manifest(
        size_bytes=read.size_bytes,
        flavors=["python_function", "sklearn"],
        signature=Signature(
            inputs=[SignatureField("age", "double", True, None), SignatureField("bmi", "double", True, None)],
            outputs=[SignatureField(None, "float64", True, [-1])],
            params=[SignatureField("rounded", "boolean", False, None)],
        ),
        environment=Environment(
            platform.python_version(),
            [
                Package("mlflow", version("mlflow"), f"mlflow=={version('mlflow')}"),
                Package("scikit-learn", version("scikit-learn"), pins[0]),
                Package("numpy", None, "numpy"),
            ],
        ),
        mlflow_version=version("mlflow"),
        run_id=run.info.run_id,
        model_id=logged.model_id,
    )
    assert read.size_bytes > 100

    assert await files.examined([where]) == [Examined(True, [], read, [])]
    Path(where, "model.pkl").unlink()
    assert await files.examined([where]) == [Examined(True, ["model.pkl"], read, [])]


def shown(field):
    """A type as MLflow shows it; in a map it shows the name of its own enumeration too."""
    return repr(field.type).replace("DataType.", "")


async def test_types_are_written_as_mlflow_writes_them(files, location):
    """Also those within others."""
    nested = Object([Property("b", "long"), Property("a", Array("double"), required=False)])
    types = [
        "string",
        Array(Array("string")),
        nested,
        Map("string"),
        Map(nested),
        Array(nested),
        AnyType(),
        SparkMLVector(),
    ]
    columns = [ColSpec(each, name=f"c{n}", required=n % 2 == 0) for n, each in enumerate(types)]
    inputs = Schema(columns)
    params = ParamSchema([ParamSpec("p", "double", [0.5], shape=(-1,)), ParamSpec("o", nested, {"b": 1})])
    outputs = Schema([TensorSpec(np.dtype("float32"), (-1, 3), "t")])

    said = {"flavors": {"python_function": {}}, "signature": ModelSignature(inputs, outputs, params).to_dict()}
    read = await manifest(files, location, MLmodel=yaml.safe_dump(said))

    assert read.signature == Signature(
        inputs=[SignatureField(each.name, shown(each), each.required, None) for each in inputs],
        outputs=[SignatureField("t", "float32", True, [-1, 3])],
        params=[SignatureField("p", "double", False, [-1]), SignatureField("o", repr(nested), False, None)],
    )


@pytest.mark.parametrize(
    ("spec", "is_required"),
    [
        ({"type": "long"}, True),
        ({"type": "long", "optional": True}, False),
        ({"type": "long", "required": False}, False),
        ({"dtype": "long", "default": None}, False),
        ({"dtype": "long"}, True),
    ],
)
async def test_what_older_versions_of_mlflow_wrote(files, location, spec, is_required):
    """They had other words for the same."""
    said = {"flavors": {}, "signature": {"inputs": json.dumps([{"name": "a", **spec}]), "outputs": None}}
    read = await manifest(files, location, MLmodel=yaml.safe_dump(said))
    assert read.signature == Signature([SignatureField("a", "long", is_required, None)], [], [])


@pytest.mark.parametrize(
    "inputs",
    [
        "no json",
        "{}x",
        "5",
        '["a"]',
        '[{"type": 5}]',
        '[{"type": "tensor", "tensor-spec": {"dtype": "int8"}}]',
        '[{"type": "long", "shape": 5}]',
        '[{"type": "object", "properties": {"a": 5}}]',
        "[" * 100_000,
    ],
)
async def test_a_signature_that_makes_no_sense(files, location, inputs):
    """It is left out, and the rest is read."""
    said = {"flavors": {"sklearn": {}}, "run_id": "r", "signature": {"inputs": inputs}}
    read = await manifest(files, location, MLmodel=yaml.safe_dump(said))
    assert read == Manifest(None, ["sklearn"], None, None, None, "r", None)


@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("scikit_Learn[extra] == 1.5.0  # why", ("scikit-learn", "1.5.0", "scikit_Learn[extra] == 1.5.0")),
        ("a==1.*", ("a", None, "a==1.*")),
        ("a>=1,==1.5", ("a", "1.5", "a>=1,==1.5")),
        ("a===1.5+local", ("a", "1.5+local", "a===1.5+local")),
        ("a~=1.5", ("a", None, "a~=1.5")),
        ("a==1; python_version<'3.9'", ("a", "1", "a==1; python_version<'3.9'")),
        ("a==1 --hash=sha256:00 --hash=sha256:11", ("a", "1", "a==1")),
        ("a==1 \\\n  --hash=sha256:00", ("a", "1", "a==1")),
        ("a @ https://host/a-1.zip", ("a", None, "a @ https://host/a-1.zip")),
        (
            "git+https://u@host/x/b.git@feature/c#egg=A_b[x]",
            ("a-b", None, "git+https://u@host/x/b.git@feature/c#egg=A_b[x]"),
        ),
        ("git+ssh://git@host/x/b.git@v1", ("b", None, "git+ssh://git@host/x/b.git@v1")),
        ("-e git+https://host/x/b", ("b", None, "-e git+https://host/x/b")),
        ("--editable=./libs/my_lib/", ("my-lib", None, "--editable=./libs/my_lib/")),
        (
            "https://host/a_b-1.5-py3-none-any.whl?x=1#sha256=0",
            ("a-b", "1.5", "https://host/a_b-1.5-py3-none-any.whl?x=1#sha256=0"),
        ),
        ("code/a-1.5.tar.gz", ("a", "1.5", "code/a-1.5.tar.gz")),
        ("code/bad.whl", ("bad.whl".replace(".", "-"), None, "code/bad.whl")),
        ("a=1.5", ("a", None, "a=1.5")),
        ("-r other.txt", None),
        ("--index-url https://host/simple", None),
        ("# only a comment", None),
        (".", None),
        ("a" * 1001, None),
    ],
)
async def test_a_line_of_requirements(files, location, line, package):
    """As pip reads it: its name, the only version that will do, and what was written."""
    assert await packages(files, location, requirements_txt=f"\ufeff{line}\nlast\n") == [
        *([package] if package else []),
        ("last", None, "last"),
    ]


CONDA = """
channels: [conda-forge]
dependencies:
- python=3.10
- conda-forge::numpy==1.26.4
- pandas=2.2=py310_0
- scipy=1.11
- "??"
- [5]
- pip<=24
- pip: [mlflow==3.17.2, -r more.txt]
"""


async def test_the_environment_of_conda(files, location):
    """Where there are no requirements, or none that is a text: what conda installs, and what it has pip install."""
    expected = [
        ("numpy", "1.26.4", "conda-forge::numpy==1.26.4"),
        ("pandas", "2.2", "pandas=2.2=py310_0"),
        ("scipy", None, "scipy=1.11"),
        ("pip", None, "pip<=24"),
        ("mlflow", "3.17.2", "mlflow==3.17.2"),
    ]
    assert await packages(files, location, conda_yaml=CONDA, requirements_txt=b"\xff\xfe") == expected


@pytest.mark.parametrize(
    ("written", "python"),
    [
        ({"python_env_yaml": "python: 3.10", "conda_yaml": CONDA.replace("3.10", "3.9")}, "3.10"),
        ({"python_env_yaml": "python: ", "conda_yaml": CONDA}, "3.10"),
        ({"conda_yaml": "dependencies: [python==3.9.1]"}, "3.9.1"),
        ({"conda_yaml": "dependencies: [python=3.9.1=hash_0]"}, "3.9.1"),
        ({"conda_yaml": "dependencies: [python>=3.9]"}, "3.8.0"),
        ({"requirements_txt": "a"}, "3.8.0"),
    ],
)
async def test_the_version_of_python(files, location, written, python):
    """That of the virtual environment goes before conda's, and both before MLmodel's."""
    said = "flavors: {python_function: {python_version: 3.8.0}}"
    read = await manifest(files, location, MLmodel=said, **written)
    assert read.environment.python_version == python


async def test_a_model_without_environment(files, location):
    """No file says what to install."""
    assert await manifest(files, location, MLmodel=MLMODEL) == Manifest(
        None, ["python_function"], None, None, None, None, None
    )


BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "damaged",
    ["", "null", "- a", "a: [", "? [a]\n: b", "[" * 5000, b"\xff\xfe\x00", b"\x00", "&a [*a]", "x" * (2**20 + 1)],
)
async def test_a_damaged_mlmodel(files, location, damaged):
    """It says nothing; nor does one of over 1 MiB, which is not read."""
    assert await manifest(files, location, MLmodel=damaged, requirements_txt="a==1") is None


async def test_files_made_to_hurt(files, location):
    """Aliases are not multiplied, tags build nothing, and what is not as expected is left out."""
    said = BOMB + "flavors: {python_function: {env: *i}, z: !!python/object:os.system x}\n"
    read = await manifest(
        files,
        location,
        MLmodel=said + "run_id: *i\nmodel_size_bytes: 99999999999999999999999\nsignature: *i\nmlflow_version: ~",
        conda_yaml=BOMB + "dependencies: *i",
        python_env_yaml=BOMB + "python: *i",
    )
    assert read == Manifest(None, ["python_function", "z"], None, None, None, None, None)


async def test_a_great_many_packages(files, location):
    """The first 2,000 are enough for anybody."""
    assert len(await packages(files, location, requirements_txt="a\n" * 3000)) == 2000


YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["flavors", "python_function", "env", "signature", "inputs", "model_size_bytes", "dependencies", "pip"]
)
STRUCTURE = st.dictionaries(KEYS, YAML | st.dictionaries(KEYS, YAML, max_size=3), max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mlmodel=STRUCTURE, conda=STRUCTURE, requirements=st.binary(max_size=50) | st.text(max_size=50), inputs=YAML)
def test_no_file_makes_it_raise(artifacts, mlmodel, conda, requirements, inputs):
    """Whatever is in them: it is understood, or left out."""
    mlmodel = {"signature": {"inputs": json.dumps(inputs)}, **mlmodel}
    ModelFiles(artifacts)._understood(
        {
            "MLmodel": yaml.safe_dump(mlmodel).encode(),
            "conda.yaml": yaml.safe_dump(conda).encode(),
            "requirements.txt": requirements.encode("utf-8", "replace")
            if isinstance(requirements, str)
            else requirements,
        }
    )


async def test_a_model_is_read_once(files, location):
    """Its files never change. Equal locations are one; each answer stands in the place of its question."""
    write(location, MLmodel=MLMODEL, requirements_txt="a==1")
    first, nothing, again, elsewhere = await files.manifests([location, None, location, f"{location}/no"])
    assert first is again
    assert [nothing, elsewhere] == [None, None]

    write(location, requirements_txt="a==2")
    assert await files.manifests([location]) == [first]


@pytest.mark.parametrize(
    "early", [{}, {"MLmodel": "half: ["}, {"MLmodel": "flavors: {python_function: {env: {conda: conda.yaml}}}"}]
)
async def test_a_model_that_is_not_complete_is_tried_again(files, location, early):
    """After a while: it may just be uploaded, or its store be out of reach."""
    write(location, **early)
    before = await files.manifests([location])
    write(location, MLmodel=MLMODEL, conda_yaml="dependencies: [python=3.10]")

    assert await files.manifests([location]) == before
    time.sleep(0.25)  # noqa: ASYNC251
    [after] = await files.manifests([location])
    assert after.environment == Environment("3.10", [])


async def test_only_so_many_are_kept(artifacts, tmp_path):
    """What was asked for least lately is read again."""
    files = ModelFiles(artifacts, most_known=2)
    locations = [str(tmp_path / name) for name in "abc"]
    for location in locations:
        (tmp_path / location[-1]).mkdir()
        write(location, MLmodel=MLMODEL)
    a, b = await files.manifests(locations[:2])
    await files.manifests(locations[:1])
    await files.manifests(locations[2:])

    assert (await files.manifests(locations[:1]))[0] is a
    assert (await files.manifests(locations[1:2]))[0] is not b


@pytest.fixture
def kept(tmp_path):
    """The folder of a model that MLflow's client wrote, with code and a file of its own."""
    (tmp_path / "helper").mkdir()
    (tmp_path / "helper" / "code.py").touch()
    (tmp_path / "words.txt").write_text("a b")
    mlflow.pyfunc.save_model(
        str(tmp_path / "kept"),
        python_model=mlflow.pyfunc.PythonModel(),
        code_paths=[str(tmp_path / "helper")],
        artifacts={"words": str(tmp_path / "words.txt")},
        pip_requirements=["numpy==2.1.0"],
    )
    return tmp_path / "kept"


@pytest.mark.filterwarnings("ignore")
async def test_a_model_is_examined_as_it_is_now(files, kept):
    """Nothing is remembered: what is deleted between two looks is missing at the second."""
    [manifest] = await files.manifests([str(kept)])
    assert await files.examined([str(kept)]) == [Examined(True, [], manifest, [])]
    assert [p.name for p in manifest.environment.packages] == ["mlflow", "numpy"]

    (kept / "python_model.pkl").unlink()
    (kept / "artifacts" / "words.txt").unlink()
    shutil.rmtree(kept / "code")
    [damaged] = await files.examined([str(kept)])
    assert damaged == Examined(True, ["python_model.pkl", "code", "artifacts/words.txt"], manifest, [])

    (kept / "requirements.txt").unlink()
    (kept / "conda.yaml").write_text("a: [")
    [damaged] = await files.examined([str(kept)])
    assert damaged.unread == ["requirements.txt", "conda.yaml"]
    assert damaged.manifest == replace(manifest, environment=Environment(platform.python_version(), []))

    (kept / "MLmodel").unlink()
    assert await files.examined([str(kept)]) == [Examined(True, ["MLmodel"], None, ["requirements.txt", "conda.yaml"])]
    shutil.rmtree(kept)
    assert await files.examined([str(kept)]) == [
        Examined(True, ["MLmodel"], None, ["requirements.txt", "conda.yaml", "python_env.yaml"])
    ]
    assert await files.manifests([str(kept)]) == [manifest]


async def test_what_is_examined_is_not_kept(files, location):
    """What is read later, for other questions, is read for them."""
    write(location, MLmodel=MLMODEL)
    await files.examined([location])
    write(location, MLmodel=MLMODEL + "run_id: r\n")
    assert (await files.manifests([location]))[0].run_id == "r"


async def test_a_store_that_does_not_answer(files, location):
    """It fails, or may not be asked; the others are examined, each in its place."""
    write(location, MLmodel=MLMODEL, requirements_txt="a==1")
    silent = Examined(False, None, None, [])
    said = await files.examined(["nonsense://host/x", location, None, "http://host/x", location])
    environment = Environment(None, [Package("a", "1", "a==1")])
    there = Examined(True, [], Manifest(None, ["python_function"], None, environment, None, None, None), [])
    assert said == [silent, there, silent, silent, there]
    assert await files.examined([]) == []


class Forgetful(ArtifactRepository):
    """An artifact store of a plugin that fails when it is asked what is in a folder."""

    def list_artifacts(self, path=None):
        if path:
            raise ConnectionError
        return [FileInfo("MLmodel", False, 100), FileInfo("data", True, None)]

    def _download_file(self, remote_file_path, local_path):
        Path(local_path).write_text("flavors: {keras: {data: data}, python_function: {data: data/within}}")

    def log_artifact(self, local_file, artifact_path=None):
        raise NotImplementedError

    def log_artifacts(self, local_dir, artifact_path=None):
        raise NotImplementedError


async def test_a_store_that_answers_only_at_first(files):
    """What it did not show is neither there nor missing."""
    registry.register("forgetful", Forgetful)
    [found] = await files.examined(["forgetful://host/run"])
    assert (found.is_reached, found.missing, found.manifest.flavors) == (True, None, ["keras", "python_function"])


@pytest.mark.parametrize(
    ("flavors", "missing"),
    [
        ("{sklearn: {pickled_model: model.pkl, code: null}}", []),
        ("{sklearn: {pickled_model: ./model.pkl, code: }, python_function: {model_path: model.pkl}}", []),
        ("{python_function: {data: data/deep/model.bin}}", []),
        ("{python_function: {data: data/deep}}", []),
        ("{python_function: {data: data}}", []),
        ("{python_function: {data: .}}", []),
        ("{python_function: {model_code_path: /home/me/agent.py}}", []),
        ('{python_function: {model_code_path: "C:\\\\me\\\\agent.py"}}', []),
        ("{python_function: {model_code_path: gone.py}}", ["gone.py"]),
        ("{xgboost: {data: model.xgb}, python_function: {data: model.xgb}}", ["model.xgb"]),
        ("{pytorch: {model_data: empty}}", ["empty"]),
        ("{keras: {data: model.pkl/within}}", ["model.pkl/within"]),
        ("{python_function: {artifacts: {a: {path: data/b}, c: {path: data/deep}, d: e}}}", ["data/b"]),
        ("{python_function: {data: [x], code: {}, artifacts: [x]}, b: c}", []),
        ("{python_function: {data: ../elsewhere}}", None),
        ("{python_function: {data: ../elsewhere, code: code}}", ["code"]),
        ("{python_function: {data: out}}", ["out"]),
        ("{python_function: {data: out/model.bin}}", None),
    ],
)
async def test_the_parts_of_a_model(files, tmp_path, flavors, missing):
    """Files and folders that MLmodel names; outside of the model's own folder nothing is looked at."""
    location = tmp_path / "kept"
    (location / "data" / "deep").mkdir(parents=True)
    (location / "empty").mkdir()
    for path in ("data/deep/model.bin", "model.pkl", "agent.py"):
        (location / path).touch()
    write(str(location), MLmodel=f"flavors: {flavors}")
    (tmp_path / "elsewhere").mkdir()
    (location / "out").symlink_to(tmp_path / "elsewhere")

    [found] = await files.examined([str(location)])
    assert (found.is_reached, found.missing) == (True, missing)


async def test_a_model_of_very_many_parts(files, location):
    """The first hundred are looked at."""
    artifacts = {str(n): {"path": f"{n}/{n}"} for n in range(120)}
    write(location, MLmodel=yaml.safe_dump({"flavors": {"python_function": {"artifacts": artifacts}}}))
    [found] = await files.examined([location])
    assert len(found.missing) == 100


@pytest.mark.parametrize(
    ("env", "written", "unread"),
    [
        (
            "{conda: conda.yaml, virtualenv: python_env.yaml}",
            {"conda_yaml": "a: b", "python_env_yaml": "python: 3"},
            [],
        ),
        ("{conda: conda.yaml, virtualenv: python_env.yaml}", {"conda_yaml": "a: b"}, ["python_env.yaml"]),
        ("conda.yaml", {"requirements_txt": "a"}, ["conda.yaml"]),
        ("conda.yaml", {"conda_yaml": "a: b"}, []),
        ("other.yaml", {"conda_yaml": "a: b", "requirements_txt": b"\xff"}, ["requirements.txt"]),
        (
            "{virtualenv: python_env.yaml}",
            {"python_env_yaml": "dependencies: [x, -r requirements.txt]"},
            ["requirements.txt"],
        ),
        ("[5]", {}, ["requirements.txt", "conda.yaml", "python_env.yaml"]),
    ],
)
async def test_the_files_of_an_environment(files, location, env, written, unread):
    """Those that MLmodel names, those that they name, and those that are there anyway."""
    write(location, MLmodel=f"flavors: {{python_function: {{env: {env}}}}}", **written)
    [found] = await files.examined([location])
    assert found.unread == unread
