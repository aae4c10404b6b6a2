"""What PostgreSQL answers by itself, and what it leaves to rows; each answer is compared with graphql-core's."""

import logging

import pytest

from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.engine import json_statements
from lineage_api.engine.forms import MARK
from lineage_api.errors import Unsuitable
from tests.abandoned import ABANDONED

pytestmark = [pytest.mark.parametrize("store", ["postgresql"], indirect=True), *ABANDONED]
FORCED = pytest.mark.parametrize("settings", [{"backend": "json"}], ids=["json"])


@pytest.fixture
def whys(caplog):
    """Why rows have answered, each reason once."""
    caplog.set_level(logging.DEBUG, "lineage_api.engine.json_plans")
    return lambda: list(dict.fromkeys(record.args[0].args[0] for record in caplog.records if "rows" in record.msg))


RUNS = "runs(first: 2) {nodes"
DOUBLED = " ".join(f"fragment F{i} on Run {{a: parent {{...F{i + 1}}} b: parent {{...F{i + 1}}}}}" for i in range(10))


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("{%s {name params {key}}}}", None),
        ("{runs {totalCount edges {cursor node {id}} pageInfo {hasNextPage startCursor endCursor}}}", None),
        ("{a: experiments {nodes {name}} b: runs {nodes {experiment {tags {key}}}}}", "experiment.tags"),
        ("{%s {artifacts {path}}}}", "Run.artifacts is worked out in Python."),
        ("{%s {__typename label lineage {mermaid}}}}", "Run.lineage is worked out in Python."),
        ("{datasets {nodes {name source}}}", "Dataset.source is converted in Python."),
        ("{%s {inputs {dataset {name}}}}}", "No index leads from several parents to Run.inputs."),
        ('{experiment(name: "e") {runs {nodes {name}}}}', None),
        ("{experiments {nodes {runs {nodes {name}}}}}", "No index leads from several parents to Experiment.runs."),
        (
            "{modelVersions {nodes {model {versions {nodes {version}}}}}}",
            "Several parents may share what RegisteredModel.versions is a page of.",
        ),
        ('{registeredModel(name: "m") {versions {nodes {version}}}}', None),
        ('{runs(orderBy: {metric: "m"}) {nodes {name}}}', None),
        ('{runs(orderBy: {metric: "m"}) {edges {cursor}}}', "A cursor names a float."),
        ("{%s {" + "a" * 64 + ": name}}}", "An object is empty, or a name in it is too long."),
        ("{%s {name @skip(if: true)}}}", "An object is empty, or a name in it is too long."),
        ('{node(id: "x") {id}}', "Query.node is worked out in Python."),
        ("{%s {...F0}}} " + DOUBLED + "fragment F10 on Run {name}", "There are too many fields"),
        ('{modelVersions(filterBy: {package: {name: "numpy"}}) {nodes {version}}}', "worked out from several"),
    ],
)
async def test_the_rule(store, client, statements, whys, query, why):
    """One statement for what is columns and relations; else a reason that can be read in the log."""
    run = store.run(store.experiment("e", team="x"), "run", params={"p": 1}, metrics={"m": 1.5})
    store.dataset(run, "taxi", "1")
    store.registered_model("m")
    store.version("m", run_id=run)

    await client.ask(query.replace("%s", RUNS))

    if why is None:
        assert len(statements) == 1
        assert whys() == []
    else:
        assert any(why.lower() in each.lower() for each in whys()), whys()


@pytest.mark.parametrize("settings", [{"backend": "rows"}], ids=["rows"])
async def test_rows_alone(store, client, statements):
    """With that back end no JSON is written."""
    store.run(store.experiment("e"), "run", params={"p": 1})

    await client.ask("{runs {nodes {name params {key}}}}")

    assert len(statements) == 2
    assert not any("row_to_json" in statement for statement in statements)


