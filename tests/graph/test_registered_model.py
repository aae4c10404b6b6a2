"""Registered models and their aliases."""

import pytest

from lineage_api.graph.identity import encoded

MODEL = '{ registeredModel(name: "m") { %s } }'
FOUND = "query ($filter: RegisteredModelFilter, $order: [RegisteredModelOrder!]) {"
FOUND += " registeredModels(filterBy: $filter, orderBy: $order) { totalCount nodes { name } } }"
PAGE = """query ($first: Int!, $after: String, $order: [RegisteredModelOrder!]) {
    registeredModels(first: $first, after: $after, orderBy: $order) {
        nodes { name } pageInfo { hasNextPage endCursor }
    }
}"""


def model(store, name="m", *, versions=0, **more):
    """A registered model with some versions from nowhere."""
    store.registered_model(name, **more)
    for _ in range(versions):
        store.version(name, source="s3://b/model")


async def found(client, filter_by=None, order=None):
    """The names of the registered models that meet a filter, which are counted too."""
    answer = (await client.ask(FOUND, filter=filter_by, order=order))["registeredModels"]
    assert answer["totalCount"] == len(answer["nodes"])
    return " ".join(node["name"] for node in answer["nodes"])


async def test_the_fields_of_a_registered_model(store, client):
    """What its own row says, and its tags."""
    model(store, "größe 🚲", description="Good.", tags={"b": "2", "a": "1", "mlflow.kept": "yes"})
    store.sql("UPDATE registered_models SET creation_time = 1001, last_updated_time = 2000")

    query = """query ($name: String!) { registeredModel(name: $name) {
        __typename id name description createdAt updatedAt
        tags { key value }
        all: tags(includeSystem: true) { key }
        some: tags(keys: ["b"]) { value }
        none: tags(keys: []) { key }
        aliases { name } versions { totalCount nodes { version } } version(number: 1) { version }
        inStage(stage: NONE) { version }
    } }"""
    assert (await client.ask(query, name="größe 🚲"))["registeredModel"] == {
        "__typename": "RegisteredModel",
        "id": encoded("RegisteredModel", "größe 🚲"),
        "name": "größe 🚲",
        "description": "Good.",
        "createdAt": "1970-01-01T00:00:01.001+00:00",
        "updatedAt": "1970-01-01T00:00:02.000+00:00",
        "tags": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}],
        "all": [{"key": "a"}, {"key": "b"}, {"key": "mlflow.kept"}],
        "some": [{"value": "2"}],
        "none": [],
        "aliases": [],
        "versions": {"totalCount": 0, "nodes": []},
        "version": None,
        "inStage": [],
    }


@pytest.mark.parametrize("nothing", ["", None])
async def test_what_was_never_said_is_null(store, client, nothing):
    """An empty description, as MLflow's REST API leaves it, is none."""
    model(store)
    store.sql(
        "UPDATE registered_models SET description = :nothing, creation_time = NULL, last_updated_time = 0",
        nothing=nothing,
    )

    nulls = {"description": None, "createdAt": None, "updatedAt": None}
    assert await client.ask(MODEL % "description createdAt updatedAt") == {"registeredModel": nulls}


@pytest.mark.parametrize("name", ["M", "m ", "", "no", "%", "m\u0301"])
async def test_a_name_that_no_model_has(store, client, name):
    """Null, and no near miss."""
    model(store)

    answer = await client.ask("query ($name: String!) { registeredModel(name: $name) { name } }", name=name)

    assert answer == {"registeredModel": None}


async def test_a_name_with_nul(client):
    """A text with NUL is refused: no database holds one."""
    error = await client.refused('{ registeredModel(name: "a\\u0000") { name } }')

    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_the_aliases_of_a_model(store, client):
    """By name, each with its version; several may point at the same one."""
    model(store, versions=3)
    for alias, version in {"next": 3, "champion": 2, "best": 2, "gone": 1}.items():
        store.alias("m", alias, version)
    store.alias("m", "next", 2)
    store.alias("m", "next", 3)
    store.client.delete_model_version("m", 1)

    answer = await client.ask(MODEL % "aliases { __typename name modelVersion { label aliases } }")

    best = {"label": "m v2", "aliases": ["best", "champion"]}
    assert answer["registeredModel"]["aliases"] == [
        {"__typename": "ModelAlias", "name": "best", "modelVersion": best},
        {"__typename": "ModelAlias", "name": "champion", "modelVersion": best},
        {"__typename": "ModelAlias", "name": "next", "modelVersion": {"label": "m v3", "aliases": ["next"]}},
    ]


async def test_an_alias_that_points_nowhere(store, client):
    """One that was set while its version was being deleted is in no list, and found by no filter."""
    model(store, versions=2)
    store.client.delete_model_version("m", 1)
    for alias, version in {"deleted": 1, "unknown": 9, "there": 2}.items():
        store.sql(
            "INSERT INTO registered_model_aliases (workspace, name, alias, version)"
            f" VALUES ('default', 'm', '{alias}', {version})"
        )

    answer = await client.ask(MODEL % 'aliases { name modelVersion { version } } version(alias: "deleted") { version }')

    there = [{"name": "there", "modelVersion": {"version": 2}}]
    assert answer == {"registeredModel": {"aliases": there, "version": None}}
    assert [await found(client, {"aliases": [alias]}) for alias in ("deleted", "unknown", "there")] == ["", "", "m"]


