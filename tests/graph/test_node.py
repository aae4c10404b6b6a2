"""Any object by its ID."""

import base64
from collections import Counter

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage_api.graph.identity import decoded, encoded
from tests.asking import Client

NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { %s } }"


@pytest.fixture
def ids(store):
    """The IDs of an object of each type, by type."""
    run = store.run(experiment := store.experiment("e", team="ops"), tags={"a": "1"})
    store.dataset(run, "train", "1a")
    model = store.logged_model(experiment, "logged", run, tags={"b": "2"})
    store.registered_model("größe", tags={"c": "3"})
    store.version("größe", model_id=model.model_id, tags={"d": "4"})
    return {
        "Experiment": encoded("Experiment", int(experiment)),
        "Run": encoded("Run", run),
        "Dataset": encoded("Dataset", "train", "1a"),
        "LoggedModel": encoded("LoggedModel", model.model_id),
        "RegisteredModel": encoded("RegisteredModel", "größe"),
        "ModelVersion": encoded("ModelVersion", "größe", 1),
    }


async def test_each_type_by_its_id(client, ids, statements):
    """An ID leads back to its object, in one statement."""
    for type_name, id_ in ids.items():
        assert await client.ask(NODE, id=id_) == {"node": {"__typename": type_name, "id": id_}}
        assert len(statements) == 1


async def test_the_ids_that_objects_have(client, ids):
    """The same ones wherever an object is met."""
    answer = await client.ask("""{
        experiment(name: "e") { id runs { nodes { id inputs { dataset { id } } loggedModels { nodes { id } } } } }
        registeredModels { nodes { id versions { edges { node { id } } } } }
    }""")

    assert Counter(found_in(answer)) == Counter(ids.values())


def found_in(answer):
    """All IDs in an answer."""
    if isinstance(answer, dict):
        return [answer[key] for key in answer if key == "id"] + [
            id_ for part in answer.values() for id_ in found_in(part)
        ]
    return [id_ for part in answer for id_ in found_in(part)] if isinstance(answer, list) else []


async def test_ids_are_the_same_on_another_server(store, client, ids):
    """They are made of the type and MLflow's own key, and of nothing that changes."""
    async with Client.of(store.uri, []) as other:
        query = NODES % "id"
        assert await other.ask(query, ids=[*ids.values()]) == await client.ask(query, ids=[*ids.values()])
    assert encoded("Run", "a") == "WyJSdW4iLCJhIl0"


async def test_an_id_of_one_type_is_none_of_another(store, client):
    """Though their keys are equal, each ID leads to its own object."""
    run, model = (kind(store.experiment(name)) for kind, name in ((store.run, "e"), (store.logged_model, "f")))
    store.registered_model("e")
    store.registered_model(run)
    keys = [
        ("Run", run),
        ("RegisteredModel", run),
        ("LoggedModel", run),
        ("LoggedModel", model.model_id),
        ("Run", model.model_id),
    ]

    answer = await client.ask(NODES % "__typename", ids=[encoded(*key) for key in keys])

    assert [node and node["__typename"] for node in answer["nodes"]] == [
        "Run",
        "RegisteredModel",
        None,
        "LoggedModel",
        None,
    ]


async def test_objects_of_many_types_in_their_places(client, ids, statements):
    """Also those that are named twice; nothing is null but what is not there; one statement for each type."""
    order = [
        "Run",
        "Dataset",
        None,
        "Run",
        "Experiment",
        "ModelVersion",
        None,
        "LoggedModel",
        "RegisteredModel",
        "Dataset",
    ]

    answer = await client.ask(NODES % "__typename id", ids=[ids.get(name, "none") for name in order])

    assert answer["nodes"] == [name and {"__typename": name, "id": ids[name]} for name in order]
    assert len(statements) == 6


async def test_what_types_share_and_what_they_do_not(client, ids):
    """Fragments on interfaces and on types, together on one object."""
    fields = """
        ... on Node { __typename }
        ... on LineageNode { label }
        ... on Taggable { tags { key } }
        ... on Run { params { key } experiment { name } }
        ... on LoggedModel { params { key } experiment { experimentId } }
        ... on ModelVersion { version }
    """
    answer = await client.ask(NODES % fields, ids=[*ids.values()])

    assert answer["nodes"] == [
        {"tags": [{"key": "team"}], "__typename": "Experiment"},
        {"label": "a run", "tags": [{"key": "a"}], "params": [], "experiment": {"name": "e"}, "__typename": "Run"},
        {"label": "train (1a)", "__typename": "Dataset"},
        {
            "label": "logged",
            "tags": [{"key": "b"}],
            "params": [],
            "experiment": {"experimentId": "1"},
            "__typename": "LoggedModel",
        },
        {"tags": [{"key": "c"}], "__typename": "RegisteredModel"},
        {"label": "größe v1", "tags": [{"key": "d"}], "version": 1, "__typename": "ModelVersion"},
    ]


async def test_what_a_list_of_nodes_leads_to(client, ids, statements):
    """An arrow costs one statement for each type that has it."""
    fields = "... on Taggable { tags { key } } ... on LineageNode { label } ... on ModelVersion { run { name } }"

    await client.ask(NODES % fields, ids=[*ids.values(), *ids.values()])

    assert len(statements) == 6 + 5 + 1  # the objects, the tags of all but datasets, the run


