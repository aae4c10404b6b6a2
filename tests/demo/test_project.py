"""The demo's project: what stands in its store, and that nothing else is touched."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit
from urllib.request import url2pathname

import mlflow
import pytest
from mlflow import MlflowClient

from lineage_api.demo import build, project, repository, training
from lineage_api.demo.place import APPLICATION_ID, READY, Place
from lineage_api.errors import Unsuitable

NAME = "nyc-flights-regressor"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project, what was said while it was made, and what was changed around it."""
    around = tmp_path_factory.mktemp("around")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(around)
        patch.setenv("MLFLOW_EXPERIMENT_NAME", "of the user")
        patch.setenv("PYTHONWARNINGS", "error")
        before = _state()
        folder = tmp_path_factory.mktemp("with space") / "demo"
        said, prepared = [], []
        uri = project.make(folder, progress=said.append, prepared=lambda uri: prepared.append((uri, _versions(folder))))
        after = _state()
    return SimpleNamespace(
        place=Place(folder), uri=uri, said=said, prepared=prepared, before=before, after=after, around=around
    )


@pytest.fixture
def client(made):
    return MlflowClient(tracking_uri=made.uri, registry_uri=made.uri)


@pytest.fixture
def runs(client):
    """The run of each version, by number."""
    return {number: client.get_run(client.get_model_version(NAME, number).run_id) for number in (1, 2, 3, 4)}


def _state():
    return dict(os.environ), mlflow.get_tracking_uri(), mlflow.get_registry_uri(), mlflow.active_run()


def _versions(folder):
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        return database.execute("SELECT count(*) FROM model_versions").fetchone()[0]


def _python(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )


def _path(uri):
    return Path(url2pathname(urlsplit(uri).path))


def _files(folder):
    """When each was written; those that SQLite makes for its readers are left out."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("mlflow.db-")]
    return {path: path.stat().st_mtime_ns for path in files}


def test_the_versions_stand_where_the_incident_found_them(client):
    """The forest is in Production and in trouble; boosting waits in Staging."""
    versions = [client.get_model_version(NAME, number) for number in (1, 2, 3, 4)]

    assert [version.current_stage for version in versions] == ["Archived", "Archived", "Production", "Staging"]
    assert [list(version.aliases) for version in versions] == [[], [], ["champion"], ["challenger"]]
    assert [version.tags.get("incident") for version in versions] == [None, None, "INC-7", None]
    assert [version.tags.get("validated_by") for version in versions] == ["ana", "ana", "ben", None]
    assert all(version.description for version in versions)
    assert client.get_registered_model(NAME).tags["team"] == "departures"


@pytest.mark.filterwarnings("ignore:.*type hint is inferred as AnyType:UserWarning")  # when MLflow imports pyfunc
def test_production_gives_the_errors_that_its_run_logged(made, client, runs):
    """Metrics, model and data belong together."""
    model = mlflow.pyfunc.load_model(client.get_model_version_download_uri(NAME, 3))
    _, test = training.flights(made.place.data)

    predicted = model.predict(training.features(test))

    rmse = ((predicted - test["air_time"]) ** 2).mean() ** 0.5
    assert runs[3].data.metrics["rmse"] == pytest.approx(rmse, abs=1e-6)


def test_the_error_falls_from_version_to_version(runs):
    """And boosting's error was logged while it fell."""
    errors = [run.data.metrics["rmse"] for run in runs.values()]

    assert errors == sorted(errors, reverse=True)
    assert errors == pytest.approx([11.5, 10.8, 9.8, 9.3], abs=0.1)


def test_metrics_with_several_steps(client, runs):
    """The last of boosting's steps is the error of the whole model."""
    points = client.get_metric_history(runs[4].info.run_id, "staged_rmse")

    assert [point.step for point in points] == list(range(10, 501, 10))
    assert points[-1].value == pytest.approx(runs[4].data.metrics["rmse"])
    assert "staged_rmse" not in runs[3].data.metrics


def test_models_say_what_they_are(client):
    """Signature, size and pinned requirements are in the files; the trade-off of the story is true."""
    files = [_path(client.get_model_version_download_uri(NAME, number)) for number in (1, 2, 3, 4)]
    models = [mlflow.models.Model.load(str(file)) for file in files]

    sizes = [model.model_size_bytes for model in models]
    assert sizes[2] > 300 * sizes[1]
    assert sizes[2] > 5 * sizes[3]
    assert models[0].signature.inputs.input_names()[:3] == ["origin", "dest", "carrier"]
    assert "scikit-learn==" in (files[0] / "requirements.txt").read_text()


