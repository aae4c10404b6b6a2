"""Which versions need a package, over all versions of the store."""

import threading
import time

import httpx
import pytest
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry as registry

from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.migrations import recording
from lineage_api.store import model_index
from lineage_api.store.artifacts import Artifacts
from lineage_api.store.engines import reading, writing
from lineage_api.store.model_files import ModelFiles
from tests.asking import Client, without_cost
from tests.changing import prompt
from tests.histories import connected
from tests.model_folders import model_folder, own
from tests.stores import filled

FOUND = "query ($filter: ModelVersionFilter) { modelVersions(filterBy: $filter) { totalCount nodes { label } } }"


@pytest.fixture
def tmp_path(tmp_path):
    """An artifact folder: nothing else is read."""
    return own(tmp_path)


OF_MODELS = """query ($filter: ModelVersionFilter) {
    registeredModels { nodes { name versions(filterBy: $filter) { totalCount nodes { version } } } }
}"""


async def index(store):
    """Reads what can be read into the index, at once."""
    with reading(store.uri).begin() as connection:
        locations = model_index.due(connection, 0)
    artifacts = Artifacts()
    found = await ModelFiles(artifacts).read(locations)
    artifacts.close()
    with writing(store.uri).begin() as connection:
        places = {place.location: place for place in model_index.taken(connection, locations, 0)}
        model_index.note(connection, [places[location] for location in locations], found, 1)


