"""How versions move between stages, through the whole server."""

from datetime import UTC, datetime

import pytest

from tests.changing import EVENTS, event

SELECTED = f"""
    modelVersion {{ label stage stageSince }} archived {{ label stage }}
    registeredModel {{ name inStage(stage: PRODUCTION) {{ version }} }} {EVENTS} times: events {{ occurredAt }}
"""


@pytest.fixture
def store(store):
    """With three versions of `m`."""
    store.registered_model("m")
    for number in (1, 2, 3):
        store.version("m", source=f"s3://b/{number}")
    return store


async def test_moving_a_version(store, changer):
    """Without archiving, what is in the stage stays there."""
    store.stage("m", 1, "Production")

    moved = await changer.change(
        "transitionModelVersion", SELECTED, model="m", version=2, stage="PRODUCTION", reason="tried"
    )

    [time] = moved.pop("times")
    assert moved == {
        "modelVersion": {"label": "m v2", "stage": "PRODUCTION", "stageSince": time["occurredAt"]},
        "archived": [],
        "registeredModel": {"name": "m", "inStage": [{"version": 2}, {"version": 1}]},
        "events": [event("STAGE_CHANGED", version=2, fromStage="NONE", toStage="PRODUCTION", reason="tried")],
    }
    assert datetime.fromisoformat(time["occurredAt"]).timestamp() == pytest.approx(
        datetime.now(UTC).timestamp(), abs=60
    )
    assert store.client.get_model_version("m", 2).current_stage == "Production"


async def test_archiving_what_is_there(store, changer):
    """All of it happens at one moment, and each version that makes room names the promotion as its cause."""
    store.stage("m", 1, "Production")
    store.stage("m", 2, "Production")

    moved = await changer.change(
        "transitionModelVersion",
        SELECTED,
        model="m",
        version=3,
        stage="PRODUCTION",
        archiveExisting=True,
        reason="best",
    )

    times = {each["occurredAt"] for each in moved.pop("times")}
    caused = {"fromStage": "PRODUCTION", "toStage": "ARCHIVED", "reason": "best", "cause": {"kind": "STAGE_CHANGED"}}
    assert moved == {
        "modelVersion": {"label": "m v3", "stage": "PRODUCTION", "stageSince": times.pop()},
        "archived": [{"label": "m v1", "stage": "ARCHIVED"}, {"label": "m v2", "stage": "ARCHIVED"}],
        "registeredModel": {"name": "m", "inStage": [{"version": 3}]},
        "events": [
            event("STAGE_CHANGED", version=3, fromStage="NONE", toStage="PRODUCTION", reason="best"),
            event("STAGE_CHANGED", version=1, **caused),
            event("STAGE_CHANGED", version=2, **caused),
        ],
    }
    assert not times
    assert [store.client.get_model_version("m", each).current_stage for each in (1, 2, 3)] == [
        "Archived",
        "Archived",
        "Production",
    ]


async def test_a_version_that_is_in_the_stage_already(store, changer):
    """Nothing is recorded of it; the others are archived all the same."""
    store.stage("m", 1, "Staging")
    store.stage("m", 2, "Staging")

    moved = await changer.change(
        "transitionModelVersion", "archived { version } events { kind version cause { kind } }",
        model="m", version=1, stage="STAGING", archiveExisting=True,
    )  # fmt: skip

    assert moved == {
        "archived": [{"version": 2}],
        "events": [{"kind": "STAGE_CHANGED", "version": 2, "cause": None}],
    }
    again = await changer.change("transitionModelVersion", model="m", version=1, stage="STAGING", archiveExisting=True)
    assert again == {"events": []}


async def test_every_stage(store, changer):
    """A version can be moved from each to each, and back to none."""
    for stage in ("STAGING", "PRODUCTION", "ARCHIVED", "STAGING", "NONE", "ARCHIVED", "PRODUCTION", "NONE"):
        moved = await changer.change(
            "transitionModelVersion", "modelVersion { stage }", model="m", version=1, stage=stage
        )
        assert moved == {"modelVersion": {"stage": stage}}
        assert store.client.get_model_version("m", 1).current_stage.upper() == stage


async def test_only_what_is_in_use_can_be_cleared(refused):
    """MLflow would fail at it, and its clients try again for minutes."""
    for stage in ("NONE", "ARCHIVED"):
        moving = {"model": "m", "version": 1, "stage": stage, "archiveExisting": True}
        assert await refused("transitionModelVersion", **moving) == [
            {
                "__typename": "InvalidInputError",
                "message": "Only STAGING and PRODUCTION can be cleared by archiving; leave `archiveExisting` out.",
                "path": ["archiveExisting"],
            }
        ]


async def test_another_stage_than_expected(store, changer, refused):
    """The version is in another stage; what holds the stage to move to is told too."""
    store.stage("m", 1, "Production")
    store.stage("m", 2, "Staging")
    moving = {"model": "m", "version": 2, "stage": "PRODUCTION"}

    assert await refused("transitionModelVersion", **moving, expectedStage="NONE") == [
        {
            "__typename": "ConflictError",
            "message": "Version 2 is in STAGING, not in NONE.",
            "path": ["expectedStage"],
            "current": [{"label": "m v1"}],
        }
    ]
    moved = await changer.change("transitionModelVersion", "modelVersion { stage }", **moving, expectedStage="STAGING")
    assert moved == {"modelVersion": {"stage": "PRODUCTION"}}


async def test_others_in_the_stage_than_expected(store, changer, refused):
    """Exactly those that were named must be there, in any order, and none where none were named."""
    moving = {"model": "m", "version": 3, "stage": "PRODUCTION"}
    assert await refused("transitionModelVersion", **moving, expectedCurrent=[1]) == [
        {
            "__typename": "ConflictError",
            "message": "PRODUCTION holds no version, not 1.",
            "path": ["expectedCurrent"],
            "current": [],
        }
    ]
    store.stage("m", 1, "Production")
    store.stage("m", 2, "Production")
    for expected, named in (([], "no version"), ([1], "1"), ([3, 2, 1], "1, 2, 3")):
        assert await refused("transitionModelVersion", **moving, expectedCurrent=expected) == [
            {
                "__typename": "ConflictError",
                "message": f"PRODUCTION holds 1, 2, not {named}.",
                "path": ["expectedCurrent"],
                "current": [{"label": "m v1"}, {"label": "m v2"}],
            }
        ]
    moved = await changer.change("transitionModelVersion", "archived { version }", **moving, expectedCurrent=[2, 1])
    assert moved == {"archived": []}
    emptied = {"model": "m", "version": 3, "stage": "STAGING", "expectedCurrent": []}
    moved = await changer.change("transitionModelVersion", "modelVersion { stage }", **emptied)
    assert moved == {"modelVersion": {"stage": "STAGING"}}
