"""Which runs, and in what order: every condition and every order, over one store of varied runs."""

import math
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.graph import varied
from tests.graph.varied import EXPERIMENTS, RUNS
from tests.stores import filled

FOUND = """query ($filter: RunFilter, $order: [RunOrder!]) {
runs(filterBy: $filter, orderBy: $order, first: 100) {totalCount nodes {name}}
}"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request, templates, tmp_path_factory):
    """A store of varied runs."""
    with filled(request.param, templates, tmp_path_factory.mktemp("store")) as made:
        varied.fill(made)
        yield made


# What filters and orders mean, in Python.


def is_given(filter_by, key):
    return filter_by.get(key) is not None


TEXTS = {
    "eq": lambda text, other: text == other,
    "ne": lambda text, other: text != other,
    "in": lambda text, others: text in others,
    "contains": lambda text, part: part in text,
}
NUMBERS = {
    "eq": lambda number, other: number == other,
    "ne": lambda number, other: number != other and not math.isnan(number),
    "gt": lambda number, other: number > other,
    "gte": lambda number, other: number >= other,
    "lt": lambda number, other: number < other,
    "lte": lambda number, other: number <= other,
}


def has(values, condition, comparisons):
    """Whether what is under the key meets each comparison that is given."""
    key = condition["key"]
    return key in values and all(
        compare(values[key], condition[name]) for name, compare in comparisons.items() if is_given(condition, name)
    )


def read(run, ref):
    return any(name == ref["name"] and ref.get("digest") in (None, digest) for name, digest in run.datasets)


def milliseconds(moment):
    return datetime.fromisoformat(moment).timestamp() * 1000


CONDITIONS = {
    "experimentIds": lambda run, ids: EXPERIMENTS[run.experiment] in ids,
    "users": lambda run, users: run.user in users,
    "isTopLevel": lambda run, value: (run.parent is None) == value,
    "statuses": lambda run, statuses: run.status in statuses,
    "nameContains": lambda run, text: text.lower() in run.name.lower(),
    "startedSince": lambda run, moment: run.start >= milliseconds(moment),
    "startedBefore": lambda run, moment: run.start < milliseconds(moment),
    "params": lambda run, conditions: all(has(run.params, c, TEXTS) for c in conditions),
    "tags": lambda run, conditions: all(has(run.tags, c, TEXTS) for c in conditions),
    "metrics": lambda run, conditions: all(has(run.metrics, c, NUMBERS) for c in conditions),
    "dataset": read,
    "commit": lambda run, commit: run.commit is not None and run.commit.startswith(commit.lower()),
    "isRegistered": lambda run, value: run.is_registered == value,
    "or": lambda run, filters: any(meets(run, f) for f in filters),
    "not": lambda run, filter_by: not meets(run, filter_by),
}


def meets(run, filter_by):
    """Whether a run meets a filter, in the trash or not."""
    return all(check(run, filter_by[key]) for key, check in CONDITIONS.items() if is_given(filter_by, key))


def those(filter_by):
    """The runs that a question with this filter is answered with."""
    filter_by = filter_by or {}
    is_whole = filter_by.get("includeDeleted")
    return [run for run in RUNS if meets(run, filter_by) and (is_whole or not run.is_deleted)]


FIELDS = {"NAME": "name", "STARTED_AT": "start", "ENDED_AT": "end", "DURATION": "duration"}


def sort_value(run, order):
    """What an order sorts a run by; None where that comes last."""
    if "metric" in order:
        number = run.metrics.get(order["metric"])
        return None if number is not None and math.isnan(number) else number
    return run.params.get(order["param"]) if "param" in order else getattr(run, FIELDS[order["field"]])


def in_order(runs, order_by):
    """The runs as somebody would sort them by hand: the last key first, what has no value always at the end."""
    runs = sorted(runs, key=lambda run: run.id)
    for order in reversed(order_by or [{"field": "STARTED_AT"}]):
        there = [run for run in runs if sort_value(run, order) is not None]
        # Python's `reverse` keeps ties in their order, as does breaking them by ID.
        there.sort(key=lambda run: sort_value(run, order), reverse=order.get("direction", "DESC") == "DESC")
        runs = there + [run for run in runs if sort_value(run, order) is None]
    return runs


async def check(client, filter_by):
    """Compares the answer with Python's."""
    answer = await client.ask(FOUND, filter=filter_by)

    names = [run.name for run in in_order(those(filter_by), None)]
    assert answer == {"runs": {"totalCount": len(names), "nodes": [{"name": name} for name in names]}}
    return names


