"""Which versions, in what order."""

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage_api.store.convert import moment
from tests.stores import filled

FOUND = """query ($filter: ModelVersionFilter, $order: [ModelVersionOrder!]) {
    modelVersions(filterBy: $filter, orderBy: $order) { totalCount nodes { label } }
}"""
PAGE = """query ($filter: ModelVersionFilter, $order: [ModelVersionOrder!], $first: Int!, $after: String) {
    modelVersions(filterBy: $filter, orderBy: $order, first: $first, after: $after) {
        nodes { label } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
}"""


@dataclass
class Run:
    """A run of the store below."""

    name: str
    experiment: str = "1"
    start: int = 1_000
    status: str = "FINISHED"
    is_deleted: bool = False
    params: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)
    tags: dict = field(default_factory=dict)


@dataclass
class Version:
    """A version of the store below."""

    model: str
    number: int
    run: str | None = None
    through: str = "run_id"
    stage: str = "NONE"
    created: int | None = 5_000
    updated: int | None = 5_000
    aliases: tuple = ()
    tags: dict = field(default_factory=dict)
    is_deleted: bool = False

    @property
    def label(self):
        return f"{self.model} v{self.number}"


RUNS = {
    run.name: run
    for run in [
        Run("best", metrics={"rmse": 0.5, "mae": 3.0}, params={"depth": "3", "kind": "tree"}, tags={"team": "ops"}),
        Run("worse", experiment="2", start=2_000, metrics={"rmse": 2.0, "mae": 1.0}, params={"depth": "10"}),
        Run("broken", experiment="2", start=3_000, status="FAILED", metrics={"rmse": math.nan}, tags={"team": "data"}),
        Run("bare", start=4_000, status="RUNNING", params={"kind": ""}),
        Run("trashed", is_deleted=True, metrics={"rmse": 1.0}, tags={"team": "ops"}),
    ]
}
VERSIONS = [
    Version("a", 1, "best", stage="ARCHIVED", created=1_000, updated=9_000, tags={"tier": "1", "note": "Say 50%"}),
    Version("a", 2, "worse", stage="PRODUCTION", created=2_000, aliases=("champion",), tags={"tier": "2"}),
    Version("a", 3, "best", through="runs:/", stage="PRODUCTION", created=2_000, updated=None, aliases=("next", "new")),
    Version("a", 4, "best", is_deleted=True, tags={"tier": "1"}),
    Version("b", 1, "broken", through="models:/", created=2_000, tags={"tier": "", "note": "say"}),
    Version("b", 2, "worse", through="place", stage="STAGING", created=3_000, aliases=("champion",)),
    Version("b", 3, None, created=None, tags={"mlflow.kept": "yes"}),
    Version("c", 1, "bare", through="models:/", stage="STAGING", created=4_000, updated=1),
    Version("c", 2, "trashed", through="models:/", created=2_000, updated=9_000, tags={"tier": "1"}),
    Version("c", 3, "gone", created=5_000),
]


def set_version(store, version, **columns):
    changes = ", ".join(f"{name} = :{name}" for name in columns)
    where = {"of": version.model, "number": version.number}
    store.sql(f"UPDATE model_versions SET {changes} WHERE name = :of AND version = :number", **where, **columns)


def fill(store):
    """RUNS and VERSIONS, as MLflow keeps them."""
    ids = {"gone": "f" * 32}
    for experiment in ("one", "two"):
        store.experiment(experiment)
    for run in RUNS.values():
        made = store.run(run.experiment, run.name, start=run.start, status=run.status, params=run.params, tags=run.tags)
        ids[run.name] = made
        for key, value in run.metrics.items():
            store.metric(made, key, value)
    for version in VERSIONS:
        if version.number == 1:
            store.registered_model(version.model)
        register(store, version, ids.get(version.run))
    store.client.delete_run(ids["trashed"])


