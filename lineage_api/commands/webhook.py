"""The commands `webhook`: clients of the API like any other."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lineage_api.app import answered
from lineage_api.commands.actor import actor
from lineage_api.commands.printing import cut, printable
from lineage_api.config import Settings
from lineage_api.errors import Unsuitable

_WEBHOOK = """id url description models kinds toStages isEnabled disabledReason failingSince nextAttemptAt"""
_DELIVERY = """id cause attempt attemptedAt duration status error event { id kind modelName version }"""
_ERRORS = "errors { message }"

ADD = f"""mutation Add($input: CreateWebhookInput!) {{
  createWebhook(input: $input) {{ webhook {{ {_WEBHOOK} }} secret {_ERRORS} }}
}}"""
CHANGE = f"""mutation Change($input: UpdateWebhookInput!) {{
  updateWebhook(input: $input) {{ webhook {{ {_WEBHOOK} }} {_ERRORS} }}
}}"""
REMOVE = (
    f"""mutation Remove($input: DeleteWebhookInput!) {{ deleteWebhook(input: $input) {{ deletedId {_ERRORS} }} }}"""
)
TEST = f"""mutation Test($input: TestWebhookInput!) {{
  testWebhook(input: $input) {{ delivery {{ {_DELIVERY} }} {_ERRORS} }}
}}"""
REDELIVER = f"""mutation Redeliver($input: RedeliverEventInput!) {{
  redeliverEvent(input: $input) {{ delivery {{ {_DELIVERY} }} {_ERRORS} }}
}}"""
_ALL = f"query All {{ webhooks(first: 100) {{ nodes {{ {_WEBHOOK} }} }} }}"  # and there can be no more
_DELIVERIES = f"""query Deliveries($id: ID!, $first: Int!, $after: String) {{
  node(id: $id) {{ ... on Webhook {{
    deliveries(first: $first, after: $after) {{ nodes {{ {_DELIVERY} }} pageInfo {{ hasNextPage endCursor }} }}
  }} }}
}}"""
_PAGE = 100


def done(settings: Settings, mutation: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The payload of a change; raises Unsuitable with the reason where it is refused."""
    [payload] = _answer(settings, mutation, {"input": dict(given)}).values()
    if payload["errors"]:
        raise Unsuitable(" ".join(error["message"] for error in payload["errors"]))
    return payload  # type: ignore[no-any-return]


def every(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """All webhooks."""
    return _answer(settings, _ALL, {})["webhooks"]["nodes"]  # type: ignore[no-any-return]


def deliveries(settings: Settings, webhook_id: str, most: int) -> Iterator[Mapping[str, Any]]:
    """The last attempts of a webhook, newest first."""
    after = None
    while most > 0:
        page = {"id": webhook_id, "first": min(most, _PAGE), "after": after}
        found = _answer(settings, _DELIVERIES, page)["node"]
        if not found:
            raise Unsuitable("there is no such webhook; `lineage-api webhook list` shows their IDs")
        yield from found["deliveries"]["nodes"]
        most -= _PAGE
        after = found["deliveries"]["pageInfo"]["endCursor"]
        if not found["deliveries"]["pageInfo"]["hasNextPage"]:
            return


def _answer(settings: Settings, document: str, variables: dict[str, Any]) -> dict[str, Any]:
    return asyncio.run(answered(settings, document, variables, actor()))


def shown(webhook: Mapping[str, Any]) -> Iterator[str]:
    """A webhook, in lines."""
    yield printable(f"{webhook['id']}  {webhook['url']}")
    if webhook["description"]:
        yield printable(f"  {cut(webhook['description'])}")
    yield printable(f"  {_wanted(webhook)}")
    if not webhook["isEnabled"]:
        yield printable(f"  disabled: {webhook['disabledReason'] or 'nobody said why'}")
    elif webhook["failingSince"]:
        yield f"  failing since {webhook['failingSince']}, sent again at {webhook['nextAttemptAt'] or 'once'}"


def _wanted(webhook: Mapping[str, Any]) -> str:
    names = {"models": "of", "kinds": "kinds", "toStages": "into"}
    chosen = [f"{word} {', '.join(webhook[name])}" for name, word in names.items() if webhook[name] is not None]
    return "; ".join(chosen) or "all events"


def attempt(delivery: Mapping[str, Any]) -> str:
    """An attempt, in one line."""
    came = f"taken ({delivery['status']})" if delivery["error"] is None else delivery["error"]
    return printable(f"{delivery['attemptedAt']}  {_sent(delivery)}: {came}, {delivery['duration']:.3f} s")


def _sent(delivery: Mapping[str, Any]) -> str:
    event = delivery["event"]
    if event is None:
        return "a test"
    version = "" if event["version"] is None else f" {event['version']}"
    which = "once more" if delivery["cause"] == "REDELIVERY" else f"attempt {delivery['attempt']}"
    return f"{event['kind']} {event['modelName']}{version} ({event['id']}), {which}"
