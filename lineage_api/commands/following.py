"""Following what happens, in a database or through a server, for as long as it takes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import click
import orjson

from lineage_api.api.event_facts import FACTS
from lineage_api.api.executor import Executor, Question
from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.errors import Unsuitable
from lineage_api.store.feed import SlowConsumer

Event = Mapping[str, Any]
"""What is told of an event: see `event_facts`."""

_ARGUMENTS = "models: $models, kinds: $kinds, toStages: $toStages, after: $after"
_FOLLOW = f"""
subscription Watch($models: [String!], $kinds: [RegistryEventKind!], $toStages: [Stage!], $after: ID) {{
  registryEvents({_ARGUMENTS}) {{ ...Facts }}
}}{FACTS}"""
_LAST = "query Last { registryEvents(first: 1) { nodes { id } } }"
_BEFORE_ALL = "WyJSZWdpc3RyeUV2ZW50IiwwXQ"
"""The ID of no event, after which all of them come."""
_PAUSES_S = (1, 2, 5, 10, 30)


@dataclass(frozen=True)
class Place:
    """Where events are followed: at a server, or else in a database."""

    settings: Settings
    url: str | None = None


Answers = Callable[[str, Mapping[str, Any]], AsyncGenerator[Any, None]]
"""Gives the answers to a document with variables, as they come."""


class Lost(Exception):
    """A connection has to be made anew."""


async def followed(place: Place, wanted: Mapping[str, Any], after: str | None) -> AsyncGenerator[Event | str, None]:
    """The ID of the event after which it begins, then events as they happen, without end."""
    attempts = 0
    async with _in_database(place.settings) if place.url is None else _at_server(place.url) as answers:
        while True:
            try:
                if after is None:
                    after = await _last(answers)
                    yield after
                async with aclosing(answers(_FOLLOW, {**wanted, "after": after})) as told:
                    async for answer in told:
                        event = _data(answer)["registryEvents"]
                        attempts = 0
                        yield event
                        after = event["id"]
            except Lost as lost:
                if attempts == 0:
                    click.echo(f"{lost}; trying again", err=True)
            await asyncio.sleep(_PAUSES_S[min(attempts, len(_PAUSES_S) - 1)])
            attempts += 1


async def _last(answers: Answers) -> str:
    """The ID of the last event of all, or what stands for it before the first."""
    async with aclosing(answers(_LAST, {})) as told:
        nodes = _data(await anext(told))["registryEvents"]["nodes"]
    return nodes[0]["id"] if nodes else _BEFORE_ALL


def _data(answer: Any) -> Any:
    if errors := answer.get("errors"):
        if errors[0].get("extensions", {}).get("code") == SlowConsumer.code:
            raise Lost("More has happened than was kept")
        raise Unsuitable("; ".join(dict.fromkeys(error["message"] for error in errors)))
    return answer["data"]


@asynccontextmanager
async def _in_database(settings: Settings) -> AsyncIterator[Answers]:
    app = create_app(replace(settings, no_webhooks=True))
    executor: Executor = app.state.executor

    async def answers(document: str, variables: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        try:
            async with aclosing(executor.answers(Question(document, dict(variables)))) as told:
                async for each in told:
                    yield orjson.loads(each.json)
        except SlowConsumer:
            raise Lost("More has happened than was kept") from None

    async with app.router.lifespan_context(app):
        yield answers


@asynccontextmanager
async def _at_server(url: str) -> AsyncIterator[Answers]:
    # A server sends a sign of life every 15 s.
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
    async with aiohttp.ClientSession(timeout=timeout, headers={"accept": "text/event-stream"}) as session:

        async def answers(document: str, variables: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
            body = {"query": document, "variables": dict(variables)}
            try:
                async with session.post(f"{url.rstrip('/')}/graphql", json=body) as response:
                    if response.content_type != "text/event-stream":
                        raise _refusal(url, response.status)
                    async for sent in response.content:
                        if sent.startswith(b"data: "):
                            yield orjson.loads(sent.removeprefix(b"data: "))
            except aiohttp.InvalidURL:
                raise Unsuitable(f"{url} is no address of a server; write it like http://127.0.0.1:8000") from None
            except (aiohttp.ClientError, TimeoutError) as error:
                raise Lost(f"{url} does not answer ({type(error).__name__})") from None
            raise Lost(f"{url} has ended the connection")

        yield answers


def _refusal(url: str, status: int) -> Exception:
    """A server that is overloaded or starting is asked again; others are none of ours."""
    if status in {429, 502, 503, 504}:
        return Lost(f"{url} answered {status}")
    return Unsuitable(f"{url} answered {status}: it is no server of this API, or lets nobody follow what happens")
