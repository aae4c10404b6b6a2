"""All files below folders of artifact stores, and what tells their contents apart."""

from hashlib import sha256

import pytest

from lineage_api.store import artifact_trees
from lineage_api.store.artifact_places import File
from lineage_api.store.artifact_trees import trees
from lineage_api.store.artifacts import Artifacts


@pytest.fixture
def artifacts(tmp_path):
    opened = Artifacts(artifacts_destination=str(tmp_path / "served"), time_limit_s=10, only_own=False)
    yield opened
    opened.close()


@pytest.fixture
def root(tmp_path):
    """A folder with files in folders."""
    for path in ("a.txt", "deep/er/b.txt", "deep/c.txt"):
        (tmp_path / "run" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / path).write_text(path)
    return tmp_path / "run"


async def sizes(artifacts, *roots):
    """The files below roots with their sizes, and whether these are all."""
    found = await trees(artifacts, map(str, roots))
    return [({path: file.size_bytes for path, file in tree.files.items()}, tree.is_whole) for tree in found]


async def test_all_files_below_folders(artifacts, root):
    """Of several roots at once; one that is not there is empty, and one that can't be read is not reached."""
    there = ({"a.txt": 5, "deep/c.txt": 10, "deep/er/b.txt": 13}, True)
    assert await sizes(artifacts, root, f"{root}/no", root) == [there, ({}, True)]

    [tree] = await trees(artifacts, ["http://x/y"])
    assert (tree.is_reached, tree.is_whole, tree.files) == (False, False, {})


async def test_links_do_not_lead_out_or_round_for_ever(artifacts, root, tmp_path):
    """What they lead to within the root is there; where they lead round, not all can be told."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").touch()
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "in").symlink_to("deep/er")
    assert await sizes(artifacts, root) == [({"a.txt": 5, "deep/c.txt": 10, "deep/er/b.txt": 13, "in/b.txt": 13}, True)]

    (root / "deep" / "round").symlink_to("..")
    [(files, is_whole)] = await sizes(artifacts, root)
    assert not is_whole
    assert {"a.txt", "deep/er/b.txt"} <= files.keys()


async def test_more_files_than_are_looked_at(artifacts, root, monkeypatch):
    """The first ones are there, and that there are more; a folder that can't be read makes the rest less than whole."""
    monkeypatch.setattr(artifact_trees, "MOST_FILES", 2)
    assert await sizes(artifacts, root) == [({"a.txt": 5, "deep/c.txt": 10}, False)]
    monkeypatch.undo()

    (root / "back\\slash").mkdir()
    [(files, is_whole)] = await sizes(artifacts, root)
    assert (len(files), is_whole) == (3, False)


async def test_digests(artifacts, root):
    """Of what is in files; none of longer ones, of those that are not there, of those out of the root."""
    files = [File(str(root), path, False, None) for path in ("a.txt", "deep/er/b.txt", "gone", "deep", "../x")]
    assert await artifacts.digests(files, 5) == [sha256(b"a.txt").hexdigest(), *[None] * 4]


@pytest.mark.parametrize(
    ("folder", "root", "path"),
    [
        ("/runs/1/artifacts", "/runs/1/artifacts/model", "model"),
        ("file:///runs/1", "/runs/1/a//b/", "a/b"),
        ("/runs/1", "file:/runs/1", ""),
        ("/runs/1", "/runs/12", None),
        ("/runs/1/model", "/runs/1", None),
        ("s3://bucket/1/", "s3://bucket/1/model/", "model"),
        ("s3://bucket/1", "s3://other/1/model", None),
        ("mlflow-artifacts:/1", "mlflow-artifacts://host:5000/1/model", "model"),
        ("models:/m/1", "/runs/1", None),
    ],
)
def test_a_folder_within_another(artifacts, folder, root, path):
    """However each of them is written."""
    assert artifacts.path_below(folder, root) == path
