"""Following what happens, in a database or through a server, for as long as it takes."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import click
import orjson

from lineage_api.api.documents import NotValid
from lineage_api.api.event_facts import FACTS
from lineage_api.api.executor import Executor, Question
from lineage_api.api.failures import told
from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.errors import LineageError, Unsuitable
from lineage_api.migrations.recording import looked_at
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
_LASTING_S = 60
"""After so long a connection was a good one, and whatever comes next is a new trouble."""
_MOST_BUFFERED_BYTES = 2**23
"""How much of a stream is kept unread, by which aiohttp also limits its lines: MLflow lets an event's texts be long."""
_PASSING_STATUS = {408, 429, 500, 502, 503, 504}
_PASSING_CODES = {"INTERNAL", "OVERLOADED", "TIMEOUT"}


@dataclass(frozen=True)
class Place:
    """Where events are followed: at a server, or else in a database."""

    settings: Settings
    url: str | None = None
    token: str | None = field(default=None, repr=False)
    """By which the server knows who asks."""


Answers = Callable[[str, Mapping[str, Any]], AsyncGenerator[Any, None]]
"""Gives the answers to a document with variables, as they come."""


class Lost(Exception):
    """A connection has to be made anew."""


class Behind(Exception):
    """More has happened than is kept for those who follow; the history has it."""


class Misplaced(Unsuitable):
    """It cannot be begun where somebody wants to begin."""


async def followed(place: Place, wanted: Mapping[str, Any], after: str | None) -> AsyncGenerator[Event | str, None]:
    """The ID of the event after which it begins, where none is named; then events as they happen, without end.

    Raises Misplaced where the event that is named is none, and Unsuitable where nothing can be followed.
    """
    attempts, now_s = 0, asyncio.get_running_loop().time
    async with _in_database(place.settings) if place.url is None else _at_server(place.url, place.token) as answers:
        while True:
            began_s = now_s()
            try:
                if after is None:
                    after = await _last(answers)
                    yield after
                async with aclosing(_events(answers, wanted, after)) as events:
                    async for event in events:
                        attempts = 0
                        yield event
                        after = event["id"]
            except Behind:
                continue
            except Lost as lost:
                attempts = 0 if now_s() - began_s > _LASTING_S else attempts
                if attempts == 0:
                    click.echo(f"{lost}; trying again", err=True)
            await asyncio.sleep(_PAUSES_S[min(attempts, len(_PAUSES_S) - 1)])
            attempts += 1


async def _last(answers: Answers) -> str:
    """The ID of the last event of all, or what stands for it before the first."""
    async with aclosing(answers(_LAST, {})) as told:
        nodes = _data(await anext(told))["registryEvents"]["nodes"]
    return nodes[0]["id"] if nodes else _BEFORE_ALL


async def _events(answers: Answers, wanted: Mapping[str, Any], after: str) -> AsyncGenerator[Event, None]:
    async with aclosing(answers(_FOLLOW, {**wanted, "after": after})) as told:
        async for answer in told:
            yield _data(answer)["registryEvents"]


def _data(answer: Any) -> Any:
    if not answer.get("errors"):
        return answer["data"]
    said = "; ".join(dict.fromkeys(error["message"] for error in answer["errors"]))
    match answer["errors"][0].get("extensions", {}).get("code"):
        case SlowConsumer.code:
            raise Behind
        case code if code in _PASSING_CODES:
            raise Lost(said)
        case "BAD_USER_INPUT":  # filters are looked at before they are sent
            raise Misplaced(said)
        case _:
            raise Unsuitable(said)


@asynccontextmanager
async def _in_database(settings: Settings) -> AsyncIterator[Answers]:
    if not looked_at(settings.backend_store_uri).is_on:
        raise Unsuitable("history is not recorded: run `lineage-api db upgrade`, or `lineage-api serve`")
    # Who watches changes nothing: neither tables of ours nor what they say of model files.
    app = create_app(replace(settings, read_only=True))
    executor: Executor = app.state.executor

    async def answers(document: str, variables: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        try:
            async with aclosing(executor.answers(Question(document, dict(variables)))) as answers:
                async for each in answers:
                    yield orjson.loads(each.json)
        except NotValid as refusal:
            yield {"errors": told(refusal.errors, refusal.code)}
        except LineageError as error:
            yield {"errors": [{"message": str(error), "extensions": {"code": error.code}}]}
        except Exception as error:  # noqa: BLE001 - such as a database that is away for a while
            raise Lost(f"The database cannot be read ({type(error).__name__})") from None

    async with app.router.lifespan_context(app):
        yield answers


@asynccontextmanager
async def _at_server(url: str, token: str | None) -> AsyncIterator[Answers]:
    endpoint, name = _endpoint(url)
    headers = {"accept": "text/event-stream"} | ({"authorization": f"Bearer {token}"} if token else {})
    # A server sends a sign of life every 15 s.
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
    session = aiohttp.ClientSession(timeout=timeout, headers=headers, read_bufsize=_MOST_BUFFERED_BYTES)

    async def answers(document: str, variables: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        try:
            async with session.post(endpoint, json={"query": document, "variables": dict(variables)}) as response:
                if response.status != 200 or response.content_type != "text/event-stream":
                    raise _refusal(name, response.status)
                async for sent in response.content:
                    if sent.startswith(b"data: ") and sent.endswith(b"\n"):
                        yield _answer(name, sent.removeprefix(b"data: "))
        except (aiohttp.InvalidURL, UnicodeError):
            raise _no_address(name) from None
        except aiohttp.ClientSSLError as error:
            raise Unsuitable(f"{name} cannot be trusted, or does not speak TLS ({type(error).__name__})") from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Lost(f"{name} does not answer ({type(error).__name__})") from None
        raise Lost(f"{name} has ended the connection")

    async with session:
        yield answers


def _endpoint(url: str) -> tuple[str, str]:
    """Where a server answers GraphQL, and how it is called where people read it: without a password."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise _no_address(url) from None
    if not is_address:
        raise _no_address(url)
    path = parts.path.rstrip("/")
    path = path if path.endswith("/graphql") else f"{path}/graphql"
    name = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return parts._replace(path=path).geturl(), name.geturl()


def _no_address(url: str) -> Unsuitable:
    name = re.sub("//.*@", "//", url)  # without a password
    return Unsuitable(f"{name} is no address of a server; write it like http://127.0.0.1:8000")


def _answer(name: str, text: bytes) -> Any:
    """An answer of a server; raises Unsuitable where it is none of GraphQL's."""
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict) or not (answer.get("data") or answer.get("errors")):
        raise Unsuitable(f"{name} answers something else: it is no server of this API")
    return answer


def _refusal(name: str, status: int) -> Exception:
    """A server that is overloaded or starting is asked again; others are none of ours."""
    if status in _PASSING_STATUS:
        return Lost(f"{name} answered {status}")
    if status == HTTPStatus.UNAUTHORIZED:
        return Unsuitable(f"{name} answered {status}: it does not know who asks; give --token, one that is valid there")
    return Unsuitable(f"{name} answered {status}: it is no server of this API, or lets nobody follow what happens")
