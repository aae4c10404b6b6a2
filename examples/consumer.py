"""Handles each promotion to Production as it happens, in order, once.

    pip install 'gql[websockets]>=4'
    python consumer.py wss://lineage.example.org/graphql position

The file `position` holds the ID of the last event that was handled. Stopped or killed, it goes on from there: only the
event that it was handling is handled again. The first time it begins with what happens from now on.
"""

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportError
from gql.transport.websockets import WebsocketsTransport

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
LATEST = GraphQLRequest("{ registryEvents(first: 1) { nodes { id } } }")
PROMOTIONS = """subscription Promotions($after: ID) {
  registryEvents(after: $after, toStages: [PRODUCTION]) {
    id occurredAt actor reason modelName version
    modelVersion { stage artifactUri run { runId } }
  }
}"""


async def handle(event: dict[str, Any]) -> None:
    """What is to be done: write it here. What it raises ends the program, and the event comes again the next time."""
    print(json.dumps(event), flush=True)


async def promotions(url: str, position: Path) -> AsyncIterator[dict[str, Any]]:
    """Promotions as they happen; whenever the connection is lost there is a new one, after longer and longer pauses."""
    token = os.environ.get("LINEAGE_API_TOKEN")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    pause_s = FIRST_PAUSE_S
    while True:
        began_s = monotonic()
        try:
            async with Client(transport=WebsocketsTransport(url, headers=headers)) as session:
                follow = GraphQLRequest(PROMOTIONS, variable_values={"after": await last(session, position)})
                async for answer in session.subscribe(follow):
                    yield answer["registryEvents"]
        except (TransportError, TimeoutError) as lost:
            print(f"not connected: {lost!r}", file=sys.stderr, flush=True)
        pause_s = FIRST_PAUSE_S if monotonic() - began_s > LONGEST_PAUSE_S else min(2 * pause_s, LONGEST_PAUSE_S)
        await asyncio.sleep(pause_s * random.uniform(0.5, 1))


async def last(session: AsyncClientSession, position: Path) -> str | None:
    """The ID of the last event that was handled; at first the latest, so that nothing is missed from then on."""
    if remembered(position) is None:
        answer = await session.execute(LATEST)
        for latest in answer["registryEvents"]["nodes"]:
            remember(position, latest["id"])
    return remembered(position)


def remembered(position: Path) -> str | None:
    """What was written down; None before anything was."""
    return position.read_text() if position.exists() else None


def remember(position: Path, id_: str) -> None:
    """Writes it down, so that whenever the machine stops there is either the one before or this one."""
    new = position.with_name(f"{position.name}.new")
    with new.open("w") as file:
        file.write(id_)
        file.flush()
        os.fsync(file.fileno())
    new.replace(position)


async def main(url: str, position: Path) -> None:
    """Handles promotions for ever."""
    async for event in promotions(url, position):
        await handle(event)
        remember(position, event["id"])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
