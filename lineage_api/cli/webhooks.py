"""Commands about webhooks."""

import sys
from collections.abc import Iterable
from typing import Any

import click

from lineage_api.cli.options import KINDS, MODELS, STORE, TO_STAGES, wanted
from lineage_api.config import Settings


@click.group()
def webhook() -> None:
    """Have what happens in the registry sent to an address."""


_WEBHOOK = click.argument("webhook_id", metavar="ID")
_NETWORKS = click.option(
    "--webhook-networks",
    default=Settings.webhook_networks,
    envvar="LINEAGE_API_WEBHOOK_NETWORKS",
    help="Private networks into which webhooks may be sent, such as 10.1.0.0/16.",
)


def _opened(backend_store_uri: str, webhook_networks: str = "", *, read_only: bool = False) -> Settings:
    from lineage_api.store.opening import prepared

    uri = prepared(backend_store_uri, create=False)
    return Settings(backend_store_uri=uri, webhook_networks=webhook_networks, read_only=read_only)


def _say(lines: Iterable[str]) -> None:
    from lineage_api.commands.printing import say

    for line in lines:
        say(line)


@webhook.command()
@click.argument("url")
@STORE
@_NETWORKS
@MODELS
@KINDS
@TO_STAGES
@click.option("--description", help="What people are to read about it.")
def add(
    url: str, backend_store_uri: str, webhook_networks: str, description: str | None, **filters: tuple[str, ...]
) -> None:
    """Have events sent to URL, from now on; prints the secret that they are signed with, once."""
    from lineage_api.commands import webhook as commands

    given = {"url": url, "description": description, **wanted(**filters)}
    made = commands.done(_opened(backend_store_uri, webhook_networks), commands.ADD, given)
    _say(commands.shown(made["webhook"]))
    click.echo(f"The secret, which is shown only now: {made['secret']}")


@webhook.command("list")
@STORE
def list_(backend_store_uri: str) -> None:
    """Print all webhooks."""
    from lineage_api.commands import webhook as commands

    every = commands.every(_opened(backend_store_uri, read_only=True))
    for each in every:
        _say(commands.shown(each))
    if not every:
        click.echo("There are no webhooks.", err=True)


@webhook.command("remove")
@_WEBHOOK
@STORE
def remove_webhook(webhook_id: str, backend_store_uri: str) -> None:
    """Delete a webhook, and all that is known of what it was sent."""
    from lineage_api.commands import webhook as commands

    commands.done(_opened(backend_store_uri), commands.REMOVE, {"webhookId": webhook_id})
    click.echo("The webhook is gone.")


@webhook.command()
@_WEBHOOK
@STORE
def enable(webhook_id: str, backend_store_uri: str) -> None:
    """Go on with a webhook that was disabled, after the last event that it was done with."""
    _change(backend_store_uri, {"webhookId": webhook_id, "isEnabled": True})


@webhook.command()
@_WEBHOOK
@STORE
@click.option("--reason", help="Why, for those who look at it.")
def disable(webhook_id: str, backend_store_uri: str, reason: str | None) -> None:
    """Let a webhook send nothing until it is enabled; events wait for it."""
    _change(backend_store_uri, {"webhookId": webhook_id, "isEnabled": False, "reason": reason})


def _change(backend_store_uri: str, given: dict[str, Any]) -> None:
    from lineage_api.commands import webhook as commands

    changed = commands.done(_opened(backend_store_uri), commands.CHANGE, given)
    _say(commands.shown(changed["webhook"]))


@webhook.command()
@_WEBHOOK
@STORE
@_NETWORKS
def test(webhook_id: str, backend_store_uri: str, webhook_networks: str) -> None:
    """Send a test to a webhook, now; exit with 1 when it is not taken."""
    _send("TEST", backend_store_uri, webhook_networks, {"webhookId": webhook_id})


@webhook.command()
@_WEBHOOK
@click.argument("event_id", metavar="EVENT")
@STORE
@_NETWORKS
def redeliver(webhook_id: str, event_id: str, backend_store_uri: str, webhook_networks: str) -> None:
    """Send the event of the ID EVENT to a webhook once more, now; exit with 1 when it is not taken."""
    _send("REDELIVER", backend_store_uri, webhook_networks, {"webhookId": webhook_id, "eventId": event_id})


def _send(what: str, backend_store_uri: str, webhook_networks: str, given: dict[str, str]) -> None:
    from lineage_api.commands import webhook as commands

    delivery = commands.done(_opened(backend_store_uri, webhook_networks), getattr(commands, what), given)["delivery"]
    _say([commands.attempt(delivery)])
    sys.exit(0 if delivery["error"] is None else 1)


@webhook.command()
@_WEBHOOK
@STORE
@click.option("--first", type=click.IntRange(1, 1_000), default=20, show_default=True, help="How many at most.")
def deliveries(webhook_id: str, backend_store_uri: str, first: int) -> None:
    """Print the last attempts to send to a webhook, newest first."""
    from lineage_api.commands import webhook as commands

    found = commands.deliveries(_opened(backend_store_uri, read_only=True), webhook_id, first)
    _say(map(commands.attempt, found))