async def test_a_part_of_an_answer(store, client, statements):
    """Beside what is worked out in Python, PostgreSQL writes what lies below a relation, with one statement for it."""
    experiment = store.experiment("e")
    for name in ("a", "b"):
        store.run(experiment, name, params={"p": 1, "q": 2})

    answer = await client.ask("{runs {nodes {name artifacts {path} params {key value} none: params(keys: []) {key}}}}")

    assert [len(run["params"]) for run in answer["runs"]["nodes"]] == [2, 2]
    assert ["row_to_json" in statement or "array_to_json" in statement for statement in statements] == [
        False,
        True,
        True,
    ]


@FORCED
async def test_parents_without_a_key(store, client, statements):
    """What they lead to is empty: null, or a list of nothing."""
    run = store.run(store.experiment("e"), "run")
    store.registered_model("m")
    store.version("m", run_id=run)
    store.version("m", source="s3://elsewhere")

    answer = await client.ask(
        "{modelVersions {nodes {artifacts {path} run {name} copiedFrom {label} model {versions(first: 1) {totalCount}}"
        "}}}"
    )

    found = {(each["run"] or {}).get("name") for each in answer["modelVersions"]["nodes"]}
    assert found == {"run", None}


ODD = [
    "UPDATE runs SET start_time = NULL, end_time = 0",
    "UPDATE runs SET start_time = -1, end_time = 9000000000000",
    "UPDATE runs SET start_time = 253402300799999, end_time = 9223372036854775807",
    "UPDATE runs SET start_time = 1, end_time = 9007199254740",
    "UPDATE runs SET name = '', user_id = 'unknown', lifecycle_stage = NULL, artifact_uri = ''",
    "UPDATE runs SET name = E'\\u0001\\n\\t\\\\\"é😀'",
    f"UPDATE runs SET name = '{MARK}'",
    "UPDATE latest_metrics SET value = 'NaN', is_nan = true",
    "UPDATE latest_metrics SET value = 'NaN'",
    "UPDATE latest_metrics SET value = 'Infinity'",
    "UPDATE latest_metrics SET value = 1.7976931348623157e308",
    "UPDATE latest_metrics SET value = -1.7976931348623157e308, step = 9223372036854775807",
    "UPDATE latest_metrics SET value = 1e15, timestamp = 0",
    "UPDATE latest_metrics SET value = 1e16, timestamp = -5",
    "UPDATE latest_metrics SET value = -0.0, timestamp = 1767225600007",
    "UPDATE latest_metrics SET value = 5e-324",
    "UPDATE latest_metrics SET value = 0.00001, step = -1",
    "UPDATE latest_metrics SET value = 123456789012345.67",
    "UPDATE tags SET value = NULL",
    "UPDATE tags SET value = ' TRUE '",
    "UPDATE tags SET value = 'false'",
    "UPDATE model_versions SET current_stage = 'Deleted_Internal'",
    "UPDATE model_versions SET status = 'LOST', creation_time = NULL WHERE version = 1",
    "UPDATE model_versions SET status = '', source = 'models:/m/1', description = ''",
    "UPDATE model_versions SET source = 'models:/m/99999999999', status = NULL",
    "UPDATE model_versions SET current_stage = 'Production'",
    "UPDATE model_versions SET current_stage = NULL",
    "UPDATE logged_models SET status = 7",
    "UPDATE experiments SET name = 'Default\"' WHERE experiment_id = 0",
    "UPDATE lineage_events SET occurred_at = -occurred_at",
    "DELETE FROM lineage_models",
]