def test_each_run_read_two_datasets(runs):
    """Of one name, in two contexts, from a file that is there."""
    for run in runs.values():
        inputs = {item.tags[0].value: item.dataset for item in run.inputs.dataset_inputs}
        assert sorted(inputs) == ["testing", "training"]
        assert {dataset.name for dataset in inputs.values()} == {"nyc-flights-2013"}
        assert Path(json.loads(inputs["training"].source)["uri"]).is_file()
        assert len({dataset.digest for dataset in inputs.values()}) == 2


def test_runs_have_a_preprocessor_and_models_the_tags_of_their_run(client, runs):
    """A logged model names the same code and the same user as its run."""
    for run in runs.values():
        assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["preprocessing.json"]
        model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
        shared = [key for key in run.data.tags if key.startswith(("mlflow.source", "mlflow.user"))]
        assert {key: model.tags[key] for key in shared} == {key: run.data.tags[key] for key in shared}
        assert len(shared) == 6


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git to read what was written without it")
def test_the_commits_are_real(made, runs, tmp_path):
    """Git clones the repository that the runs name, and finds their code and settings at their commits."""
    tags = [run.data.tags for run in runs.values()]
    url = _path(tags[0]["mlflow.source.git.repoURL"])
    for command in (["clone", "--quiet", url, tmp_path / "clone"], ["-C", tmp_path / "clone", "fsck", "--strict"]):
        subprocess.run(["git", *command], check=True, capture_output=True)

    for tag, candidate in zip(tags, training.CANDIDATES, strict=True):
        show = ["git", "-C", tmp_path / "clone", "show", f"{tag['mlflow.source.git.commit']}:candidate.json"]
        found = json.loads(subprocess.run(show, check=True, capture_output=True).stdout)
        assert found["estimator"] == candidate.estimator
    assert (tmp_path / "clone" / "train.py").read_bytes() == Path(training.__file__).read_bytes()


def test_the_same_code_has_the_same_commits_everywhere(tmp_path):
    """Nothing of the machine and of the day is in them."""
    assert repository.write(tmp_path / "a") == repository.write(tmp_path / "b")


def test_each_step_is_told(made):
    """One line for the beginning, and one for each model."""
    assert made.said[0] == f"making a project in {made.place.folder}"
    assert [line.split(" … ")[0] for line in made.said[1:]] == [
        "1/4 linear regression", "2/4 decision tree", "3/4 random forest", "4/4 gradient boosting",
    ]  # fmt: skip
    assert re.search(r"… rmse 11\.5\d minutes, 4 kB$", made.said[1])


def test_who_wants_the_whole_history_can_watch_from_the_beginning(made):
    """The tables are there, and nothing is in them."""
    assert made.prepared == [(made.uri, 0)]


def test_nothing_around_it_is_touched(made):
    """No file in the current directory; MLflow's globals and the environment as before."""
    assert made.before == made.after
    assert list(made.around.iterdir()) == []
    assert sorted(path.name for path in made.place.folder.iterdir() if "mlflow.db-" not in path.name) == [
        "artifacts", "code.git", project.MARKER, project.LOCK, "mlflow.db", "nyc-flights-2013-sample.csv.gz",
    ]  # fmt: skip


def test_all_artifacts_are_in_the_folder(made, client):
    """Also those of MLflow's Default experiment, should somebody log to it."""
    experiments = {found.name: found.artifact_location for found in client.search_experiments()}

    root = made.place.artifacts.as_uri()
    assert experiments == {"Default": f"{root}/0", build.EXPERIMENT: f"{root}/{build.EXPERIMENT}"}