async def test_fields_of_one_name_with_their_own_arguments(client, ids):
    """Each type is asked in its own way."""
    fields = '... on Run { x: tags(keys: ["a"]) { value } } ... on LoggedModel { x: tags(keys: ["none"]) { value } }'

    answer = await client.ask(NODES % fields, ids=[ids["Run"], ids["LoggedModel"], ids["Run"]])

    assert answer["nodes"] == [{"x": [{"value": "1"}]}, {"x": []}, {"x": [{"value": "1"}]}]


async def test_an_empty_list_of_ids(client, statements):
    """Nothing is asked of the database."""
    assert await client.ask(NODES % "id", ids=[]) == {"nodes": []}
    assert statements == []


def written(value):
    """Any JSON as if it were an ID."""
    return base64.urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")


NONSENSE = [
    "",
    " ",
    "none",
    "Run:1",
    "é",
    "🚲",
    "=",
    "====",
    "a",
    "WyJSdW4i",
    base64.b64encode(b"\xff\xfe\x00").decode(),
    base64.b64encode(b'["Run", "a"').decode(),
    base64.b64encode(b'["Run", "\\ud800"]').decode(),
    base64.b64encode(b"[" * 5_000).decode(),
    base64.b64encode(b'["Experiment", 1e400]').decode(),
    base64.b64encode(f'["Experiment", {10**400}]'.encode()).decode(),
    *map(
        written,
        [
            None,
            1,
            "Run",
            [],
            ["Run"],
            [["Run"], "a"],
            {"Run": "a"},
            ["Run", "a", "b"],
            ["Run", 1],
            ["Run", None],
            ["Run", ["a"]],
            ["Run", {}],
            ["Run", "a\0"],
            ["Run", ""],
            ["run", "a"],
            ["Metric", "a"],
            ["Node", "a"],
            ["", "a"],
            ["\0", "a"],
            [None, "a"],
            [1, "a"],
            ["Experiment", "0"],
            ["Experiment", True],
            ["Experiment", False],
            ["Experiment", 0.0],
            ["Experiment", -1],
            ["Experiment", 2**31 - 1],
            ["Experiment", 2**31],
            ["Experiment", -(2**31)],
            ["Experiment", 2**63],
            ["Experiment", 2**64 - 1],
            ["Dataset", "train"],
            ["Dataset", "train", None],
            ["Dataset", "train", "1A"],
            ["LoggedModel", "M-" + "1" * 32],
            ["RegisteredModel", "GRÖSSE"],
            ["RegisteredModel", "x" * 10_000],
            ["ModelVersion", "größe"],
            ["ModelVersion", "größe", "1"],
            ["ModelVersion", "größe", True],
            ["ModelVersion", "größe", 2],
            ["ModelVersion", "größe", 10**15],
            ["ModelVersion", 1, "größe"],
        ],
    ),
]


async def test_what_is_no_id(client, ids):
    """Null, and never an error, in its place among others."""
    mixed = [ids["Run"], *NONSENSE, ids["ModelVersion"]]

    answer = await client.ask(NODES % "__typename", ids=mixed)

    assert answer["nodes"] == [{"__typename": "Run"}, *[None] * len(NONSENSE), {"__typename": "ModelVersion"}]


async def test_each_that_is_no_id(client, ids):
    """The same for each alone."""
    for id_ in NONSENSE:
        assert await client.ask(NODE, id=id_) == {"node": None}


async def test_an_id_that_is_a_number(client):
    """GraphQL takes integers for IDs too; no object has such a one."""
    assert await client.ask("{ node(id: 1) { id } nodes(ids: [2]) { id } }") == {"node": None, "nodes": [None]}


async def test_what_is_not_there_any_more(store, client, ids):
    """A run in the trash and a deleted version are there for who knows their IDs; a deleted logged model is not."""
    store.client.delete_run(decoded(ids["Run"])[1][0])
    store.client.delete_experiment(str(decoded(ids["Experiment"])[1][0]))
    store.client.delete_logged_model(decoded(ids["LoggedModel"])[1][0])
    store.client.delete_model_version("größe", 1)

    fields = "__typename ... on Run { isDeleted } ... on Experiment { isDeleted } ... on ModelVersion { isDeleted }"
    answer = await client.ask(NODES % fields, ids=[*ids.values()])

    there = [{"__typename": name, "isDeleted": True} for name in ("Experiment", "Run", "ModelVersion")]
    other = [{"__typename": name} for name in ("Dataset", "RegisteredModel")]
    assert answer["nodes"] == [there[0], there[1], other[0], None, other[1], there[2]]


key = st.one_of(st.text(), st.integers(-(2**53), 2**53))


@given(st.text(), st.lists(key, min_size=1, max_size=3))
def test_an_id_says_what_it_was_made_of(type_name, key):
    """Of any type and key, and of no other."""
    assert decoded(encoded(type_name, *key)) == (type_name, key)
    assert encoded(type_name, *key) != encoded(type_name, *key, 0)


@given(st.text())
def test_any_text_is_an_id_or_none(text):
    """Reading it never fails."""
    found = decoded(text)
    assert found is None or isinstance(found[0], str)
