"""Logged models, and what they lead to."""

import pytest

from lineage_api.graph.identity import encoded

MODEL = "query ($id: String!) { loggedModel(modelId: $id) { %s } }"
PAGE = "query ($first: Int!, $after: String, $id: String!) { loggedModel(modelId: $id) {"
PAGE += " usedBy(first: $first, after: $after) { totalCount nodes { name } pageInfo { hasNextPage endCursor } } } }"


async def asked(client, model, fields):
    """Fields of a logged model."""
    return (await client.ask(MODEL % fields, id=model.model_id))["loggedModel"]


async def test_the_fields_of_a_logged_model(store, client):
    """What its own row says, its tags and parameters, and where it belongs."""
    run = store.run(experiment := store.experiment("e"))
    params = {"depth": "3", "alpha": "0.1"}
    model = store.logged_model(experiment, "größe 🚲", run, model_type="tree", params=params, tags={"b": "2", "a": "1"})
    store.sql("UPDATE logged_models SET creation_timestamp_ms = 1001, last_updated_timestamp_ms = 2000")

    fields = "__typename id label modelId name status modelType createdAt updatedAt experiment { name } run { runId }"
    fields += ' params { key value } some: params(keys: ["depth", "none"]) { value } tags { key value } metrics { key }'
    fields += (
        " system: tags(includeSystem: true) { key } usedBy { totalCount } modelVersions { totalCount } artifactUri"
    )
    assert await asked(client, model, fields) == {
        "__typename": "LoggedModel",
        "id": encoded("LoggedModel", model.model_id),
        "label": "größe 🚲",
        "modelId": model.model_id,
        "name": "größe 🚲",
        "status": "READY",
        "modelType": "tree",
        "createdAt": "1970-01-01T00:00:01.001+00:00",
        "updatedAt": "1970-01-01T00:00:02.000+00:00",
        "experiment": {"name": "e"},
        "run": {"runId": run},
        "params": [{"key": "alpha", "value": "0.1"}, {"key": "depth", "value": "3"}],
        "some": [{"value": "3"}],
        "tags": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}],
        "metrics": [],
        "system": [{"key": key} for key in sorted({**model.tags, "a": "1", "b": "2"})],
        "usedBy": {"totalCount": 0},
        "modelVersions": {"totalCount": 0},
        "artifactUri": f"{store.artifacts}/e/models/{model.model_id}/artifacts",
    }


@pytest.mark.parametrize("nothing", ["", None])
async def test_what_was_never_said_is_null(store, client, nothing):
    """A model may have no type and come from no run; times that no calendar has are none."""
    model = store.logged_model(store.experiment("e"))
    store.sql(
        "UPDATE logged_models SET model_type = :nothing, source_run_id = :nothing, creation_timestamp_ms = 0,"
        " last_updated_timestamp_ms = 9000000000000000",
        nothing=nothing,
    )

    answer = await asked(client, model, "modelType run { name } createdAt updatedAt params { key } tags { key }")

    nulls = dict.fromkeys(["modelType", "run", "createdAt", "updatedAt"])
    assert answer == {**nulls, "params": [], "tags": []}


@pytest.mark.parametrize(("number", "status"), [*enumerate(["UNSPECIFIED", "PENDING", "READY", "FAILED"])])
async def test_the_status_of_a_logged_model(store, client, number, status):
    """MLflow keeps it as a number."""
    model = store.logged_model(store.experiment("e"))
    store.sql("UPDATE logged_models SET status = :number", number=number)

    assert await asked(client, model, "status") == {"status": status}


async def test_a_logged_model_that_is_being_written(store, client):
    """It is there before it is ready."""
    model = store.client.create_logged_model(store.experiment("e"), "model")

    assert await asked(client, model, "name status") == {"name": "model", "status": "PENDING"}


