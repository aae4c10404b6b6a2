"""The command `serve`: listens, and serves a store until it is told to stop."""

import socket
import sys
from contextlib import suppress
from dataclasses import replace

import click
import uvicorn

from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.migrations.recording import looked_at
from lineage_api.store import replica
from lineage_api.store.opening import prepared
from lineage_api.store.uris import masked


def served(settings: Settings) -> None:
    """Serves the store; an empty database is filled first."""
    uri = prepared(
        settings.backend_store_uri,
        registry_uri=settings.registry_store_uri,
        artifact_root=settings.default_artifact_root,
        create=not settings.read_only,
    )
    read_from = replica.prepared(settings.read_replica_backend_store_uri, uri)
    looked_at(uri)  # a history of a later release is refused here, in one line
    app = create_app(replace(settings, backend_store_uri=uri, read_replica_backend_store_uri=read_from))
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=3, server_header=False)
    with _listener(settings.host, settings.port) as listener, suppress(KeyboardInterrupt):
        place = _address(settings.host, listener.getsockname()[1])
        click.echo(f"Store      {masked(uri)}\nGraphiQL   {place}/graphql  (in a browser)\nGraphQL    {place}/graphql")
        server = uvicorn.Server(config)
        server.run([listener])
        if not server.started:
            sys.exit(1)


def _listener(host: str, port: int) -> socket.socket:
    """Where connections come in; they wait there until the server has started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise click.ClickException(f"No server can be at {_address(host, port)}: {error}") from None


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
