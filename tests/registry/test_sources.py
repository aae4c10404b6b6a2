"""What a version may be registered from, and what it then says of it."""

import os
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy.orm import Session

from lineage_api.registry import places, sources
from lineage_api.registry.reasons import Invalid, NotFound, Refused
from lineage_api.registry.sources import Origin
from tests.stores import filled

GONE = "f" * 32


@pytest.fixture
def connection(store):
    """A connection to the store's database."""
    with engine(store).connect() as connection:
        yield connection


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def attacked(request, templates, tmp_path_factory):
    """A connection to a store, a run in it, and the folder of its artifacts, for tests that change nothing."""
    with filled(request.param, templates, tmp_path_factory.mktemp("attacked")) as store:
        run = store.run(store.experiment("local"))
        with engine(store).connect() as connection:
            yield connection, run, root(store, run)


def engine(store):
    """What connects to a store's database, and keeps no connection."""
    return sqlalchemy.create_engine(store.uri, poolclass=sqlalchemy.NullPool)


@pytest.fixture
def run(store):
    """A run whose artifacts are in a folder on this machine."""
    id_ = store.run(store.experiment("local"))
    Path(store.client.get_run(id_).info.artifact_uri, "model").mkdir(parents=True)
    return id_


def root(store, run):
    """Where a run's artifacts are."""
    return store.client.get_run(run).info.artifact_uri


def refusal(of, *values):
    """The one reason for which a source is refused."""
    with pytest.raises(Refused) as refused:
        of(*values)
    [reason] = refused.value.reasons
    return reason


def as_mlflow(store, uri, name="m"):
    """Source, place of the files and run in the row that MLflow's client leaves of a version."""
    version = store.registered(uri, name)
    statement = "SELECT source, storage_location, run_id FROM model_versions WHERE name = :name AND version = :version"
    with engine(store).connect() as connection:
        return tuple(connection.execute(sqlalchemy.text(statement), {"name": name, "version": version}).one())


def as_ours(origin):
    """The same of an origin."""
    return origin.source, origin.storage_location, origin.run_id


def elsewhere(store, place):
    """A run of an experiment whose artifacts are at another place."""
    return store.run(store.client.create_experiment(place, artifact_location=place))


def test_a_logged_model(store, connection, run):
    """Its version says what MLflow's client makes it say."""
    model = store.logged_model("1", "m", run)
    alone = store.logged_model("1", "n")

    origin = sources.of_logged_model(connection, model.model_id)

    assert origin == Origin(f"models:/{model.model_id}", model.artifact_location, run, model.model_id)
    assert sources.of_source(connection, f"models:/{model.model_id}") == origin
    assert as_ours(origin) == as_mlflow(store, f"models:/{model.model_id}")
    assert sources.of_logged_model(connection, alone.model_id).run_id is None


def test_a_session_does_as_well(store, run):
    """Whatever executes statements."""
    model = store.logged_model("1", "m", run)

    with Session(engine(store)) as session:
        assert sources.of_logged_model(session, model.model_id).run_id == run


@pytest.mark.parametrize(
    ("change", "state"),
    [("status = 1", "still PENDING"), ("status = 3", "FAILED"), ("status = 0", "in an unknown state")],
)
def test_a_logged_model_that_is_not_ready(store, connection, run, change, state):
    """Whichever way it is named."""
    model = store.logged_model("1", "m", run)
    store.sql(f"UPDATE logged_models SET {change}")
    message = f"The logged model {model.model_id} is {state}; register one that is READY."

    assert refusal(sources.of_logged_model, connection, model.model_id) == Invalid(message, ("loggedModelId",))
    assert refusal(sources.of_run, connection, run, "m") == Invalid(message, ("artifactPath",))
    for source in (f"models:/{model.model_id}", f"runs:/{run}/m", model.artifact_location):
        assert refusal(sources.of_source, connection, source) == Invalid(message, ("source",))


