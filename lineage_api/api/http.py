"""GraphQL over HTTP, as the specification of that name describes it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLSchema,
    OperationType,
    get_operation_ast,
)
from graphql.error import located_error
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lineage_api.api import graphiql
from lineage_api.api.accepted import weights
from lineage_api.api.compression import Compressor
from lineage_api.api.context import Context
from lineage_api.api.databases import Databases
from lineage_api.api.documents import Documents, NotValid
from lineage_api.api.failures import BAD_USER_INPUT, told
from lineage_api.engine import answer
from lineage_api.store.allowance import one_operation

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
HTML = "text/html"

SAFE = ("GET", "HEAD")
"""Methods by which nothing may be changed, and by which browsers ask for pages."""


@dataclass(frozen=True, slots=True)
class Question:
    """A GraphQL request, however it came."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    actor: str | None = None
    """Who asks; None when nobody has to say who they are."""


class Unanswerable(Exception):
    """A request that is no GraphQL request: its status, what is wrong, and headers that say what would be right."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


class GraphQL:
    """Answers GraphQL requests about one store."""

    def __init__(
        self,
        schema: GraphQLSchema,
        databases: Databases,
        services: Mapping[type, Any],
        *,
        max_page: int,
        max_body_bytes: int,
        max_document_tokens: int,
    ) -> None:
        self._schema = schema
        self._databases = databases
        self._services = services
        self._max_page = max_page
        self._max_body_bytes = max_body_bytes
        self._documents = Documents(schema, max_document_tokens)
        self._compressor = Compressor()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Any method is let in here, so that the refusal of one says which would be right."""
        request = Request(scope, receive)
        try:
            response = await self.answer(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, clients are told as of any other defect
            response = _json({"errors": told([located_error(error)])}, JSON, 500)
        await self._compressor.compress(response, request)
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """The answer to a request by HTTP; to a browser that asks for a page, GraphiQL."""
        is_safe = request.method in SAFE
        accepted = ",".join(request.headers.getlist("accept"))
        media_type = _media_type(accepted or "*/*", (HTML, GRAPHQL, JSON) if is_safe else (GRAPHQL, JSON))
        if media_type == HTML:
            return graphiql.page(request)
        if media_type is None:
            message = f"The answer can be {GRAPHQL} or {JSON}; `Accept` has neither."
            return _json({"errors": [_error(message)]}, JSON, 406)
        try:
            result = await self.execute(await self._question(request), is_safe=is_safe)
        except Unanswerable as refusal:
            return _json({"errors": [_error(str(refusal))]}, media_type, refusal.status, refusal.headers)
        except NotValid as refusal:
            return _json({"errors": told(refusal.errors, refusal.code)}, media_type, _status(media_type))
        if result.data is None and result.errors and not any(error.path for error in result.errors):
            # Nothing was executed.
            return _json({"errors": told(result.errors)}, media_type, _status(media_type))
        errors = {"errors": told(result.errors)} if result.errors else {}
        extensions = {"extensions": result.extensions} if result.extensions else {}
        return _json({"data": result.data, **errors, **extensions}, media_type)

    async def execute(self, question: Question, *, is_safe: bool = False) -> ExecutionResult:
        """The data, errors and extensions that a request gets; raises NotValid for a document that is not valid."""
        document = self._documents.document(question.query)
        if is_safe:
            _require_query(document, question.operation_name)
        snapshot = self._databases.read_by(document).snapshot()
        context = Context(snapshot, self._services, self._max_page, question.actor)
        try:
            with one_operation():
                result = await answer(self._schema, document, context, question.variables, question.operation_name)
            result.extensions = context.extensions
            return result
        finally:
            await snapshot.close()

    def close(self) -> None:
        """Lets go of what answers were compressed with."""
        self._compressor.close()

    async def _question(self, request: Request) -> Question:
        if request.method == "POST":
            return _checked(_body(await self._read(request)))
        if request.method not in SAFE:
            raise Unanswerable(405, "GraphQL is asked by POST or GET.", {"allow": "GET, HEAD, POST"})
        parameters: dict[str, Any] = dict(request.query_params)
        for name in ("variables", "extensions"):
            if parameters.get(name):
                parameters[name] = _parsed(parameters[name].encode(), f"`{name}`")
        return _checked(parameters)

    async def _read(self, request: Request) -> bytes:
        kind, _, charset = request.headers.get("content-type", "").partition(";")
        if kind.strip().lower() != JSON:
            raise Unanswerable(415, f"The body must be {JSON}.", {"accept": JSON})
        if "charset" in charset.lower() and not re.search(r"utf-?8", charset, re.IGNORECASE):
            raise Unanswerable(415, "The body must be UTF-8.")
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Unanswerable(415, "The body must not be compressed.")
        body, is_whole = b"", False
        while not is_whole:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise Unanswerable(400, "The body ends too early.")
            body += message.get("body", b"")
            is_whole = not message.get("more_body", False)
            if len(body) > self._max_body_bytes:
                raise Unanswerable(413, f"The body must be of {self._max_body_bytes} bytes at most.")
        return body


def _require_query(document: DocumentNode, name: str | None) -> None:
    """Nothing but a query may come by a method that must not change anything."""
    operation = get_operation_ast(document, name)
    if operation is not None and operation.operation is not OperationType.QUERY:
        raise Unanswerable(405, "By GET only queries can be asked; use POST.", {"allow": "POST"})


@lru_cache(1000)
def _media_type(accepted: str, offered: tuple[str, ...]) -> str | None:
    """Which of the types that are offered an `Accept` header likes best; who takes anything is given JSON."""
    wishes = dict(weights(accepted))
    wishes.setdefault(JSON, max(wishes.get("application/*", 0), wishes.get("*/*", 0)))
    best = max(offered, key=lambda kind: wishes.get(kind, 0))
    return best if wishes.get(best) else None


def _status(media_type: str) -> int:
    """The status of an answer to a well-formed request that could not be executed."""
    return 400 if media_type == GRAPHQL else 200


def _body(body: bytes) -> Mapping[str, Any]:
    parsed = _parsed(body, "The body")
    if not isinstance(parsed, dict):
        raise Unanswerable(400, "The body must be a JSON object with `query`; batches are not answered.")
    return parsed


def _parsed(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Unanswerable(400, f"{what} must be JSON.") from None


def _checked(parameters: Mapping[str, Any]) -> Question:
    query, variables, name = parameters.get("query"), parameters.get("variables"), parameters.get("operationName")
    if not isinstance(query, str) or not query:
        raise Unanswerable(400, "`query` must be a GraphQL document.")
    if variables is not None and not isinstance(variables, dict):
        raise Unanswerable(400, "`variables` must be a JSON object.")
    if name is not None and not isinstance(name, str):
        raise Unanswerable(400, "`operationName` must be a text.")
    if not isinstance(parameters.get("extensions"), dict | None):
        raise Unanswerable(400, "`extensions` must be a JSON object.")
    return Question(query, variables, name or None)


def _error(message: str) -> dict[str, Any]:
    return {"message": message, "extensions": {"code": BAD_USER_INPUT}}


def _json(body: Any, media_type: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    sent = {"cache-control": "no-store", "vary": "accept", **(headers or {})}
    return Response(orjson.dumps(body), status, sent, f"{media_type}; charset=utf-8")