@pytest.mark.parametrize(
    "filter_by",
    [
        {"experimentIds": ["1", "3"]},
        {"experimentIds": ["2", "77", "x", "", "9" * 30, "-1", "²", "2" * 5000]},
        {"users": ["ann", "nobody"]},
        {"isTopLevel": True},
        {"isTopLevel": False},
        {"statuses": ["FAILED", "KILLED"]},
        {"statuses": ["RUNNING"]},
        {"statuses": ["SCHEDULED"]},
        {"nameContains": "AB"},
        {"nameContains": "É"},
        {"nameContains": "%"},
        {"nameContains": "_"},
        {"startedSince": "1970-01-01T00:00:03Z"},
        {"startedSince": "1970-01-01T01:00:03+01:00", "startedBefore": "1970-01-01T00:00:05Z"},
        {"startedSince": "1970-01-01T00:00:03.0001Z"},
        {"startedBefore": "1970-01-01T00:00:03.0001Z"},
        {"startedBefore": "1970-01-01T00:00:03Z"},
        {"params": [{"key": "p"}]},
        {"params": [{"key": "p", "eq": ""}]},
        {"params": [{"key": "p", "eq": "x'y"}]},
        {"params": [{"key": "p", "ne": "1"}]},
        {"params": [{"key": "p", "in": ["1", "2"]}]},
        {"params": [{"key": "p", "contains": "1"}]},
        {"params": [{"key": "p", "contains": "1", "ne": "1"}, {"key": "q", "in": ["", "2", "10"]}]},
        {"metrics": [{"key": "m"}]},
        {"metrics": [{"key": "m", "eq": 0}]},
        {"metrics": [{"key": "m", "ne": 0}]},
        {"metrics": [{"key": "m", "gt": 0}]},
        {"metrics": [{"key": "m", "gte": 1}]},
        {"metrics": [{"key": "m", "lt": 0}]},
        {"metrics": [{"key": "m", "lte": 0}]},
        {"metrics": [{"key": "m", "gt": 0, "lt": 1.5, "ne": 1}]},
        {"metrics": [{"key": "m", "gt": 1e308}]},
        {"metrics": [{"key": "m", "gte": 1}, {"key": "n", "lt": 1}]},
        {"tags": [{"key": "t"}]},
        {"tags": [{"key": "t", "eq": "ops"}]},
        {"tags": [{"key": "t", "ne": "ops"}, {"key": "u.v", "contains": "l"}]},
        {"dataset": {"name": "taxi"}},
        {"dataset": {"name": "taxi", "digest": "2"}},
        {"dataset": {"name": "taxi", "digest": None}},
        {"commit": "abcdef0123"},
        {"commit": "ABC"},
        {"commit": "a_c"},
        {"commit": ""},
        {"isRegistered": True},
        {"isRegistered": False},
        {"includeDeleted": True},
        {"includeDeleted": True, "users": ["bob"]},
        {"or": [{"users": ["ann"]}, {"statuses": ["FAILED"], "isTopLevel": True}]},
        {"or": [{}]},
        {"not": {"users": ["ann", "bob"]}},
        {"not": {"metrics": [{"key": "m", "gt": 0}]}},
        {"not": {"startedSince": "1970-01-01T00:00:03Z"}},
        {"not": {"not": {"params": [{"key": "p", "eq": "1"}]}}},
        {"not": {"or": [{"users": ["ann"]}, {"not": {"isRegistered": True}}]}, "isTopLevel": True},
        {"or": [{"or": [{"or": [{"commit": "abc"}]}]}], "includeDeleted": True},
    ],
    ids=lambda filter_by: str(filter_by)[:60],
)  # fmt: skip
async def test_a_condition(client, filter_by):
    """Each condition keeps some of the runs, and not all of them unless it says nothing."""
    names = await check(client, filter_by)

    assert names
    assert len(names) < len(RUNS) - 1 or filter_by in ({"or": [{}]}, {"includeDeleted": True}), filter_by


NULLS = dict.fromkeys([*CONDITIONS, "matching", "includeDeleted"])
EMPTY = [None, {}, NULLS, {"params": []}, {"metrics": []}, {"tags": []}, {"nameContains": ""}]


@pytest.mark.parametrize("filter_by", [*EMPTY, {"not": {"or": []}}, {"not": {"users": []}}], ids=str)
async def test_a_filter_that_says_nothing(client, filter_by):
    """Every run that is not in the trash is kept."""
    assert len(await check(client, filter_by)) == 25