def fill(store, folder):
    """Versions around a bound, in the places that there are."""
    for name in ("a", "b", "c"):
        store.registered_model(name)
    store.version("a", source=model_folder(folder / "1", "scikit-learn==1.4.2", "numpy==1.26.4", python="3.10.4"))
    store.version("a", source=model_folder(folder / "2", "Scikit_Learn==1.5.0rc1"))
    store.version("a", source=model_folder(folder / "3", "scikit.learn==1.5", "shap==1.0"))
    store.stage("a", 3, "Production")
    store.version("b", source=model_folder(folder / "4", "scikit-learn>=1.2"))
    store.copied("a", 1, "b")
    store.stage("b", 2, "Production")
    (folder / "5").mkdir()
    (folder / "5" / "MLmodel").write_text("flavors: {sklearn: {}}")
    store.version("b", source=str(folder / "5"))
    store.version("c", source=str(folder / "not there"))
    store.version("c", source="s3://b/model")
    store.sql("UPDATE model_versions SET source = 'runs:/r/m', storage_location = '' WHERE source = 's3://b/model'")
    store.version("c", source=str(folder / "1"))
    store.client.delete_model_version("c", 3)
    prompt(store, "p")
    store.version("p", source=str(folder / "1"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def plain(request, templates, tmp_path_factory):
    """A store of which nothing is in the index."""
    folder = tmp_path_factory.mktemp("packages")
    with filled(request.param, templates, folder) as made:
        fill(made, own(folder))
        yield made


@pytest.fixture(params=["index", "files", "no tables"])
async def asking(request, plain, statements):
    """Asks a server that writes nothing: with an index, before there is one, and where there can be none."""
    if request.param == "index":
        await index(plain)
    if request.param == "no tables":
        with connected(plain) as connection:
            recording._alembic(connection, "downgrade", "a1")
    async with Client.of(plain.uri, statements, read_only=True) as made:
        yield made
    if request.param == "no tables":
        recording.begin(plain.uri)
    plain.sql("DELETE FROM lineage_model_files")
    plain.sql("DELETE FROM lineage_packages")


def package(name, specifier=None):
    return {"package": {"name": name, "specifier": specifier}}


CASES = [
    (package("scikit-learn", "<1.5"), ["a v1", "b v2"], 2),
    (package("scikit-learn", "<=1.5"), ["a v1", "a v2", "a v3", "b v2"], 2),
    (package("SCIKIT.learn", ">=1.4.2,!=1.5.0rc1"), ["a v1", "a v3", "b v2"], 2),
    (package("scikit-learn", "==1.5.0"), ["a v3"], 2),
    (package("scikit-learn"), ["a v1", "a v2", "a v3", "b v1", "b v2"], 2),
    (package("scikit-learn", " "), ["a v1", "a v2", "a v3", "b v1", "b v2"], 2),
    (package("scikit-learn", ">2"), [], 2),
    (package("none"), [], 2),
    (package("Python", "<3.11"), ["a v1", "b v2"], 2),
    ({**package("scikit-learn", "<1.5"), "stages": ["PRODUCTION"]}, ["b v2"], 0),
    ({**package("scikit-learn", "<1.5"), "models": ["b", "c"]}, ["b v2"], 2),
    ({**package("scikit-learn"), "models": ["c"]}, [], 2),
    ({"or": [package("shap"), package("numpy", "==1.26.*")]}, ["a v1", "a v3", "b v2"], 2),
    ({"not": package("scikit-learn", "<1.5")}, ["a v2", "a v3", "b v1", "b v3", "c v1", "c v2"], 2),
    ({"models": ["a"], "not": {"or": [package("shap"), package("numpy")]}}, ["a v2"], 0),
    ({**package("scikit-learn"), "not": package("shap")}, ["a v1", "a v2", "b v1", "b v2"], 2),
]


async def test_the_versions_that_need_a_package(asking, statements):
    """Found and counted, whether their files are in the index or not; and said of how many nobody knows."""
    for filter_by, labels, unread in CASES:
        answer = await asking.answer(FOUND, filter=filter_by)

        found = answer["data"]["modelVersions"]
        assert (sorted(node["label"] for node in found["nodes"]), found["totalCount"]) == (labels, len(labels))
        assert answer["extensions"]["packages"] == {"unread": unread}, filter_by
        # What is unread, which versions of packages there are, the page, and how many there are.
        assert len(statements) == 4


async def test_the_versions_of_each_registered_model(asking, statements):
    """The same in pages of many parents: only their own versions are looked at, in as many statements as for one."""
    for names, unread in ((["a"], 0), (["a", "b", "c"], 2)):
        of = "" if len(names) > 1 else '(filterBy: {nameContains: "a"})'
        answer = await asking.answer(
            OF_MODELS.replace("registeredModels", f"registeredModels{of}"), filter=package("scikit-learn", "<1.5")
        )

        found = {"a": [1], "b": [2], "c": []}
        assert answer["data"]["registeredModels"]["nodes"] == [
            {
                "name": name,
                "versions": {"totalCount": len(found[name]), "nodes": [{"version": v} for v in found[name]]},
            }
            for name in names
        ]
        assert answer["extensions"]["packages"] == {"unread": unread}
        assert len(statements) == 5


async def test_pages(asking):
    """One after the other, each with what is unread; versions that several fields meet are counted once."""
    query = """query ($after: String) {
        modelVersions(first: 2, after: $after, filterBy: {package: {name: "scikit-learn"}}) {
            nodes { label } pageInfo { hasNextPage endCursor }
        }
        others: modelVersions(first: 1, filterBy: {models: ["c"], package: {name: "shap"}}) { nodes { label } }
    }"""
    labels, after, has_next = [], None, True
    while has_next:
        answer = await asking.answer(query, after=after)
        assert answer["extensions"]["packages"] == {"unread": 2}
        page = answer["data"]["modelVersions"]
        labels += [node["label"] for node in page["nodes"]]
        has_next, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]

    assert sorted(labels) == ["a v1", "a v2", "a v3", "b v1", "b v2"]


async def test_without_a_package_nothing_is_said_of_files(asking, plain, statements):
    """Nor looked at."""
    answer = await asking.answer(FOUND, filter={"models": ["c"], "not": {"stages": ["STAGING"]}})

    assert without_cost(answer) == {
        "data": {"modelVersions": {"totalCount": 2, "nodes": [{"label": "c v2"}, {"label": "c v1"}]}}
    }
    assert len(statements) == (1 if plain.kind == "postgresql" else 2)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (
            {"name": "numpy", "specifier": "1.5"},
            "`specifier` must be a version specifier as in PEP 440, such as `<1.5` or `>=1.3,!=1.4.2`, not '1.5'.",
        ),
        ({"name": "numpy\0"}, "`name` must be the name of a package, such as `scikit-learn`, not 'numpy\\x00'."),
        ({"name": ""}, "`name` must be the name of a package, such as `scikit-learn`, not ''."),
    ],
)
@pytest.mark.parametrize("asking", ["files"], indirect=True)
async def test_a_condition_that_makes_no_sense(asking, condition, said):
    """The error says what would, also where nothing could meet the filter."""
    for filter_by in ({"package": condition}, {"or": [{"not": {"package": condition}}]}):
        error = await asking.refused(FOUND, filter=filter_by)
        assert (error["message"], error["extensions"]["code"]) == (said, "BAD_USER_INPUT")
    asked = '{ modelVersions(first: 0, filterBy: {package: {name: "numpy"}}) { totalCount } experiment { name } }'
    assert (await asking.refused(asked))["message"] == "`first` must be between 1 and 100, not 0."
    nul = {"not": {"aliases": ["\0"]}, "package": {"name": "numpy"}}
    assert (await asking.refused(FOUND, filter=nul))["message"] == "A text must not contain the character NUL."
    query = """query ($filter: ModelVersionFilter) {
        registeredModels(filterBy: {nameContains: "nobody"}) { nodes { versions(filterBy: $filter) { totalCount } } }
    }"""
    assert await asking.ask(query, filter={"package": condition}) == {"registeredModels": {"nodes": []}}