def test_a_logged_model_that_is_not_there(store, connection, run):
    """Never was, was deleted, or is another workspace's."""
    models = [store.logged_model("1", "m", run).model_id, store.logged_model(store.experiment("other")).model_id]
    store.client.delete_logged_model(models[0])
    store.sql("UPDATE experiments SET workspace = 'other' WHERE name = 'other'")

    for model in (*models, f"m-{GONE}", "", "x" * 1_000):
        shown = repr(model) if len(model) < 41 else f"'{'x' * 40}'…"
        reason = NotFound(f"There is no logged model {shown}.", ("loggedModelId",))
        assert refusal(sources.of_logged_model, connection, model) == reason
    assert refusal(sources.of_source, connection, f"models:/m-{GONE}") == NotFound(
        f"There is no logged model 'm-{GONE}'.", ("source",)
    )


def test_a_folder_of_a_run(store, connection, run):
    """Its version says what MLflow's client makes it say, where the folder has a model."""
    Path(root(store, run), "model", "MLmodel").touch()

    origin = sources.of_run(connection, run, "model")

    place = f"{store.artifacts}/local/{run}/artifacts/model"
    assert origin == Origin(place, place, run, None)
    assert sources.of_source(connection, f"runs:/{run}/model") == origin
    assert as_ours(origin) == as_mlflow(store, f"runs:/{run}/model")


def test_a_folder_of_a_run_with_a_file_uri(store, connection, tmp_path):
    """The same for artifacts that are named by a URI, with what it encodes."""
    run = elsewhere(store, (tmp_path / "a b").as_uri())
    folder = tmp_path / "a b" / run / "artifacts" / "deep" / "model"
    folder.mkdir(parents=True)
    (folder / "MLmodel").touch()

    origin = sources.of_run(connection, run, "deep/model")

    place = f"file://{tmp_path}/a%20b/{run}/artifacts/deep/model"
    assert origin == Origin(place, place, run, None)
    assert as_ours(origin) == as_mlflow(store, f"runs:/{run}/deep/model")
    assert sources.of_source(connection, str(folder)) == origin
    assert sources.of_source(connection, place) == origin


def test_the_logged_model_of_a_run_by_name(store, connection, run):
    """As MLflow's client finds it; of several the newest that is ready."""
    model = store.logged_model("1", "model", run)
    origin = sources.of_run(connection, run, "model")
    alike = as_mlflow(store, f"runs:/{run}/model")
    newest = store.logged_model("1", "model", run)
    pending = store.client.create_logged_model("1", "model", source_run_id=run)
    for second, id_ in enumerate((model.model_id, newest.model_id, pending.model_id)):
        store.sql("UPDATE logged_models SET creation_timestamp_ms = :t WHERE model_id = :id", t=second, id=id_)

    assert origin == Origin(f"models:/{model.model_id}", model.artifact_location, run, model.model_id)
    assert as_ours(origin) == alike
    assert sources.of_run(connection, run, "model").model_id == newest.model_id
    assert sources.of_source(connection, f"runs:/{run}/model").model_id == newest.model_id


@pytest.mark.parametrize(
    "root",
    [
        *["s3://b", "s3://b/", "s3://b/0/r/artifacts", "s3://b/a?x=1", "file:///a/b", "file:///a%20b", "/a/b", "/a/b/"],
        *["mlflow-artifacts:/0/r/artifacts", "mlflow-artifacts://h:5000/0/r", "dbfs:/a", "hdfs://h:8020/a", "/a?b#c"],
    ],
)
def test_a_folder_is_spelled_as_by_mlflow(root):
    """Whatever the artifact root of the run."""
    from mlflow.utils.uri import append_to_uri_path

    for path in ("model", "deep/model", "ä b", "a;b", "a%20b"):
        assert places.below(root, path) == append_to_uri_path(root, path)


def test_a_run_that_is_not_there(store, connection, run):
    """Never was, is another workspace's, or has no artifacts; one in the trash has to be restored first."""
    other, bare = store.run(store.experiment("other")), store.run("1")
    store.sql("UPDATE experiments SET workspace = 'other' WHERE name = 'other'")
    store.sql("UPDATE runs SET artifact_uri = NULL WHERE run_uuid = :run", run=bare)
    place = f"{root(store, run)}/model"
    store.client.delete_run(run)
    trash = f"The run {run} is in the trash; restore it first."

    for id_ in (GONE, other):
        assert refusal(sources.of_run, connection, id_, "model") == NotFound(f"There is no run '{id_}'.", ("runId",))
    assert refusal(sources.of_run, connection, bare, "model") == Invalid(
        f"The run {bare} has no artifact folder.", ("runId",)
    )
    assert refusal(sources.of_run, connection, run, "model") == Invalid(trash, ("runId",))
    for source in (f"runs:/{run}/model", place):
        assert refusal(sources.of_source, connection, source) == Invalid(trash, ("source",))


