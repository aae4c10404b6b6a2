"""Parameters, metrics and tags."""

import math

METRIC = "key value text step loggedAt"


async def test_the_params_of_a_run(store, client):
    """By key; their values are texts, of which one may be empty."""
    run = store.run("0", params={"b": 0.1, "a": "", "Ä": "ü🚲", "c/d.e": "x" * 6000})

    answer = await client.ask(
        """query ($id: String!) {run(runId: $id) {
        params {key value} some: params(keys: ["a", "x"]) {key}
        none: params(keys: []) {key} null: params(keys: null) {key}
        a: param(key: "a") b: param(key: "b") missing: param(key: "B")
        }}""",
        id=run,
    )

    keys = [{"key": key} for key in ("a", "b", "c/d.e", "Ä")]
    values = [{"value": value} for value in ("", "0.1", "x" * 6000, "ü🚲")]
    assert answer["run"] == {
        "params": [key | value for key, value in zip(keys, values, strict=True)],
        "some": [{"key": "a"}], "none": [], "null": keys,
        "a": "", "b": "0.1", "missing": None,
    }  # fmt: skip


NUMBERS = {
    "a": (0.1 + 0.2, 0.1 + 0.2, "0.30000000000000004"),
    "b": (math.nan, None, "NaN"),
    "c": (math.inf, None, "Infinity"),
    "d": (-math.inf, None, "-Infinity"),
    "e": (0.0, 0.0, "0.0"),
    "g": (5e-324, 5e-324, "5e-324"),
    "h": (1.797e308, 1.797e308, "1.797e+308"),
    "i": (3, 3.0, "3.0"),
}


async def test_the_metrics_of_a_run(store, client):
    """By key. What GraphQL's Float cannot say is null there, and written out in `text`."""
    run = store.run("0", metrics={key: logged for key, (logged, _, _) in NUMBERS.items()})

    answer = await client.ask(
        f"query ($id: String!) {{run(runId: $id) {{metrics {{{METRIC}}} "
        + " ".join(f'{key}: metric(key: "{key}")' for key in NUMBERS)
        + '  missing: metric(key: "A") some: metrics(keys: ["b", "x"]) {key text} none: metrics(keys: []) {key}}}',
        id=run,
    )

    same = {"step": 0, "loggedAt": "1970-01-01T00:00:01.000+00:00"}
    expected = {"metrics": [{"key": k, "value": v, "text": text} | same for k, (_, v, text) in NUMBERS.items()]}
    expected |= {key: value for key, (_, value, _) in NUMBERS.items()}
    assert answer["run"] == expected | {"missing": None, "some": [{"key": "b", "text": "NaN"}], "none": []}


async def test_the_last_value_of_a_metric(store, client):
    """The one of the greatest step, then time, then value, as MLflow has it; a NaN may be the last."""
    run = store.run("0")
    store.metric(run, "m", 5.0, step=3, timestamp=10)
    store.metric(run, "m", 9.0, step=-1, timestamp=99)
    store.metric(run, "m", 6.0, 7.0, step=3, timestamp=20)
    store.metric(run, "n", 1.0, math.nan, step=2**62)

    answer = await client.ask(
        f'query ($id: String!) {{run(runId: $id) {{metric(key: "m") nan: metric(key: "n") metrics {{{METRIC}}}}}}}',
        id=run,
    )

    m = {"key": "m", "value": 7.0, "text": "7.0", "step": 4, "loggedAt": "1970-01-01T00:00:00.021+00:00"}
    n = {"key": "n", "value": None, "text": "NaN", "step": 2**62 + 1, "loggedAt": "1970-01-01T00:00:01.001+00:00"}
    assert answer["run"] == {"metric": 7.0, "nan": None, "metrics": [m, n]}


async def test_a_metric_without_a_valid_moment(store, client):
    """A time that is none, or that no calendar has, is null."""
    run = store.run("0", metrics={"m": 1})
    for time in (0, 10**17, -(10**17)):
        store.sql("UPDATE latest_metrics SET timestamp = :time", time=time)

        answer = await client.ask("query ($id: String!) {run(runId: $id) {metrics {loggedAt}}}", id=run)

        assert answer["run"] == {"metrics": [{"loggedAt": None}]}