EVERYTHING = """{
    runs { totalCount
        edges { cursor node { id runId name status isDeleted startedAt endedAt duration user description artifactUri
            experiment { id experimentId name isDeleted createdAt } params { key value } metric(key: "m")
            metrics { key value text step loggedAt dataset { name } } tags(includeSystem: true) { key value }
            code { commit isDirty } inputs { context dataset { id label name digest sourceType } } }
        } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }
    registeredModels { nodes { id name description createdAt updatedAt tags { key value } aliases { name since }
        inStage(stage: PRODUCTION) { version }
        versions(first: 1) { totalCount pageInfo { hasNextPage endCursor } nodes { id label version stage isDeleted
            stageSince aliases status statusMessage description createdAt registeredBy source artifactUri
            stageThen: stage(at: "2100-01-01T00:00:00Z") tags { key value } model { name } run { name }
            loggedModel { modelId status metrics { key value text } params { key value } } copiedFrom { label } } } } }
    one: modelVersion(ref: {model: "m", stage: PRODUCTION}) { version }
    registryEvents { nodes { id kind occurredAt origin actor modelName version fromStage toStage alias key value
        cause { id } model { name } modelVersion { label } } }
}"""


@FORCED
@pytest.mark.parametrize("change", [None, *ODD])
async def test_what_is_out_of_order(store, client, change):
    """Whatever stands in the tables, the answer is the one by rows, with the same errors at the same places."""
    experiment = store.experiment("e", team="x")
    tags = {"mlflow.source.git.commit": "abc", "mlflow.source.git.dirty": "True", "mlflow.user": "ann"}
    run = store.run(experiment, "run", params={"p": 1}, metrics={"m": 1.5, "n": 2}, tags=tags)
    store.dataset(run, "taxi", "1")
    model = store.logged_model(experiment, run_id=run, params={"depth": "3"})
    store.metric(run, "on", 0.25, model_id=model.model_id, dataset_name="taxi", dataset_digest="1")
    store.registered_model("m", tags={"team": "x"}, description="d")
    store.version("m", model_id=model.model_id)
    store.version("m", run_id=run)
    store.alias("m", "champion", 1)
    store.stage("m", 1, "Production")
    if change is not None:
        store.sql(change.replace(":", r"\:"))

    answer = await client.answer(EVERYTHING)

    assert answer["data"] is None or len(answer["data"]) == 4


@FORCED
@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("{modelVersions {nodes {version stage}}}", ["modelVersions", "nodes", 0, "stage"]),
        (
            '{modelVersions {nodes {then: stage(at: "2100-01-01T00:00:00Z")}}}',
            ["modelVersions", "nodes", 0, "then"],
        ),
        ("{registryEvents(kinds: [STAGE_CHANGED]) {nodes {toStage}}}", ["registryEvents", "nodes", 0, "toStage"]),
        ('{modelVersion(ref: {model: "m", version: 1}) {stage}}', ["modelVersion", "stage"]),
    ],
)
async def test_a_stage_that_there_is_not(store, client, query, path):
    """It is a defect of what was asked for, and nothing else is told."""
    store.registered_model("m")
    store.version("m", source="s3://somewhere")
    store.sql("UPDATE model_versions SET current_stage = 'Elsewhere'")

    response = await client.http.post("/graphql", json={"query": query})

    [error] = response.json()["errors"]
    assert (error["path"], error["extensions"]["code"]) == (path, "INTERNAL")
    assert "Elsewhere" not in response.text
    assert MARK not in response.text