IMPOSSIBLE = [{"or": []}, {"users": []}, {"experimentIds": []}, {"statuses": []}, {"not": {}}]


@pytest.mark.parametrize("filter_by", [*IMPOSSIBLE, {"params": [{"key": "p", "in": []}]}], ids=str)
async def test_a_filter_that_nothing_meets(client, filter_by):
    """Of no alternatives none is met, and whatever there is meets a filter without conditions."""
    assert await check(client, filter_by) == []


@pytest.mark.parametrize("condition", ["params", "tags", "metrics"])
async def test_a_condition_without_a_key(client, condition):
    """A key is what a condition cannot do without."""
    error = await client.refused(FOUND, filter={condition: [{"eq": 1 if condition == "metrics" else "1"}]})

    assert "Field 'key' of required type 'String!' was not provided." in error["message"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("moment", ["yesterday", "2026-01-01", "2026-01-01T00:00:00", 5, "0001-01-01T00:00:00+14:00"])
async def test_a_moment_that_is_none(client, moment):
    """A moment has a date, a time and an offset, and lies within the calendar."""
    error = await client.refused(FOUND, filter={"startedSince": moment})

    assert "A DateTime " in error["message"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
async def test_the_bounds_of_moments(client, moment):
    """The first and the last moment pass."""
    await check(client, {"startedSince": moment})


@pytest.mark.parametrize("number", ["Infinity", "NaN", "1", True])
async def test_a_number_that_is_none(client, number):
    """Only numbers are compared with, and JSON has finite ones alone."""
    question = 'query ($x: Float) {runs(filterBy: {metrics: [{key: "m", gt: $x}]}) {totalCount}}'
    error = await client.refused(question, x=number)

    assert "Float cannot represent non numeric value" in error["message"]


ORDERS = [{"field": name} for name in FIELDS] + [{"metric": key} for key in "mnz"] + [{"param": key} for key in "pqz"]
ORDERS = [order | {"direction": direction} for order in ORDERS for direction in ("ASC", "DESC")]


@pytest.mark.parametrize("order", ORDERS, ids=str)
async def test_an_order(client, order):
    """What has no value, or NaN, comes last in both directions, and IDs break ties."""
    answer = await client.ask(FOUND, order=[order])

    assert answer["runs"]["nodes"] == [{"name": run.name} for run in in_order(those(None), [order])]


SEVERAL = [{"metric": "m"}, {"param": "p", "direction": "ASC"}, {"field": "NAME"}]


@pytest.mark.parametrize("order_by", [[], [{"field": "ENDED_AT"}], SEVERAL], ids=str)
async def test_an_order_of_several_keys_or_none(client, order_by):
    """By default the newest first, and descending; later keys break the ties of earlier ones."""
    answer = await client.ask(FOUND, order=order_by)

    assert answer["runs"]["nodes"] == [{"name": run.name} for run in in_order(those(None), order_by)]


async def test_the_same_question_in_another_order(client):
    """A plan that is kept for a question keeps no key of an order."""
    for order in ({"metric": "m"}, {"metric": "n"}, {"param": "p"}, {"param": "q"}, {"param": "q", "direction": "ASC"}):
        answer = await client.ask(FOUND, order=[order])

        assert answer["runs"]["nodes"] == [{"name": run.name} for run in in_order(those(None), [order])]


NONE = [{}, {"direction": "ASC"}, {"field": None, "metric": None}]
BOTH = [{"field": "NAME", "metric": "m"}, {"metric": "m", "param": "m"}, {"field": "NAME", "metric": "", "param": "m"}]


@pytest.mark.parametrize("order", [*NONE, *BOTH], ids=str)
async def test_an_order_by_none_or_several(client, order):
    """An order is by exactly one of field, metric and param, and the refusal says so."""
    error = await client.refused(FOUND, order=[{"field": "NAME"}, order])

    assert error["message"] == "Give exactly one of `field`, `metric` and `param`."
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


# Any filter, any order.

QUIET = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def some(**fields):
    """Inputs with any of these fields, or null in their place."""
    return st.fixed_dictionaries({}, optional={name: st.none() | strategy for name, strategy in fields.items()})


def keyed(keys, **fields):
    """Conditions on one of the keys."""
    return st.builds(lambda key, rest: {"key": key} | rest, st.sampled_from(keys), some(**fields))


def lists(strategy, most=2):
    return st.lists(strategy, max_size=most)


texts = st.sampled_from(["", "1", "10", "2", "x'y", "ops", "ml", "l"])
numbers = st.sampled_from([0.0, 1.0, 1.5, -2.0, 1e-300, 1e308])
moments = st.sampled_from([f"1970-01-01T00:00:0{second}Z" for second in range(1, 7)])
text_conditions = {"eq": texts, "ne": texts, "in": lists(texts), "contains": texts}
plain = some(
    experimentIds=lists(st.sampled_from(["1", "2", "3", "x"])),
    users=lists(st.sampled_from(["ann", "bob", "x"])),
    isTopLevel=st.booleans(),
    statuses=lists(st.sampled_from(["FINISHED", "FAILED", "KILLED", "RUNNING", "SCHEDULED"]), 4),
    nameContains=st.sampled_from(["", "a", "AB", "%", "1"]),
    startedSince=moments,
    startedBefore=moments,
    params=lists(keyed("pqz", **text_conditions), 1),
    tags=lists(keyed(["t", "u.v"], **text_conditions), 1),
    metrics=lists(keyed("mnz", **dict.fromkeys(NUMBERS, numbers)), 1),
    dataset=st.builds(
        lambda name, rest: {"name": name} | rest, st.sampled_from(["taxi", "wine"]), some(digest=st.sampled_from("123"))
    ),
    commit=st.sampled_from(["", "a", "abc", "ABCDEF0123", "x"]),
    isRegistered=st.booleans(),
    includeDeleted=st.booleans(),
)
# Filters of one or two conditions, or most would keep nothing.
few = st.builds(lambda filter_by, most: dict(list(filter_by.items())[:most]), plain, st.integers(0, 2))
filters = st.recursive(
    few,
    lambda inner: st.builds(lambda filter_by, rest: filter_by | rest, few, some(**{"or": lists(inner), "not": inner})),
    max_leaves=5,
)
orders = st.lists(st.sampled_from(ORDERS), max_size=3, unique_by=lambda order: str({**order, "direction": None}))


@QUIET
@given(filter_by=filters)
async def test_any_filter(client, filter_by):
    """The runs that meet a filter are those that meet it in Python."""
    await check(client, filter_by)


PAGE = """query ($order: [RunOrder!], $first: Int!, $after: String) {
runs(filterBy: {includeDeleted: true}, orderBy: $order, first: $first, after: $after) {
nodes {runId} pageInfo {endCursor hasNextPage}
}}"""


@QUIET
@given(order_by=orders, size=st.sampled_from([1, 2, 3, 7]))
async def test_all_pages(client, order_by, size):
    """Page after page, each run comes once, in the order of Python's sort."""
    found, after, goes_on = [], None, True
    while goes_on:
        page = (await client.ask(PAGE, order=order_by, first=size, after=after))["runs"]
        found += [node["runId"] for node in page["nodes"]]
        after, goes_on = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]

    assert found == [run.id for run in in_order(RUNS, order_by)]


EACH = """query ($order: [RunOrder!], $first: Int!, $after: String) {experiments {nodes {name
runs(filterBy: {includeDeleted: true}, orderBy: $order, first: $first, after: $after) {
edges {cursor node {runId}} totalCount
}}}}"""


@QUIET
@given(order_by=orders, size=st.sampled_from([1, 2, 3, 7]), data=st.data())
async def test_the_same_page_of_each_experiment(client, order_by, size, data):
    """A cursor of one experiment's runs says where all others begin, too."""
    row = data.draw(st.sampled_from(in_order(RUNS, order_by)))
    every = await client.ask(PAGE.replace("nodes {runId}", "edges {cursor node {runId}}"), order=order_by, first=100)
    [after] = [edge["cursor"] for edge in every["runs"]["edges"] if edge["node"]["runId"] == row.id]

    answer = await client.ask(EACH, order=order_by, first=size, after=after)

    ids = [run.id for run in in_order(RUNS, order_by)]
    rest = [run for run in in_order(RUNS, order_by) if ids.index(run.id) > ids.index(row.id)]
    for page in answer["experiments"]["nodes"]:
        expected = [run.id for run in rest if run.experiment == page["name"]][:size]
        assert [edge["node"]["runId"] for edge in page["runs"]["edges"]] == expected
        assert page["runs"]["totalCount"] == sum(run.experiment == page["name"] for run in RUNS)
