"""The command `serve`: listens, and serves a store until it is told to stop."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import click
import uvicorn

from lineage_api.app import create_app
from lineage_api.commands.connections import Requests, WebSocket
from lineage_api.commands.exposure import require_safe
from lineage_api.commands.memory import keep_little
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

TAKEN_AT_ONCE = 16
"""How many connections are taken in one turn of the event loop."""


def served(settings: Settings) -> None:
    """Serves the store; an empty database is filled first."""
    require_safe(settings)
    keep_little()
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
                http=partial(Requests, app.state.crowd),  # type: ignore[arg-type] # uvicorn calls it, no more
                ws=WebSocket,
                ws_max_size=MAX_FRAME_BYTES,
                ws_per_message_deflate=False,  # each subscriber would have windows of its own in memory
                ws_ping_interval=PING_S,
                ws_ping_timeout=PING_S,
                timeout_graceful_shutdown=3,
                log_level="warning",
                access_log=False,  # else each line is put together first, and not written then
                server_header=False,
                proxy_headers=False,  # else whoever is on this machine could say where they come from
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Being told to stop is no failure; uvicorn would raise the signal again, as which it would end."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to take connections, several at each turn of the loop: uvloop takes one from each socket.

        While much is asked, turns are long, and whoever comes anew would wait for minutes behind others.
        """
        more = [each.dup() for each in sockets or () for _ in range(TAKEN_AT_ONCE - 1)]
        await super().startup([*(sockets or ()), *more])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends streams as well, which would be waited for; WebSockets are closed with 1012 (service restart)."""
        self._app.state.streams.end()
        await super().shutdown(sockets)


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
