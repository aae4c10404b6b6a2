"""What is sent: an event of the registry as a CloudEvent 1.0, in its structured form."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson

Answer = Mapping[str, Any]
"""What a query says of an event: at least its `id`, `kind`, `occurredAt`, `modelName` and `version`."""
Ask = Callable[[int], Awaitable[Answer | None]]
"""Gives what a query says of an event; None when it is gone."""

CONTENT_TYPE = "application/cloudevents+json"
TEST_TYPE = "lineage_api.test"
"""The `type` of a message that somebody asked for to see whether it arrives."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent to a receiver."""

    id: str
    """The same whenever the same event is sent to the same webhook, so that the receiver can tell doubles."""
    body: bytes


def source(began_at: int | None) -> str:
    """The `source` of the events of a registry, by when its history began to be recorded."""
    return f"urn:lineage-api:registry:{began_at or 0}"


def of_event(webhook_id: int, event_id: int, source: str, answer: Answer) -> Message:
    """The message about an event."""
    told = {
        "id": answer["id"],
        "type": f"lineage_api.registry.{answer['kind'].lower()}",
        "subject": _subject(answer["modelName"], answer["version"]),
        "time": answer["occurredAt"],
    }
    return Message(f"msg_{webhook_id}_{event_id}", _body(source, told, answer))


def of_test(webhook_id: int, source: str) -> Message:
    """A message about nothing, other than all before it."""
    id_ = f"msg_{webhook_id}_test_{secrets.token_hex(16)}"
    told = {"id": id_, "type": TEST_TYPE, "time": datetime.now(UTC).isoformat(timespec="milliseconds")}
    return Message(id_, _body(source, told, {}))


def _subject(model_name: str, version: int | None) -> str:
    model = f"models/{quote(model_name, safe='')}"
    return model if version is None else f"{model}/versions/{version}"


def _body(source: str, told: Mapping[str, Any], data: Answer) -> bytes:
    fixed = {"specversion": "1.0", "source": source, "datacontenttype": "application/json"}
    return orjson.dumps({**fixed, **told, "data": data})
