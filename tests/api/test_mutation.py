"""Mutations as fields of the API: in what order, on what stores, and with what texts."""

import httpx
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
)

from lineage_api.api.executor import Question
from lineage_api.api.schema import executable
from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.migrations import recording
from tests.asking import Client, without_cost
from tests.changing import Changer, everything

MUTATIONS = executable().mutation_type.fields


async def test_changes_in_one_document_are_made_in_order(store, changer):
    """Each payload sees what was changed before it and not what comes after, and a refusal undoes nothing else."""
    document = """mutation {
        made: createRegisteredModel(input: {name: "m"}) { registeredModel { versions { totalCount } } }
        first: registerModelVersion(input: {model: "m", source: "s3://b/1"}) {
            modelVersion { version stage } registeredModel { versions { totalCount } }
        }
        taken: createRegisteredModel(input: {name: "m"}) { registeredModel { name } events { id } errors { path } }
        second: registerModelVersion(input: {model: "m", source: "s3://b/2"}) {
            modelVersion { version } registeredModel { versions { totalCount } }
        }
        moved: transitionModelVersion(input: {model: "m", version: 1, stage: STAGING}) { modelVersion { stage } }
        moved: transitionModelVersion(input: {model: "m", version: 1, stage: STAGING}) { events { kind } }
        deleted: deleteRegisteredModel(input: {model: "none"}) { deletedId deletedName errors { __typename } }
    }"""

    assert await changer.answer(document) == {
        "data": {
            "made": {"registeredModel": {"versions": {"totalCount": 0}}},
            "first": {
                "modelVersion": {"version": 1, "stage": "NONE"},
                "registeredModel": {"versions": {"totalCount": 1}},
            },
            "taken": {"registeredModel": None, "events": [], "errors": [{"path": ["name"]}]},
            "second": {"modelVersion": {"version": 2}, "registeredModel": {"versions": {"totalCount": 2}}},
            "moved": {"modelVersion": {"stage": "STAGING"}, "events": [{"kind": "STAGE_CHANGED"}]},
            "deleted": {"deletedId": None, "deletedName": None, "errors": [{"__typename": "NotFoundError"}]},
        }
    }
    assert [each.current_stage for each in store.client.search_model_versions("name = 'm'")] == ["Staging", "None"]


async def test_a_refused_payload(changer):
    """Nothing but the errors is in it, whichever mutation it is of: objects are null and lists are empty."""
    for mutation, field in MUTATIONS.items():
        payload = get_named_type(field.type)
        selected = " ".join(_whole(name, each.type) for name, each in payload.fields.items() if name != "errors")
        given = _example(get_named_type(field.args["input"].type))
        at_fault = next(name for name in ("reason", "idempotencyKey", "webhookId") if name in given)
        answer = await changer.payload(mutation, selected, **{**given, at_fault: "\0"})
        errors = answer.pop("errors")
        assert [(error["__typename"], error["path"]) for error in errors] == [("InvalidInputError", [at_fault])]
        assert answer == {
            name: [] if isinstance(get_nullable_type(each.type), GraphQLList) else None
            for name, each in payload.fields.items()
            if name != "errors"
        }


def _whole(name, type_):
    return f"{name} {{ __typename }}" if hasattr(get_named_type(type_), "fields") else name


def _example(type_):
    """An input with all of its fields."""
    if isinstance(type_, GraphQLNonNull):
        return _example(type_.of_type)
    if isinstance(type_, GraphQLList):
        return [_example(type_.of_type)]
    if isinstance(type_, GraphQLInputObjectType):
        return {name: _example(field.type) for name, field in type_.fields.items()}
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    return {"Int": 1, "Boolean": True}.get(type_.name, "x")


def _texts(value, *path):
    """Where the texts of an input are; those of enums are none."""
    if isinstance(value, dict):
        return [each for name, part in value.items() if name != "stage" for each in _texts(part, *path, name)]
    if isinstance(value, list):
        return [each for index, part in enumerate(value) for each in _texts(part, *path, index)]
    return [path] if value == "x" else []


def _with(value, path, text):
    """An input in which one text is another."""
    if not path:
        return text
    part = {path[0]: _with(value[path[0]], path[1:], text)}
    return {**value, **part} if isinstance(value, dict) else [part.get(i, each) for i, each in enumerate(value)]


TEXTS = [
    (mutation, path)
    for mutation, field in MUTATIONS.items()
    for path in _texts(_example(get_named_type(field.args["input"].type)))
]


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b", "\udfff"], ids=["NUL", "high", "low"])
async def test_texts_that_no_database_keeps(store, text):
    """In each field of each input, down to the tags: it is said which, and nothing fails."""
    assert len(TEXTS) >= 14 * 3
    app = create_app(Settings(backend_store_uri=store.uri))
    async with app.router.lifespan_context(app):
        for mutation, path in TEXTS:
            type_ = get_named_type(MUTATIONS[mutation].args["input"].type)
            given = _with(_example(type_), path, text)
            document = (
                f"mutation ($input: {type_.name}!) {{ {mutation}(input: $input) {{ errors {{ __typename path }} }} }}"
            )
            result = await app.state.executor.execute(Question(document, {"input": given}))
            assert not result.errors, (mutation, path)
            error = {"__typename": "InvalidInputError", "path": [str(each) for each in path]}
            assert result.data[mutation]["errors"] == [error]
    assert [rows for table, rows in everything(store).items() if table != "experiment_tags" and rows] == []


