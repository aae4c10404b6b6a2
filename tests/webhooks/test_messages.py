"""The events that are sent."""

from datetime import UTC, datetime

import orjson
import pytest

from lineage_api.webhooks import messages

ANSWER = {
    "id": "WyJSZWdpc3RyeUV2ZW50Iiw3XQ",
    "kind": "STAGE_CHANGED",
    "occurredAt": "2026-02-03T04:05:06.789+00:00",
    "modelName": "m",
    "version": 3,
    "toStage": "PRODUCTION",
}


def test_an_event():
    """It is a CloudEvent whose data is the answer as it is; its message has the same ID whenever it is sent."""
    message = messages.of_event(5, 7, messages.source(1_000), ANSWER)

    assert message == messages.of_event(5, 7, messages.source(1_000), ANSWER)
    assert message.id == "msg_5_7"
    assert orjson.loads(message.body) == {
        "specversion": "1.0",
        "id": "WyJSZWdpc3RyeUV2ZW50Iiw3XQ",
        "source": "urn:lineage-api:registry:1000",
        "type": "lineage_api.registry.stage_changed",
        "subject": "models/m/versions/3",
        "time": "2026-02-03T04:05:06.789+00:00",
        "datacontenttype": "application/json",
        "data": ANSWER,
    }


@pytest.mark.parametrize(
    ("name", "version", "subject"),
    [
        ("m", None, "models/m"),
        ("m", 12, "models/m/versions/12"),
        ("a b?#%", None, "models/a%20b%3F%23%25"),
        ("größe/🦀", 1, "models/gr%C3%B6%C3%9Fe%2F%F0%9F%A6%80/versions/1"),
    ],
)
def test_what_an_event_is_about(name, version, subject):
    """The parts of its subject are percent-encoded."""
    message = messages.of_event(1, 1, "urn:x", {**ANSWER, "modelName": name, "version": version})

    assert orjson.loads(message.body)["subject"] == subject


def test_a_test():
    """It is like an event, of a type of its own and about nothing; no two are the same."""
    message = messages.of_test(5, messages.source(None))
    told = orjson.loads(message.body)

    assert message.id.startswith("msg_5_test_")
    assert message.id != messages.of_test(5, messages.source(None)).id
    assert abs((datetime.fromisoformat(told.pop("time")) - datetime.now(UTC)).total_seconds()) < 600
    assert told == {
        "specversion": "1.0",
        "id": message.id,
        "source": "urn:lineage-api:registry:0",
        "type": "lineage_api.test",
        "datacontenttype": "application/json",
        "data": {},
    }