@pytest.mark.parametrize(
    "path",
    [
        *[
            "",
            "/",
            "/etc",
            "//etc",
            ".",
            "..",
            "../x",
            "a/..",
            "a/../b",
            "./a",
            "a//b",
            "a/",
            "%2e%2e/x",
            "a\0",
            "a%00",
        ],
        *["%252e%252e%2fx", "..%2f..%2fetc", "%2fetc", "a\\..\\b", "a%5cb", "a%255cb", "a\n", "..\t/x", ".\t./x", " a"],
        *["a%20", "a?b", "a#b", "a%23b", "file:///etc", "s3://b/x", "a\ud800", "%25" * 200, "..;/x", "a" * 480],
    ],
)
def test_a_path_that_is_none_below_the_runs_artifacts(attacked, path):
    """However it is encoded, it is refused at the field that names it."""
    connection, run, _ = attacked

    reason = refusal(sources.of_run, connection, run, path)

    assert (type(reason), reason.path) == (Invalid, ("artifactPath",))


def test_a_link_out_of_the_artifacts(store, connection, run, tmp_path):
    """One to another folder of the same run is followed, any other is not, and nothing is said of what is there."""
    folder = Path(root(store, run))
    for name, target in {
        "etc": "/etc",
        "gone": tmp_path / "gone",
        "up": "..",
        "model2": "model",
        "loop": "loop",
    }.items():
        (folder / name).symlink_to(target)
    (folder / "deep").symlink_to(os.path.relpath(tmp_path, folder))
    message = "The path leads out of the run's artifact folder."

    for path in ("etc", "etc/ssl", "gone", "up", "deep", "deep/x", "model2/%2e"):
        assert refusal(sources.of_run, connection, run, path).path == ("artifactPath",)
    assert refusal(sources.of_run, connection, run, "etc/ssl") == Invalid(message, ("artifactPath",))
    for path in ("etc", "etc/ssl", "gone", "up", "deep/x"):
        assert refusal(sources.of_source, connection, f"{folder}/{path}") == Invalid(sources._OUTSIDE, ("source",))
        assert refusal(sources.of_source, connection, f"runs:/{run}/{path}") == Invalid(message, ("source",))
    assert sources.of_run(connection, run, "model2").source == f"{folder}/model2"
    assert sources.of_source(connection, f"{folder}/model2").source == f"{folder}/model"


def test_a_place_on_this_machine(store, connection, run, tmp_path):
    """Below the folder of a run or logged model, or that folder itself, however the way there is spelled."""
    folder, model = root(store, run), store.logged_model("1", "m", run)
    (tmp_path / "link").symlink_to(store.artifacts)
    Path(folder, "größe 100%").mkdir()
    whole, part = Origin(folder, folder, run, None), Origin(f"{folder}/model", f"{folder}/model", run, None)
    logged = f"{model.artifact_location}/data"

    assert sources.of_source(connection, folder) == whole
    for source in (
        f"{folder}/model",
        f"{folder}//model/",
        f"file://{folder}/model",
        f"file://localhost{folder}/model",
        f"file:{folder}/model",
        f"FILE://{folder}/mo%64el",
        f"{tmp_path}/link/local/{run}/artifacts/model",
    ):
        assert sources.of_source(connection, source) == part
    assert sources.of_source(connection, logged) == Origin(logged, logged, run, model.model_id)
    assert sources.of_source(connection, f"{folder}/größe 100%25").source == f"{folder}/größe 100%25"