async def test_half_of_a_surrogate_pair_in_a_request(client):
    """In JSON it is none, and in a document no GraphQL: it gets no further than that."""
    document = 'mutation { createRegisteredModel(input: {name: "%s"}) { errors { path } } }'
    http: httpx.AsyncClient = client.http
    in_json = b'{"query": "mutation ($n: String!) { createRegisteredModel(input: {name: $n}) { errors { path } } }",'
    response = await http.post(
        "/graphql", content=in_json + rb' "variables": {"n": "\ud800"}}', headers={"content-type": "application/json"}
    )
    assert response.status_code == 400
    answer = (await http.post("/graphql", json={"query": document % r"\uD800"})).json()
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["GRAPHQL_PARSE_FAILED"]
    assert "data" not in answer
    answer = without_cost((await http.post("/graphql", json={"query": document % r"\u0000"})).json())
    assert answer == {"data": {"createRegisteredModel": {"errors": [{"path": ["name"]}]}}}


async def test_inputs_that_are_no_graphql(store, changer):
    """A stage that there is not, a number that is none, a null where a value must be: nothing is executed."""
    store.registered_model("m")
    before = everything(store)
    inputs = [
        'transitionModelVersion(input: {model: "m", version: 1, stage: LIVE})',
        'transitionModelVersion(input: {model: "m", version: 1, stage: "PRODUCTION"})',
        'transitionModelVersion(input: {model: "m", version: 1, stage: STAGING, archiveExisting: null})',
        'updateModelVersion(input: {model: "m", version: 2147483648, description: ""})',
        'updateModelVersion(input: {model: "m", version: "1", description: ""})',
        'updateModelVersion(input: {model: "m", version: 1})',
        'rollBack(input: {model: "m", stage: PRODUCTION, expectedCurrent: [1]})',
        'rollBack(input: {model: "m", stage: PRODUCTION, reason: ""})',
        'setTags(input: {subjectId: "x", tags: [null]})',
        'createRegisteredModel(input: {name: "n", owner: "me"})',
    ]
    for field in inputs:
        answer = await changer.answer(
            f'mutation {{ ok: createRegisteredModel(input: {{name: "n"}}) {{ errors {{ path }} }}'
            f" {field} {{ errors {{ path }} }} }}"
        )
        assert "data" not in answer, field
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}
    assert everything(store) == before


async def test_a_store_whose_history_is_not_recorded(store):
    """Nothing is changed there, and the error says which command to run; what can be read is read."""
    recording.end(store.uri)
    store.registered_model("m")
    async with Client.of(store.uri, [], no_migrate=True) as client:
        document = 'mutation { deleteRegisteredModel(input: {model: "m"}) { deletedName } }'
        answer = await Changer(client.http).answer(document)
        assert answer["data"] is None
        assert [(error["message"], error["extensions"]) for error in answer["errors"]] == [
            (
                "Nothing can be changed while history is not recorded: run `lineage-api db upgrade`.",
                {"code": "UNSUITABLE_STORE"},
            )
        ]
        assert await client.ask("{ registeredModels { nodes { name } } }") == {
            "registeredModels": {"nodes": [{"name": "m"}]}
        }


async def test_a_server_that_only_reads(store):
    """Its schema has no mutations, so that nobody is offered what is refused."""
    store.registered_model("m")
    async with Client.of(store.uri, [], read_only=True) as client:
        answer = await Changer(client.http).answer("{ __schema { mutationType { name } } }")
        assert answer == {"data": {"__schema": {"mutationType": None}}}
        document = 'mutation { deleteRegisteredModel(input: {model: "m"}) { deletedName } }'
        answer = await Changer(client.http).answer(document)
        assert "data" not in answer
        assert [error["extensions"] for error in answer["errors"]] == [{"code": "BAD_USER_INPUT"}]
    assert [each.name for each in store.client.search_registered_models()] == ["m"]


OF_WEBHOOKS = {"createWebhook", "updateWebhook", "deleteWebhook"}
SENDING = {"testWebhook", "redeliverEvent"}


def test_every_change_may_say_why_and_be_asked_for_again():
    """Each has one input with `reason` and `idempotencyKey`, and a payload with events and errors.

    Changes of webhooks are no events, and what is only sent is sent as often as somebody asks.
    """
    for name, field in MUTATIONS.items():
        [(argument, given)] = field.args.items()
        type_, payload = get_named_type(given.type), get_named_type(field.type)
        assert argument == "input"
        assert isinstance(payload, GraphQLObjectType)
        assert (type_.name, payload.name) == tuple(name[0].upper() + name[1:] + end for end in ("Input", "Payload"))
        assert "errors" in payload.fields
        assert ("idempotencyKey" in type_.fields) == (name not in SENDING)
        if name not in OF_WEBHOOKS | SENDING:
            assert "reason" in type_.fields
            assert "events" in payload.fields
