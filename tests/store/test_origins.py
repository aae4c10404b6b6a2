"""Where model versions come from."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from lineage_api.engine.sql import Statement
from lineage_api.store import origins, tables
from lineage_api.store.reading import database_of

RUN, OTHER = "a" * 32, "b" * 32
MODEL, GONE = "m-" + "1" * 32, "m-" + "2" * 32

ORIGINS = [
    # source, storage_location, run_id: the run, the logged model
    (f"models:/{MODEL}", f"/e/models/{MODEL}/artifacts", RUN, RUN, MODEL),
    (f"models:/{MODEL}", f"/e/models/{MODEL}/artifacts", None, OTHER, MODEL),
    (f"models:/{MODEL}", None, None, OTHER, MODEL),
    (f"models:/{GONE}", None, None, None, GONE),
    ("models:/n/1", f"/e/models/{MODEL}/artifacts", None, OTHER, MODEL),
    ("models:/n/1", f"/e/{RUN}/artifacts/model", None, RUN, None),
    ("models:/n/1", None, RUN, RUN, None),
    ("models:/m-small/1", f"/e/models/{MODEL}/artifacts", None, OTHER, MODEL),
    (f"models:/{MODEL}/1", "s3://b/somewhere", RUN, RUN, None),
    (f"runs:/{RUN}/model", f"runs:/{RUN}/model", None, RUN, None),
    (f"runs:/{RUN}", None, None, RUN, None),
    (f"runs:/{RUN}/model", f"runs:/{RUN}/model", OTHER, OTHER, None),
    (f"s3://b/0/{RUN}/artifacts/model", f"s3://b/0/{RUN}/artifacts/model", "", RUN, None),
    (f"s3://b/0/{RUN}/artifacts/model", None, None, RUN, None),
    (f"mlflow-artifacts:/1/models/{MODEL}/artifacts", None, None, OTHER, MODEL),
    ("s3://b/folder", "s3://b/folder", None, None, None),
    ("s3://b/folder", "s3://b/folder", "0" * 32, "0" * 32, None),
    ("", "", "", None, None),
    (None, None, None, None, None),
]


async def origins_in(store):
    """Number, run and logged model of each version."""
    columns = tables.model_versions.c.version, origins.run_id, origins.model_id
    database = database_of(store.uri)
    await database.open()
    snapshot = database.snapshot()
    rows = snapshot.fetch(Statement.of(select(*columns).order_by(columns[0]), snapshot.dialect), {})
    found = [tuple(row) for row in (rows if isinstance(rows, Sequence) else await rows)]
    await snapshot.close()
    await database.close()
    return found


async def test_the_origins_of_versions(store):
    """A run is found by its ID, by the source, or by where the files lie, in this order; a logged model likewise."""
    run = store.run(store.experiment("e"))
    store.client.create_logged_model("1", "l", source_run_id=run)
    store.sql(f"UPDATE logged_models SET model_id = '{MODEL}', source_run_id = '{OTHER}'")
    store.registered_model("m")
    for number, (source, place, run_id, *_) in enumerate(ORIGINS, 1):
        store.version("m", source="s3://b/x")
        store.sql(
            "UPDATE model_versions SET source = :source, storage_location = :place, run_id = :run WHERE version = :n",
            source=source,
            place=place,
            run=run_id,
            n=number,
        )

    assert await origins_in(store) == [(n, run, model) for n, (*_, run, model) in enumerate(ORIGINS, 1)]


async def test_the_origins_of_a_deleted_version(store):
    """MLflow hides source and run of a version that it deletes; where the files lie still tells them."""
    store.registered_model("m")
    store.version("m", source=f"s3://b/0/{RUN}/artifacts/model", run_id=RUN)
    store.version("m", source=f"s3://b/0/models/{MODEL}/artifacts", run_id=RUN)
    store.version("m", source="s3://b/model", run_id=RUN)
    for version in (1, 2, 3):
        store.client.delete_model_version("m", version)

    assert await origins_in(store) == [(1, RUN, None), (2, None, MODEL), (3, None, None)]


@pytest.mark.parametrize(
    ("source", "copied"),
    [
        ("models:/m/1", ("m", 1)),
        ("models:/größe 🚲/12", ("größe 🚲", 12)),
        ("models:/m-small/3", ("m-small", 3)),
        (f"models:/{MODEL}", None),
        ("models:/m/latest", None),
        ("models:/m@champion", None),
        ("models:/m/", None),
        ("models:/", None),
        ("models:/m/-1", None),
        ("models:/m/\u0661", None),  # a digit, but none of ASCII
        ("models:/m/2147483647", ("m", 2147483647)),
        ("models:/m/2147483648", None),
        (f"models:/m/{'9' * 480}", None),
        ("runs:/m/1", None),
        ("s3://models:/m/1", None),
        ("/models/m/1", None),
        ("", None),
        (None, None),
    ],
)
def test_the_version_that_a_source_names(source, copied):
    """Only a model's name with a number that a version can have names one."""
    assert origins.copied_version(source) == copied


@given(st.text())
def test_a_source_can_be_any_text(source):
    """Whatever somebody wrote as a source, it names a version that there could be, or none."""
    name, version = origins.copied_version(f"models:/{source}") or ("m", 1)
    assert name in (source, "m") or f"/{source}".rstrip("0123456789").endswith(f"/{name}/")
    assert 0 <= version < 2**31
