"""GraphQL over WebSockets: graphql-transport-ws, the protocol of graphql-ws.

Nothing is queued here. Sending waits while a client does not read, and with it waits whoever has an answer to send; a
client that never reads again is dropped below, with what has been written for it.
"""

import asyncio
from contextlib import ExitStack, aclosing, suppress
from typing import Any

import orjson
from graphql.error import located_error
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from lineage_api.access.callers import Caller
from lineage_api.api.documents import NotValid
from lineage_api.api.entrance import CROSS_SITE, Entrance
from lineage_api.api.executor import Executor, Question
from lineage_api.api.failures import told
from lineage_api.api.hosts import denied
from lineage_api.errors import LineageError, TooMuch, Unauthenticated
from lineage_api.store.feed import SlowConsumer

SUBPROTOCOL = "graphql-transport-ws"
MAX_RUNNING = 20
"""How many operations of one connection may run at the same time."""
MAX_ID_LENGTH = 256
"""How many characters the ID of an operation may have."""
MAX_REASON_BYTES = 123
"""How long the reason in a close frame may be."""
INIT_TIME_LIMIT_S = 5.0
"""How long a client may take to say `connection_init`."""

_BEGUN = '{"type":"connection_ack"}'


class TooManyRunning(TooMuch):
    """As many operations as may run at the same time do so already."""


class Closing(Exception):
    """A connection has to be closed: the code, and the reason in one line."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


_FORBIDDEN = "Forbidden"
_FULL = "As many WebSockets are open as may be."
_TOO_LATE = Closing(4408, "Connection initialisation timeout")


class _Gone(Exception):
    """There is nobody to send to any more."""


class WebSockets:
    """Answers operations over WebSockets, as an ASGI application."""

    def __init__(self, executor: Executor, entrance: Entrance, *, max_open: int) -> None:
        self._executor = executor
        self._entrance = entrance
        self._max_open = max_open
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection until it is closed."""
        asking = HTTPConnection(scope)
        with suppress(_Gone):
            await receive()  # websocket.connect
            if not self._entrance.allows(asking.headers):
                await denied(PlainTextResponse(CROSS_SITE, 403), scope, receive, send)
            elif self._open >= self._max_open:
                await denied(PlainTextResponse(_FULL, 503, {"retry-after": "60"}), scope, receive, send)
            else:
                await self._serve(_Connection(self._executor, self._entrance, asking, receive, send), scope)

    async def _serve(self, connection: "_Connection", scope: Scope) -> None:
        self._open += 1
        try:
            await connection.serve(scope["subprotocols"])
        finally:
            self._open -= 1