def register(store, version, run_id):
    """A version that leads to its run in one of MLflow's ways."""
    sources = {"runs:/": f"runs:/{run_id}/model", "place": f"s3://b/0/{run_id}/artifacts/model"}
    source = sources.get(version.through, "s3://b/model")
    if version.through == "models:/":
        source = f"models:/{store.logged_model(RUNS[version.run].experiment, 'logged', run_id).model_id}"
    assert store.version(version.model, source=source, run_id=run_id, tags=version.tags) == version.number
    if version.through != "run_id":
        set_version(store, version, run_id=None)
    store.stage(version.model, version.number, version.stage.title())
    for alias in version.aliases:
        store.alias(version.model, alias, version.number)
    if version.is_deleted:
        store.client.delete_model_version(version.model, version.number)
    set_version(store, version, creation_time=version.created, last_updated_time=version.updated)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request, templates, tmp_path_factory):
    """A store that tests only read."""
    with filled(request.param, templates, tmp_path_factory.mktemp("versions")) as made:
        fill(made)
        yield made


# The same in plain Python


def text_meets(texts, condition):
    value = texts.get(condition["key"])
    tests = {
        "eq": lambda other: value == other,
        "ne": lambda other: value != other,
        "in": lambda others: value in others,
        "contains": lambda part: part in value,
    }
    return value is not None and all(tests[name](other) for name, other in condition.items() if name != "key")


def number_meets(numbers, condition):
    value = numbers.get(condition["key"])
    compared = {name: other for name, other in condition.items() if name != "key"}
    tests = {"gt": lambda other: value > other, "lte": lambda other: value <= other, "ne": lambda other: value != other}
    if value is None or (math.isnan(value) and compared):
        return False
    return all(tests[name](other) for name, other in compared.items())


def run_meets(run, filter_by):
    tests = {
        "experimentIds": lambda ids: run.experiment in ids,
        "statuses": lambda statuses: run.status in statuses,
        "nameContains": lambda text: text.lower() in run.name,
        "startedSince": lambda time: moment(run.start).isoformat() >= time,
        "startedBefore": lambda time: moment(run.start).isoformat() < time,
        "params": lambda conditions: all(text_meets(run.params, each) for each in conditions),
        "metrics": lambda conditions: all(number_meets(run.metrics, each) for each in conditions),
        "tags": lambda conditions: all(text_meets(run.tags, each) for each in conditions),
        "isRegistered": lambda wanted: wanted == any(v.run == run.name and not v.is_deleted for v in VERSIONS),
        "or": lambda filters: any(run_meets(run, each) for each in filters),
        "not": lambda each: not run_meets(run, each),
    }
    return run is not None and all(tests[name](value) for name, value in filter_by.items())


def version_meets(version, filter_by):
    created = None if version.created is None else moment(version.created).isoformat()
    tests = {
        "models": lambda names: version.model in names,
        "stages": lambda stages: version.stage in stages,
        "aliases": lambda names: bool(set(names) & set(version.aliases)),
        "tags": lambda conditions: all(text_meets(version.tags, each) for each in conditions),
        "createdSince": lambda time: created is not None and created >= time,
        "createdBefore": lambda time: created is not None and created < time,
        "run": lambda each: run_meets(RUNS.get(version.run), each),
        "or": lambda filters: any(version_meets(version, each) for each in filters),
        "not": lambda each: not version_meets(version, each),
    }
    return all(tests[name](value) for name, value in filter_by.items())


def chosen(filter_by):
    """The labels of the versions that meet a filter, the newest first."""
    kept = [v for v in VERSIONS if not v.is_deleted and version_meets(v, filter_by)]
    kept.sort(key=lambda v: (v.created is None, -(v.created or 0), v.model, -v.number))
    return [version.label for version in kept]


async def found(client, filter_by=None, order=None):
    """The labels of the versions that meet a filter, which are counted too."""
    answer = (await client.ask(FOUND, filter=filter_by, order=order))["modelVersions"]
    assert answer["totalCount"] == len(answer["nodes"])
    return [node["label"] for node in answer["nodes"]]


texts = st.sampled_from(["1", "2", "", "ops", "data", "3", "tree", "Say", "%", "say"])


def conditions(keys):
    return st.lists(
        st.fixed_dictionaries(
            {"key": st.sampled_from(keys)},
            optional={"eq": texts, "ne": texts, "in": st.lists(texts, max_size=2), "contains": texts},
        ),
        max_size=2,
    )


