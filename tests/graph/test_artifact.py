"""Artifacts of runs, logged models and versions."""

from pathlib import Path

import pytest

FILES = {
    "MLmodel": b"flavors: {}\n",
    "data/a.txt": "Größe 🚲".encode(),
    "data/b.bin": b"\xff\x00",
    "data/deep/er/c.csv": b"x,y\n1,2\n",
    "empty.txt": b"",
}


def write(folder, files):
    for path, content in files.items():
        file = Path(folder, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


@pytest.fixture
def settings():
    """Folders in folders may hold more than may be asked for."""
    return {"max_cost": 10**15}


@pytest.fixture
def model(store):
    """A logged model with FILES; it is also version 1 of `m`."""
    made = store.logged_model(store.experiment("e"))
    write(made.artifact_location, FILES)
    store.registered_model("m")
    store.version("m", model_id=made.model_id)
    return made


async def listed(client, fields="path", **arguments):
    """The artifacts of version 1 of `m`."""
    query = 'query ($path: String! = "", $first: Int! = 100) {'
    query += ' modelVersion(ref: {model: "m", version: 1}) { artifacts(path: $path, first: $first) { %s } } }'
    return (await client.ask(query % fields, **arguments))["modelVersion"]["artifacts"]


async def test_the_fields_of_artifacts(client, model):
    """By path: folders have no size, and only texts have a text."""
    assert await listed(client, "__typename path name isFolder sizeBytes text", path="data") == [
        {
            "__typename": "Artifact",
            "path": "data/a.txt",
            "name": "a.txt",
            "isFolder": False,
            "sizeBytes": 12,
            "text": "Größe 🚲",
        },
        {
            "__typename": "Artifact",
            "path": "data/b.bin",
            "name": "b.bin",
            "isFolder": False,
            "sizeBytes": 2,
            "text": None,
        },
        {
            "__typename": "Artifact",
            "path": "data/deep",
            "name": "deep",
            "isFolder": True,
            "sizeBytes": None,
            "text": None,
        },
    ]


async def test_the_artifacts_of_each_owner(store, client, model):
    """A run has its own; a logged model and its version share theirs."""
    run = store.run("1")
    write(store.client.get_run(run).info.artifact_uri, {"plot.png": b"png"})

    query = """query ($run: String!, $model: String!) {
        run(runId: $run) { artifacts { path } }
        loggedModel(modelId: $model) { artifacts { path } }
        modelVersion(ref: {model: "m", version: 1}) { artifacts { path } }
    }"""
    answer = await client.ask(query, run=run, model=model.model_id)

    shared = {"artifacts": [{"path": "MLmodel"}, {"path": "data"}, {"path": "empty.txt"}]}
    own = {"artifacts": [{"path": "plot.png"}]}
    assert answer == {"run": own, "loggedModel": shared, "modelVersion": shared}


async def test_folders_in_folders(client, model):
    """Each level of a folder is asked for by name; a file has nothing in it."""
    tree = "path children { path children { path children { path children { path text } } } }"

    deep = {"path": "data/deep/er", "children": [{"path": "data/deep/er/c.csv", "children": []}]}
    data = [{"path": path, "children": []} for path in ("data/a.txt", "data/b.bin")]
    assert await listed(client, tree) == [
        {"path": "MLmodel", "children": []},
        {"path": "data", "children": [*data, {"path": "data/deep", "children": [deep]}]},
        {"path": "empty.txt", "children": []},
    ]


async def test_a_run_without_artifacts(store, client):
    """It has an empty folder, though MLflow makes none before something is logged."""
    store.run(store.experiment("e"))

    answer = await client.ask('{ runs { nodes { artifacts { path } nowhere: artifacts(path: "no/such") { path } } } }')

    assert answer == {"runs": {"nodes": [{"artifacts": [], "nowhere": []}]}}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("data/", ["data/a.txt", "data/b.bin", "data/deep"]),
        ("./data//deep/.", ["data/deep/er"]),
        ("data/a.txt", []),
        ("DATA", []),
        ("..", None),
        ("data/../..", None),
        ("data/..", None),
        ("%2e%2e", None),
        ("%252e%252e/x", None),
        ("/etc", None),
        ("data\\..", None),
        ("data\0", None),
    ],
)
async def test_the_path_of_a_folder(client, model, path, found):
    """It leads down from the owner's folder; what could lead out of it is answered by null."""
    answer = await listed(client, path=path)

    assert answer == (None if found is None else [{"path": each} for each in found])