HISTORY = """query ($id: String!, $key: String!, $first: Int! = 100, $after: String) {run(runId: $id) {
metricHistory(key: $key, first: $first, after: $after) {
totalCount nodes {text step loggedAt} pageInfo {hasNextPage endCursor}
}}}"""


async def test_the_history_of_a_metric(store, client):
    """Every value, by step, then time, then value; NaN among them, which MLflow keeps as a zero."""
    run = store.run("0", metrics={"other": 1})
    store.metric(run, "m", 3.0, math.inf, -math.inf)
    store.metric(run, "m", 0.0, step=2, timestamp=50)
    store.metric(run, "m", math.nan, step=2, timestamp=50)
    store.metric(run, "m", -1.0, step=2, timestamp=50)
    store.metric(run, "m", 8.0, step=-5, timestamp=9000)

    answer = await client.ask(HISTORY, id=run, key="m")

    page = answer["run"]["metricHistory"]
    texts = ["8.0", "3.0", "Infinity", "-1.0", "0.0", "NaN", "-Infinity"]
    assert [node["text"] for node in page["nodes"]] == texts
    assert [node["step"] for node in page["nodes"]] == [-5, 0, 1, 2, 2, 2, 2]
    assert page["totalCount"] == 7


async def test_the_history_of_a_metric_page_by_page(store, client):
    """Each value comes once, ties of step, time and stored value among them."""
    run = store.run("0")
    for value in (0.0, math.nan, 1.0, math.inf):
        for step in (0, 1):
            store.metric(run, "m", value, step=step, timestamp=7 if value == 1.0 else 9)
    every = (await client.ask(HISTORY, id=run, key="m"))["run"]["metricHistory"]["nodes"]
    assert [node["text"] for node in every] == ["1.0", "0.0", "NaN", "Infinity"] * 2

    for size in (1, 2, 3, 7):
        found, after, goes_on = [], None, True
        while goes_on:
            page = (await client.ask(HISTORY, id=run, key="m", first=size, after=after))["run"]["metricHistory"]
            found += page["nodes"]
            after, goes_on = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert found == every


async def test_the_size_of_a_page_of_history(store, client):
    """Ten thousand values at most, and at least one."""
    run = store.run("0")
    for first in (0, 10_001):
        error = await client.refused(HISTORY, id=run, key="m", first=first)

        assert error["message"] == f"`first` must be between 1 and 10000, not {first}."
        assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_long_history(store, client):
    """Ten thousand values come in one page, and in order."""
    run = store.run("0")
    numbers = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
    columns = "metrics (key, value, timestamp, step, is_nan, run_uuid)"
    store.sql(f"INSERT INTO {columns} {numbers} SELECT 'm', i, 1, i, false, :run FROM n", run=run)

    answer = await client.ask(HISTORY.replace("text step loggedAt", "step"), id=run, key="m", first=10_000)

    page = answer["run"]["metricHistory"]
    assert page["nodes"] == [{"step": step} for step in range(10_000)]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (10_001, True)