async def test_a_logged_model_whose_run_is_in_the_trash_or_gone(store, client):
    """In the trash it is still its run; when it is gone there is none."""
    run = store.run(experiment := store.experiment("e"))
    model = store.logged_model(experiment, "model", run)
    store.client.delete_run(run)
    assert await asked(client, model, "run { name isDeleted }") == {"run": {"name": "a run", "isDeleted": True}}

    for table in ("tags", "runs"):
        store.sql(f"DELETE FROM {table} WHERE run_uuid = '{run}'")

    assert await asked(client, model, "name run { name }") == {"name": "model", "run": None}


async def test_a_deleted_logged_model_is_nowhere(store, client):
    """Neither listed nor counted, nor found by its ID, though MLflow keeps the row."""
    run = store.run(experiment := store.experiment("e"))
    user = store.run(experiment)
    model = store.logged_model(experiment, "model", run)
    store.used_model(user, model.model_id)
    store.registered_model("m")
    store.version("m", model_id=model.model_id)
    store.client.delete_logged_model(model.model_id)

    answer = await client.ask(
        "query ($model: String!, $id: ID!, $run: String!, $user: String!, $experiment: String!) {"
        " loggedModel(modelId: $model) { name } node(id: $id) { id } loggedModels { totalCount nodes { name } }"
        " run(runId: $run) { loggedModels { totalCount nodes { name } } }"
        " user: run(runId: $user) { usedModels { totalCount nodes { name } } }"
        " experiment(experimentId: $experiment) { loggedModels { totalCount nodes { name } } }"
        ' modelVersion(ref: {model: "m", version: 1}) { loggedModel { name } run { runId } } }',
        model=model.model_id,
        id=encoded("LoggedModel", model.model_id),
        run=run,
        user=user,
        experiment=experiment,
    )

    none = {"totalCount": 0, "nodes": []}
    assert answer == {
        "loggedModel": None,
        "node": None,
        "loggedModels": none,
        "run": {"loggedModels": none},
        "user": {"usedModels": none},
        "experiment": {"loggedModels": none},
        "modelVersion": {"loggedModel": None, "run": {"runId": run}},
    }


async def test_the_metrics_of_a_logged_model(store, client):
    """By key and step, each with the dataset that it was measured on, where that is known."""
    run = store.run(experiment := store.experiment("e"), status="RUNNING")
    model = store.logged_model(experiment, "model", run)
    store.dataset(run, "train", "1a")
    store.dataset(run, "test", "2b")
    measured = {"model_id": model.model_id}
    store.metric(run, "rmse", 0.5, timestamp=2_000, dataset_name="train", dataset_digest="1a", **measured)
    store.metric(run, "rmse", 0.75, timestamp=1_000, step=1, dataset_name="test", dataset_digest="2b", **measured)
    store.metric(run, "mae", float("inf"), **measured)
    store.metric(run, "r2", 1.0, dataset_name="unknown", dataset_digest="3c", **measured)

    answer = await asked(
        client, model, 'metrics { key value text step loggedAt dataset { label } } some: metrics(keys: ["mae"]) { key }'
    )

    one, two = "1970-01-01T00:00:01.000+00:00", "1970-01-01T00:00:02.000+00:00"
    train, test = {"label": "train (1a)"}, {"label": "test (2b)"}
    assert answer["some"] == [{"key": "mae"}]
    assert [tuple(metric.values()) for metric in answer["metrics"]] == [
        ("mae", None, "Infinity", 0, one, None),
        ("r2", 1.0, "1.0", 0, one, None),
        ("rmse", 0.5, "0.5", 0, two, train),
        ("rmse", 0.75, "0.75", 1, one, test),
    ]


async def test_a_metric_that_many_runs_measured_at_once(store, client):
    """Of the same step and moment, they stand in a settled order: by run."""
    runs = sorted(store.run(experiment, status="RUNNING") for experiment in [store.experiment("e")] * 5)
    model = store.logged_model("1")
    for number, run in reversed(list(enumerate(runs))):
        store.metric(run, "rmse", float(number), model_id=model.model_id)

    answer = await asked(client, model, "metrics { value }")

    assert answer == {"metrics": [{"value": float(number)} for number in range(5)]}


