"""A client that changes things: each change is made once, and what it answers is the whole payload."""

from typing import Any

import httpx
import sqlalchemy

from tests.asking import without_cost
from tests.stores import Store

ERRORS = """errors {
    __typename message path
    ... on ConflictError { current { label } } ... on UnsafeError { checks { name status detail } }
}"""

EVENTS = """events {
    kind origin actor reason modelName previousName version fromStage toStage alias previousVersion key value
    previousValue cause { kind }
}"""
_TABLES = [
    "registered_models", "registered_model_tags", "registered_model_aliases", "model_versions", "model_version_tags",
    "tags", "experiment_tags", "logged_model_tags", "lineage_models", "lineage_events", "lineage_requests",
]  # fmt: skip


def event(kind: str, **more: Any) -> dict[str, Any]:
    """An event as `EVENTS` selects it: that of a change through our API to the registered model `m`."""
    nothing = dict.fromkeys(
        ("actor", "reason", "previousName", "version", "fromStage", "toStage", "alias", "previousVersion", "key")
    )
    plain = {**nothing, "value": None, "previousValue": None, "cause": None, "origin": "API", "modelName": "m"}
    return {**plain, "kind": kind, **more}


def everything(store: Store) -> dict[str, list[Any]]:
    """All rows that a change may touch."""
    with store._engine.connect() as connection:
        return {
            table: sorted(map(repr, connection.execute(sqlalchemy.text(f"SELECT * FROM {table}")))) for table in _TABLES
        }


def prompt(store: Store, name: str) -> None:
    """A prompt: MLflow's own client goes on writing tags of one in a thread."""
    store.registered_model(name)
    mark = "INSERT INTO registered_model_tags (workspace, name, key, value) VALUES ('default', :name, :key, 'true')"
    store.sql(mark, name=name, key="mlflow.prompt.is_prompt")


class Changer:
    """Makes changes over HTTP, in the process."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def answer(self, document: str, **variables: Any) -> dict[str, Any]:
        """The whole answer to any document."""
        response = await self._http.post("/graphql", json={"query": document, "variables": variables})
        return without_cost(response.json())

    async def payload(self, mutation: str, selected: str, **given: Any) -> dict[str, Any]:
        """The payload of a mutation for this input, with its errors."""
        type_ = mutation[0].upper() + mutation[1:]
        document = f"mutation ($input: {type_}Input!) {{ {mutation}(input: $input) {{ {selected} {ERRORS} }} }}"
        answer = await self.answer(document, input=given)
        assert "errors" not in answer, answer["errors"]
        return answer["data"][mutation]  # type: ignore[no-any-return]

    async def change(self, mutation: str, selected: str = "events { kind }", **given: Any) -> dict[str, Any]:
        """The payload of a change that is made."""
        payload = await self.payload(mutation, selected, **given)
        errors = payload.pop("errors")
        assert not errors, errors
        return payload

    async def refused(self, mutation: str, **given: Any) -> list[dict[str, Any]]:
        """Why a change is refused."""
        errors: list[dict[str, Any]] = (await self.payload(mutation, "events { kind }", **given))["errors"]
        assert errors
        return errors