@FORCED
async def test_a_statement_that_fails(store, client, statements, caplog):
    """Rows then say at which field."""
    run = store.run(store.experiment("e"), "run", params={"p": 1})
    store.sql("ALTER TABLE params RENAME COLUMN value TO gone")

    response = await client.http.post("/graphql", json={"query": "{runs {nodes {name params {value}}}}"})

    [error] = response.json()["errors"]
    assert error["path"] == ["runs", "nodes", 0, "params"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert "gone" not in response.text
    assert run
    assert "A statement that writes JSON failed; rows answer" in caplog.messages
    store.sql("ALTER TABLE params RENAME COLUMN gone TO value")


@FORCED
async def test_equal_values_of_arguments(store, client, statements):
    """One statement serves all values that are only bound; others have their own, and each is right."""
    experiment = store.experiment("e")
    runs = [store.run(experiment, f"run {n}", params={"p": n, "q": n}, start=1_000 * n) for n in range(1, 6)]
    query = """query ($id: String!, $keys: [String!], $first: Int!, $after: String) {
        run(runId: $id) { name params(keys: $keys) { key value } a: param(key: "p") b: param(key: "q") }
        runs(first: $first, after: $after) { nodes { name } pageInfo { hasNextPage endCursor } }
    }"""
    after = None
    for number, run in enumerate(runs, start=1):
        for keys in (["p"], ["q"], [], None):
            answer = await client.ask(query, id=run, keys=keys, first=1 + number % 2, after=after)
            assert answer["run"]["name"] == f"run {number}"
            assert len(statements) == 1
        after = answer["runs"]["pageInfo"]["endCursor"]


@FORCED
async def test_arguments_that_are_refused(store, client):
    """They are told as they are where rows answer."""
    store.run(store.experiment("e"), "run")
    for query in (
        "{runs(first: 0) {nodes {name}}}",
        '{runs(after: "no") {nodes {name}}}',
        '{runs {nodes {params(keys: ["a\\u0000"]) {key}}}}',
        '{run(runId: "a\\u0000") {name}}',
        '{experiment(experimentId: "1", name: "e") {name}}',
        "{runs {totalCount nodes {loggedModels(first: 1000) {__typename}}}}",
    ):
        answer = await client.answer(query)
        assert answer["errors"]


async def test_how_a_database_can_be_read(store, tmp_path):
    """Another word is refused, and SQLite writes no JSON."""
    with pytest.raises(Unsuitable, match="the backend must be one of rows, json, best, not fast"):
        create_app(Settings(backend_store_uri=store.uri, backend="fast"))
    with pytest.raises(Unsuitable, match="SQLite is read as rows"):
        create_app(Settings(backend_store_uri=f"sqlite:///{tmp_path}/mlflow.db", backend="json"))


@pytest.mark.parametrize("settings", [{"backend": "rows"}, {}], ids=["rows", "best"])
async def test_filters_are_compiled_once(store, client, statements):
    """Whatever the values are that they ask for: the statements stay the same objects."""
    experiment = store.experiment("e", team="x")
    for number in range(3):
        store.run(experiment, f"run {number}", params={"p": number}, metrics={"m": number}, tags={"t": f"{number}"})
    query = """query ($filter: RunFilter, $keys: [String!]) {
        runs(filterBy: $filter) { totalCount nodes { name params(keys: $keys) { value } } }
    }"""
    found, texts = [], []
    for number in range(3):
        filter_by = {
            "experimentIds": [experiment],
            "metrics": [{"key": "m", "gte": number}],
            "params": [{"key": "p", "in": [f"{number}", "7"]}],
            "or": [{"tags": [{"key": "t", "eq": f"{number}"}]}, {"nameContains": f"run {number}"}],
        }
        answer = await client.ask(query, filter=filter_by, keys=["p"])
        found.append([run["params"][0]["value"] for run in answer["runs"]["nodes"]])
        texts.append(list(map(id, statements)))

    assert found == [["0"], ["1"], ["2"]]
    assert texts[0] == texts[1] == texts[2]


@pytest.mark.parametrize("whole", [True, False], ids=["the data", "a part of them"])
async def test_json_that_is_too_long(store, client, statements, monkeypatch, whole):
    """It is not sent: rows are, which are counted as they come, all parents of a relation together."""
    experiment = store.experiment("e")
    for name in ("a", "b"):
        store.run(experiment, name, params={"p": "x" * 200})
    more = "" if whole else "artifacts { path }"
    query = "{ runs { nodes { %s params { key value } } } }"
    for most, is_sent in ((600, True), (400, False)):
        monkeypatch.setattr(json_statements, "MAX_BYTES", most)
        answer = await client.answer(query % f"{more} a{most}: name")
        assert [run["params"][0]["value"] for run in answer["data"]["runs"]["nodes"]] == ["x" * 200] * 2
        assert any("json" in text and "params" in text for text in statements)
        assert (answer["extensions"]["cost"]["actual"] is None) is is_sent
        assert (statements[-1].count("json") > 0) is is_sent
