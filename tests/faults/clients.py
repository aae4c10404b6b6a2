"""Clients of a server to which something happens: what they are told, and when."""

import json
import re
import time
from collections.abc import Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import text

from lineage_api.graph.identity import encoded
from lineage_api.migrations import recording
from lineage_api.store.engines import reading

MODEL = "m"
READ = f'{{ registeredModel(name: "{MODEL}") {{ tags {{ key value }} inStage(stage: STAGING) {{ version }} }} }}'
_SET_TAG = "mutation ($input: SetTagsInput!) { setTags(input: $input) { events { id } errors { message } } }"
_SUBJECT = encoded("RegisteredModel", MODEL)
_INNER = re.compile(
    r"traceback|exception|\.py\b|\.db\b|/tmp|/dev/|/work|sqlite|psycopg|postgres|sqlalchemy|SQL\b|SELECT|INSERT|"
    r"UPDATE |BEGIN|lineage_[a-z]|FATAL|disk I/O|malformed|127\.0\.0\.1",
)
"""What is nobody's business but that of who runs the server."""
_CODES = {"TIMEOUT", "OVERLOADED", "INTERNAL", "UNSUITABLE_STORE"}
"""What a client may be told who has made no mistake."""


@dataclass(frozen=True)
class Heard:
    """An answer."""

    asked_at: float
    at: float
    data: Any
    errors: list[dict[str, Any]]

    @property
    def is_good(self) -> bool:
        """Whether it is what was asked for."""
        return not self.errors

    @property
    def took_s(self) -> float:
        """How long it took."""
        return self.at - self.asked_at

    @property
    def codes(self) -> set[str]:
        """What programs know its errors by."""
        return {error["extensions"]["code"] for error in self.errors}


class Client:
    """Asks a server, and sees that all it says is fit for clients, whatever happens to it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.heard: list[Heard] = []

    async def ask(self, query: str, **variables: Any) -> Heard:
        """The answer to an operation; every one is an answer of GraphQL's."""
        began = time.monotonic()
        response = await self._http.post("/graphql", json={"query": query, "variables": variables})
        answer = response.json()
        heard = Heard(began, time.monotonic(), answer.get("data"), answer.get("errors", []))
        assert response.status_code == (503 if heard.codes == {"OVERLOADED"} else 200), answer
        require_fit(heard.errors)
        self.heard.append(heard)
        return heard

    async def read(self) -> Heard:
        """The tags of the model, and which versions are in a stage."""
        return await self.ask(READ)

    async def tag(self, key: str, value: str, **more: Any) -> Heard:
        """Sets a tag of the model; it is made where the answer is good."""
        heard = await self.ask(_SET_TAG, input={"subjectId": _SUBJECT, "tags": [{"key": key, "value": value}], **more})
        assert not (heard.is_good and heard.data["setTags"]["errors"]), heard
        return heard

    async def is_up(self) -> bool:
        """Whether the process answers."""
        return (await self._http.get("/healthz")).text == "ok"


def require_fit(errors: list[dict[str, Any]]) -> None:
    """These errors may be told to clients who have made no mistake."""
    assert {error["extensions"]["code"] for error in errors} <= _CODES, errors
    assert not _INNER.search(json.dumps(errors)), errors


@asynccontextmanager
async def client_of(address: str):
    """A client of the server there."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits, trust_env=False) as http:
        yield Client(http)


def require_kept(uri: str, made: Iterable[tuple[str, str]]) -> None:
    """All these tags were set, in the history too, which is as the tables are: nothing is half done."""
    with reading(uri).connect() as connection:
        history = connection.execute(
            text("SELECT key, value FROM lineage_events WHERE kind = 'TAG_SET' AND origin = 'API' ORDER BY id")
        ).all()
        tags = connection.execute(text("SELECT key, value FROM registered_model_tags")).all()
    told = [(row.key, row.value) for row in history]
    missing = set(made) - set(told)
    assert not missing, sorted(missing)
    assert dict(told) == {row.key: row.value for row in tags}
    assert recording.catch_up(uri).added == 0
