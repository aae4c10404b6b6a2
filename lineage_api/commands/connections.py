"""Connections by HTTP and WebSocket, more careful than uvicorn's with who sends what nobody should."""

import asyncio
from time import monotonic
from typing import Any

from starlette.responses import Response
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from lineage_api.api.crowd import Crowd

MAX_HEAD_BYTES = 2**16
"""How long the head of a request may be: its address and headers, and what may follow a body in chunks."""
MAX_HANDSHAKE_HEADERS = 100
MAX_HANDSHAKE_LINE_BYTES = 8_000
"""How many headers a handshake of a WebSocket may have, and how long each may be; websockets reads no more."""
MAX_WAITING = 100
"""How many requests may wait behind each other on one connection."""
ARRIVAL_S = 30.0
"""How long a request may take until it is there as a whole."""

_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_NO_HANDSHAKE = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_READ_HEADERS = ("connection", "upgrade", "sec-websocket-", "origin")


class Requests(HttpToolsProtocol):
    """Requests by HTTP, which have to arrive, and whose heads have an end; those of a crowd are refused at once."""

    _unended_bytes = 0
    """How much has come of what has neither a body nor an end yet."""
    _arriving_since: float | None = None
    """Since when a request has been arriving; None where none is."""
    _look: asyncio.TimerHandle | None = None
    _is_between = True
    """Whether all that has come are whole requests."""
    _answering: RequestResponseCycle | None = None
    """The request that is being answered; uvicorn knows only the last one that has come."""

    def __init__(self, crowd: Crowd, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._crowd = crowd

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._arriving_since = monotonic()
        self._look = self.loop.call_later(ARRIVAL_S, self._look_at_the_time)

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits for nothing more."""
        self._look_no_more()
        self._answer_nobody()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes what has come, unless it is too much, or there is no room for it."""
        refusal = self._crowd.refusal(data) if self._has_nothing_to_do else None
        if refusal is not None:
            self._answer(refusal)
            return
        self._unended_bytes += len(data)
        super().data_received(data)
        if self._unended_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse()
        elif len(self.pipeline) > MAX_WAITING:
            self._leave()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._is_between = False
        self._arriving_since = self._arriving_since or monotonic()

    def on_body(self, body: bytes) -> None:
        """Its head has ended, and a part of its body is there."""
        self._unended_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It is there as a whole."""
        self._unended_bytes, self._arriving_since, self._is_between = 0, None, True
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Becomes a WebSocket, unless the handshake is such as nobody would answer."""
        self._look_no_more()
        lines = [len(name) + len(value) for name, value in self.headers]
        if len(lines) > MAX_HANDSHAKE_HEADERS or max([len(self.url), *lines]) > MAX_HANDSHAKE_LINE_BYTES:
            self._refuse()
        else:
            super().handle_websocket_upgrade()
            # It and this refer to each other, and would wait for the garbage collector else.
            self.parser = None  # type: ignore[assignment]

    @property
    def _has_nothing_to_do(self) -> bool:
        """Whether all that has come is answered, and the answers are on their way."""
        is_answered = self._is_between and (self.cycle is None or self.cycle.response_complete)
        return is_answered and not self.flow.write_paused and not self.transport.is_closing()

    def _answer(self, response: Response) -> None:
        """Answers a request that was not begun, and waits for the next one."""
        self._arriving_since = None
        self._unset_keepalive_if_required()
        headers = [*self.server_state.default_headers, *response.raw_headers]
        lines = [STATUS_LINE[response.status_code], *(b"%b: %b\r\n" % header for header in headers), b"\r\n"]
        self.transport.write(b"".join([*lines, bytes(response.body)]))
        self.on_response_complete()

    def _refuse(self) -> None:
        self.transport.write(_TOO_LONG)
        self._leave()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _leave(self) -> None:
        """Closes the connection."""
        self._answer_nobody()
        self.transport.close()

    def _answer_nobody(self) -> None:
        """Has nothing more be written on a connection that is closed, which would be logged as a failure."""
        if self._answering is not None:
            self._answering.disconnected = True

    def _look_at_the_time(self) -> None:
        if self._arriving_since is not None and monotonic() - self._arriving_since >= ARRIVAL_S:
            self._leave()
        else:
            self._look = self.loop.call_later(ARRIVAL_S, self._look_at_the_time)

    def _look_no_more(self) -> None:
        if self._look is not None:
            self._look.cancel()


class WebSocket(WebSocketsSansIOProtocol):
    """A WebSocket, more careful than uvicorn's with who sends what nobody should."""

    def handle_connect(self, event: Any) -> None:
        """Begins, unless the handshake has what is not ASCII, over which the server would not be able to stop."""
        if _is_ascii(event):
            super().handle_connect(event)
        else:
            self.close_sent = True
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Refuses what is no handshake, such as one by POST or with a body: uvicorn would leave it unanswered, open."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.transport.is_closing():
            self.close_sent = True
            self.transport.write(_NO_HANDSHAKE)
            self.transport.close()

    # uvicorn logs an error where an app ends before the handshake. It is over also when somebody has left before its
    # end, and when it was answered by HTTP.
    def connection_lost(self, exc: Exception | None) -> None:
        """Tells the app that who was connected has left."""
        super().connection_lost(exc)
        self.handshake_complete = True
        self.frames = []  # of a message that will not be read
        self.conn.parser.close()  # it refers to what it is a part of, and to the last message

    async def send(self, message: Any) -> None:
        """Sends, unless nobody is there to whom."""
        if not self.handshake_complete and self.transport.is_closing():
            self.handshake_complete = True
            raise ClientDisconnected
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    def handle_ping(self) -> None:
        """Answers a ping, unless the answer would be kept for somebody who does not read."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def send_receive_event_to_app(self) -> None:
        """Passes text that is no UTF-8 on as bytes, where uvicorn would log a traceback."""
        if self.curr_msg_data_type == "text" and not _is_utf8(b"".join(self.frames)):
            self.curr_msg_data_type = "bytes"
        super().send_receive_event_to_app()


def _is_ascii(handshake: Any) -> bool:
    """Whether all is that is read of a handshake; cookies, for one, may be anything."""
    read = (value for name, value in handshake.headers.raw_items() if name.lower().startswith(_READ_HEADERS))
    return handshake.path.isascii() and all(value.isascii() for value in read)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
