"""Receives webhooks of lineage_api, and hands them on to GitHub, where they start workflows (`repository_dispatch`).

It needs `pip install standardwebhooks`, and in its environment WEBHOOK_SECRET, as it was shown when the webhook was
made; GITHUB_REPOSITORY, such as `acme/serving`; and GITHUB_TOKEN, which may write that repository's contents. Let
something in front of it speak HTTPS.
"""

import json
import os
from collections import OrderedDict
from http import HTTPStatus
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.request import Request, urlopen

from standardwebhooks import Webhook, WebhookVerificationError

MAX_BODY_BYTES = 2**20
MAX_REMEMBERED = 10_000
SIGNED = Webhook(os.environ["WEBHOOK_SECRET"])
DISPATCHES = "{}/repos/{}/dispatches".format(
    os.environ.get("GITHUB_API_URL", "https://api.github.com"), os.environ["GITHUB_REPOSITORY"]
)

one_at_a_time = Lock()
handed_on: OrderedDict[str, None] = OrderedDict()


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 once a message has been handed on; whatever else it answers, the message comes again."""

    timeout = 10  # seconds, after which a client that says nothing is left

    def do_POST(self) -> None:
        """Takes a message."""
        self.send_response(self.outcome())
        self.end_headers()

    def outcome(self) -> HTTPStatus:
        """What comes of a message."""
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        try:
            event = SIGNED.verify(self.rfile.read(int(length)), dict(self.headers))
        except (WebhookVerificationError, ValueError):  # which it raises for signatures that are none
            return HTTPStatus.UNAUTHORIZED
        with one_at_a_time:  # a double may come while the first is on its way
            return taken(self.headers["webhook-id"], event)


def taken(id_: str, event: dict[str, Any]) -> HTTPStatus:
    """What comes of handing on a message, which is done once."""
    if id_ not in handed_on:
        try:
            hand_on(event)
        except (OSError, HTTPException) as failure:
            print(f"{id_} cannot be handed on: {failure}", flush=True)
            return HTTPStatus.BAD_GATEWAY
        handed_on[id_] = None
        if len(handed_on) > MAX_REMEMBERED:
            handed_on.popitem(last=False)
    return HTTPStatus.NO_CONTENT


def hand_on(event: dict[str, Any]) -> None:
    """Tells GitHub of an event; the workflow asks lineage_api for all else."""
    told = {"event_type": event["type"], "client_payload": {"id": event["id"], "subject": event.get("subject")}}
    headers = {"authorization": f"Bearer {os.environ['GITHUB_TOKEN']}", "accept": "application/vnd.github+json"}
    with urlopen(Request(DISPATCHES, json.dumps(told).encode(), headers), timeout=10) as answer:
        if answer.status != HTTPStatus.NO_CONTENT:
            raise HTTPException(f"GitHub answered {answer.status}")


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Receiver) as server:
        print(f"Webhooks are received at http://127.0.0.1:{server.server_port}/", flush=True)
        server.serve_forever()