def test_a_place_at_mlflows_artifact_server(store, connection):
    """Below the folder of a run or logged model, at the same address."""
    run = elsewhere(store, "mlflow-artifacts:/7")
    model = store.logged_model("1", "m")
    there = elsewhere(store, "mlflow-artifacts://host:5000/8")
    place, logged = f"mlflow-artifacts:/7/{run}/artifacts/model", f"{model.artifact_location}/data"

    assert sources.of_source(connection, place) == Origin(place, place, run, None)
    assert sources.of_source(connection, logged) == Origin(logged, logged, None, model.model_id)
    assert sources.of_source(connection, f"mlflow-artifacts://HOST:5000/8/{there}/artifacts").run_id == there
    for source in (
        f"mlflow-artifacts://host:5000/7/{run}/artifacts/model",
        f"mlflow-artifacts://other:5000/8/{there}/artifacts",
        f"mlflow-artifacts:/8/{there}/artifacts",
        f"mlflow-artifacts:/6/{run}/artifacts",
        f"mlflow-artifacts:/x/7/{run}/artifacts",
        f"mlflow-artifacts:/7/{run}/artifacts2",
        f"mlflow-artifacts:/7/{GONE}/artifacts",
        f"/7/{run}/artifacts",
        f"s3://h/7/{run}/artifacts/../../x",
    ):
        assert refusal(sources.of_source, connection, source).path == ("source",)


@pytest.mark.parametrize(
    "source",
    [
        "s3://b",
        "s3://b/models/1",
        "S3://b/models/1",
        "gs://b/größe",
        "abfss://container@account.dfs.core.windows.net/model",
        "wasbs://container@account.blob.core.windows.net/model",
        "hdfs://h:8020/models",
        "hdfs:/models",
        "dbfs:/models",
        f"s3://b/0/{GONE}/artifacts/model",
        f"s3://b/0/models/m-{GONE}/artifacts",
    ],
)
def test_a_place_in_a_store_elsewhere(store, connection, source):
    """It needs no run."""
    assert sources.of_source(connection, source) == Origin(source, source, None, None)


def test_the_run_and_model_of_a_place_elsewhere(store, connection):
    """Found by MLflow's layout, if their folder is that one; those in the trash are not registered from there."""
    run = elsewhere(store, "s3://b/e")
    model = store.logged_model("1", "m", run)
    place, other = f"s3://b/e/{run}/artifacts/model", f"s3://other/e/{run}/artifacts/model"
    logged = f"{model.artifact_location}/data"

    assert sources.of_source(connection, place) == Origin(place, place, run, None)
    assert sources.of_source(connection, logged) == Origin(logged, logged, run, model.model_id)
    assert sources.of_source(connection, other) == Origin(other, other, None, None)
    store.client.delete_logged_model(model.model_id)
    assert refusal(sources.of_source, connection, logged) == Invalid(
        f"The logged model {model.model_id} is deleted; register one that is READY.", ("source",)
    )


def test_a_version(store, connection, run):
    """By number or alias; its origin says the number, and MLflow's client would write the same beside the run."""
    model = store.logged_model("1", "m", run)
    store.registered_model("größe @1")
    store.registered_model("m-small")
    first, second = store.version("größe @1", model_id=model.model_id), store.version("m-small", source="s3://b/x")
    store.alias("größe @1", "champion", first)
    origin = Origin("models:/größe @1/1", model.artifact_location, run, model.model_id)

    for source in ("models:/größe @1/1", "models:/größe @1/001", "models:///größe @1/1", "models:/größe @1@champion"):
        assert sources.of_source(connection, source) == origin
    assert as_ours(origin) == (*as_mlflow(store, "models:/größe @1/1", "copy")[:2], run)
    assert second == 1
    assert sources.of_source(connection, "models:/m-small/1") == Origin("models:/m-small/1", "s3://b/x", None, None)


def test_a_version_whose_origin_is_gone(store, connection, run):
    """Its run is in the trash, or it was made from `runs:/` or by an old MLflow; its files are still its own."""
    folder, model = f"{root(store, run)}/model", store.logged_model("1", "l", run)
    store.registered_model("m")
    store.version("m", run_id=run, source=folder)
    store.version("m", model_id=model.model_id)
    store.version("m", source=f"file://{folder}")
    store.version("m", source=f"runs:/{run}/model")
    store.sql("UPDATE model_versions SET storage_location = NULL WHERE version = 3")
    runs_uri = sources.of_source(connection, "models:/m/4")
    store.client.delete_run(run)
    store.client.delete_logged_model(model.model_id)

    assert runs_uri == Origin("models:/m/4", folder, run, None)
    assert [sources.of_source(connection, f"models:/m/{n}") for n in (1, 2, 3)] == [
        Origin("models:/m/1", folder, run, None),
        Origin("models:/m/2", model.artifact_location, run, model.model_id),
        Origin("models:/m/3", f"file://{folder}", run, None),
    ]
    assert refusal(sources.of_source, connection, "models:/m/4").path == ("source",)


