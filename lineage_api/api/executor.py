"""What answers GraphQL requests, however they came: by HTTP, over a WebSocket, as a stream, or in the process."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, NamedTuple

import orjson
from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema, OperationType, get_operation_ast
from graphql.error import located_error

from lineage_api.access.callers import ANYBODY, Caller
from lineage_api.access.roles import Action, may
from lineage_api.api.admission import shape
from lineage_api.api.context import Context
from lineage_api.api.costs import Costs
from lineage_api.api.databases import Databases
from lineage_api.api.documents import Documents, NotValid, refused
from lineage_api.api.failures import BAD_USER_INPUT, told
from lineage_api.api.input_sizes import Inputs
from lineage_api.api.limits import Limits, require_within
from lineage_api.api.running import Running
from lineage_api.api.shared_answers import SharedAnswers
from lineage_api.api.slices import SLICE_S, Slices
from lineage_api.api.trusted import TrustedDocuments
from lineage_api.engine import answer
from lineage_api.engine.subscribe import subscribe
from lineage_api.engine.tally import Tally
from lineage_api.errors import TimedOut, TooMuch, Unreadable
from lineage_api.graph.identity import encoded
from lineage_api.store import search
from lineage_api.store.allowance import one_operation
from lineage_api.store.feed import Happened

_OTHER_KINDS = (OperationType.MUTATION.value, OperationType.SUBSCRIPTION.value)
"""One of these words is in each document that is not of queries alone."""


@dataclass(frozen=True, slots=True)
class Question:
    """A GraphQL request, however it came."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    caller: Caller = ANYBODY
    """Who asks."""
    after: str | None = None
    """The ID of the last event that a subscription got before it broke off, where the transport says so."""


class Answer(NamedTuple):
    """One answer to a question; a subscription has many."""

    json: str
    """The response: an object of `data`, `errors` and `extensions`."""
    event_id: str | None = None
    """The ID of the event that it tells of, after which the subscription can be gone on with."""


class Executor:
    """Executes operations on one store."""

    def __init__(
        self,
        schema: GraphQLSchema,
        databases: Databases,
        services: Mapping[type, Any],
        limits: Limits,
        running: Running,
        *,
        max_answer_bytes: int,
        trusted: TrustedDocuments | None = None,
    ) -> None:
        self._schema = schema
        self._databases = databases
        self._services = services
        self._limits = limits
        self._running = running
        self._max_answer_bytes = max_answer_bytes
        self._documents = Documents(schema, limits)
        # Beside those of execution: whoever sends what is known need not wait for those who send anything else.
        self._reading = Slices(SLICE_S)
        self._costs = Costs(schema, limits.max_page)
        self._shared = SharedAnswers()
        self._trusted = trusted or TrustedDocuments()

    def question(self, parameters: Mapping[str, Any], caller: Caller) -> Question:
        """The request that some parameters are; raises Unreadable where they are none, or it is not to be answered."""
        return question_of(parameters, self._trusted, caller)

    @property
    def is_waited_for(self) -> bool:
        """Whether queries wait for places."""
        return self._running.is_waited_for

    def lets_in(self, question: Question) -> bool:
        """Whether what is asked in this turn of the loop will find room; all will that are not queries."""
        return _may_change(question) or self._running.lets_in(shape(question.query))

    async def kind(self, question: Question) -> OperationType | None:
        """Of what kind the operation is; None where there is not one.

        Raises NotValid for an invalid document, and Overloaded where it is a query that would have to be refused:
        before anything is done for it that takes time from others.
        """
        if not _may_change(question):
            self._running.require_room(shape(question.query))
        if not self._documents.knows(question.query):
            await self._reading.begin()
        operation = get_operation_ast(self._documents.document(question.query), question.operation_name)
        return operation.operation if operation else None

    async def execute(self, question: Question, event: Happened | None = None) -> ExecutionResult:
        """The data, errors and extensions of an operation, of a subscription for one event.

        Raises NotValid for a document that is not valid, and Overloaded where too many wait to be executed.
        """
        asked_at, document = monotonic(), self._documents.document(question.query)
        requested, inputs = self._cost(document, question)
        if inputs.has_expressions:
            await asyncio.to_thread(search.load)
        operation = get_operation_ast(document, question.operation_name)
        work = partial(self._executed, question, document, requested, event, asked_at)
        return await self._running.run(shape(question.query), operation, work)

    async def _executed(
        self, question: Question, document: DocumentNode, requested: int, event: Happened | None, asked_at: float
    ) -> ExecutionResult:
        hides_secrets = not may(question.caller.role, Action.KNOW_SECRETS)
        snapshot = self._databases.read_by(document).snapshot(hides_secrets=hides_secrets)
        limits, tally = self._limits, Tally(self._limits.max_rows)
        context = Context(snapshot, self._services, limits.max_page, question.caller, asked_at=asked_at, tally=tally)
        asked = (question.variables, question.operation_name)
        try:
            with one_operation():
                result = await answer(self._schema, document, context, *asked, root_value=event)
            actual = tally.objects if tally.is_whole else None
            result.extensions = context.extensions | {"cost": {"requested": requested, "actual": actual}}
            return result
        finally:
            await snapshot.close()

    def body(self, result: ExecutionResult, kind: OperationType | None = None) -> bytes:
        """The response to an operation as JSON; where that is longer than may be sent, only the error that says so."""
        body = orjson.dumps(response(result))
        if len(body) <= self._max_answer_bytes:
            return body
        what = "The change was made. Its answer" if kind is OperationType.MUTATION else "The answer"
        refusal = TooMuch(f"{what} has {len(body):,} bytes, at most {self._max_answer_bytes:,} are sent.")
        return orjson.dumps({"data": None, "errors": told([located_error(refusal)])})

    def _cost(self, document: DocumentNode, question: Question) -> tuple[int, Inputs]:
        """How many objects an operation asks for, and with what; raises NotValid where either is too much."""
        variables = question.variables or {}
        try:
            inputs = Inputs.of(document, variables)
            inputs.require_within(self._limits)
            cost = self._costs.requested(document, question.operation_name, variables)
            require_within("cost", cost, self._limits.max_cost)
        except TooMuch as refusal:
            raise refused(refusal) from None
        return cost, inputs

    async def answers(self, question: Question) -> AsyncGenerator[Answer, None]:
        """The answer to a query or mutation, or those to a subscription, one for each event.

        Raises NotValid where nothing is executed, and SlowConsumer where they were not taken in time.
        """
        kind = await self.kind(question)
        if kind is not OperationType.SUBSCRIPTION:
            result = await self.execute(question)
            _require_begun(result)
            yield Answer(self.body(result, kind).decode())
            return
        async with aclosing(await self._subscribed(question)) as stream:
            async for each in stream:
                yield each

    async def _subscribed(self, question: Question) -> Any:
        document: DocumentNode = self._documents.document(question.query)
        self._cost(document, question)
        snapshot = self._databases.primary.snapshot()
        context = Context(snapshot, self._services, self._limits.max_page, question.caller, question.after)
        asked = (context, question.variables, question.operation_name)
        about = partial(self._answer_about, question, _key(question.variables))
        stream = await subscribe(self._schema, document, None, *asked, answered=about)
        if isinstance(stream, ExecutionResult):
            _require_begun(stream)
        return stream

    async def _answer_about(self, question: Question, variables: bytes, event: Happened) -> Answer:
        """What a subscription says of an event: read once for all who ask the same."""
        key = (question.query, question.operation_name, variables, question.caller, event.id)

        async def made() -> str:
            return self.body(await self.execute(question, event)).decode()

        return Answer(await self._shared.answer(key, made), encoded("RegistryEvent", event.id))