async def test_one_version_of_a_model(store, client):
    """By number, stage or alias; null where that names none."""
    model(store, versions=3)
    store.stage("m", 2, "Staging")
    store.alias("m", "champion", 3)

    answer = await client.ask("""{ registeredModel(name: "m") {
        a: version(number: 1) { version }
        b: version(stage: STAGING) { version }
        c: version(alias: "champion") { version }
        d: version(number: 0) { version }
        e: version(stage: ARCHIVED) { version }
        f: version(alias: "Champion") { version }
    } }""")

    there = {"a": {"version": 1}, "b": {"version": 2}, "c": {"version": 3}}
    assert answer == {"registeredModel": {**there, **dict.fromkeys("def")}}


@pytest.mark.parametrize("named", ["", "(number: 1, stage: NONE)", '(number: 1, alias: "a")', "(number: null)"])
async def test_a_version_is_named_in_one_way(store, client, named):
    """By exactly one of number, stage and alias."""
    model(store, versions=1)

    error = await client.refused(MODEL % f"version{named} {{ version }}")

    assert error["message"] == "Give exactly one of `number`, `stage` and `alias`."
    assert error["path"] == ["registeredModel", "version"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_stage_that_holds_several_versions(store, client):
    """MLflow allows it; then the stage names no version, only for the models where that is so."""
    for name, count in {"a": 1, "b": 3, "c": 0}.items():
        model(store, name, versions=3)
        for number in range(1, count + 1):
            store.stage(name, number, "Production")

    answer = await client.answer("{ registeredModels { nodes { version(stage: PRODUCTION) { version } } } }")

    assert answer["data"]["registeredModels"]["nodes"] == [
        {"version": {"version": 1}},
        {"version": None},
        {"version": None},
    ]
    [error] = answer["errors"]
    assert error["path"] == ["registeredModels", "nodes", 1, "version"]
    assert error["message"].startswith("The stage holds several versions: 3, 2, 1.")
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_the_versions_in_a_stage(store, client):
    """All of them, the newest first; those in other stages, and deleted ones, are left out."""
    model(store, versions=5)
    for number, stage in {2: "Production", 3: "Production", 4: "Production", 5: "Archived"}.items():
        store.stage("m", number, stage)
    store.client.delete_model_version("m", 3)

    stages = {"NONE": [1], "STAGING": [], "PRODUCTION": [4, 2], "ARCHIVED": [5]}
    answer = await client.ask(MODEL % " ".join(f"{stage}: inStage(stage: {stage}) {{ version }}" for stage in stages))

    assert answer["registeredModel"] == {s: [{"version": n} for n in numbers] for s, numbers in stages.items()}


async def test_the_numbers_of_deleted_versions_are_missing(store, client):
    """Versions keep their numbers, the newest first, and only those that are there are counted."""
    model(store, versions=4)
    store.client.delete_model_version("m", 2)
    store.client.delete_model_version("m", 4)
    store.version("m", source="s3://b/model")

    answer = await client.ask(
        MODEL % "versions { totalCount nodes { version } pageInfo { hasNextPage } } version(number: 2) { version }"
    )

    versions = {"totalCount": 3, "nodes": [{"version": n} for n in (5, 3, 1)], "pageInfo": {"hasNextPage": False}}
    assert answer == {"registeredModel": {"versions": versions, "version": None}}


async def test_other_workspaces_are_not_read(store, client):
    """Neither their models nor what belongs to these, though their names be the same."""
    model(store, versions=1)
    model(store, "n", versions=2, tags={"team": "theirs", "kind": "true"})
    store.alias("n", "champion", 1)
    store.sql("UPDATE registered_model_tags SET key = 'mlflow.prompt.is_prompt' WHERE key = 'kind'")
    for table in ("models", "model_tags", "model_aliases"):
        store.sql(f"UPDATE registered_{table} SET workspace = 'other', name = 'm' WHERE name = 'n'")
    store.sql("UPDATE model_versions SET workspace = 'other', name = 'm' WHERE name = 'n'")

    answer = await client.ask("""{
        registeredModels { nodes {
            tags { key } aliases { name } versions { totalCount nodes { label aliases model { name } } }
        } }
        modelVersions { totalCount }
        registeredModel(name: "m") { version(alias: "champion") { label } }
    }""")

    versions = {"totalCount": 1, "nodes": [{"label": "m v1", "aliases": [], "model": {"name": "m"}}]}
    assert answer["registeredModels"] == {"nodes": [{"tags": [], "aliases": [], "versions": versions}]}
    assert answer["modelVersions"] == {"totalCount": 1}
    assert answer["registeredModel"] == {"version": None}
    assert await found(client, {"aliases": ["champion"]}) == await found(client, {"tags": [{"key": "team"}]}) == ""


async def test_the_filter_of_registered_models(store, client):
    """Each condition keeps those that meet it, and all of them hold at once."""
    model(store, "Taxi fare", versions=2, tags={"team": "ops", "tier": "1"})
    model(store, "taxi_demand", versions=1, tags={"team": "data"})
    model(store, "50%", versions=1)
    model(store, "ÜBER", tags={"team": "", "mlflow.kept": "yes"})
    store.prompt("taxi_prompt")
    store.stage("Taxi fare", 1, "Production")
    store.stage("Taxi fare", 2, "Staging")
    store.stage("50%", 1, "Production")
    store.client.delete_model_version("50%", 1)
    store.alias("Taxi fare", "champion", 1)
    store.alias("taxi_demand", "next", 1)

    expected = [
        ({}, "50% Taxi fare taxi_demand ÜBER"),
        (dict.fromkeys(["nameContains", "stages", "aliases", "tags"]), "50% Taxi fare taxi_demand ÜBER"),
        ({"nameContains": "TAXI"}, "Taxi fare taxi_demand"),
        ({"nameContains": "_"}, "taxi_demand"),
        ({"nameContains": "%"}, "50%"),
        ({"nameContains": "über"}, "ÜBER"),
        ({"nameContains": ""}, "50% Taxi fare taxi_demand ÜBER"),
        ({"stages": ["PRODUCTION"]}, "Taxi fare"),
        ({"stages": ["NONE", "STAGING"]}, "Taxi fare taxi_demand"),
        ({"stages": ["ARCHIVED"]}, ""),
        ({"stages": []}, ""),
        ({"aliases": ["champion", "other"]}, "Taxi fare"),
        ({"aliases": ["champion", "next"]}, "Taxi fare taxi_demand"),
        ({"aliases": ["Champion"]}, ""),
        ({"aliases": []}, ""),
        ({"tags": []}, "50% Taxi fare taxi_demand ÜBER"),
        ({"tags": [{"key": "team"}]}, "Taxi fare taxi_demand ÜBER"),
        ({"tags": [{"key": "mlflow.kept"}]}, "ÜBER"),
        ({"tags": [{"key": "team", "eq": "ops"}]}, "Taxi fare"),
        ({"tags": [{"key": "team", "eq": ""}]}, "ÜBER"),
        ({"tags": [{"key": "team", "ne": "ops"}]}, "taxi_demand ÜBER"),
        ({"tags": [{"key": "team", "in": ["ops", "data"]}]}, "Taxi fare taxi_demand"),
        ({"tags": [{"key": "team", "in": []}]}, ""),
        ({"tags": [{"key": "team", "contains": "a"}]}, "taxi_demand"),
        ({"tags": [{"key": "team", "contains": "OPS"}]}, ""),
        ({"tags": [{"key": "team", "ne": "data"}, {"key": "tier", "eq": "1"}]}, "Taxi fare"),
        ({"nameContains": "taxi", "stages": ["NONE"], "aliases": ["next"], "tags": [{"key": "team"}]}, "taxi_demand"),
    ]
    assert [(filter_by, await found(client, filter_by)) for filter_by, _ in expected] == expected


async def test_the_order_of_registered_models(store, client):
    """By name, or by a moment, with ties by name; those whose moment is unknown come last."""
    for name, (created, updated) in {"b": (2, 9), "C": (None, 8), "a": (2, None), "d": (1, 9)}.items():
        model(store, name)
        store.sql(
            "UPDATE registered_models SET creation_time = :created, last_updated_time = :updated WHERE name = :name",
            created=created,
            updated=updated,
            name=name,
        )

    expected = [
        ([{"field": "CREATED_AT"}], "d a b C"),
        ([{"field": "CREATED_AT", "direction": "DESC"}], "a b d C"),
        ([{"field": "UPDATED_AT"}], "C b d a"),
        ([{"field": "UPDATED_AT", "direction": "DESC"}], "b d C a"),
        ([{"field": "UPDATED_AT", "direction": "DESC"}, {"field": "CREATED_AT"}], "d b C a"),
        ([{"field": "NAME", "direction": "ASC"}], await found(client)),
        ([{"field": "NAME", "direction": "DESC"}], " ".join(reversed((await found(client)).split()))),
    ]
    assert [(order, await found(client, order=order)) for order, _ in expected] == expected


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("order", [None, [{"field": "UPDATED_AT", "direction": "DESC"}], [{"field": "CREATED_AT"}]])
async def test_all_pages_of_registered_models(store, client, size, order):
    """Page by page, each is there once, in the order of all."""
    for index in range(7):
        model(store, f"m{index}")
        store.sql(
            f"UPDATE registered_models SET creation_time = {index % 3}, last_updated_time = NULLIF({index % 4}, 0)"
            f" WHERE name = 'm{index}'"
        )

    pages, after = [], None
    while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
        pages.append((await client.ask(PAGE, first=size, after=after, order=order))["registeredModels"])
        after = pages[-1]["pageInfo"]["endCursor"]

    names = [node["name"] for page in pages for node in page["nodes"]]
    assert " ".join(names) == await found(client, order=order)
    assert sorted(names) == [f"m{index}" for index in range(7)]
