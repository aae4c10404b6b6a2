"""Changes to registered models, through the whole server."""

from lineage_api.graph.identity import encoded
from tests.changing import EVENTS, event, prompt

MODEL = "registeredModel { id name description tags { key value } versions { nodes { version } } }"


def model(name="m", description=None, tags=None, versions=()):
    """A registered model as `MODEL` selects it."""
    return {
        "id": encoded("RegisteredModel", name),
        "name": name,
        "description": description,
        "tags": [{"key": key, "value": value} for key, value in (tags or {}).items()],
        "versions": {"nodes": [{"version": version} for version in versions]},
    }


async def test_making_one(store, changer):
    """It is what was asked for, also to MLflow's own client, and the events say who made it and why."""
    tags = [{"key": "team", "value": "fares"}, {"key": "tier", "value": ""}]
    given = {"name": "m", "description": "Good.", "tags": tags, "reason": "first"}

    made = await changer.change("createRegisteredModel", f"{MODEL} {EVENTS}", **given)

    caused = {"reason": "first", "cause": {"kind": "MODEL_CREATED"}}
    assert made == {
        "registeredModel": model(description="Good.", tags={"team": "fares", "tier": ""}),
        "events": [
            event("MODEL_CREATED", reason="first"),
            event("DESCRIPTION_CHANGED", value="Good.", **caused),
            event("TAG_SET", key="team", value="fares", **caused),
            event("TAG_SET", key="tier", value="", **caused),
        ],
    }
    kept = store.client.get_registered_model("m")
    assert (kept.name, kept.description, kept.tags) == ("m", "Good.", {"team": "fares", "tier": ""})


async def test_making_one_of_a_name_alone(store, changer):
    """A description and tags may be left out, or null; a reason too."""
    made = await changer.change("createRegisteredModel", f"{MODEL} {EVENTS}", name="m", description=None, tags=None)

    assert made == {"registeredModel": model(), "events": [event("MODEL_CREATED")]}
    assert store.client.get_registered_model("m").tags == {}


async def test_names_that_cannot_be_taken(store, refused):
    """Those that are there, those of prompts, and those that MLflow does not allow."""
    store.registered_model("m")
    prompt(store, "greeting")

    for name in ("m", "greeting"):
        assert await refused("createRegisteredModel", name=name) == [
            {
                "__typename": "AlreadyExistsError",
                "message": f"There is a registered model or prompt {name!r} already.",
                "path": ["name"],
            }
        ]
        if name == "greeting":
            [error] = await refused("updateRegisteredModel", model="m", name=name)
            assert (error["__typename"], error["path"]) == ("AlreadyExistsError", ["name"])
    for name in ("", " ", "a/b", "a:b", "..", "x" * 257):
        [error] = await refused("createRegisteredModel", name=name)
        assert (error["__typename"], error["path"]) == ("InvalidInputError", ["name"])


async def test_texts_that_are_too_long(store, changer, refused):
    """Each by one character: the last that fits is taken on both databases, the next is refused with its path."""
    longest = {
        "description": "d" * 5_000,
        "tags": [{"key": "k" * 250, "value": "v" * 5_000}],
        "reason": "r" * 5_000,
        "idempotencyKey": "i" * 255,
    }
    await changer.change("createRegisteredModel", name="n" * 256, **longest)
    paths = []
    for field in list(longest):
        longest["idempotencyKey"] = field + "i" * (255 - len(field))  # each a request of its own
        wrong = [{"key": "k" * 251, "value": "v" * 5_001}] if field == "tags" else longest[field] + "x"
        errors = await refused("createRegisteredModel", **{"name": "m", **longest, field: wrong})
        assert {error["__typename"] for error in errors} == {"InvalidInputError"}
        paths += [error["path"] for error in errors]

    assert paths == [["description"], ["tags", "0", "key"], ["tags", "0", "value"], ["reason"], ["idempotencyKey"]]
    assert store.client.get_registered_model("n" * 256).description == "d" * 5_000


async def test_all_that_is_wrong_is_said_at_once(refused):
    """Somebody who corrects a form need not come back for each field."""
    tags = [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}, {"key": "", "value": "3"}]

    errors = await refused("createRegisteredModel", name="a/b", description="d" * 5_001, tags=tags)

    assert [(error["__typename"], error["path"]) for error in errors] == [
        ("InvalidInputError", ["name"]),
        ("InvalidInputError", ["description"]),
        ("InvalidInputError", ["tags", "1", "key"]),
        ("InvalidInputError", ["tags", "2", "key"]),
    ]