COPIED = """INSERT INTO model_versions (workspace, name, version, creation_time, current_stage, source, status,
    storage_location) SELECT workspace, name, :version, creation_time, current_stage, source, status, :location
    FROM model_versions WHERE version = 1"""


async def test_what_one_and_fifty_versions_cost(store, tmp_path, statements):
    """The same number of statements, with and without an index."""

    async def found(client):
        answer = (await client.ask(FOUND, filter=package("numpy", "<2")))["modelVersions"]
        return answer["totalCount"], len(statements)

    store.registered_model("m")
    store.version("m", source=model_folder(tmp_path / "1", "numpy==1.0"))
    async with Client.of(store.uri, statements, read_only=True) as client:
        assert await found(client) == (1, 4)
        for number in range(2, 51):
            store.sql(COPIED, version=number, location=model_folder(tmp_path / str(number), "numpy==1.0"))
        assert await found(client) == (50, 4)
        await index(store)
        assert await found(client) == (50, 4)


async def test_what_is_indexed_while_a_question_is_answered(store, tmp_path):
    """No version is missed because it went into the index between two statements."""
    store.registered_model("m")
    location = model_folder(tmp_path / "1", "numpy==1.0")
    store.version("m", source=location)
    done = []

    def write(statement):
        if "lineage_packages" in statement and not done:
            done.append(statement)
            store.sql("INSERT INTO lineage_model_files VALUES (1, :at, 1, 0, 0)", at=location)
            store.sql("INSERT INTO lineage_packages VALUES (1, 0, 'numpy', '1.0')")

    app = create_app(Settings(backend_store_uri=store.uri, read_only=True), observe=write)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
    ):
        for _ in range(2):
            asked = {"query": FOUND, "variables": {"filter": package("numpy", "<2")}}
            answer = (await http.post("/graphql", json=asked)).json()
            found = {"totalCount": 1, "nodes": [{"label": "m v1"}]}
            assert without_cost(answer) == {"data": {"modelVersions": found}, "extensions": {"packages": {"unread": 0}}}
    assert done


async def test_versions_that_came_of_a_dataset(store, client, tmp_path):
    """Those of them that need the package; of others nothing is read."""
    run_id = store.run(store.experiment("e"))
    store.dataset(run_id, "flights", "d1")
    store.registered_model("m")
    store.version("m", source=model_folder(tmp_path / "1", "numpy==1.0"), run_id=run_id)
    store.version("m", source=model_folder(tmp_path / "2", "numpy==2.0"), run_id=run_id)
    store.version("m", source=str(tmp_path / "3"), run_id=run_id)
    store.version("m", source=model_folder(tmp_path / "4", "numpy==1.0"))
    store.version("m", source=str(tmp_path / "5"))
    query = """query ($filter: ModelVersionFilter) {
        datasets { nodes { modelVersions(filterBy: $filter) { totalCount nodes { label } } } }
    }"""

    answer = await client.answer(query, filter=package("numpy", "<2"))

    versions = {"totalCount": 1, "nodes": [{"label": "m v1"}]}
    assert answer["data"] == {"datasets": {"nodes": [{"modelVersions": versions}]}}
    assert answer["extensions"]["packages"] == {"unread": 1}


class Hanging(ArtifactRepository):
    """An artifact store that does not answer."""

    end = threading.Event()

    def list_artifacts(self, path=None):
        self.end.wait(30)
        return []

    def _download_file(self, remote_file_path, local_path):
        raise NotImplementedError

    log_artifact = log_artifacts = _download_file


async def test_an_artifact_store_that_is_down(store, tmp_path, statements):
    """It costs one answer the time limit at most; what is elsewhere is found, and the rest is counted."""
    registry.register("hanging", Hanging)
    Hanging.end = threading.Event()
    store.registered_model("m")
    store.version("m", source=model_folder(tmp_path / "1", "numpy==1.0"))
    for number in range(3):
        store.version("m", source=f"hanging://bucket/{number}")
    try:
        app = create_app(Settings(backend_store_uri=store.uri, read_only=True, artifact_time_limit_s=0.5))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
        ):
            for limit_s in (2, 0.5):
                begun = time.monotonic()
                asked = {"query": FOUND, "variables": {"filter": package("numpy", "<2")}}
                answer = (await http.post("/graphql", json=asked)).json()
                found = {"totalCount": 1, "nodes": [{"label": "m v1"}]}
                assert without_cost(answer) == {
                    "data": {"modelVersions": found},
                    "extensions": {"packages": {"unread": 3}},
                }
                assert time.monotonic() - begun < limit_s
    finally:
        Hanging.end.set()
