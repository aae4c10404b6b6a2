"""Experiments, and what they lead to."""

from lineage_api.graph.identity import encoded


async def test_the_runs_of_many_experiments(store, client, statements):
    """However many experiments are asked about, their runs cost one statement."""
    for name in ("a", "b"):
        store.experiment(name, runs=["first", "second"])

    answer = await client.ask("{ experiments { nodes { name runs(first: 1) { nodes { name } } } } }")

    assert answer == {
        "experiments": {
            "nodes": [
                {"name": "Default", "runs": {"nodes": []}},
                {"name": "a", "runs": {"nodes": [{"name": "second"}]}},
                {"name": "b", "runs": {"nodes": [{"name": "second"}]}},
            ]
        }
    }
    assert len(statements) == 2


async def test_what_an_experiment_says_of_itself(store, client):
    """Its columns, with times in UTC."""
    id_ = store.experiment("Größe 🚲")
    store.sql("UPDATE experiments SET creation_time = 1700000000123, last_update_time = 1700000001000")

    answer = await client.ask(
        "query ($id: String) {experiment(experimentId: $id)"
        " {__typename id experimentId name artifactLocation isDeleted createdAt updatedAt}}",
        id=id_,
    )

    assert answer["experiment"] == {
        "__typename": "Experiment",
        "id": encoded("Experiment", int(id_)),
        "experimentId": id_,
        "name": "Größe 🚲",
        "artifactLocation": str(store.artifacts / "Größe 🚲"),
        "isDeleted": False,
        "createdAt": "2023-11-14T22:13:20.123+00:00",
        "updatedAt": "2023-11-14T22:13:21.000+00:00",
    }


async def test_what_was_never_written_down(store, client):
    """Experiments of old have no times; null stands for those, and for times that no calendar has."""
    for time, location in ((None, None), (0, ""), (10**17, ""), (-(10**17), None)):
        values = "creation_time = :time, last_update_time = :time, artifact_location = :location"
        store.sql(f"UPDATE experiments SET {values}", time=time, location=location)

        answer = await client.ask('{experiment(name: "Default") {artifactLocation createdAt updatedAt}}')

        assert answer == {"experiment": {"artifactLocation": None, "createdAt": None, "updatedAt": None}}


async def test_an_experiment_is_found_by_its_id_or_its_name(store, client):
    """Both name the same one, in the trash or not."""
    id_ = store.experiment("gone")
    store.client.delete_experiment(id_)

    answer = await client.ask(
        """query ($id: String, $node: ID!) {
        byId: experiment(experimentId: $id) {name isDeleted}
        byName: experiment(name: "gone") {name isDeleted}
        byNode: node(id: $node) {... on Experiment {name isDeleted}}
        }""",
        id=id_,
        node=encoded("Experiment", int(id_)),
    )

    gone = {"name": "gone", "isDeleted": True}
    assert answer == {"byId": gone, "byName": gone, "byNode": gone}


async def test_the_tags_of_an_experiment(store, client):
    """By key; MLflow's own only when asked for; only some keys when those are named."""
    store.experiment("e", **{"b": "2", "a": "é", "mlflow.note.content": "note", "empty": ""})

    answer = await client.ask(
        """{experiment(name: "e") {
        all: tags {key value}
        null: tags(keys: null) {key}
        none: tags(keys: []) {key}
        some: tags(keys: ["b", "mlflow.note.content", "x"]) {key}
        system: tags(includeSystem: true) {key}
        note: tags(keys: ["mlflow.note.content"], includeSystem: true) {key value}
        }}"""
    )

    a, b, empty, note = ({"key": key} for key in ("a", "b", "empty", "mlflow.note.content"))
    assert answer["experiment"] == {
        "all": [a | {"value": "é"}, b | {"value": "2"}, empty | {"value": ""}],
        "null": [a, b, empty],
        "none": [],
        "some": [b],
        "system": [a, b, empty, note],
        "note": [note | {"value": "note"}],
    }