numbers = st.sampled_from([0.0, 0.5, 1.0, 2.0])
numeric = st.fixed_dictionaries(
    {"key": st.sampled_from(["rmse", "mae", "none"])}, optional={"gt": numbers, "lte": numbers, "ne": numbers}
)
moments = st.sampled_from([1_000, 2_000, 2_001, 4_000, 9_000]).map(lambda time: moment(time).isoformat())
run_conditions = {
    "experimentIds": st.lists(st.sampled_from(["1", "2", "9", "x"]), max_size=2),
    "statuses": st.lists(st.sampled_from(["FINISHED", "FAILED", "RUNNING"]), max_size=2),
    "nameContains": st.sampled_from(["B", "e", "worse", "_", ""]),
    "startedSince": moments,
    "startedBefore": moments,
    "params": conditions(["depth", "kind"]),
    "metrics": st.lists(numeric, max_size=2),
    "tags": conditions(["team"]),
    "isRegistered": st.booleans(),
}
version_conditions = {
    "models": st.lists(st.sampled_from(["a", "b", "c", "A"]), max_size=3),
    "stages": st.lists(st.sampled_from(["NONE", "STAGING", "PRODUCTION", "ARCHIVED"]), max_size=3),
    "aliases": st.lists(st.sampled_from(["champion", "next", "new", "none"]), max_size=2),
    "tags": conditions(["tier", "note", "mlflow.kept"]),
    "createdSince": moments,
    "createdBefore": moments,
}


def filters(simple, **more):
    """Filters of at most three conditions, with `or` and `not` nested in each other."""

    def among(options):
        names = st.lists(st.sampled_from(sorted(options)), max_size=3, unique=True)
        return names.flatmap(lambda names: st.fixed_dictionaries({name: options[name] for name in names}))

    alone = among({**simple, **more})
    return st.recursive(
        alone, lambda inner: among({**simple, **more, "or": st.lists(inner, max_size=3), "not": inner}), max_leaves=4
    )


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(filter_by=filters(version_conditions, run=filters(run_conditions)))
async def test_any_filter(client, filter_by):
    """Whatever is asked for, the versions are those that the same conditions choose in plain Python."""
    assert await found(client, filter_by) == chosen(filter_by)


@pytest.mark.parametrize(
    ("filter_by", "labels"),
    [
        (None, ["c v3", "c v1", "b v2", "a v3", "a v2", "b v1", "c v2", "a v1", "b v3"]),
        ({}, ["c v3", "c v1", "b v2", "a v3", "a v2", "b v1", "c v2", "a v1", "b v3"]),
        (
            dict.fromkeys(["models", "run", "or", "not", "createdSince"]),
            ["c v3", "c v1", "b v2", "a v3", "a v2", "b v1", "c v2", "a v1", "b v3"],
        ),
        ({"models": ["a", "A"]}, ["a v3", "a v2", "a v1"]),
        ({"models": []}, []),
        ({"stages": ["PRODUCTION", "ARCHIVED"]}, ["a v3", "a v2", "a v1"]),
        ({"stages": []}, []),
        ({"aliases": ["champion"]}, ["b v2", "a v2"]),
        ({"aliases": ["new", "next"]}, ["a v3"]),
        ({"aliases": []}, []),
        ({"tags": []}, ["c v3", "c v1", "b v2", "a v3", "a v2", "b v1", "c v2", "a v1", "b v3"]),
        ({"tags": [{"key": "tier"}]}, ["a v2", "b v1", "c v2", "a v1"]),
        ({"tags": [{"key": "tier", "ne": "1"}]}, ["a v2", "b v1"]),
        ({"tags": [{"key": "note", "contains": "%"}, {"key": "tier", "in": ["1"]}]}, ["a v1"]),
        ({"tags": [{"key": "mlflow.kept", "eq": "yes"}]}, ["b v3"]),
        ({"createdSince": moment(3_000).isoformat()}, ["c v3", "c v1", "b v2"]),
        ({"createdBefore": "1970-01-01T02:00:02+02:00"}, ["a v1"]),
        ({"run": {}}, ["c v1", "b v2", "a v3", "a v2", "b v1", "c v2", "a v1"]),
        ({"run": {"nameContains": "BEST"}}, ["a v3", "a v1"]),
        ({"run": {"statuses": ["FAILED", "RUNNING"]}}, ["c v1", "b v1"]),
        ({"run": {"metrics": [{"key": "rmse"}]}}, ["b v2", "a v3", "a v2", "b v1", "c v2", "a v1"]),
        ({"run": {"metrics": [{"key": "rmse", "lt": 1}]}}, ["a v3", "a v1"]),
        ({"run": {"metrics": [{"key": "rmse", "ne": 1}]}}, ["b v2", "a v3", "a v2", "a v1"]),
        ({"run": {"params": [{"key": "depth", "eq": "10"}], "tags": []}}, ["b v2", "a v2"]),
        ({"run": {"matching": "metrics.rmse < 1 and params.kind = 'tree'"}}, ["a v3", "a v1"]),
        ({"run": {"tags": [{"key": "team", "eq": "ops"}]}}, ["a v3", "c v2", "a v1"]),
        ({"run": {"isRegistered": False}}, []),
        ({"run": {"not": {"experimentIds": ["2"]}}}, ["c v1", "a v3", "c v2", "a v1"]),
        ({"not": {"run": {"experimentIds": ["2"]}}}, ["c v3", "c v1", "a v3", "c v2", "a v1", "b v3"]),
        ({"not": {"run": {}}}, ["c v3", "b v3"]),
        ({"not": {"createdSince": moment(1).isoformat()}}, ["b v3"]),
        ({"or": []}, []),
        ({"not": {"or": []}}, ["c v3", "c v1", "b v2", "a v3", "a v2", "b v1", "c v2", "a v1", "b v3"]),
        ({"not": {}}, []),
        ({"or": [{}]}, ["c v3", "c v1", "b v2", "a v3", "a v2", "b v1", "c v2", "a v1", "b v3"]),
        (
            {"models": ["a", "b"], "or": [{"stages": ["STAGING"]}, {"not": {"aliases": ["next"]}, "models": ["a"]}]},
            ["b v2", "a v2", "a v1"],
        ),
    ],
)
async def test_each_condition(client, filter_by, labels):
    """A version is kept when it meets all that is given; null is as good as left out, an empty list names nothing."""
    assert await found(client, filter_by) == labels


