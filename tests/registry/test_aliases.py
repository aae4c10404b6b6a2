"""How aliases are set and removed, through the whole server."""

import pytest

from tests.changing import EVENTS, event, prompt

SET = f"""
    alias {{ name modelVersion {{ label }} }} modelVersion {{ label aliases }} previousModelVersion {{ label aliases }}
    registeredModel {{ aliases {{ name modelVersion {{ version }} }} }} {EVENTS}
"""
REMOVED = f"""
    removedAlias modelVersion {{ label aliases }} registeredModel {{ aliases {{ name }} }} {EVENTS}
"""


@pytest.fixture
def store(store):
    """With two versions of `m`."""
    store.registered_model("m")
    for number in (1, 2):
        store.version("m", source=f"s3://b/{number}")
    return store


async def test_a_new_alias(store, changer):
    """Nothing held it before."""
    made = await changer.change("setModelAlias", SET, model="m", alias="champion", version=1, reason="best")

    assert made == {
        "alias": {"name": "champion", "modelVersion": {"label": "m v1"}},
        "modelVersion": {"label": "m v1", "aliases": ["champion"]},
        "previousModelVersion": None,
        "registeredModel": {"aliases": [{"name": "champion", "modelVersion": {"version": 1}}]},
        "events": [event("ALIAS_SET", alias="champion", version=1, reason="best")],
    }
    assert int(store.client.get_model_version_by_alias("m", "champion").version) == 1


async def test_an_alias_that_moves(store, changer):
    """The version that it leaves is told, as it is then."""
    store.alias("m", "champion", 1)
    store.alias("m", "other", 1)

    moved = await changer.change("setModelAlias", SET, model="m", alias="champion", version=2)

    aliases = [{"name": "champion", "modelVersion": {"version": 2}}, {"name": "other", "modelVersion": {"version": 1}}]
    assert moved == {
        "alias": {"name": "champion", "modelVersion": {"label": "m v2"}},
        "modelVersion": {"label": "m v2", "aliases": ["champion"]},
        "previousModelVersion": {"label": "m v1", "aliases": ["other"]},
        "registeredModel": {"aliases": aliases},
        "events": [event("ALIAS_SET", alias="champion", version=2, previousVersion=1)],
    }
    again = await changer.change("setModelAlias", SET, model="m", alias="champion", version=2)
    assert again == {**moved, "previousModelVersion": moved["modelVersion"], "events": []}


async def test_removing_an_alias(store, changer):
    """The version that it pointed at is told."""
    store.alias("m", "champion", 1)

    removed = await changer.change("removeModelAlias", REMOVED, model="m", alias="champion", reason="done")

    assert removed == {
        "removedAlias": "champion",
        "modelVersion": {"label": "m v1", "aliases": []},
        "registeredModel": {"aliases": []},
        "events": [event("ALIAS_REMOVED", alias="champion", version=1, previousVersion=1, reason="done")],
    }
    assert store.client.get_registered_model("m").aliases == {}


async def test_aliases_that_cannot_be_set(refused):
    """Reserved, with characters that MLflow does not allow, empty, or too long."""
    for alias in ("latest", "Latest", "v1", "V12", "a b", "a/b", "", "x" * 256):
        [error] = await refused("setModelAlias", model="m", alias=alias, version=1)
        assert (error["__typename"], error["path"]) == ("InvalidInputError", ["alias"])


async def test_the_longest_alias(store, changer):
    """It is taken on both databases."""
    made = await changer.change("setModelAlias", "alias { name }", model="m", alias="ä" * 255, version=1)

    assert made == {"alias": {"name": "ä" * 255}}


async def test_another_version_than_expected(store, changer, refused):
    """The version that holds it is told; where it is not set, none."""
    setting = {"model": "m", "alias": "champion", "version": 2}
    assert await refused("setModelAlias", **setting, expectedVersion=1) == [
        {
            "__typename": "ConflictError",
            "message": "The alias 'champion' is not set, not at version 1.",
            "path": ["expectedVersion"],
            "current": [],
        }
    ]
    store.alias("m", "champion", 1)
    assert await refused("setModelAlias", **setting, expectedVersion=2) == [
        {
            "__typename": "ConflictError",
            "message": "The alias 'champion' points at version 1, not at version 2.",
            "path": ["expectedVersion"],
            "current": [{"label": "m v1"}],
        }
    ]
    made = await changer.change("setModelAlias", "previousModelVersion { label }", **setting, expectedVersion=1)
    assert made == {"previousModelVersion": {"label": "m v1"}}


async def test_aliases_that_are_not_there(store, refused):
    """Of a model, of none, and of a prompt; one that is reserved now may be there from before."""
    prompt(store, "greeting")
    for alias in ("champion", "v1", "x" * 300, ""):
        [error] = await refused("removeModelAlias", model="m", alias=alias)
        assert (error["__typename"], error["path"]) == ("NotFoundError", ["alias"])
    for name in ("none", "greeting"):
        [error] = await refused("removeModelAlias", model=name, alias="champion")
        assert (error["__typename"], error["path"]) == ("NotFoundError", ["model"])
