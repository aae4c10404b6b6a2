"""The whole server, put together in sight."""

import gc
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute

from lineage_api.access.callers import Caller, Callers
from lineage_api.access.hosts import hosts
from lineage_api.access.known_tokens import KnownTokens
from lineage_api.access.origins import Origins
from lineage_api.access.proxies import proxies
from lineage_api.access.roles import Role
from lineage_api.access.token_file import TokenFile
from lineage_api.api import graphiql, trusted
from lineage_api.api.crowd import Crowd
from lineage_api.api.databases import Databases
from lineage_api.api.entrance import Entrance
from lineage_api.api.event_facts import EventFacts
from lineage_api.api.event_stream import OpenStreams
from lineage_api.api.executor import Executor, Question
from lineage_api.api.failures import told
from lineage_api.api.hosts import KnownHosts
from lineage_api.api.http import GraphQL
from lineage_api.api.limits import Limits, limits_of
from lineage_api.api.running import Running
from lineage_api.api.schema import executable
from lineage_api.api.trusted import TrustedDocuments
from lineage_api.api.websocket import WebSockets
from lineage_api.config import Settings
from lineage_api.errors import Unauthenticated, Unsuitable
from lineage_api.migrations.recorder import recorded
from lineage_api.registry.service import Registry
from lineage_api.store.artifacts import Artifacts
from lineage_api.store.database import Observer
from lineage_api.store.feed import Feed
from lineage_api.store.indexer import Indexer
from lineage_api.store.model_files import ModelFiles
from lineage_api.store.opening import head_revision
from lineage_api.store.reading import database_of
from lineage_api.store.replica import followed, replica_of
from lineage_api.store.uris import only_read
from lineage_api.webhooks import addresses
from lineage_api.webhooks.deliverer import Deliverer
from lineage_api.webhooks.service import Webhooks

_log = logging.getLogger(__name__)

_TIME_LIMIT_S = 600.0
"""How long a question may take that is asked in the process, by somebody who can stop it."""


def create_app(settings: Settings, observe: Observer | None = None) -> Starlette:
    """The server for a store that `opening.prepared` has let pass.

    Nothing is opened before it starts, nothing stays open after it stops. `observe` is told each SQL statement.
    """
    if settings.read_only:
        settings = replace(settings, backend_store_uri=only_read(settings.backend_store_uri))
    schema, replica = executable(read_only=settings.read_only), settings.read_replica_backend_store_uri
    databases = Databases(
        schema,
        database_of(settings.backend_store_uri, observe, settings.backend, time_limit_s=settings.time_limit_s),
        replica_of(replica, observe, settings.backend, time_limit_s=settings.time_limit_s) if replica else None,
    )
    artifacts = Artifacts(settings.artifacts_destination, settings.artifact_time_limit_s)
    files = ModelFiles(artifacts)
    indexer = Indexer(settings.backend_store_uri, settings.artifacts_destination)
    registry = Registry(settings.backend_store_uri, files)
    feed = Feed(databases.primary)
    services: dict[type, Any] = {Artifacts: artifacts, ModelFiles: files, Registry: registry, Feed: feed}
    limits = services[Limits] = limits_of(settings)
    executor = Executor(
        schema,
        databases,
        services,
        limits,
        Running(time_limit_s=settings.time_limit_s, max_running=settings.max_running, max_waiting=settings.max_waiting),
        max_answer_bytes=settings.max_answer_bytes,
        trusted=_trusted(settings),
    )
    networks = addresses.networks(settings.webhook_networks or "")
    deliverer = Deliverer(settings.backend_store_uri, feed, EventFacts(executor).of, networks)
    webhooks = services[Webhooks] = Webhooks(settings.backend_store_uri, feed, deliverer, networks)
    callers = _callers(settings)
    entrance = Entrance(callers, Origins(settings.cors_allowed_origins or ""))
    graphql = GraphQL(executor, entrance, max_body_bytes=settings.max_body_bytes)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with recorded(settings.backend_store_uri, may_make=settings.may_make) as recording:
            registry.is_recorded = feed.is_recorded = recording.is_on
            webhooks.has_tables = recording.has_webhooks
            for database in databases:
                database.lacking = recording.lacking
            if replica:
                await followed(replica, recording.lacking)
            await databases.open()
            _spare_the_collector()
            try:
                async with (
                    callers.watched(),
                    indexer.running(has_tables=recording.has_index, may_write=not settings.read_only),
                    deliverer.running(is_looking=recording.has_webhooks and settings.may_send),
                ):
                    yield
            finally:
                webhooks.close()
                registry.close()  # waits for changes whose clients are gone
                await databases.close()
                artifacts.close()
                graphql.close()

    async def readyz(request: Request) -> Response:
        ready = await _readiness(databases, indexer)
        return ready if _is_known(entrance, request) else _in_a_word(ready)

    app = Starlette(
        routes=[  # the one that is asked for most comes first
            Route("/graphql", graphql),
            WebSocketRoute("/graphql", WebSockets(executor, entrance, max_open=settings.max_websockets)),
            Route("/", _to_graphiql),
            Route("/healthz", _healthz),
            Route("/readyz", readyz),
            graphiql.assets(),
        ],
        middleware=[Middleware(KnownHosts, hosts=hosts(settings.host, settings.allowed_hosts or ""))],
        lifespan=lifespan,
    )
    app.state.executor = executor
    app.state.crowd = Crowd(executor)
    app.state.streams = OpenStreams()
    return app


