"""The versions that came of a dataset."""

import pytest

_ASK = """query ($name: String, $filter: ModelVersionFilter, $first: Int! = 20, $after: String) {
    datasets(name: $name) {nodes {digest modelVersions(filterBy: $filter, first: $first, after: $after) {
        totalCount nodes {label} pageInfo {endCursor hasNextPage}
    }}}
}"""


@pytest.fixture
def came_of(client):
    """The labels of the versions that came of each dataset of a name, by its digest."""

    async def came_of(name, **how):
        nodes = (await client.ask(_ASK, name=name, **how))["datasets"]["nodes"]
        found = {node["digest"]: [v["label"] for v in node["modelVersions"]["nodes"]] for node in nodes}
        assert [node["modelVersions"]["totalCount"] for node in nodes] == list(map(len, found.values()))
        return found

    return came_of


async def test_at_any_remove(store, came_of):
    """Through the runs that read it, the runs that those started, the models that they logged, and copies."""
    store.registered_model("m")
    store.registered_model("copies")
    reader = store.run("0", "reader")
    store.dataset(reader, "taxis", "bad")
    store.dataset(reader, "zones", "1")
    child = store.run("0", "child", parent=reader)
    grandchild = store.run("0", "grandchild", parent=child)
    store.version("m", run_id=reader)
    store.version("m", model_id=store.logged_model("0", run_id=grandchild).model_id)
    model = store.logged_model("0", run_id=child)
    store.version("m", source="s3://bucket/model", run_id=store.run("0", "unrelated"))
    store.sql("UPDATE model_versions SET source = :source WHERE version = 3", source=f"models:/{model.model_id}")
    store.copied("m", 1, "copies")
    other = store.run("0", "other")
    store.dataset(other, "taxis", "good")
    store.version("m", run_id=other)
    store.version("m", source="s3://bucket/bare")
    store.client.delete_run(reader)

    everything = ["copies v1", "m v1", "m v2", "m v3"]
    found = await came_of("taxis")
    assert {digest: sorted(labels) for digest, labels in found.items()} == {"bad": everything, "good": ["m v4"]}
    assert sorted((await came_of("zones"))["1"]) == everything

    store.stage("m", 2, "Production")
    store.stage("m", 4, "Production")
    in_production = await came_of("taxis", filter={"stages": ["PRODUCTION"]})
    assert in_production == {"bad": ["m v2"], "good": ["m v4"]}

    store.client.delete_model_version("m", "2")
    assert await came_of("taxis", filter={"stages": ["PRODUCTION"]}) == {"bad": [], "good": ["m v4"]}


async def test_the_same_data_in_two_experiments(store, came_of):
    """Is one dataset."""
    store.registered_model("m")
    for experiment in ("0", store.experiment("other")):
        run = store.run(experiment)
        store.dataset(run, "taxis", "1")
        store.version("m", run_id=run)

    assert {digest: sorted(labels) for digest, labels in (await came_of("taxis")).items()} == {"1": ["m v1", "m v2"]}


async def test_runs_that_started_each_other(store, came_of):
    """Nobody can, but who writes tags; it ends."""
    store.registered_model("m")
    first = store.run("0")
    second = store.run("0", parent=first)
    store.client.set_tag(first, "mlflow.parentRunId", second)
    store.dataset(first, "taxis", "1")
    store.version("m", run_id=second)

    assert await came_of("taxis") == {"1": ["m v1"]}


async def test_page_after_page(store, client):
    """Newest first, each once."""
    store.registered_model("m")
    run = store.run("0")
    store.dataset(run, "taxis", "1")
    for _ in range(5):
        store.version("m", run_id=run)

    labels, after = [], None
    for _ in range(3):
        [node] = (await client.ask(_ASK, name="taxis", first=2, after=after))["datasets"]["nodes"]
        labels += [version["label"] for version in node["modelVersions"]["nodes"]]
        after = node["modelVersions"]["pageInfo"]["endCursor"]

    assert labels == [f"m v{number}" for number in (5, 4, 3, 2, 1)]
    assert not node["modelVersions"]["pageInfo"]["hasNextPage"]


async def test_what_it_costs(store, client, statements):
    """As many statements for many datasets as for one."""
    store.registered_model("m")
    question = "{datasets {nodes {modelVersions {totalCount nodes {label run {name}}}}}}"

    def make(digest):
        run = store.run("0")
        store.dataset(run, "taxis", digest)
        store.version("m", run_id=store.run("0", parent=run))

    make("0")
    await client.ask(question)
    few = len(statements)
    for digest in range(1, 5):
        make(str(digest))
    await client.ask(question)

    assert len(statements) == few == 8
