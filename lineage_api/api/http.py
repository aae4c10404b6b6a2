"""GraphQL over HTTP, as the specification of that name describes it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson
from graphql import OperationType
from graphql.error import located_error
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lineage_api.access.callers import Caller
from lineage_api.api import graphiql
from lineage_api.api.accepted import accepted, weights
from lineage_api.api.compression import Compressor
from lineage_api.api.deadlines import GoneError, while_wanted
from lineage_api.api.documents import NotValid
from lineage_api.api.entrance import CROSS_SITE, Entrance
from lineage_api.api.event_stream import EventStream
from lineage_api.api.executor import Executor, Question, is_begun
from lineage_api.api.failures import BAD_USER_INPUT, told
from lineage_api.errors import Forbidden, Overloaded, Unauthenticated, Unreadable

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
EVENTS = "text/event-stream"
HTML = "text/html"

RETRY_AFTER_S = "1"
"""After how long it is worth while to ask again, where there was no place to run."""


SAFE = ("GET", "HEAD")
"""Methods by which nothing may be changed, and by which browsers ask for pages."""


class Unanswerable(Exception):
    """A request that is no GraphQL request: its status, what is wrong, and headers that say what would be right."""

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None, code: str = BAD_USER_INPUT
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.code = code


class GraphQL:
    """Answers GraphQL requests by HTTP."""

    def __init__(self, executor: Executor, entrance: Entrance, *, max_body_bytes: int) -> None:
        self._executor = executor
        self._entrance = entrance
        self._max_body_bytes = max_body_bytes
        self._compressor = Compressor()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Any method is let in here, so that the refusal of one says which would be right."""
        request = Request(scope, receive)
        try:
            response = await self.answer(request)
        except GoneError:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, clients are told as of any other defect
            response = _json({"errors": told([located_error(error)])}, JSON, 500)
        self._entrance.share(response, request.headers)
        await self._compressor.compress(response, request)
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """The answer to a request by HTTP; to a browser that asks for a page, GraphiQL."""
        is_safe = request.method in SAFE
        offered = (HTML, GRAPHQL, JSON, EVENTS) if is_safe else (GRAPHQL, JSON, EVENTS)
        media_type = media_type_for(request.headers, offered)
        if media_type == HTML:
            return graphiql.page(request)
        preflight = self._entrance.preflight(request)
        if preflight is not None:
            return preflight
        if media_type is None:
            message = f"The answer can be {GRAPHQL}, {JSON} or {EVENTS}; `Accept` has none of them."
            return _json({"errors": [_error(message)]}, JSON, 406)
        try:
            question = await self._question(request)
            kind = await self._executor.kind(question)
            media_type = _fit(media_type, kind, request.headers, is_safe=is_safe)
            if media_type == EVENTS:
                # EventSource, which connects again by itself, says by this alone where it was.
                question = replace(question, after=request.headers.get("last-event-id"))
                return EventStream(self._executor.answers(question), self._entrance.connected(question.caller))
            executing = self._executor.execute(question)
            # A change is made to its end, and told to whoever is still there.
            result = await (while_wanted(executing, request.receive) if kind is OperationType.QUERY else executing)
        except Unanswerable as refusal:
            error = _error(str(refusal), refusal.code)
            return _json({"errors": [error]}, _told_as(media_type), refusal.status, refusal.headers)
        except NotValid as refusal:
            kind_of_answer = _told_as(media_type)
            return _json({"errors": told(refusal.errors, refusal.code)}, kind_of_answer, _status(kind_of_answer))
        except Overloaded:
            return no_room(_told_as(media_type))
        if not is_begun(result):
            return _json({"errors": told(result.errors or [])}, media_type, _status(media_type))
        return _response(self._executor.body(result, kind), media_type)

    def close(self) -> None:
        """Lets go of what answers were compressed with."""
        self._compressor.close()

    async def _question(self, request: Request) -> Question:
        if not self._entrance.allows(request.headers):
            raise Unanswerable(403, CROSS_SITE, code=Forbidden.code)
        if request.method == "POST":
            body = await self._read(request)
            caller = self._caller(request)
            return self._checked(parameters_of(body), caller)
        if request.method not in SAFE:
            raise Unanswerable(405, "GraphQL is asked by POST or GET.", {"allow": "GET, HEAD, POST"})
        caller = self._caller(request)
        parameters: dict[str, Any] = dict(request.query_params)
        for name in ("variables", "extensions"):
            if parameters.get(name):
                parameters[name] = _parsed(parameters[name].encode(), f"`{name}`")
        return self._checked(parameters, caller)

    def _caller(self, request: Request) -> Caller:
        try:
            return self._entrance.caller(request)
        except Unauthenticated as refusal:
            raise Unanswerable(401, str(refusal), {"www-authenticate": "Bearer"}, refusal.code) from None

    def _checked(self, parameters: Mapping[str, Any], caller: Caller) -> Question:
        try:
            return self._executor.question(parameters, caller)
        except Unreadable as refusal:
            raise Unanswerable(400, str(refusal)) from None

    async def _read(self, request: Request) -> bytes:
        require_json(request.headers)
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