async def test_the_history_of_no_metric(store, client):
    """A metric that the run does not have has no history, and that is no error."""
    answer = await client.ask(HISTORY, id=store.run("0", metrics={"m": 1}), key="M")

    page = {"totalCount": 0, "nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    assert answer["run"] == {"metricHistory": page}


async def test_the_dataset_that_a_metric_was_measured_on(store, client):
    """MLflow keeps it where the metric was logged for a logged model; else there is none."""
    run = store.run("0", status="RUNNING")
    store.dataset(run, "taxi", "1")
    model = store.logged_model("0", run_id=run).model_id
    store.metric(run, "on", 1.0, model_id=model, dataset_name="taxi", dataset_digest="1")
    store.metric(run, "gone", 1.0, model_id=model, dataset_name="taxi", dataset_digest="2")
    store.metric(run, "without", 1.0, model_id=model)
    store.metric(run, "plain", 1.0)

    answer = await client.ask(
        """query ($id: String!) {run(runId: $id) {
        metrics {key dataset {name digest}} metricHistory(key: "on") {nodes {dataset {digest}}}
        }}""",
        id=run,
    )

    datasets = {"gone": None, "on": {"name": "taxi", "digest": "1"}, "plain": None, "without": None}
    assert answer["run"] == {
        "metrics": [{"key": key, "dataset": dataset} for key, dataset in datasets.items()],
        "metricHistory": {"nodes": [{"dataset": {"digest": "1"}}]},
    }


async def test_the_datasets_of_values_at_one_step(store, client):
    """The same metric at the same step may be measured on one dataset after the other."""
    run = store.run("0", status="RUNNING")
    model = store.logged_model("0", run_id=run).model_id
    for time, (name, digest) in enumerate([("a", "2"), ("b", "1")]):
        store.dataset(run, name, digest)
        store.metric(run, "m", 1.0, timestamp=time + 1, model_id=model, dataset_name=name, dataset_digest=digest)

    answer = await client.ask(
        """query ($id: String!) {run(runId: $id) {
        metrics {dataset {label}} metricHistory(key: "m") {nodes {dataset {label}}}
        }}""",
        id=run,
    )

    a, b = {"dataset": {"label": "a (2)"}}, {"dataset": {"label": "b (1)"}}
    assert answer["run"] == {"metrics": [b], "metricHistory": {"nodes": [a, b]}}


async def test_the_metrics_of_a_logged_model(store, client):
    """They name the dataset that they were measured on, too."""
    run = store.run("0", status="RUNNING")
    store.dataset(run, "taxi", "1")
    model = store.logged_model("0", run_id=run).model_id
    store.metric(run, "m", 0.5, math.inf, model_id=model, dataset_name="taxi", dataset_digest="1")
    store.metric(run, "n", 2.5, step=4, model_id=model)

    answer = await client.ask(
        f"query ($id: String!) {{loggedModel(modelId: $id) {{metrics {{{METRIC} dataset {{digest}}}}}}}}", id=model
    )

    moments = [{"loggedAt": f"1970-01-01T00:00:01.00{time}+00:00"} for time in (0, 1, 0)]
    values = [{"key": "m", "value": 0.5, "text": "0.5", "step": 0, "dataset": {"digest": "1"}}]
    values += [{"key": "m", "value": None, "text": "Infinity", "step": 1, "dataset": {"digest": "1"}}]
    values += [{"key": "n", "value": 2.5, "text": "2.5", "step": 4, "dataset": None}]
    metrics = [value | moment for value, moment in zip(values, moments, strict=True)]
    assert answer["loggedModel"] == {"metrics": metrics}


async def test_the_tags_of_a_run(store, client):
    """By key; MLflow's own only when asked for; a missing value is an empty one."""
    run = store.run("0", "named", tags={"b": "2", "a": "", "é": "🚲", "mlflow.note.content": "n", "mlflowish": "x"})
    store.client.delete_tag(run, "mlflow.runName")
    store.sql("UPDATE tags SET value = NULL WHERE key = 'b'")

    answer = await client.ask(
        """query ($id: String!) {run(runId: $id) {
        tags {key value} all: tags(includeSystem: true) {key} some: tags(keys: ["mlflow.note.content", "a"]) {key}
        note: tags(keys: ["mlflow.note.content"], includeSystem: true) {value}
        }}""",
        id=run,
    )

    assert answer["run"] == {
        "tags": [
            {"key": "a", "value": ""}, {"key": "b", "value": ""},
            {"key": "mlflowish", "value": "x"}, {"key": "é", "value": "🚲"},
        ],
        "all": [{"key": key} for key in ("a", "b", "mlflow.note.content", "mlflowish", "é")],
        "some": [{"key": "a"}], "note": [{"value": "n"}],
    }  # fmt: skip