@pytest.mark.parametrize(
    "place", ["/etc", "file:///etc", "http://169.254.169.254/latest", "", "models:/m/1", "s3://b/../x"]
)
def test_a_version_of_what_may_not_be_registered(store, connection, place):
    """MLflow took it without a look; no second version is made of it."""
    store.registered_model("m")
    store.version("m", source="s3://b/x")
    store.sql("UPDATE model_versions SET source = :place, storage_location = :place", place=place)

    reason = refusal(sources.of_source, connection, "models:/m/1")

    assert (type(reason), reason.path) == (Invalid, ("source",))
    assert reason.message.startswith("The files of that version are at a place from which none may be registered.")


def test_a_version_that_is_not_there(store, connection):
    """Never was, was deleted, or is one of a prompt."""
    store.prompt("p")
    store.registered_model("m")
    store.version("m", source="s3://b/x")
    store.client.delete_model_version("m", 1)
    missing = {
        "models:/m/1": "The model 'm' has no version 1.",
        "models:/m/2": "The model 'm' has no version 2.",
        "models:/none/1": "The model 'none' has no version 1.",
        "models:/p/1": "The model 'p' has no version 1.",
        "models:/m@champion": "The model 'm' has no alias 'champion'.",
        "models:/m/x/1": "The model 'm/x' has no version 1.",
        "models:/@a": "The model '' has no alias 'a'.",
    }

    found = {source: refusal(sources.of_source, connection, source) for source in missing}

    assert found == {source: NotFound(message, ("source",)) for source, message in missing.items()}


@pytest.mark.parametrize(
    "suffix", ["m", "m/latest", "m/Production", "m/None", "m/1x", "m/٣", "m/99999999999", "m/", ""]
)
def test_what_is_no_fixed_version(connection, suffix):
    """A stage or the latest would be another one tomorrow."""
    assert refusal(sources.of_source, connection, f"models:/{suffix}") == Invalid(
        "A version is made from a fixed version, not from a stage or the latest: write `models:/<name>/<version>` or"
        " `models:/<name>@<alias>`, and a logged model as `models:/m-<ID>`.",
        ("source",),
    )


HOSTILE = [
    *["", " ", ".", "etc", "../etc", "./model", "~/model", "C:/model", "C:\\model", "\\\\host\\share", "//host/share"],
    *["/", "/etc", "/etc/passwd", "file:///etc", "file:/etc", "file://localhost/etc", "FILE:///etc", "file:etc"],
    *["file://host/etc", "file://localhost.evil.example{root}", "file://127.0.0.1{root}", "file://u:p@localhost{root}"],
    *["//localhost{root}/model", "{root}/../../x", "{root}/..", "{root}/%2e%2e/x", "{root}/%252e%252e%252fx"],
    *["{root}/model/../../../x", "{root}/..%2f..", "{root}/%25252e%25252e/x", "{root}\\..\\x", "{root}/a%5cb"],
    *["{root}/.\t./x", "{root}/.\n./x", "{root}\r", "\x01{root}", " {root}", "{root}%20", "{root}/\0", "{root}/%00"],
    *["{root}?x", "{root}#x", "{root}%3fx", "{root}%23x", "{root}2", "{root}\ud800", "file://{root}?x=/../y"],
    *["/tmp/{run}/artifacts", "/proc/self/root{parent}", "{parent}", "{parent}/%2e", "/{run}/artifacts{root}x"],
    *["http://169.254.169.254/latest", "https://h/api/2.0/mlflow-artifacts/artifacts/x", "ftp://h/x", "HTTP://h/x"],
    *[
        "sftp://h/x",
        "data:text/plain,x",
        "javascript:x",
        "s3a://b/x",
        "sqlite:///x.db",
        "databricks",
        "x:y",
        ":",
        "://",
    ],
    *["s3://b/../../x", "s3://b/%2e%2e/x", "s3://b/a/..", "s3://b/..?x", "s3://b/x?../../y", "s3://b/..;/x", "s3:b/x"],
    *["s3://u:p@b/x", "s3://u@b/x", "s3://u%40b/x", "s3://u:p%2540b/x", "gs://b\\x", "s3:/b/x", "s3:///x", "s3:"],
    *["abfss://c:p@a.dfs.core.windows.net/x", "wasbs://a@b@c/x", "abfss:///x", "hdfs://u@h/x", "dbfs:x", "hdfs:"],
    *["s3://[b/x", "s3://b]/x", "s3://b\u2100/x", "s3://b/" + "x" * 494, "s3://b/" + "%25" * 200],
    *["mlflow-artifacts:/", "mlflow-artifacts:/x", "mlflow-artifacts://h/../../x", "mlflow-artifacts:x"],
    *["mlflow-artifacts:{root}", "mlflow-artifacts://169.254.169.254{root}", "mlflow-artifacts:/{run}/artifacts?x"],
    *["mlflow-artifacts://h/..%2f..%2fx", "mlflow-artifacts:/%2e%2e/{run}/artifacts", "mlflow-artifacts:{root}#x"],
    *["runs:", "runs:/", "runs:/{run}", "runs:/{run}/", "runs:{run}/model", "runs://{run}/model", "runs:/{run}/../x"],
    *[
        "runs://p@databricks/{run}/model",
        "runs:/{run}//etc",
        "runs:/{run}/%2e%2e/x",
        "runs:/{run}/a?b",
        "runs:/{run}/a#b",
    ],
    *[
        "models:",
        "models:/",
        "models://m/1",
        "models://p@databricks/m/1",
        "models:/m/../x",
        "models:/m/1?x",
        "models:/m/1/x",
    ],
    *["models:/x", "models:/m%2f1", "models:/m\0/1", "models:/m\\/1"],
]


