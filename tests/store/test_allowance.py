"""How long one operation waits for artifact stores, in all."""

import asyncio
import time

import pytest
from mlflow.entities import FileInfo
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry as registry

from lineage_api.store.allowance import one_operation, waiting
from lineage_api.store.artifacts import Artifacts
from tests.asking import Client, without_cost

LIMIT_S, EACH_S = 1.0, 0.4
FOLDERS = "{ path children { path children { path children { path children { path } } } } }"


class Slow(ArtifactRepository):
    """An artifact store of a plugin that takes its time, but answers; in each folder is another."""

    def list_artifacts(self, path=None):
        time.sleep(EACH_S)
        return [FileInfo(f"{path}/a" if path else "a", True, None)]

    def log_artifact(self, local_file, artifact_path=None):
        raise NotImplementedError

    def log_artifacts(self, local_dir, artifact_path=None):
        raise NotImplementedError


@pytest.fixture(autouse=True)
def slow():
    """The plugin, registered."""
    registry.register("slow", Slow)


@pytest.fixture
def artifacts():
    opened = Artifacts(time_limit_s=LIMIT_S, only_own=False)
    yield opened
    opened.close()


async def deeper(artifacts, levels):
    """Whether a store answers for each of so many folders, one after the other; and how long that takes."""
    begun = time.monotonic()
    found = [await artifacts.listings(["slow://host/x"], ["a"], 1) != [None] for _ in range(levels)]
    return found, time.monotonic() - begun


async def test_what_an_operation_waits_for_adds_up(artifacts, tmp_path):
    """Beyond the limit nothing more is asked, but for files on this machine; the next operation begins anew."""
    await deeper(artifacts, 1)  # imports what there is to import
    with one_operation():
        found, took_s = await deeper(artifacts, 6)
        assert await artifacts.listings([str(tmp_path)], [""], 1) == [[]]
    assert found == [True, True, False, False, False, False]
    assert took_s < LIMIT_S + EACH_S

    for _ in range(2):
        # A store that had too little time left is not left alone for that.
        with one_operation():
            assert (await deeper(artifacts, 1))[0] == [True]
    assert (await deeper(artifacts, 4))[0] == [True] * 4


async def test_what_is_waited_for_at_the_same_time(artifacts):
    """It counts once."""
    await deeper(artifacts, 1)
    with one_operation():
        await asyncio.gather(*(deeper(artifacts, 1) for _ in range(4)))
        with waiting(LIMIT_S) as left_s:
            assert LIMIT_S - 2 * EACH_S < left_s < LIMIT_S - EACH_S / 2


async def test_a_question_about_folders_in_folders(store):
    """It is answered within the limit; what is too deep is null, and no error."""
    store.run("0")
    store.sql("UPDATE runs SET artifact_uri = 'slow://host/x'")
    async with Client.of(store.uri, [], artifact_time_limit_s=LIMIT_S, max_cost=10**15) as client:
        query = {"query": f"{{ runs {{ nodes {{ artifacts {FOLDERS} }} }} }}"}
        begun = time.monotonic()
        answer = without_cost((await client.http.post("/graphql", json=query)).json())
        took_s = time.monotonic() - begun

    assert took_s < LIMIT_S + 0.5
    deep = {"path": "a", "children": [{"path": "a/a", "children": None}]}
    assert answer == {"data": {"runs": {"nodes": [{"artifacts": [deep]}]}}}


async def test_a_comparison_of_files_without_end(store):
    """What was not seen in time is unknown; all else is compared."""
    store.registered_model("m")
    for number in (1, 2):
        store.version("m", run_id=store.run("0", params={"n": number}), source=f"/nowhere/{'0' * 32}/artifacts")
    store.sql("UPDATE runs SET artifact_uri = 'slow://host/' || run_uuid")
    refs = ", ".join(f'{side}: {{model: "m", version: {n}}}' for side, n in (("base", 1), ("head", 2)))
    query = f"{{ compareModelVersions({refs}) {{ params {{ base head }} artifacts {{ key }} unknown }} }}"
    async with Client.of(store.uri, [], artifact_time_limit_s=LIMIT_S) as client:
        begun = time.monotonic()
        answer = without_cost((await client.http.post("/graphql", json={"query": query})).json())
        took_s = time.monotonic() - begun

    assert took_s < LIMIT_S + 0.5
    found = answer["data"]["compareModelVersions"]
    assert found["params"] == [{"base": "1", "head": "2"}]
    assert found["artifacts"] == []
    assert [line for line in found["unknown"] if line.startswith("artifacts")] == [
        "artifacts: not all files of the base could be looked at",
        "artifacts: the model of the base has no files",
        "artifacts: not all files of the head could be looked at",
        "artifacts: the model of the head has no files",
    ]