async def test_the_filter_of_one_models_versions(client):
    """The same conditions, on the versions of each of many models."""
    answer = await client.ask("""{ registeredModels { nodes {
        versions(filterBy: {run: {metrics: [{key: "rmse", gt: 0.1}]}}) { totalCount nodes { label } }
    } } }""")

    models = [[node["label"] for node in model["versions"]["nodes"]] for model in answer["registeredModels"]["nodes"]]
    assert models == [["a v3", "a v2", "a v1"], ["b v2"], ["c v2"]]
    assert [model["versions"]["totalCount"] for model in answer["registeredModels"]["nodes"]] == [3, 1, 1]


ORDERS = [
    ([], "c v3, c v1, b v2, a v3, a v2, b v1, c v2, a v1, b v3"),
    ([{"field": "VERSION"}], "a v3, b v3, c v3, a v2, b v2, c v2, a v1, b v1, c v1"),
    ([{"field": "VERSION", "direction": "ASC"}], "a v1, b v1, c v1, a v2, b v2, c v2, a v3, b v3, c v3"),
    ([{"field": "CREATED_AT"}], "c v3, c v1, b v2, a v3, a v2, b v1, c v2, a v1, b v3"),
    ([{"field": "CREATED_AT", "direction": "ASC"}], "a v1, a v3, a v2, b v1, c v2, b v2, c v1, c v3, b v3"),
    ([{"field": "UPDATED_AT"}], "a v1, c v2, a v2, b v3, b v2, b v1, c v3, c v1, a v3"),
    ([{"field": "UPDATED_AT", "direction": "ASC"}], "c v1, a v2, b v3, b v2, b v1, c v3, a v1, c v2, a v3"),
    ([{"metric": "rmse"}], "a v2, b v2, c v2, a v3, a v1, b v3, b v1, c v3, c v1"),
    ([{"metric": "rmse", "direction": "ASC"}], "a v3, a v1, c v2, a v2, b v2, b v3, b v1, c v3, c v1"),
    ([{"metric": "mae"}], "a v3, a v1, a v2, b v2, b v3, b v1, c v3, c v2, c v1"),
    ([{"metric": "no such"}], "a v3, a v2, a v1, b v3, b v2, b v1, c v3, c v2, c v1"),
    (
        [{"metric": "rmse"}, {"field": "VERSION", "direction": "ASC"}],
        "a v2, b v2, c v2, a v1, a v3, b v1, c v1, b v3, c v3",
    ),
]