def require_json(headers: Headers) -> None:
    """Raises Unanswerable unless a body with these headers is JSON, as it has to be."""
    kind, _, charset = headers.get("content-type", "").partition(";")
    if kind.strip().lower() != JSON:
        raise Unanswerable(415, f"The body must be {JSON}.", {"accept": JSON})
    if "charset" in charset.lower() and not re.search(r"utf-?8", charset, re.IGNORECASE):
        raise Unanswerable(415, "The body must be UTF-8.")
    if headers.get("content-encoding", "identity") != "identity":
        raise Unanswerable(415, "The body must not be compressed.")


def _fit(media_type: str, kind: OperationType | None, headers: Headers, *, is_safe: bool) -> str:
    """How an operation of this kind is answered; refused where it cannot be."""
    if kind is OperationType.MUTATION and is_safe:
        raise Unanswerable(405, "By GET only queries can be asked; use POST.", {"allow": "POST"})
    if kind is not OperationType.SUBSCRIPTION:
        return media_type
    if media_type_for(headers, (EVENTS,)) is None:
        message = f"What happens is told over a WebSocket (graphql-transport-ws), or as {EVENTS} to who accepts that."
        raise Unanswerable(406, message)
    return EVENTS


def _told_as(media_type: str) -> str:
    """How a refusal is told to who accepts a type: a stream that does not begin is told of as JSON."""
    return JSON if media_type == EVENTS else media_type


def media_type_for(headers: Headers, offered: tuple[str, ...]) -> str | None:
    """Which of the types that are offered is the answer to a request with these headers; None where none may be."""
    return _media_type(accepted(headers, "accept") or "*/*", offered)


@lru_cache(1000)
def _media_type(header: str, offered: tuple[str, ...]) -> str | None:
    """Which of the types that are offered an `Accept` header likes best; who takes anything is given JSON."""
    wishes = dict(weights(header))
    wishes.setdefault(JSON, max(wishes.get("application/*", 0), wishes.get("*/*", 0)))
    best = max(offered, key=lambda kind: wishes.get(kind, 0))
    return best if wishes.get(best) else None


def _status(media_type: str) -> int:
    """The status of an answer to a well-formed request that could not be executed."""
    return 400 if media_type == GRAPHQL else 200


def no_room(media_type: str) -> Response:
    """The answer to an operation that was not begun, because too many wait."""
    body = {"errors": told([located_error(Overloaded())])}
    return _json(body, media_type, 503, {"retry-after": RETRY_AFTER_S})


def parameters_of(body: bytes) -> Mapping[str, Any]:
    """The parameters of a request by POST; raises Unanswerable where the body has none."""
    parsed = _parsed(body, "The body")
    if not isinstance(parsed, dict):
        raise Unanswerable(400, "The body must be a JSON object with `query`; batches are not answered.")
    return parsed


def _parsed(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Unanswerable(400, f"{what} must be JSON.") from None


def _error(message: str, code: str = BAD_USER_INPUT) -> dict[str, Any]:
    return {"message": message, "extensions": {"code": code}}


def _json(body: Any, media_type: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return _response(orjson.dumps(body), media_type, status, headers)


def _response(body: bytes, media_type: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    sent = {"cache-control": "no-store", "vary": "accept", **(headers or {})}
    return Response(body, status, sent, f"{media_type}; charset=utf-8")
