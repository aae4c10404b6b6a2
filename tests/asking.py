"""A client that asks the whole server, and checks each answer against graphql-core's own executor."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from graphql import ExecutionContext, execute, parse
from starlette.applications import Starlette

from lineage_api.api.context import Context
from lineage_api.api.limits import Limits, limits_of
from lineage_api.api.schema import executable
from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.store.artifacts import Artifacts
from lineage_api.store.database import Database, Observer
from lineage_api.store.model_files import ModelFiles
from lineage_api.store.reading import database_of

GENEROUS = {
    "max_depth": 100,
    "max_root_fields": 1_000,
    "max_aliases": 10**6,
    "max_fields": 10**6,
    "max_cost": 2**31 - 1,
}
"""Limits of a server of which tests ask more than people do; limits have tests of their own."""


class Client:
    """Asks over HTTP, in the process; compares data and errors with what plain graphql-core makes of the schema."""

    def __init__(self, http: httpx.AsyncClient, oracle: "Oracle", statements: list[str]) -> None:
        self.http = http
        self._oracle = oracle
        self._statements = statements

    @classmethod
    @asynccontextmanager
    async def of(cls, uri: str, statements: list[str], **settings: Any) -> AsyncIterator["Client"]:
        """A client of a server for the store at a URI."""
        settings = {**GENEROUS, **settings}
        app = create_app(Settings(backend_store_uri=uri, **settings), statements.append)
        async with running(app) as http, Oracle.of(app, uri, **settings) as oracle:
            yield cls(http, oracle, statements)

    async def answer(self, query: str, **variables: Any) -> dict[str, Any]:
        """The whole answer, which is that of the oracle too; `statements` holds what it cost."""
        self._statements.clear()
        response = await self.http.post("/graphql", json={"query": query, "variables": variables})
        answer: dict[str, Any] = response.json()
        assert _comparable(answer) == _comparable(await self._oracle.answer(query, variables))
        return answer

    async def ask(self, query: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        answer = await self.answer(query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def refused(self, query: str, **variables: Any) -> dict[str, Any]:
        """The only error of an answer."""
        answer = await self.answer(query, **variables)
        [error] = answer["errors"]
        return error  # type: ignore[no-any-return]


class Oracle:
    """The same schema, executed object by object by graphql-core; its database is opened when it is first asked."""

    def __init__(self, app: Starlette, uri: str, settings: Settings) -> None:
        self._app = app
        self._uri = uri
        self._database: Database | None = None
        artifacts = Artifacts(settings.artifacts_destination, settings.artifact_time_limit_s)
        self._services: dict[type, Any] = {
            Artifacts: artifacts,
            ModelFiles: ModelFiles(artifacts),
            Limits: limits_of(settings),
        }
        self._max_page = settings.max_page

    @classmethod
    @asynccontextmanager
    async def of(cls, app: Starlette, uri: str, **settings: Any) -> AsyncIterator["Oracle"]:
        """An oracle for the store at a URI, of which an app that is running knows which tables there are."""
        made = cls(app, uri, Settings(**settings))
        yield made
        if made._database is not None:
            await made._database.close()
        made._services[Artifacts].close()

    async def _opened(self) -> Database:
        if self._database is None:
            self._database = database_of(self._uri)
            self._database.lacking = self._app.state.executor._databases.primary.lacking
            await self._database.open()
        return self._database

    async def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Data and errors."""
        snapshot = (await self._opened()).snapshot()
        try:
            result = execute(
                executable(),
                parse(query),
                context_value=Context(snapshot, self._services, self._max_page),
                variable_values=variables,
                execution_context_class=ExecutionContext,
            )
            result = await result if hasattr(result, "__await__") else result
        finally:
            await snapshot.close()
        return dict(result.formatted)


def _comparable(answer: dict[str, Any]) -> Any:
    """An answer without what may differ: key order in it counts."""
    errors = sorted((str(error.get("path")), error["message"]) for error in answer.get("errors") or ())
    return _ordered(answer.get("data")), errors


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, _ordered(part)) for key, part in value.items()]
    return [_ordered(part) for part in value] if isinstance(value, list) else value


@asynccontextmanager
async def in_process(uri: str, observe: Observer | None = None, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Asks a server for the store at a URI, with these settings, over HTTP and in the process."""
    async with running(create_app(Settings(backend_store_uri=uri, **settings), observe)) as http:
        yield http


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """Asks an app over HTTP, and in the process, while it runs."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http,
    ):
        yield http


def without_cost(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what it says of its cost."""
    extensions = {name: value for name, value in answer.get("extensions", {}).items() if name != "cost"}
    rest = {name: value for name, value in answer.items() if name != "extensions"}
    return rest | ({"extensions": extensions} if extensions else {})