@pytest.mark.parametrize(("order", "labels"), ORDERS)
async def test_each_order(client, order, labels):
    """Ties go by model and number; a moment or metric that is missing, or NaN, comes last either way."""
    assert ", ".join(await found(client, order=order)) == labels


async def test_the_order_of_one_models_versions(client):
    """The same orders; ties go by number, the newest first."""
    answer = await client.ask("""{ registeredModel(name: "a") {
        default: versions { nodes { version } }
        metric: versions(orderBy: [{metric: "rmse", direction: ASC}]) { nodes { version } }
        updated: versions(orderBy: [{field: UPDATED_AT}]) { nodes { version } }
        number: versions(orderBy: [{field: VERSION, direction: ASC}]) { nodes { version } }
    } }""")

    numbers = {name: [node["version"] for node in page["nodes"]] for name, page in answer["registeredModel"].items()}
    assert numbers == {"default": [3, 2, 1], "metric": [3, 1, 2], "updated": [1, 2, 3], "number": [1, 2, 3]}


@pytest.mark.parametrize("order", [{}, {"field": "VERSION", "metric": "rmse"}, {"field": None, "metric": None}])
async def test_an_order_that_says_nothing(client, order):
    """An order is by exactly one of field and metric."""
    error = await client.refused(FOUND, order=[order])

    assert error["message"] == "Give exactly one of `field` and `metric`."
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("order", [order for order, _ in ORDERS], ids=str)
async def test_all_pages(client, order, size):
    """Page by page, each version is there once, in the order of all."""
    pages, after = [], None
    while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
        pages.append((await client.ask(PAGE, order=order, first=size, after=after))["modelVersions"])
        after = pages[-1]["pageInfo"]["endCursor"]

    assert [node["label"] for page in pages for node in page["nodes"]] == await found(client, order=order)
    assert [page["pageInfo"]["hasPreviousPage"] for page in pages] == [False] + [True] * (len(pages) - 1)
    assert {page["edges"][0]["cursor"] == page["pageInfo"]["startCursor"] for page in pages} == {True}


async def test_the_pages_of_many_models(client):
    """A cursor of one list is good for the same list of another model: it is the place in the order that it names."""
    query = "query ($after: String) { registeredModels { nodes { versions(first: 1, after: $after) {"
    query += " nodes { label } pageInfo { endCursor hasNextPage } } } } }"
    first = [model["versions"] for model in (await client.ask(query))["registeredModels"]["nodes"]]
    after = first[0]["pageInfo"]["endCursor"]
    second = [model["versions"] for model in (await client.ask(query, after=after))["registeredModels"]["nodes"]]

    labels = [[node["label"] for page in pages for node in page["nodes"]] for pages in (first, second)]
    assert labels == [["a v3", "b v3", "c v3"], ["a v2", "b v2", "c v2"]]
    assert {page["pageInfo"]["hasNextPage"] for page in first + second} == {True}


async def test_a_metric_named_by_a_variable(client):
    """The same question about another metric is another order."""
    query = "query ($metric: String!) { modelVersions(orderBy: [{metric: $metric}], first: 3) { nodes { label } } }"
    answers = {
        metric: (await client.ask(query, metric=metric))["modelVersions"] for metric in ("rmse", "mae", "no such")
    }

    labels = {metric: ", ".join(node["label"] for node in answer["nodes"]) for metric, answer in answers.items()}
    assert labels == {"rmse": "a v2, b v2, c v2", "mae": "a v3, a v1, a v2", "no such": "a v3, a v2, a v1"}


async def test_a_cursor_of_another_metric(client):
    """A cursor is good for the order that it came from alone."""
    first = await client.ask(PAGE, order=[{"metric": "rmse"}], first=2)
    after = first["modelVersions"]["pageInfo"]["endCursor"]

    error = await client.refused(PAGE, order=[{"metric": "mae"}], first=2, after=after)

    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "wrong", [{"first": 0}, {"first": 101}, {"first": -1}, {"first": 1, "after": "none"}, {"first": 1, "after": ""}]
)
async def test_a_page_that_cannot_be(client, wrong):
    """A size out of range, or what is no cursor."""
    assert (await client.refused(PAGE, **wrong))["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_filter_with_nul(client):
    """A text with NUL is refused: no database holds one."""
    error = await client.refused(FOUND, filter={"aliases": ["a\0"]})

    assert error["extensions"]["code"] == "BAD_USER_INPUT"