def _trusted(settings: Settings) -> TrustedDocuments:
    """The documents of the manifest, where there is one."""
    file = settings.trusted_documents
    if settings.only_trusted and not file:
        raise Unsuitable("--only-trusted needs --trusted-documents, the file that says which they are")
    documents = trusted.read(file) if file else None
    return TrustedDocuments(documents, is_only=settings.only_trusted, may_introspect=settings.allow_introspection)


async def answered(
    settings: Settings, query: str, variables: dict[str, Any] | None = None, actor: str | None = None
) -> dict[str, Any]:
    """The data that a server with these settings answers an operation with, without serving anybody.

    What clients would be told as an error is a refusal here.
    """
    # Data are read here and not sent on; whoever asks once is not there for long, and takes nothing from others.
    app = create_app(
        replace(settings, backend="rows", no_webhooks=True, max_cost=sys.maxsize, time_limit_s=_TIME_LIMIT_S)
    )
    async with app.router.lifespan_context(app):
        result = await app.state.executor.execute(Question(query, variables, caller=Caller(actor, Role.MANAGER)))
    if result.errors:
        raise Unsuitable("; ".join(dict.fromkeys(error["message"] for error in told(result.errors))))
    return dict(result.data)


def _callers(settings: Settings) -> Callers:
    """By what callers are known; by nothing, where there is no setting for it, or it is to be so."""
    if settings.insecure_no_auth:
        return Callers()
    trusted_proxies = proxies(
        settings.trusted_proxies or "",
        settings.trusted_proxy_header or "",
        settings.trusted_proxy_role_header or "",
        settings.trusted_proxy_role,
    )
    return Callers(None if settings.tokens is None else KnownTokens(TokenFile(settings.tokens)), trusted_proxies)


def _is_known(entrance: Entrance, request: Request) -> bool:
    try:
        entrance.caller(request)
    except Unauthenticated:
        return False
    return True


def _in_a_word(readiness: Response) -> Response:
    """What is said of readiness to those who are not known."""
    return PlainTextResponse("ready" if readiness.status_code == 200 else "not ready", readiness.status_code)


async def _to_graphiql(request: Request) -> Response:
    return RedirectResponse(request.scope.get("root_path", "") + "/graphql")


async def _healthz(_: Request) -> Response:
    """The process is up."""
    return PlainTextResponse("ok")


async def _readiness(databases: Databases, indexer: Indexer) -> Response:
    """Whether the store can be read, and is still at the revision that is understood here; and how far the index is."""
    for database, name in zip(databases, ("the store", "the read replica"), strict=False):
        try:
            revision = await database.revision()
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it cannot be read
            _log.exception("%s cannot be read", name.capitalize())
            return PlainTextResponse(f"{name} cannot be read", 503)
        if revision != head_revision():
            return PlainTextResponse(f"{name} is of another version of MLflow than the one that is installed here", 503)
    return PlainTextResponse(f"ready\n{indexer.state}")


def _spare_the_collector() -> None:
    """Keep what was loaded at the start out of garbage collections, which would look through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