async def test_a_tag_whose_value_is_missing(store, client):
    """MLflow's column can be null, a tag's value cannot: it is empty then."""
    id_ = store.experiment("e", a="x")
    store.sql("UPDATE experiment_tags SET value = NULL")

    answer = await client.ask(f'{{experiment(experimentId: "{id_}") {{tags {{key value}}}}}}')

    assert answer == {"experiment": {"tags": [{"key": "a", "value": ""}]}}


async def test_the_runs_of_an_experiment(store, client):
    """Newest first, without those in the trash unless asked for; counted for this experiment alone."""
    id_ = store.experiment("e", runs=["a", "b", "c", "d"])
    store.experiment("other", runs=["a", "z"])
    [deleted] = [run for run in store.client.search_runs([id_]) if run.info.run_name == "c"]
    store.client.delete_run(deleted.info.run_id)

    answer = await client.ask(
        """query ($id: String) {experiment(experimentId: $id) {
        newest: runs(first: 2) {totalCount nodes {name}}
        all: runs(filterBy: {includeDeleted: true}, orderBy: [{field: NAME, direction: ASC}]) {
          totalCount nodes {name isDeleted}
        }
        a: runs(filterBy: {nameContains: "A"}) {totalCount nodes {name}}
        }}""",
        id=id_,
    )

    every = [{"name": name, "isDeleted": name == "c"} for name in "abcd"]
    assert answer["experiment"] == {
        "newest": {"totalCount": 3, "nodes": [{"name": "d"}, {"name": "b"}]},
        "all": {"totalCount": 4, "nodes": every},
        "a": {"totalCount": 1, "nodes": [{"name": "a"}]},
    }


async def test_the_runs_of_a_deleted_experiment(store, client):
    """They went into the trash with it."""
    id_ = store.experiment("e", runs=["a"])
    store.client.delete_experiment(id_)

    answer = await client.ask(
        "query ($id: String) {experiment(experimentId: $id) {isDeleted runs {nodes {name}}"
        " all: runs(filterBy: {includeDeleted: true}) {nodes {name isDeleted experiment {name}}}}}",
        id=id_,
    )

    everything = {"nodes": [{"name": "a", "isDeleted": True, "experiment": {"name": "e"}}]}
    assert answer["experiment"] == {"isDeleted": True, "runs": {"nodes": []}, "all": everything}


async def test_the_logged_models_of_an_experiment(store, client):
    """Newest first, without those in the trash; a model of an experiment needs no run."""
    id_ = store.experiment("e", runs=["a"])
    [run] = store.client.search_runs([id_])
    first = store.logged_model(id_, "first", run.info.run_id)
    store.logged_model(id_, "second")
    store.client.delete_logged_model(store.logged_model(id_, "third").model_id)
    store.sql(f"UPDATE logged_models SET creation_timestamp_ms = 5 WHERE model_id = '{first.model_id}'")

    answer = await client.ask(
        "query ($id: String) {experiment(experimentId: $id) {loggedModels {totalCount nodes {name run {name}}}}}",
        id=id_,
    )

    models = [{"name": "second", "run": None}, {"name": "first", "run": {"name": "a"}}]
    assert answer["experiment"]["loggedModels"] == {"totalCount": 2, "nodes": models}


async def test_the_datasets_of_an_experiment(store, client):
    """Those that its runs read, each once, by name and digest."""
    id_, other = store.experiment("e", runs=["a", "b"]), store.experiment("other", runs=["c"])
    for run in store.client.search_runs([id_]):
        for name, digest in (("taxi", "2"), ("taxi", "1"), ("flights", "9")):
            store.dataset(run.info.run_id, name, digest)
    store.dataset(store.client.search_runs([other])[0].info.run_id, "mine", "1")

    answer = await client.ask(
        "query ($id: String) {experiment(experimentId: $id) {datasets {totalCount nodes {name digest}}}}", id=id_
    )

    found = [{"name": "flights", "digest": "9"}, {"name": "taxi", "digest": "1"}, {"name": "taxi", "digest": "2"}]
    assert answer["experiment"]["datasets"] == {"totalCount": 3, "nodes": found}
