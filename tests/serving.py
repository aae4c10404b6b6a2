"""The app behind a real server."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from lineage_api.api.event_stream import OpenStreams
from lineage_api.commands.serve import Server, listening


def bare(*routes: BaseRoute) -> Starlette:
    """An app of nothing but these, and of what a server looks for in one."""
    app = Starlette(routes=routes)
    app.state.streams, app.state.crowd = OpenStreams(), SimpleNamespace(refusal=lambda _: None)
    return app


@contextmanager
def served(app: Starlette, listener: socket.socket | None = None) -> Iterator[str]:
    """The address at which the app answers, on a port that was free; who comes before it has started waits."""
    server = Server(app)
    with listener or listening("127.0.0.1", 0) as place:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        try:
            yield _address(place)
        finally:
            server.should_exit = True
            thread.join()


@asynccontextmanager
async def served_here(app: Starlette) -> AsyncIterator[str]:
    """The same, on the event loop of who asks: what runs there can be looked at."""
    server = Server(app)
    with listening("127.0.0.1", 0) as place:
        serving = asyncio.create_task(server.serve([place]))
        try:
            yield _address(place)
        finally:
            server.should_exit = True
            await serving


def _address(place: socket.socket) -> str:
    return f"http://127.0.0.1:{place.getsockname()[1]}"
