"""The command `serve`: listens, and serves a store until it is told to stop."""

import socket
import sys
from contextlib import suppress
from dataclasses import replace
from typing import Any

import click
import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from lineage_api.app import create_app
from lineage_api.commands.exposure import require_safe
from lineage_api.config import Settings
from lineage_api.migrations.recording import looked_at
from lineage_api.store import replica
from lineage_api.store.opening import prepared
from lineage_api.store.uris import masked

MAX_FRAME_BYTES = 2**18
"""How long a message over a WebSocket may be."""
PING_S = 20.0
"""How often a WebSocket is pinged, and how long it may take to answer."""
UNREAD_S = 60.0
"""How long a client may leave unread what was sent to it."""
_READ_HEADERS = ("connection", "upgrade", "sec-websocket-", "origin")


def served(settings: Settings) -> None:
    """Serves the store; an empty database is filled first."""
    require_safe(settings)
    uri = prepared(
        settings.backend_store_uri,
        registry_uri=settings.registry_store_uri,
        artifact_root=settings.default_artifact_root,
        create=not settings.read_only,
    )
    read_from = replica.prepared(settings.read_replica_backend_store_uri, uri)
    looked_at(uri)  # a history of a later release is refused here, in one line
    app = create_app(replace(settings, backend_store_uri=uri, read_replica_backend_store_uri=read_from))
    with listening(settings.host, settings.port) as listener, suppress(KeyboardInterrupt):
        place = _address(settings.host, listener.getsockname()[1])
        click.echo(f"Store      {masked(uri)}\nGraphiQL   {place}/graphql  (in a browser)\nGraphQL    {place}/graphql")
        server = Server(app)
        server.run([listener])
        if not server.started:
            sys.exit(1)


class Server(uvicorn.Server):
    """Serves the app by HTTP and over WebSockets; told to stop, it takes a few seconds at most."""

    def __init__(self, app: Any) -> None:
        self._app = app
        super().__init__(
            uvicorn.Config(
                app,
                ws=Connection,
                ws_max_size=MAX_FRAME_BYTES,
                ws_per_message_deflate=False,  # each subscriber would have windows of its own in memory
                ws_ping_interval=PING_S,
                ws_ping_timeout=PING_S,
                timeout_graceful_shutdown=3,
                log_level="warning",
                server_header=False,
                proxy_headers=False,  # else whoever is on this machine could say where they come from
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends streams as well, which would be waited for; WebSockets are closed with 1012 (service restart)."""
        self._app.state.streams.end()
        await super().shutdown(sockets)


class Connection(WebSocketsSansIOProtocol):
    """A WebSocket, more careful than uvicorn's with who sends what nobody should."""

    def handle_connect(self, event: Any) -> None:
        """Begins, unless the handshake has what is not ASCII, over which the server would not be able to stop."""
        if _is_ascii(event):
            super().handle_connect(event)
        else:
            self.close_sent = True
            self.transport.close()

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


def listening(host: str, port: int, *, unread_s: float = UNREAD_S) -> socket.socket:
    """Where connections come in; they wait there until the server has started.

    Who does not read what is sent to him is cut off after a while. uvicorn would wait: it closes a connection whose
    pings are not answered, but only once all that was sent before has been read.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise click.ClickException(f"No server can be at {_address(host, port)}: {error}") from None
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; each connection has it from its listener
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(unread_s * 1000))
    return listener


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
