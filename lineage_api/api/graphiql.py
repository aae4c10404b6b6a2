"""The page to try queries on: GraphiQL, as `static/source` builds it, with nothing from any other host."""

from functools import cache
from html import escape
from os import PathLike, stat_result
from pathlib import Path

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

BUILT = Path(__file__).parents[1] / "static" / "graphiql"

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # the editor writes about a thousand styles into its elements
        "font-src 'self' data:",
        "img-src 'self' data:",
        "connect-src 'self'",  # websockets of the same origin among it
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
    "vary": "accept",  # at the same address a program gets JSON
}


def page(request: Request) -> Response:
    """GraphiQL; a query in the address is put into its editor, and not run."""
    prefix = escape(request.scope.get("root_path", ""))
    return HTMLResponse(html().replace('"/graphiql/', f'"{prefix}/graphiql/'), headers=HEADERS)


def assets() -> Mount:
    """The page's scripts, styles and icons: several megabytes, so they are sent compressed, and once."""
    compressed = Middleware(GZipMiddleware, compresslevel=6)
    return Mount("/graphiql/assets", Unchanging(directory=BUILT / "assets"), middleware=[compressed])


@cache
def html() -> str:
    """The page as it was built."""
    return (BUILT / "index.html").read_text(encoding="utf-8")


class Unchanging(StaticFiles):
    """Files that never change, as their names carry a hash of their content: browsers need not ask for them again."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file, with leave to keep it for good."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        response.headers["x-content-type-options"] = "nosniff"
        return response