async def test_the_runs_that_used_a_logged_model(store, client):
    """The newest first; neither the run that made it, nor runs in the trash."""
    maker = store.run(experiment := store.experiment("e"), "maker")
    model, other = (store.logged_model(experiment, name, maker) for name in ("model", "other"))
    runs = [store.run(experiment, name, start=start) for name, start in (("a", 2), ("b", 3), ("c", 1), ("d", 4))]
    for run in runs:
        store.used_model(run, model.model_id)
    store.used_model(runs[0], other.model_id)
    store.client.delete_run(runs[3])

    answer = await asked(client, model, "usedBy { totalCount nodes { name } }")

    assert answer == {"usedBy": {"totalCount": 3, "nodes": [{"name": name} for name in "bac"]}}
    assert await asked(client, other, "usedBy { nodes { name } }") == {"usedBy": {"nodes": [{"name": "a"}]}}


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_all_pages_of_the_runs_that_used_a_logged_model(store, client, size):
    """Page by page, each run is there once, also those that began at one moment."""
    model = store.logged_model(experiment := store.experiment("e"))
    for number in range(7):
        store.used_model(store.run(experiment, f"r{number}", start=1 + number % 3), model.model_id)

    names, after, more = [], None, True
    while more:
        page = (await client.ask(PAGE, first=size, after=after, id=model.model_id))["loggedModel"]["usedBy"]
        names += [node["name"] for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]

    assert sorted(names) == [f"r{number}" for number in range(7)]
    assert [int(name[1:]) % 3 for name in names] == [2, 2, 1, 1, 0, 0, 0]


async def test_the_versions_that_a_logged_model_became(store, client):
    """Named by its ID, by the place of its files, and by copies of those; prompts and deleted ones are none."""
    model = store.logged_model(store.experiment("e"))
    for name in ("m", "n"):
        store.registered_model(name)
    store.version("m", model_id=model.model_id)
    store.version("m", source=model.artifact_location)
    store.version("m", source=f"{model.artifact_location}/deeper")
    store.version("m", model_id=model.model_id)
    store.version("m", source="s3://b/model")
    store.copied("m", 1, "n")
    store.client.delete_model_version("m", 4)
    store.sql("UPDATE model_versions SET creation_time = 1")

    answer = await asked(client, model, "modelVersions { totalCount nodes { label loggedModel { modelId } } }")

    there = {"modelId": model.model_id}
    nodes = [{"label": label, "loggedModel": there} for label in ("m v3", "m v2", "m v1", "n v1")]
    assert answer == {"modelVersions": {"totalCount": 4, "nodes": nodes}}


async def test_the_logged_models_of_all_experiments(store, client):
    """The newest first; by name where one is given."""
    for number, name in enumerate(["a", "b", "a"]):
        model = store.logged_model(store.experiment(f"e{number}"), name)
        store.sql(f"UPDATE logged_models SET creation_timestamp_ms = {number + 1} WHERE model_id = '{model.model_id}'")

    answer = await client.ask("""{
        all: loggedModels { totalCount nodes { name experiment { name } } }
        named: loggedModels(name: "a", first: 1) { totalCount nodes { experiment { name } } pageInfo { hasNextPage } }
        none: loggedModels(name: "A") { totalCount nodes { name } }
        loggedModel(modelId: "m-none") { name }
    }""")

    every = [{"name": name, "experiment": {"name": f"e{n}"}} for n, name in ((2, "a"), (1, "b"), (0, "a"))]
    named = {"totalCount": 2, "nodes": [{"experiment": {"name": "e2"}}], "pageInfo": {"hasNextPage": True}}
    none = {"totalCount": 0, "nodes": []}
    assert answer == {"all": {"totalCount": 3, "nodes": every}, "named": named, "none": none, "loggedModel": None}