class _Connection:
    """A connection, and the operations that run on it."""

    def __init__(
        self, executor: Executor, entrance: Entrance, asking: HTTPConnection, receive: Receive, send: Send
    ) -> None:
        self._executor = executor
        self._entrance = entrance
        self._asking = asking
        self._receive = receive
        self._send = send
        self._caller: Caller | None = None
        """Who is connected; None before they have said so."""
        self._staying = ExitStack()
        self._late = _TOO_LATE
        self._running: dict[str, asyncio.Task[None]] = {}

    async def serve(self, subprotocols: list[str]) -> None:
        """Takes messages until the connection is closed; then nothing of it runs on."""
        try:
            await self._accept(subprotocols)
            async with asyncio.timeout(INIT_TIME_LIMIT_S) as self._until_begun:
                while (received := await self._receive())["type"] == "websocket.receive":
                    await self._take(_message(received))
        except TimeoutError:
            await self._end()  # whoever does not read would keep it running until the connection is closed
            await self._close(self._late.code, str(self._late))
        except Closing as closing:
            await self._close(closing.code, str(closing))
        finally:
            self._staying.close()
            await self._end()

    async def _accept(self, subprotocols: list[str]) -> None:
        spoken = SUBPROTOCOL if SUBPROTOCOL in subprotocols else None
        await self._put({"type": "websocket.accept", "subprotocol": spoken})
        if spoken is None:
            raise Closing(4406, f"Only the subprotocol {SUBPROTOCOL} is spoken here.")

    async def _take(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "connection_init":
                await self._begin(message)
            case "ping":
                payload = _payload(message)
                await self._tell({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})
            case "pong":
                _payload(message)
            case "subscribe":
                await self._subscribe(_id(message), _payload(message))
            case "complete":
                running = self._running.pop(_id(message), None)
                if running is not None:
                    running.cancel()
            case _:
                raise Closing(4400, "The type of a message must be one of the protocol's.")

    async def _begin(self, message: dict[str, Any]) -> None:
        payload = _payload(message) or {}
        if self._caller is not None:
            raise Closing(4429, "Too many initialisation requests")
        try:
            self._caller = self._entrance.caller(self._asking, _authorization(payload))
        except Unauthenticated:
            raise Closing(4403, _FORBIDDEN) from None
        self._until_begun.reschedule(None)
        self._staying.enter_context(self._entrance.connected(self._caller)(self._leave))
        await self._put_text(_BEGUN)

    def _leave(self) -> None:
        """Closes the connection of who may not be connected any more, at once."""
        self._late = Closing(4403, _FORBIDDEN)
        with suppress(RuntimeError):  # it is being closed already
            self._until_begun.reschedule(asyncio.get_running_loop().time())

    async def _subscribe(self, id_: str, payload: dict[str, Any] | None) -> None:
        if self._caller is None:
            raise Closing(4401, "Unauthorized")
        if payload is None:
            raise Closing(4400, "The payload of `subscribe` must be an object.")
        if id_ in self._running:
            raise Closing(4409, f"Subscriber for {id_} already exists")
        try:
            if len(self._running) >= MAX_RUNNING:
                raise TooManyRunning(f"At most {MAX_RUNNING} operations of a connection run at the same time.")
            question = self._executor.question(payload, self._caller)
        except LineageError as refusal:
            await self._refuse(id_, told([located_error(refusal)]))
        else:
            self._running[id_] = asyncio.create_task(self._run(id_, question))

    async def _run(self, id_: str, question: Question) -> None:
        """Answers an operation to its end."""
        try:
            await self._answer(id_, question)
        except (_Gone, asyncio.CancelledError):
            # Which is also told to who takes messages, and ends all that runs. Nobody asks for the result; a task that
            # ends as cancelled refers to its frames, and they to it.
            pass
        finally:
            # After `complete`, another operation may already have the ID.
            if self._running.get(id_) is asyncio.current_task():
                del self._running[id_]

    async def _answer(self, id_: str, question: Question) -> None:
        try:
            before = f'{{"id":{orjson.dumps(id_).decode()},"type":"next","payload":'
            async with aclosing(self._executor.answers(question)) as answers:
                async for answer in answers:
                    await self._put_text(f"{before}{answer.json}}}")
            await self._tell({"id": id_, "type": "complete"})
        except _Gone:
            raise
        except SlowConsumer as slow:
            await self._close(1013, f"{slow.code}: ask again with `after`")
        except NotValid as refusal:
            await self._refuse(id_, told(refusal.errors, refusal.code))
        except Exception as error:  # noqa: BLE001 - whatever it is, clients are told as of any other defect
            await self._refuse(id_, told([located_error(error)]))

    async def _refuse(self, id_: str, errors: list[dict[str, Any]]) -> None:
        await self._tell({"id": id_, "type": "error", "payload": errors})

    async def _end(self) -> None:
        """Ends all that runs; a change that has begun is still made, by the registry."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._running.clear()  # of those that were cancelled before they began

    async def _tell(self, message: dict[str, Any]) -> None:
        await self._put_text(orjson.dumps(message).decode())

    async def _close(self, code: int, reason: str) -> None:
        short = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
        await self._put({"type": "websocket.close", "code": code, "reason": short})

    async def _put_text(self, text: str) -> None:
        await self._put({"type": "websocket.send", "text": text})

    async def _put(self, message: dict[str, Any]) -> None:
        try:
            await self._send(message)
        except (OSError, RuntimeError):  # uvicorn's ways to say that the client is gone, and that it was closed already
            raise _Gone from None


def _authorization(payload: dict[str, Any]) -> Any:
    """Who somebody says they are as they connect; None where they leave it to the handshake."""
    return next((value for name, value in payload.items() if name.lower() == "authorization"), None)


def _message(received: Any) -> dict[str, Any]:
    """What a frame says; whoever sends frames that say nothing is sent away."""
    text = received.get("text")
    if text is None:
        raise Closing(4400, "A message must be text.")
    try:
        message = orjson.loads(text)
        orjson.dumps(message)  # as parts of it may have to be later
    except orjson.JSONDecodeError:
        raise Closing(4400, "A message must be JSON.") from None
    except orjson.JSONEncodeError:
        raise Closing(4400, "This is nested too deeply.") from None
    if not isinstance(message, dict):
        raise Closing(4400, "A message must be a JSON object.")
    return message


def _id(message: dict[str, Any]) -> str:
    id_ = message.get("id")
    if not isinstance(id_, str) or not 0 < len(id_) <= MAX_ID_LENGTH:
        raise Closing(4400, f"The ID of an operation must be a text of 1 to {MAX_ID_LENGTH} characters.")
    return id_


def _payload(message: dict[str, Any]) -> dict[str, Any] | None:
    payload = message.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise Closing(4400, "A payload must be a JSON object.")
    return payload