@pytest.mark.parametrize("source", HOSTILE, ids=ascii)
def test_hostile_sources(attacked, source):
    """None is taken; no message names the server's folders, and each can be sent."""
    connection, run, folder = attacked
    source = source.format(root=folder, run=run, parent=Path(folder).parent)

    reason = refusal(sources.of_source, connection, source)

    assert reason.path == ("source",)
    assert isinstance(reason, Invalid)
    assert str(Path(folder).parents[2]) not in reason.message
    assert reason.message.encode()


def test_messages(connection, run):
    """They say what is wrong and what would be right."""
    messages = {
        "http://h/x": places.ALLOWED,
        "/etc": sources._OUTSIDE,
        "s3://u:p@b/x": "A source names no user and no password; leave them out.",
        "file://host/x": "A file on another machine cannot be read.",
        "/x?y": "A source of this kind has no `?` and no `#`; leave them out.",
        "s3://b/../x": "The place has a `..` in it; name the folder itself.",
        "s3://b\\x": "The place has a backslash; write `/` between folders.",
        "s3://b/x\n": "The place has a control character; leave it out.",
        "s3://b/x ": "The place begins or ends with a space; leave it out.",
        "s3://b/" + "x" * 494: "The place has more than 500 characters.",
        f"runs:/{run}": "Write a folder or model of a run as `runs:/<run ID>/<path>`.",
        f"runs:/{run}/a//b": (
            "Write the path from the run's artifact folder to the model's, such as `model` or `models/best`."
        ),
        "models://m/1": ("Write models as `models:/m-<ID>`, `models:/<name>/<version>` or `models:/<name>@<alias>`."),
    }

    found = {source: refusal(sources.of_source, connection, source).message for source in messages}

    assert found == messages


def test_the_length_is_that_of_the_columns():
    """Of which the source and the place of the files need one each."""
    from mlflow.store.model_registry.dbmodels.models import SqlModelVersion

    assert SqlModelVersion.source.type.length == places.MAX_LENGTH
    assert SqlModelVersion.storage_location.type.length == places.MAX_LENGTH


def test_files_at_a_place_that_is_too_long(store, connection, run):
    """The column of logged models is longer than that of versions."""
    model = store.logged_model("1", "m", run)
    store.sql("UPDATE logged_models SET artifact_location = :place", place="s3://b/" + "x" * 500)

    assert refusal(sources.of_logged_model, connection, model.model_id) == Invalid(
        "The place of these files has more than 500 characters; choose a shorter path.", ("loggedModelId",)
    )
