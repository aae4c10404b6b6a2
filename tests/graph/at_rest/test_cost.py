"""What questions about experiments, runs and datasets cost: a statement for each arrow, however many parents it has."""

import pytest

from tests.stores import filled

MANY = 50
EXPERIMENTS = 'experiments(first: %d, filterBy: {tags: [{key: "tag"}]})'
RUNS, DATASETS = "runs(first: %d)", "datasets(first: %d)"


@pytest.fixture(scope="module", params=["rows"])
def settings(request):
    """As rows on both databases; what PostgreSQL answers by itself is told below."""
    return {"backend": request.param}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request, templates, tmp_path_factory):
    """Fifty experiments with a run each, that has all that a run can have; the first is the parent of the others."""
    with filled(request.param, templates, tmp_path_factory.mktemp("store")) as made:
        made.registered_model("model")
        parent = fill(made, 0)
        for number in range(1, MANY):
            fill(made, number, parent)
        yield made


def fill(store, number, parent=None):
    """The ID of the run of a new experiment."""
    name = f"e{number:02}"
    experiment = store.experiment(name, tag="x")
    tags = {"mlflow.source.git.commit": "abc", "tag": "x"}
    run = store.run(
        experiment, name, start=1_000 + number, status="RUNNING", params={"p": 1}, metrics={"m": 1}, tags=tags,
        parent=parent,
    )  # fmt: skip
    store.dataset(run, "data", name)
    model = store.logged_model(experiment, run_id=run).model_id
    store.metric(run, "on", 1.0, model_id=model, dataset_name="data", dataset_digest=name)
    store.used_model(run, model)
    store.version("model", run_id=run)
    return run


ARROWS = [
    (EXPERIMENTS, "tags {key}", 2),
    (EXPERIMENTS, 'tags(keys: ["tag"], includeSystem: true) {value}', 2),
    (EXPERIMENTS, "runs {nodes {name}}", 2),
    (EXPERIMENTS, "runs(first: 1) {edges {cursor node {id}} pageInfo {endCursor}}", 2),
    (EXPERIMENTS, 'runs(filterBy: {tags: [{key: "tag"}]}, orderBy: [{metric: "m"}]) {nodes {name}}', 2),
    (EXPERIMENTS, "runs {totalCount}", 2),
    (EXPERIMENTS, "runs {totalCount nodes {name}}", 3),
    (EXPERIMENTS, "loggedModels {nodes {name}}", 2),
    (EXPERIMENTS, "loggedModels {totalCount nodes {name}}", 3),
    (EXPERIMENTS, "datasets {nodes {name source}}", 2),
    (EXPERIMENTS, "datasets {totalCount nodes {name source}}", 3),
    (RUNS, "name user description duration", 1),
    (RUNS, "experiment {name}", 2),
    (RUNS, "parent {name}", 2),
    (RUNS, "children {nodes {name}}", 2),
    (RUNS, "children {totalCount nodes {name}}", 3),
    (RUNS, "params {value}", 2),
    (RUNS, 'param(key: "p")', 2),
    (RUNS, 'a: param(key: "p") b: param(key: "q")', 3),
    (RUNS, "metrics {value}", 2),
    (RUNS, 'metric(key: "m")', 2),
    (RUNS, 'metricHistory(key: "m") {nodes {value}}', 2),
    (RUNS, 'metricHistory(key: "m") {totalCount nodes {value}}', 3),
    (RUNS, "tags {value}", 2),
    (RUNS, "inputs {context}", 2),
    (RUNS, 'inputs(context: "training") {dataset {name source}}', 3),
    (RUNS, "loggedModels {nodes {name}}", 2),
    (RUNS, "loggedModels {totalCount nodes {name}}", 3),
    (RUNS, "usedModels {nodes {name}}", 2),
    (RUNS, "usedModels {totalCount nodes {name}}", 3),
    (RUNS, "modelVersions {nodes {version}}", 2),
    (RUNS, "modelVersions {totalCount nodes {version}}", 3),
    (RUNS, "code {commit}", 2),
    (RUNS, "metrics {dataset {name}}", 3),
    (RUNS, 'metricHistory(key: "on") {nodes {dataset {name}}}', 3),
    (RUNS, "experiment {runs {nodes {experiment {name}}}}", 4),
    (RUNS, "inputs {dataset {runs {nodes {inputs {dataset {name}}}}}}", 6),
    (DATASETS, "name source schema profile", 1),
    (DATASETS, "experiments {nodes {name}}", 2),
    (DATASETS, "experiments {totalCount nodes {name}}", 3),
    (DATASETS, "runs {nodes {runId}}", 2),
    (DATASETS, 'runs(context: "training") {totalCount nodes {runId}}', 3),
]


@pytest.mark.parametrize(("root", "selection", "cost"), ARROWS)
async def test_the_cost_of_an_arrow(client, statements, root, selection, cost):
    """It is the same for one parent as for fifty; counting all pages adds one statement."""
    for parents in (1, MANY):
        answer = await client.ask(f"{{{root % parents} {{nodes {{{selection}}}}}}}")

        [page] = answer.values()
        assert len(page["nodes"]) == parents
        assert len(statements) == cost
        assert all(any(node.values()) for node in page["nodes"][:1])


@pytest.mark.parametrize("root", [EXPERIMENTS, RUNS, DATASETS])
@pytest.mark.parametrize(
    ("selection", "cost"),
    [("nodes {id}", 1), ("totalCount", 1), ("totalCount nodes {id} edges {cursor} pageInfo {hasNextPage}", 2)],
)
async def test_the_cost_of_a_list(client, statements, root, selection, cost):
    """A page is a statement, and so is the number of items in all pages, when it is asked for."""
    await client.ask(f"{{{root % 10} {{{selection}}}}}")

    assert len(statements) == cost


async def test_the_cost_of_nothing(client, statements):
    """Where there are no parents, their arrows cost nothing."""
    what = "tags {key} experiment {name runs {totalCount nodes {id}}} inputs {dataset {name}} code {commit}"

    await client.ask(f'{{runs(filterBy: {{nameContains: "nobody"}}) {{nodes {{{what}}}}}}}')

    assert len(statements) == 1


async def test_the_cost_of_one_object(client, statements):
    """An object by its key is a statement, there or not."""
    for question in ('experiment(name: "e00")', 'experiment(experimentId: "1")', 'run(runId: "x")'):
        await client.ask(f"{{{question} {{name}}}}")

        assert len(statements) == 1


BY_ROWS = [selection for _, selection, cost in ARROWS if "source" in selection and cost > 1]
"""Documents, which are read in Python."""


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
@pytest.mark.parametrize("settings", ["json"], indirect=True)
@pytest.mark.parametrize(("root", "selection"), [(root, selection) for root, selection, _ in ARROWS])
async def test_what_postgresql_answers_by_itself(client, statements, root, selection):
    """One statement, however deep."""
    await client.ask(f"{{{root % MANY} {{nodes {{{selection}}}}}}}")

    assert (len(statements) == 1) == (selection not in BY_ROWS)