def _may_change(question: Question) -> bool:
    """Whether what is asked might be no query, as far as can be seen at once."""
    return any(word in question.query for word in _OTHER_KINDS)


def _key(variables: Any) -> bytes:
    """What tells variables from others."""
    try:
        return orjson.dumps(variables, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise NotValid(BAD_USER_INPUT, [GraphQLError("`variables` are nested too deeply.")]) from None


def question_of(parameters: Mapping[str, Any], trusted: TrustedDocuments, caller: Caller = ANYBODY) -> Question:
    """The request that some parameters are; raises Unreadable where they are none."""
    query, variables, name = trusted.text(parameters), parameters.get("variables"), parameters.get("operationName")
    if not isinstance(query, str) or not query:
        raise Unreadable("`query` must be a GraphQL document.")
    if variables is not None and not isinstance(variables, dict):
        raise Unreadable("`variables` must be a JSON object.")
    if name is not None and not isinstance(name, str):
        raise Unreadable("`operationName` must be a text.")
    if not isinstance(parameters.get("extensions"), dict | None):
        raise Unreadable("`extensions` must be a JSON object.")
    return Question(query, variables, name or None, caller)


def response(result: ExecutionResult) -> dict[str, Any]:
    """What is sent of a result; errors are masked where clients can do nothing about them."""
    errors = {"errors": told(result.errors)} if result.errors else {}
    extensions = {"extensions": result.extensions} if result.extensions else {}
    return {"data": result.data, **errors, **extensions}


def is_begun(result: ExecutionResult) -> bool:
    """Whether anything was executed, and not refused before that."""
    return (
        result.data is not None
        or not result.errors
        or any(
            # Nothing takes long before that.
            error.path or isinstance(error.original_error, TimedOut)
            for error in result.errors
        )
    )


def _require_begun(result: ExecutionResult) -> None:
    if not is_begun(result):
        raise NotValid(BAD_USER_INPUT, result.errors or [GraphQLError("There is nothing to answer.")])
