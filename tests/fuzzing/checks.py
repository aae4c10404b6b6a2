"""What is wrong with an answer."""

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from lineage_api.api.compression import zstd
from lineage_api.api.failures import BAD_USER_INPUT
from lineage_api.api.schema import executable
from lineage_api.errors import LineageError

_INSIDE = re.compile(
    r"""Traceback\ \(most | File\ " | ",\ line\ \d+ | sqlite3\. | sqlalche | psycopg | site-packages | orjson\b
    | \bSELECT\s+[\w"*(] | \bINSERT\ INTO\b | \bUPDATE\ \w+\ SET\b | \bDELETE\ FROM\b | \bORDER\ BY\b | \bGROUP\ BY\b
    | <class\ ' | \bobject\ at\ 0x | <coroutine | \bWITH\ RECURSIVE\b | strawberry\. | graphql\.error
    | lineage_api\.[a-z]""",
    re.VERBOSE,
)
"""What only the server's own code says, wherever it is."""
_TOLD = re.compile(
    r"(?:/work|/tmp|/home|/usr|/dev/shm|/root|/opt)/ | mlflow\.db | \w\.py\b | \blineage_(?:events|models|requests)\b",
    re.VERBOSE,
)
"""What is not to be told as the reason of an error; elsewhere it may be what is asked for."""
_CLASS = re.compile(r"\b[A-Z]\w*(?:Error|Exception|Warning|Failure)\b")
_OF_THE_SCHEMA = frozenset(executable().type_map)


def _codes(kind: type[LineageError]) -> Iterator[str]:
    yield getattr(kind, "code", "")
    for below in kind.__subclasses__():
        yield from _codes(below)


_OUR_CODES = frozenset({*_codes(LineageError), "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", BAD_USER_INPUT})


class Answer(NamedTuple):
    """What came back by HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool = False
    """Whether it goes on, as a stream does."""

    @property
    def kind(self) -> str:
        """Its media type."""
        return self.headers.get("content-type", "").partition(";")[0]

    @property
    def text(self) -> str:
        """Its body as it was before it was compressed. Raises ValueError for what is no UTF-8."""
        match self.headers.get("content-encoding", "identity"):
            case "gzip":
                return gzip.decompress(self.body).decode()
            case "zstd":
                return zstd.decompress(self.body).decode()
        return self.body.decode()


def faults(answer: Answer, sent: str) -> list[str]:
    """What is wrong with an answer to a request by HTTP; `sent` is what may be told to who has sent it."""
    try:
        text = answer.text
    except ValueError as error:
        return [f"the body is broken: {error}"]
    found = [f"status {answer.status}"] if answer.status >= 500 else []
    return found + list(_of_body(answer, text, sent))


def _of_body(answer: Answer, text: str, sent: str) -> Iterator[str]:
    match answer.kind:
        case "application/json" | "application/graphql-response+json":
            yield from _of_json(text, sent) if text or answer.status >= 300 else ()
        case "text/event-stream":
            for data in re.findall(r"^data: ?(.+)\n", text, re.MULTILINE):
                yield from _of_json(data, sent)
        case "text/html" | "text/javascript" | "text/css" | "application/javascript":
            if answer.status not in (200, 206, 304):
                yield f"{answer.kind} with status {answer.status}"
        case _:
            yield from _of_text(text, sent)
            if text and answer.kind != "text/plain":
                yield f"a body of the type {answer.kind!r}"


def _of_json(text: str, sent: str) -> Iterator[str]:
    if not text:  # of HEAD
        return
    try:
        answer = json.loads(text)
    except ValueError:
        yield "the body is no JSON"
        return
    if not isinstance(answer, dict) or not {"data", "errors"} & answer.keys():
        yield "the body is no answer of GraphQL"
        return
    yield from of_result(answer, sent)


def of_result(answer: Mapping[str, Any], sent: str) -> Iterator[str]:
    """What is wrong with an answer of GraphQL, however it came."""
    if "errors" in answer:
        yield from of_errors(answer["errors"], sent)
    whole = json.dumps(answer, ensure_ascii=False)
    yield from _told(_INSIDE, whole, sent)
    for message in _messages(answer.get("data")):
        yield from _told(_TOLD, message, sent)


def of_errors(errors: Any, sent: str) -> Iterator[str]:
    """What is wrong with the errors of an answer."""
    if not isinstance(errors, list) or not errors:
        yield "errors that are no list, or none"
        return
    for error in errors:
        code = error.get("extensions", {}).get("code") if isinstance(error, dict) else None
        if code == "INTERNAL":
            yield f"INTERNAL {error['extensions'].get('id')}"
        elif code not in _OUR_CODES:
            yield f"an error of the code {code!r}"
        yield from _of_text(str(error.get("message") if isinstance(error, dict) else error), sent)


def _of_text(text: str, sent: str) -> Iterator[str]:
    yield from _told(_INSIDE, text, sent)
    yield from _told(_TOLD, text, sent)
    for name in _CLASS.findall(text):
        if name not in _OF_THE_SCHEMA and name not in sent:
            yield f"the name of a class: {name}"


def _told(pattern: re.Pattern[str], text: str, sent: str) -> Iterator[str]:
    for match in pattern.finditer(text):
        if match[0] not in sent:
            yield f"it tells of the inside: {text[max(0, match.start() - 60) : match.end() + 60]!r}"
            return


def _messages(value: Any, key: str = "") -> Iterator[str]:
    """The texts that tell of what is wrong in data."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _messages(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _messages(part, key)
    elif key == "message" and isinstance(value, str):
        yield value


_WAYS_TO_CLOSE = frozenset({1000, 1002, 1003, 1007, 1009, 1013, 4400, 4401, 4403, 4406, 4408, 4409, 4429})


def of_message(text: bytes, sent: str) -> Iterator[str]:
    """What is wrong with a message over a WebSocket."""
    try:
        message = json.loads(text)
    except ValueError:
        yield "a message that is no JSON"
        return
    match message.get("type"):
        case "next":
            yield from of_result(message["payload"], sent)
        case "error":
            yield from of_errors(message["payload"], sent)
        case "connection_ack" | "complete" | "ping" | "pong":
            pass
        case other:
            yield f"a message of the type {other!r}"


def of_close(payload: bytes, sent: str) -> Iterator[str]:
    """What is wrong with the way in which a WebSocket is closed."""
    code = int.from_bytes(payload[:2], "big") if payload else 1000
    if code not in _WAYS_TO_CLOSE:
        yield f"closed with {code}"
    with suppress(UnicodeDecodeError):
        yield from _of_text(payload[2:].decode(), sent)
