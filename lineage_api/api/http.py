"""GraphQL over HTTP, as the specification of that name describes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import ExecutionResult, GraphQLSchema, OperationType, execute, get_operation_ast
from starlette.requests import Request
from starlette.responses import Response

from lineage_api.api import graphiql
from lineage_api.api.context import Context
from lineage_api.api.documents import Documents, Refused
from lineage_api.api.failures import BAD_USER_INPUT, told
from lineage_api.engine import ColumnarExecutionContext
from lineage_api.store.database import Database

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
HTML = "text/html"


@dataclass(frozen=True, slots=True)
class Question:
    """A GraphQL request, however it came."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None


class Unanswerable(Exception):  # noqa: N818 - it is an answer
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
        database: Database,
        services: Mapping[type, Any],
        *,
        max_page: int,
        max_body_bytes: int,
        max_document_tokens: int,
    ) -> None:
        self._schema = schema
        self._database = database
        self._services = services
        self._max_page = max_page
        self._max_body_bytes = max_body_bytes
        self._documents = Documents(schema, max_document_tokens)

    async def answer(self, request: Request) -> Response:
        """The answer to a request by HTTP; to a browser that asks for a page, GraphiQL."""
        accepted = request.headers.get("accept", "*/*")
        if request.method in {"GET", "HEAD"} and HTML in accepted:
            return graphiql.page(request)
        media_type = _media_type(accepted)
        if media_type is None:
            message = f"The answer can be {GRAPHQL} or {JSON}; `Accept` has neither."
            return _json({"errors": [_error(message)]}, JSON, 406)
        try:
            question = await self._question(request)
            self._require_safe(question, request.method)
        except Unanswerable as refusal:
            return _json({"errors": [_error(str(refusal))]}, media_type, refusal.status, refusal.headers)
        except Refused as refusal:
            return _json({"errors": told(refusal.errors, refusal.code)}, media_type, _status(media_type))
        result = await self.execute(question)
        body: dict[str, Any] = {}
        if result.errors:
            body["errors"] = told(result.errors)
        if result.data is None and result.errors and not any(error.path for error in result.errors):
            # Nothing was executed.
            return _json(body, media_type, _status(media_type))
        return _json({"data": result.data, **body}, media_type)

    async def execute(self, question: Question) -> ExecutionResult:
        """The data and errors that a request gets; raises Refused for a document that is not valid."""
        document = self._documents.document(question.query)
        snapshot = self._database.snapshot()
        try:
            result = execute(
                self._schema,
                document,
                context_value=Context(snapshot, self._services, self._max_page),
                variable_values=question.variables,
                operation_name=question.operation_name,
                execution_context_class=ColumnarExecutionContext,
            )
            return result if isinstance(result, ExecutionResult) else await result
        finally:
            await snapshot.close()

    async def _question(self, request: Request) -> Question:
        if request.method == "POST":
            return _checked(_body(await self._read(request)))
        if request.method != "GET":
            raise Unanswerable(405, "GraphQL is asked by POST or GET.", {"allow": "GET, POST"})
        parameters: dict[str, Any] = dict(request.query_params)
        for name in ("variables", "extensions"):
            if parameters.get(name):
                parameters[name] = _parsed(parameters[name].encode(), f"`{name}`")
        return _checked(parameters)

    async def _read(self, request: Request) -> bytes:
        kind, _, charset = request.headers.get("content-type", "").partition(";")
        if kind.strip().lower() != JSON:
            raise Unanswerable(415, f"The body must be {JSON}.", {"accept": JSON})
        if "charset" in charset.lower() and "utf-8" not in charset.lower():
            raise Unanswerable(415, "The body must be UTF-8.")
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Unanswerable(415, "The body must not be compressed.")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self._max_body_bytes:
                raise Unanswerable(413, f"The body must be of {self._max_body_bytes} bytes at most.")
        return bytes(body)

    def _require_safe(self, question: Question, method: str) -> None:
        """A GET must not change anything."""
        if method != "GET":
            return
        operation = get_operation_ast(self._documents.document(question.query), question.operation_name)
        if operation is not None and operation.operation is not OperationType.QUERY:
            raise Unanswerable(405, "By GET only queries can be asked; use POST.", {"allow": "POST"})


def _media_type(accepted: str) -> str | None:
    """What the answer is written in, going by the `Accept` header; None when it takes nothing that we can write."""
    kinds = {part.partition(";")[0].strip().lower() for part in accepted.split(",")}
    if GRAPHQL in kinds:
        return GRAPHQL
    return JSON if kinds & {JSON, "*/*", "application/*", ""} else None


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
