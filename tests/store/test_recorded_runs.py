"""What MLflow recorded of runs."""

import math

import pytest

from lineage_api.store.reading import database_of
from lineage_api.store.recorded_runs import DATASETS, EVERYTHING, Code, Dataset, recorded_runs


@pytest.fixture
async def read(store, statements):
    """Reads what was recorded of runs, and what it cost."""
    database = database_of(store.uri, statements.append)
    await database.open()

    async def read(*run_ids, parts=EVERYTHING):
        statements.clear()
        snapshot = database.snapshot()
        try:
            return await recorded_runs(snapshot, run_ids, parts)
        finally:
            await snapshot.close()

    yield read
    await database.close()


async def test_all_that_was_recorded_of_a_run(store, read):
    """Parameters, metrics, tags, datasets, times, code."""
    id_ = store.run(
        "0", "first", start=1_000, end=3_500, params={"lr": 0.1}, metrics={"rmse": math.nan, "r2": 0.5},
        tags={"team": "ops", "mlflow.source.git.commit": "abc", "mlflow.source.git.dirty": "True"},
    )  # fmt: skip
    store.dataset(id_, "b", "2", None)
    store.dataset(id_, "a", "1", "training")

    [run] = (await read(id_)).values()

    assert (run.run_id, run.name, run.started_at, run.ended_at, run.duration) == (id_, "first", 1_000, 3_500, 2.5)
    assert run.artifact_uri == store.client.get_run(id_).info.artifact_uri
    assert run.params == {"lr": "0.1"}
    assert run.metrics == {"rmse": "NaN", "r2": "0.5"}
    assert run.tags["team"] == "ops"
    assert run.code == Code(commit="abc", is_dirty=True)
    source = '{"url": "data.csv"}'
    assert run.datasets == [
        Dataset("a", "1", "training", "local", source), Dataset("b", "2", None, "local", source)
    ]  # fmt: skip
    assert not run.is_deleted


async def test_what_is_not_there_is_left_out(store, read):
    """And a run in the trash says so."""
    id_ = store.run("0")
    store.client.delete_run(id_)

    found = await read(id_, "f" * 32)

    assert {run.run_id: run.is_deleted for run in found.values()} == {id_: True}
    assert await read() == {}


async def test_a_statement_for_each_kind_of_thing(store, read, statements):
    """However many runs there are; and only for what is asked for."""
    ids = [store.run("0", params={"n": n}) for n in range(5)]

    await read(ids[0])
    assert len(statements) == 5
    await read(*ids)
    assert len(statements) == 5
    found = await read(*ids, parts=[DATASETS])
    assert len(statements) == 2
    assert found[ids[0]].params == {}


def test_code_that_nobody_recorded():
    """Empty tags say nothing."""
    assert not Code.of({"mlflow.source.name": "", "other": "x"})
    assert Code.of({"mlflow.source.name": "train.py"})
