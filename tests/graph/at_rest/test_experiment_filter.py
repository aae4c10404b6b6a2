"""Which experiments, and in what order."""

import pytest

from tests.stores import filled

FOUND = """query ($filter: ExperimentFilter, $order: [ExperimentOrder!]) {
experiments(filterBy: $filter, orderBy: $order) {totalCount nodes {name}}
}"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request, templates, tmp_path_factory):
    """Experiments beside Default, one of them in the trash."""
    with filled(request.param, templates, tmp_path_factory.mktemp("store")) as made:
        fill(made)
        yield made


def fill(store):
    store.experiment("apple", team="ops", stage="Prod")
    store.experiment("Banana", team="ml", stage="")
    store.experiment("größe_100%", team="ops")
    store.client.delete_experiment(store.experiment("apple pie", team="ops"))
    for id_, time in enumerate(["NULL", "200", "100", "200", "300"]):
        times = f"creation_time = {time}, last_update_time = 1000 - {time}"
        store.sql(f"UPDATE experiments SET {times} WHERE experiment_id = {id_}")


@pytest.mark.parametrize(
    ("filter_by", "found"),
    [
        (None, "Banana Default apple größe_100%"),
        ({}, "Banana Default apple größe_100%"),
        ({"nameContains": None, "tags": None, "includeDeleted": None}, "Banana Default apple größe_100%"),
        ({"nameContains": ""}, "Banana Default apple größe_100%"),
        ({"includeDeleted": True}, "Banana Default apple apple·pie größe_100%"),
        ({"nameContains": "APPLE"}, "apple"),
        ({"nameContains": "apple", "includeDeleted": True}, "apple apple·pie"),
        ({"nameContains": "GRÖ"}, "größe_100%"),
        ({"nameContains": "%"}, "größe_100%"),
        ({"nameContains": "_"}, "größe_100%"),
        ({"nameContains": "nobody"}, ""),
        ({"tags": []}, "Banana Default apple größe_100%"),
        ({"tags": [{"key": "team"}]}, "Banana apple größe_100%"),
        ({"tags": [{"key": "Team"}]}, ""),
        ({"tags": [{"key": "team", "eq": None, "in": None}]}, "Banana apple größe_100%"),
        ({"tags": [{"key": "team", "eq": "ops"}]}, "apple größe_100%"),
        ({"tags": [{"key": "team", "eq": "OPS"}]}, ""),
        ({"tags": [{"key": "team", "ne": "ops"}]}, "Banana"),
        ({"tags": [{"key": "team", "in": ["ml", "x"]}]}, "Banana"),
        ({"tags": [{"key": "team", "in": []}]}, ""),
        ({"tags": [{"key": "stage", "contains": "ro"}]}, "apple"),
        ({"tags": [{"key": "stage", "contains": "RO"}]}, ""),
        ({"tags": [{"key": "stage", "contains": ""}]}, "Banana apple"),
        ({"tags": [{"key": "stage", "eq": ""}]}, "Banana"),
        ({"tags": [{"key": "team", "eq": "ops", "ne": "ops"}]}, ""),
        ({"tags": [{"key": "team", "eq": "ops"}, {"key": "stage"}]}, "apple"),
        ({"tags": [{"key": "team"}], "nameContains": "e", "includeDeleted": True}, "apple apple·pie größe_100%"),
    ],
    ids=str,
)  # fmt: skip
async def test_which_experiments(client, filter_by, found):
    """Each condition of ExperimentFilter, alone and combined; null is as good as left out."""
    answer = await client.ask(FOUND, filter=filter_by)

    names = [{"name": name.replace("·", " ")} for name in found.split()]
    assert answer == {"experiments": {"totalCount": len(names), "nodes": names}}


@pytest.mark.parametrize(
    ("order_by", "found"),
    [
        (None, "Banana Default apple größe_100%"),
        ([], "Banana Default apple größe_100%"),
        ([{"field": "NAME"}], "Banana Default apple größe_100%"),
        ([{"field": "NAME", "direction": "DESC"}], "größe_100% apple Default Banana"),
        ([{"field": "CREATED_AT"}], "Banana apple größe_100% Default"),
        ([{"field": "CREATED_AT", "direction": "DESC"}], "apple größe_100% Banana Default"),
        ([{"field": "UPDATED_AT", "direction": "ASC"}], "apple größe_100% Banana Default"),
        ([{"field": "UPDATED_AT", "direction": "DESC"}], "Banana apple größe_100% Default"),
        ([{"field": "CREATED_AT"}, {"field": "NAME", "direction": "DESC"}], "Banana größe_100% apple Default"),
    ],
    ids=str,
)
async def test_the_order_of_experiments(client, order_by, found):
    """What has no time comes last whatever the direction, and the ID breaks ties."""
    answer = await client.ask(FOUND, order=order_by)

    assert answer["experiments"]["nodes"] == [{"name": name} for name in found.split()]


WRONG = [{"direction": "ASC"}, {"field": "SIZE"}, {"field": "NAME", "direction": None}, {}, None]


@pytest.mark.parametrize("order", WRONG, ids=str)
async def test_an_order_that_is_none(client, order):
    """An order names what it is by, and a direction that there is."""
    error = await client.refused(FOUND, order=[order])

    assert error["message"].startswith("Variable '$order' got invalid value")
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("order_by", [[], [{"field": "CREATED_AT"}], [{"field": "UPDATED_AT", "direction": "DESC"}]])
async def test_experiments_page_by_page(client, order_by):
    """Each comes once, in the order of the whole list, with ties and with what has no time."""
    page = """query ($o: [ExperimentOrder!], $n: Int!, $after: String) {
    experiments(orderBy: $o, first: $n, after: $after) {nodes {name} pageInfo {endCursor}}
    }"""
    every = (await client.ask(page, o=order_by, n=100))["experiments"]["nodes"]

    for size in (1, 2, 3):
        found, after = [], None
        while len(found) < len(every):
            answer = (await client.ask(page, o=order_by, n=size, after=after))["experiments"]
            found, after = found + answer["nodes"], answer["pageInfo"]["endCursor"]
        assert found == every