async def test_a_link_out_of_the_folder(client, model, tmp_path):
    """It is not listed, and what is behind it is not told."""
    write(tmp_path / "secret", {"key.txt": b"secret"})
    (Path(model.artifact_location) / "data" / "link").symlink_to(tmp_path / "secret")

    assert "data/link" not in str(await listed(client, path="data"))
    assert await listed(client, "path text", path="data/link") is None


@pytest.mark.parametrize(
    ("most", "text"),
    [(1, "G"), (2, "Gr"), (3, "Gr"), (4, "Grö"), (8, "Größe "), (11, "Größe "), (12, "Größe 🚲"), (2**20, "Größe 🚲")],
)
async def test_the_beginning_of_a_text(client, model, most, text):
    """So many bytes at most, cut between two characters."""
    a, *_ = await listed(client, f"text(maxBytes: {most})", path="data")

    assert a == {"text": text}


@pytest.mark.parametrize("size", [1, 2, 1000])
async def test_the_first_artifacts(client, model, size):
    """By name, so many of each folder at most."""
    answer = await listed(client, f"path children(first: {size}) {{ path }}", first=size)

    children = [{"path": path} for path in ("data/a.txt", "data/b.bin", "data/deep")]
    every = [
        {"path": "MLmodel", "children": []},
        {"path": "data", "children": children[:size]},
        {"path": "empty.txt", "children": []},
    ]
    assert answer == every[:size]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("artifacts(first: 0) { path }", "`first` must be between 1 and 1000, not 0."),
        ("artifacts(first: 1001) { path }", "`first` must be between 1 and 1000, not 1001."),
        ('artifacts(path: "empty.txt", first: -1) { path }', "`first` must be between 1 and 1000, not -1."),
        ("artifacts(first: 1) { text(maxBytes: 0) }", "`maxBytes` must be between 1 and 1048576, not 0."),
        ("artifacts(first: 1) { text(maxBytes: 1048577) }", "`maxBytes` must be between 1 and 1048576, not 1048577."),
        ("artifacts(first: 1) { children(first: 1001) { path } }", "`first` must be between 1 and 1000, not 1001."),
    ],
)
async def test_a_size_out_of_range(client, model, fields, message):
    """It is refused, also where there is nothing to read."""
    error = await client.refused(f'{{ modelVersion(ref: {{model: "m", version: 1}}) {{ {fields} }} }}')

    assert error["message"] == message
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_what_artifacts_cost(client, model, statements):
    """Folders and files are read without a word to the database."""
    await listed(client, "path text children { path text children { path } }")

    assert len(statements) == 1


async def test_versions_at_any_place(store, client, tmp_path):
    """Which MLflow's store takes, and its server then serves: nothing is read there, nor said of what is there."""
    write(tmp_path / "somewhere", FILES)
    store.registered_model("m")
    for source in (str(tmp_path / "somewhere"), f"file://{tmp_path}/somewhere", "/etc"):
        store.version("m", source=source)
    found = await client.ask("{ modelVersions { nodes { artifactUri artifacts { path text } manifest { flavors } } } }")
    nodes = found["modelVersions"]["nodes"]
    assert [node["artifacts"] for node in nodes] == [None] * 3
    assert [node["manifest"] for node in nodes] == [None] * 3
    assert "/etc" in {node["artifactUri"] for node in nodes}