async def test_renaming_one(store, changer):
    """Its versions, tags and aliases go with it, and so does its history."""
    store.registered_model("old", tags={"team": "fares"}, description="Good.")
    store.version("old", source="s3://b/1")
    store.alias("old", "champion", 1)

    changed = await changer.change(
        "updateRegisteredModel",
        f"{MODEL} {EVENTS} more: registeredModel {{ history(orderBy: OLDEST_FIRST) {{ nodes {{ kind modelName }} }} }}",
        model="old",
        name="m",
        reason="clearer",
    )

    assert changed == {
        "registeredModel": model(description="Good.", tags={"team": "fares"}, versions=[1]),
        "events": [event("MODEL_RENAMED", previousName="old", reason="clearer")],
        "more": {
            "history": {
                "nodes": [
                    {"kind": "MODEL_CREATED", "modelName": "old"},
                    {"kind": "DESCRIPTION_CHANGED", "modelName": "old"},
                    {"kind": "TAG_SET", "modelName": "old"},
                    {"kind": "VERSION_REGISTERED", "modelName": "old"},
                    {"kind": "ALIAS_SET", "modelName": "old"},
                    {"kind": "MODEL_RENAMED", "modelName": "m"},
                ]
            }
        },
    }
    assert store.client.get_model_version_by_alias("m", "champion").version == 1
    assert [each.name for each in store.client.search_registered_models()] == ["m"]


async def test_changing_name_and_description_at_once(store, changer):
    """The new name brings the description about; an empty one takes it away."""
    store.registered_model("old", description="Good.")
    both = await changer.change("updateRegisteredModel", f"{MODEL} {EVENTS}", model="old", name="m", description="Bad.")

    assert both == {
        "registeredModel": model(description="Bad."),
        "events": [
            event("MODEL_RENAMED", previousName="old"),
            event("DESCRIPTION_CHANGED", value="Bad.", previousValue="Good.", cause={"kind": "MODEL_RENAMED"}),
        ],
    }
    emptied = await changer.change(
        "updateRegisteredModel", f"registeredModel {{ name }} {EVENTS}", model="m", description=""
    )
    assert emptied == {
        "registeredModel": {"name": "m"},
        "events": [event("DESCRIPTION_CHANGED", previousValue="Bad.")],
    }
    assert not store.client.get_registered_model("m").description


async def test_what_is_so_already(store, changer):
    """Nothing is changed, so nothing is recorded."""
    store.registered_model("m", description="Good.")

    for given in ({"name": "m"}, {"description": "Good."}, {"name": "m", "description": "Good."}):
        changed = await changer.change("updateRegisteredModel", f"{MODEL} {EVENTS}", model="m", **given)
        assert changed == {"registeredModel": model(description="Good."), "events": []}


async def test_nothing_to_change(store, refused):
    """Neither a name nor a description, or both null."""
    store.registered_model("m")

    for given in ({}, {"name": None, "description": None}):
        assert await refused("updateRegisteredModel", model="m", **given) == [
            {
                "__typename": "InvalidInputError",
                "message": "Nothing is to be changed; give `name`, `description`, or both.",
                "path": None,
            }
        ]


async def test_deleting_one(store, changer, client):
    """It goes with its versions, aliases and tags, and the events say so."""
    store.registered_model("m", tags={"team": "fares"})
    store.version("m", source="s3://b/1")
    store.alias("m", "champion", 1)
    store.stage("m", 1, "Production")

    deleted = await changer.change("deleteRegisteredModel", f"deletedId deletedName {EVENTS}", model="m", reason="old")

    caused = {"reason": "old", "cause": {"kind": "MODEL_DELETED"}}
    first, *others = deleted.pop("events")
    assert deleted == {"deletedId": encoded("RegisteredModel", "m"), "deletedName": "m"}
    assert first == event("MODEL_DELETED", reason="old")
    assert sorted(others, key=lambda each: each["kind"]) == [
        event("ALIAS_REMOVED", alias="champion", version=1, previousVersion=1, **caused),
        event("TAG_REMOVED", key="team", previousValue="fares", **caused),
        event("VERSION_DELETED", version=1, fromStage="PRODUCTION", **caused),
    ]
    assert store.client.search_registered_models() == []
    assert await client.ask("{ registeredModels { totalCount } }") == {"registeredModels": {"totalCount": 0}}


async def test_models_that_are_not_there(store, refused):
    """Prompts are none, and what a name leads to is told as it was asked for."""
    prompt(store, "greeting")
    for name in ("none", "greeting", "x" * 300, ""):
        missing = [
            {
                "__typename": "NotFoundError",
                "message": f"There is no registered model {name[:100]!r}.",
                "path": ["model"],
            }
        ]
        assert await refused("updateRegisteredModel", model=name, description="d") == missing
        assert await refused("deleteRegisteredModel", model=name) == missing
