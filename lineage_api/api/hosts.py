"""Asked by another name than its own, a server does not answer: a page somewhere may have had that name lead here."""

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lineage_api.access.hosts import Hosts

PROBES = ("/healthz", "/readyz")
"""What is asked by machines that name others by their addresses, and tells nothing that is anybody's."""

_REFUSAL = "No server of this name is here. Whoever runs it names its hosts by --allowed-hosts."


class KnownHosts:
    """Lets requests and handshakes through that name a host which is allowed, and probes."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers by 400 to all other ones."""
        if scope["type"] == "lifespan" or self._is_let_through(scope):
            await self._app(scope, receive, send)
        else:
            await denied(PlainTextResponse(_REFUSAL, 400), scope, receive, send)

    def _is_let_through(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"host"]
        is_allowed = len(given) == 1 and self._hosts.allow(given[0].decode("latin-1"))
        return is_allowed or (scope["type"] == "http" and scope["path"].removeprefix(_prefix(scope)) in PROBES)


def _prefix(scope: Scope) -> str:
    return str(scope.get("root_path", ""))


async def denied(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a request, or a handshake, which is refused by that."""
    if scope["type"] == "http":
        await response(scope, receive, send)
    elif "websocket.http.response" in scope.get("extensions", {}):
        kind = "websocket.http.response"
        await send({"type": f"{kind}.start", "status": response.status_code, "headers": response.raw_headers})
        await send({"type": f"{kind}.body", "body": bytes(response.body)})
    else:
        await send({"type": "websocket.close", "code": 1008})
