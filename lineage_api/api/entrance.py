"""Who may come in by HTTP and over WebSockets, and from which pages."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from lineage_api.access.callers import Caller, Callers
from lineage_api.access.origins import Origins

CROSS_SITE = "Pages of other origins may not ask here; whoever runs the server lists them by --cors-allowed-origins."

Connected = Callable[[Callable[[], object]], AbstractContextManager[None]]
"""While somebody is connected: given what ends the connection once they may not be any more."""

_ALLOWED = {
    "access-control-allow-methods": "GET, HEAD, POST",
    "access-control-allow-headers": "authorization, content-type, last-event-id",
    "access-control-max-age": "600",
}


class Entrance:
    """Lets in the server's own pages, those of listed origins, and whoever is no browser; and knows who asks."""

    def __init__(self, callers: Callers, origins: Origins) -> None:
        self._callers = callers
        self._origins = origins

    def caller(self, connection: HTTPConnection, authorization: object = None) -> Caller:
        """Who asks; `authorization` goes before the header of that name. Raises Unauthenticated."""
        peer = connection.client
        return self._callers.who(connection.headers, peer.host if peer else None, authorization)

    def connected(self, caller: Caller) -> Connected:
        """What somebody is connected by who stays longer."""
        return partial(self._callers.connected, caller)

    def allows(self, headers: Headers) -> bool:
        """Whether a request with these headers may be answered, as far as it is a browser's."""
        sites = headers.getlist("sec-fetch-site")
        return self._origins.allow(headers.get("host", ""), headers.getlist("origin"), sites)

    def preflight(self, request: Request) -> Response | None:
        """The answer to a browser that asks whether a page of a listed origin may ask; None to all others."""
        asks = request.method == "OPTIONS" and "access-control-request-method" in request.headers
        return Response(status_code=204, headers=_ALLOWED) if asks and self._listed(request.headers) else None

    def share(self, response: Response, headers: Headers) -> None:
        """Lets the page that had a request made read the response, where its origin is listed."""
        listed = self._listed(headers)
        if listed is not None:
            response.headers["access-control-allow-origin"] = listed
            response.headers["access-control-expose-headers"] = "retry-after, www-authenticate"
            response.headers.add_vary_header("origin")

    def _listed(self, headers: Headers) -> str | None:
        """The origin of a request, where it is listed."""
        given = headers.getlist("origin")
        return given[0] if len(given) == 1 and self._origins.has(given[0]) else None
