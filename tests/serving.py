"""The app behind a real server."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from starlette.applications import Starlette

from lineage_api.commands.serve import Server, listening


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
