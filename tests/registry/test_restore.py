"""How deleted versions are brought back, through the whole server."""

from pathlib import Path

import sqlalchemy

from lineage_api.migrations import recording
from tests.changing import EVENTS, event, prompt

SELECTED = f"""
    modelVersion {{
        label stage isDeleted description source aliases tags {{ key value }} run {{ runId }} loggedModel {{ modelId }}
    }}
    registeredModel {{ versions {{ nodes {{ version }} }} }} recovered missing {EVENTS}
"""
UNRECORDED = [
    "description: it was deleted while history was not recorded",
    "aliases: it was deleted while history was not recorded",
]


def row(store):
    """What the row of version 1 says, but for its stage and times."""
    columns = "source, storage_location, run_id, run_link, description, status"
    with store._engine.connect() as connection:
        return connection.execute(sqlalchemy.text(f"SELECT {columns} FROM model_versions WHERE version = 1")).one()


def version(**more):
    """A version as `SELECTED` selects it."""
    nothing = dict.fromkeys(("description", "source", "run", "loggedModel"))
    return {"label": "m v1", "stage": "ARCHIVED", "isDeleted": False, "aliases": [], "tags": [], **nothing, **more}


async def test_what_history_knows(store, changer):
    """Source, run, description and tags are as they were; the aliases are named."""
    experiment = store.experiment("e")
    run = store.run(experiment)
    logged = store.logged_model(experiment, run_id=run)
    store.registered_model("m")
    store.version("m", model_id=logged.model_id, run_id=run, description="Good.", tags={"a": "1"})
    store.sql("UPDATE model_versions SET run_link = 'http://h/run'")
    store.stage("m", 1, "Production")
    store.alias("m", "champion", 1)
    store.alias("m", "best", 1)
    before, uri = row(store), store.client.get_model_version_download_uri("m", 1)
    store.client.delete_model_version("m", 1)

    restored = await changer.change("restoreModelVersion", SELECTED, model="m", version=1, reason="needed")

    assert sorted(restored.pop("missing")) == [
        "alias best: it is not set again by itself",
        "alias champion: it is not set again by itself",
    ]
    first, *others = restored.pop("events")
    assert restored == {
        "modelVersion": version(
            description="Good.",
            source=f"models:/{logged.model_id}",
            run={"runId": run},
            loggedModel={"modelId": logged.model_id},
            tags=[{"key": "a", "value": "1"}],
        ),
        "registeredModel": {"versions": {"nodes": [{"version": 1}]}},
        "recovered": ["source", "run", "description", "tags"],
    }
    assert first == event("VERSION_RESTORED", version=1, toStage="ARCHIVED", reason="needed")
    caused = {"reason": "needed", "cause": {"kind": "VERSION_RESTORED"}}
    assert others == [event("DESCRIPTION_CHANGED", version=1, value="Good.", **caused)]
    assert row(store) == before
    seen = store.client.get_model_version("m", 1)
    assert (seen.source, seen.run_id, seen.current_stage) == (f"models:/{logged.model_id}", run, "Archived")
    assert store.client.get_model_version_download_uri("m", 1) == uri


async def test_what_it_never_had_is_not_missing(store, changer):
    """A version without run, description and tags comes back without them, however often it is deleted."""
    store.registered_model("m")
    store.version("m", source="s3://b/1")
    before = row(store)
    for _ in range(2):
        await changer.change("deleteModelVersion", model="m", version=1)
        restored = await changer.change("restoreModelVersion", SELECTED, model="m", version=1)
        assert restored == {
            "modelVersion": version(source="s3://b/1"),
            "registeredModel": {"versions": {"nodes": [{"version": 1}]}},
            "recovered": ["source"],
            "missing": [],
            "events": [event("VERSION_RESTORED", version=1, toStage="ARCHIVED")],
        }
        assert row(store) == before


async def test_a_deletion_before_history_was_recorded(store, changer):
    """What its files say comes back: the run, and the logged model where it is still there."""
    experiment = store.experiment("e")
    run = store.run(experiment)
    logged = store.logged_model(experiment, run_id=run)
    folder = Path(logged.artifact_location)
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text(f"model_id: {logged.model_id}\nrun_id: {run}\nflavors: {{python_function: {{}}}}\n")
    recording.end(store.uri)
    store.registered_model("m")
    store.version("m", model_id=logged.model_id, run_id=run, description="Good.", tags={"a": "1"})
    store.alias("m", "champion", 1)
    before = row(store)
    store.client.delete_model_version("m", 1)
    recording.begin(store.uri)

    restored = await changer.change("restoreModelVersion", SELECTED, model="m", version=1)

    assert restored == {
        "modelVersion": version(
            source=f"models:/{logged.model_id}",
            run={"runId": run},
            loggedModel={"modelId": logged.model_id},
            tags=[{"key": "a", "value": "1"}],
        ),
        "registeredModel": {"versions": {"nodes": [{"version": 1}]}},
        "recovered": ["source", "run", "tags"],
        "missing": UNRECORDED,
        "events": [event("VERSION_RESTORED", version=1, toStage="ARCHIVED")],
    }
    assert row(store)[:3] == before[:3]


async def test_files_that_are_gone_with_a_deletion_that_nobody_recorded(store, changer):
    """The place of the files is left, which is what the version was registered from at the latest."""
    run = store.run(store.experiment("e"))
    recording.end(store.uri)
    store.registered_model("m")
    store.version("m", run_id=run)
    store.client.delete_model_version("m", 1)
    recording.begin(store.uri)

    restored = await changer.change(
        "restoreModelVersion", "modelVersion { source } recovered missing", model="m", version=1
    )

    assert restored == {
        "modelVersion": {"source": f"{store.artifacts}/{run}/artifacts/model"},
        "recovered": ["source"],
        "missing": ["run: its files name none", *UNRECORDED],
    }


async def test_what_cannot_be_brought_back(store, refused):
    """A version that is not deleted, that never was, whose model is gone, and one of a prompt."""
    store.registered_model("m")
    store.version("m", source="s3://b/1")
    prompt(store, "greeting")

    assert await refused("restoreModelVersion", model="m", version=1) == [
        {
            "__typename": "InvalidInputError",
            "message": "Version 1 is not deleted: it is in NONE.",
            "path": ["version"],
        }
    ]
    for number in (2, 0, -1, 2**31 - 1):
        assert await refused("restoreModelVersion", model="m", version=number) == [
            {
                "__typename": "NotFoundError",
                "message": f"The registered model 'm' has no version {number}.",
                "path": ["version"],
            }
        ]
    for name in ("none", "greeting"):
        [error] = await refused("restoreModelVersion", model=name, version=1)
        assert (error["__typename"], error["path"]) == ("NotFoundError", ["model"])


async def test_a_model_of_the_same_name_that_came_later(store, changer, refused):
    """What was deleted with the model before is not taken for one of its versions."""
    store.registered_model("m")
    store.version("m", source="s3://old/1", description="Old.")
    store.client.delete_registered_model("m")
    store.registered_model("m")
    [error] = await refused("restoreModelVersion", model="m", version=1)
    assert error["__typename"] == "NotFoundError"
    store.version("m", source="s3://new/1")
    store.client.delete_model_version("m", 1)

    restored = await changer.change("restoreModelVersion", "modelVersion { source description }", model="m", version=1)

    assert restored == {"modelVersion": {"source": "s3://new/1", "description": None}}