def test_the_store_is_in_wal_mode(made):
    """So that readers and writers do not wait for each other."""
    with closing(sqlite3.connect(made.place.database)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_finished_project_is_found_without_mlflow(made):
    """Nothing is written, nothing is prepared again."""
    before = _files(made.place.folder)
    code = (
        "import sys; from pathlib import Path; from lineage_api.demo import project;"
        "print(project.make(Path(sys.argv[1]), prepared=exit)); print({'mlflow', 'sklearn', 'pandas'} & {*sys.modules})"
    )

    out, _ = _python(code, made.place.folder).communicate()

    assert out.splitlines() == [made.uri, "set()"]
    assert _files(made.place.folder) == before


def test_another_name_or_another_place_is_refused(made, tmp_path):
    """The artifacts are named by their full paths, so a project that was moved has lost them."""
    with pytest.raises(Unsuitable, match=f"is {NAME}: use that name"):
        project.make(made.place.folder, "another")

    moved = tmp_path / "moved"
    shutil.copytree(made.place.folder, moved, ignore=shutil.ignore_patterns("artifacts", "code.git"))
    with pytest.raises(Unsuitable, match="move it back"):
        project.make(moved)


def test_two_at_once_finish_what_was_left_unfinished(tmp_path):
    """One makes it anew, the other waits and finds it; what somebody put beside it stays."""
    folder = tmp_path / "demo"
    with pytest.raises(ZeroDivisionError):
        project.make(folder, prepared=lambda _: 1 / 0)
    assert (folder / "mlflow.db").exists()
    assert not (folder / project.MARKER).exists()
    (folder / "artifacts").mkdir()
    (folder / "artifacts" / "half").touch()
    (folder / "code.git").mkdir()
    (folder / "notes.txt").write_text("mine")
    said = []
    code = (
        "import sys; from pathlib import Path; from lineage_api.demo import project;"
        "project.make(Path(sys.argv[1]), progress=print)"
    )

    other = _python(code, folder)
    project.make(folder, progress=said.append)
    out, _ = other.communicate()

    assert other.returncode == 0
    assert sorted([len(said), len(out.splitlines())]) == [0, 5]
    assert _versions(folder) == 4
    assert not (folder / "artifacts" / "half").exists()
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_builder_whose_starter_is_gone_stops(tmp_path):
    """Else it would go on writing after its lock is free."""
    command = [sys.executable, "-m", "lineage_api.demo.build", tmp_path, NAME]

    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.split()) == (1, [READY])
    assert _versions(tmp_path) == 0


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    """Refused, and as it was."""
    (tmp_path / "mlflow.db").write_text("precious")

    with pytest.raises(Unsuitable, match="holds something else"):
        project.make(tmp_path)

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("mlflow.db", "precious")]


@pytest.mark.parametrize("content", [b"precious" * 1000, None])
def test_a_database_of_somebody_else_is_left_alone(tmp_path, content):
    """Even where an attempt of the demo was broken off: it may have come later."""
    (tmp_path / project.LOCK).touch()
    database = tmp_path / "mlflow.db"
    if content:
        database.write_bytes(content)
    else:
        with closing(sqlite3.connect(database)) as opened:
            opened.execute("CREATE TABLE precious (x)")
    before = database.read_bytes()

    with pytest.raises(Unsuitable, match="was not made by the demo"):
        project.make(tmp_path)

    assert database.read_bytes() == before


def test_artifacts_without_a_database_are_left_alone(tmp_path):
    """The demo makes the database first, so they are not its own."""
    (tmp_path / project.LOCK).touch()
    (tmp_path / "artifacts").mkdir()

    with pytest.raises(Unsuitable, match="artifacts was not made by the demo"):
        project.make(tmp_path)

    assert (tmp_path / "artifacts").is_dir()


@pytest.mark.parametrize(
    ("folder", "name", "message"),
    [
        ("a?b", NAME, "without %, . or #"),
        ("file", NAME, "is not a folder"),
        ("file/below", NAME, "cannot be made"),
        ("new", "a/b", "cannot be the name"),
        ("new", " ", "cannot be the name"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_written(tmp_path, folder, name, message):
    """In one line."""
    (tmp_path / "file").touch()

    with pytest.raises(Unsuitable, match=message):
        project.make(tmp_path / folder, name)

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    """With the line that installs it, and before anything is written."""
    monkeypatch.setattr(project, "find_spec", lambda module: None if module == "sklearn" else object())

    with pytest.raises(Unsuitable, match=r"needs sklearn: pip install 'lineage-api\[demo\]'"):
        project.make(tmp_path / "demo")

    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_held_is_not_waited_for_without_end(tmp_path, monkeypatch):
    """The other may hang."""
    monkeypatch.setattr(project, "PATIENCE_SECONDS", 0.1)
    with project._locked(Place(tmp_path)), pytest.raises(Unsuitable, match="database is locked"):
        project.make(tmp_path)


@pytest.mark.parametrize(("script", "reason"), [("exit 1", "was stopped"), ("echo why >&2; exit 1", "why")])
@pytest.mark.skipif(os.name != "posix", reason="the builder is played by a shell script")
def test_a_failure_is_told_in_a_line(tmp_path, monkeypatch, script, reason):
    """With the last thing that the builder said; all of it is in the notes."""
    builder = tmp_path / "builder"
    builder.write_text(f"#!/bin/sh\n{script}\n")
    builder.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(builder))

    with pytest.raises(Unsuitable, match=f"could not be made in .*demo: .*{reason}"):
        project.make(tmp_path / "demo")


def test_the_database_of_an_attempt_that_broke_off_at_once_is_ours(tmp_path):
    """SQLite makes an empty file first."""
    (tmp_path / "mlflow.db").touch()
    assert project._is_ours(tmp_path / "mlflow.db")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    assert project._is_ours(tmp_path / "mlflow.db")
