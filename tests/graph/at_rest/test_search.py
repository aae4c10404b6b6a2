"""`matching`: MLflow's own search syntax."""

import pytest

from lineage_api.store import search
from tests.graph import varied
from tests.stores import filled

FOUND = "query ($matching: String) {runs(first: 100, filterBy: {matching: $matching}) {totalCount nodes {runId}}}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request, templates, tmp_path_factory):
    """A store of varied runs."""
    with filled(request.param, templates, tmp_path_factory.mktemp("store")) as made:
        varied.fill(made)
        yield made


@pytest.mark.parametrize(
    "expression",
    [
        "metrics.m = 1",
        "metrics.m != 1",
        "metrics.m > 0",
        "metrics.m >= 1.0",
        "metrics.m < 0",
        "metrics.m <= 0.0",
        "metrics.m > 1e308",
        "metrics.m < -1e308",
        'metric.`m` != 0 AND metrics."n" != 0',
        "params.p = '1'",
        "params.p != '1'",
        "params.p = ''",
        "params.p LIKE '1%'",
        "params.p ILIKE 'X_y'",
        "param.q IS NULL",
        "params.q IS NOT NULL and parameters.p is null",
        "tags.t = 'ops'",
        """tag."u.v" = 'ml'""",
        "tags.`u.v` != 'ml'",
        "tags.t LIKE 'OP%'",
        "tags.t ILIKE 'OP%'",
        "tags.t IS NULL",
        "tags.`mlflow.source.git.commit` LIKE 'abc%'",
        "tags.mlflow.parentRunId IS NOT NULL",
        "status = 'FINISHED'",
        "attributes.status != 'FINISHED'",
        "run_name LIKE 'Ab%'",
        "attributes.run_name ILIKE 'ab%'",
        "attributes.`Run name` LIKE '%é%'",
        "user_id = 'ann'",
        "attributes.user_id ILIKE 'ANN'",
        "start_time > 2000",
        "attributes.start_time <= 3000 and attributes.Created >= 2000",
        "end_time != 3000",
        "attributes.end_time < 3000",
        "artifact_uri LIKE '%artifacts'",
        "datasets.name = 'taxi'",
        "dataset.name != 'taxi'",
        "datasets.digest IN ('2')",
        "datasets.name = 'taxi' AND datasets.digest = '2'",
        "datasets.name LIKE 'TA%'",
        "dataset.name ILIKE 'TA%'",
        "dataset.context = 'training'",
        "datasets.context != 'training'",
        "metrics.m > 0 and params.p = '1' and tags.t IS NOT NULL and status = 'FINISHED'",
        "start_time < 2000.5",
        "start_time > 1999.5 and end_time < 1e30",
        "metrics.m = -2",
        'tags.t = "ops"',
        "",
    ],
)  # fmt: skip
async def test_an_expression(store, client, expression):
    """The answer is that of MLflow's own client."""
    runs = store.client.search_runs(list(varied.EXPERIMENTS.values()), expression)

    answer = await client.ask(FOUND, matching=expression)

    ids = [run.info.run_id for run in runs]
    assert answer == {"runs": {"totalCount": len(ids), "nodes": [{"runId": id_} for id_ in ids]}}


@pytest.mark.parametrize("kind", ["=", "!=", "IN", "NOT IN"])
async def test_an_expression_on_the_id(store, client, kind):
    """A run's ID is an attribute like others."""
    id_ = varied.RUNS[0].id
    expression = f"run_id {kind} ('{id_}')" if "IN" in kind else f"attributes.run_id {kind} '{id_}'"
    runs = store.client.search_runs(list(varied.EXPERIMENTS.values()), expression)

    answer = await client.ask(FOUND, matching=expression)

    assert answer["runs"]["nodes"] == [{"runId": run.info.run_id} for run in runs]


@pytest.mark.parametrize(
    "expression",
    [
        "metrics.m",
        "metrics.m > ",
        "metrics.m > 'a'",
        "metrics.m LIKE '1'",
        "params.p = 1",
        "params.p > '1'",
        "params.p = '1' OR params.p = '2'",
        "NOT params.p = '1'",
        "status IN ()",
        "status = FINISHED",
        "start_time = 'a'",
        "start_time LIKE '1'",
        "colour = 'red'",
        "attributes.colour = 'red'",
        "things.a = 'b'",
        "dataset.colour = 'red'",
        "dataset.name IS NULL",
        "metrics.m IS NULL",
        "  ",
        "status IN ('FAILED', 'KILLED')",
        "status > 'FAILED'",
        "run_name NOT IN ('a')",
        "tags.t IN ('a')",
        "params.p RLIKE '1.*'",
        "tags.t rlike 'a'",
        "'",
        "(",
        ";",
        "select 1",
    ],
)  # fmt: skip
async def test_an_expression_that_is_none(store, client, expression):
    """What MLflow refuses is refused, for the reason that MLflow gives where it gives one."""
    from mlflow.exceptions import MlflowException

    with pytest.raises(Exception) as refused:
        store.client.search_runs(["1"], expression)
    error = await client.refused(FOUND, matching=expression)

    assert error["message"].startswith("`matching` is not in MLflow's search syntax")
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    if isinstance(refused.value, MlflowException):
        assert refused.value.message in error["message"]


async def test_a_number_that_is_too_large(client):
    """Times are compared with numbers of any size that a float has; beyond that nothing is said."""
    answer = await client.ask(FOUND, matching=f"start_time < {10**300}")
    assert answer["runs"]["totalCount"] == sum(not run.is_deleted for run in varied.RUNS)

    error = await client.refused(FOUND, matching=f"start_time < {10**400}")
    assert error["message"] == "`matching` is not in MLflow's search syntax, such as `metrics.rmse < 1`."


async def test_regular_expressions(client):
    """Databases differ in them, and they can take forever: they are refused, with what to use instead."""
    error = await client.refused(FOUND, matching="params.p RLIKE '1.*'")

    assert "Invalid comparator 'RLIKE' not one of" in error["message"]
    assert "'ILIKE'" in error["message"]


def test_the_attributes_of_runs():
    """All that MLflow knows are known."""
    from mlflow.utils.search_utils import SearchUtils

    known = {SearchUtils.translate_key_alias(key) for key in SearchUtils.VALID_SEARCH_ATTRIBUTE_KEYS}

    assert known == {"run_name", *search._ATTRIBUTES}


async def test_an_old_run_by_its_name(store, client):
    """Runs of old have their name in a tag alone, by which MLflow finds them too."""
    run = varied.RUNS[0]
    store.sql(f"UPDATE runs SET name = NULL WHERE run_uuid = '{run.id}'")

    answer = await client.ask(FOUND, matching=f"run_name = '{run.name}'")

    assert answer["runs"]["nodes"] == [{"runId": run.id}]


async def test_an_expression_within_other_conditions(client):
    """It is a condition like others: alternatives and opposites go for it too."""
    matching = [{"matching": "params.p = '1'"}, {"not": {"matching": "metrics.m > 0"}}]
    question = "query ($filter: RunFilter) {runs(first: 100, filterBy: $filter) {nodes {name}}}"

    answer = await client.ask(question, filter={"or": matching, "includeDeleted": True})

    expected = {run.name for run in varied.RUNS if run.params.get("p") == "1" or not run.metrics.get("m", 0) > 0}
    assert {node["name"] for node in answer["runs"]["nodes"]} == expected
