"""Compression of answers, in a coding that the client takes, without holding up others."""

import asyncio
import sys
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response

from lineage_api.api.accepted import accepted, weights

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEAST_BYTES = 2_000
"""How long an answer has to be: at 1 Gbit/s, a shorter one is sent in less time than compressing it takes."""
THREADS = 2
"""How many answers are compressed beside the event loop at the same time."""


@dataclass(frozen=True, slots=True)
class Coding:
    """A way to compress, at the level that costs least."""

    compress: Callable[[bytes], bytes]
    most_on_loop_bytes: int
    """What takes about a millisecond; anything longer is left to a thread, which can work beside Python."""


CODINGS: Mapping[str, Coding] = {
    "zstd": Coding(lambda body: zstd.compress(body, 1), 400_000),
    "gzip": Coding(lambda body: zlib.compress(body, 1, wbits=31), 100_000),
}
"""Those that there are, by what HTTP calls them; the better one first."""


class Compressor:
    """Compresses answers."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "compression")

    async def compress(self, response: Response, request: Request) -> None:
        """Puts the body of an answer into the coding that the client likes best, where it is long enough."""
        body = response.body
        if len(body) < LEAST_BYTES:
            return
        response.headers.add_vary_header("accept-encoding")
        name = _liked(accepted(request.headers, "accept-encoding"))
        if name is None:
            return
        response.body = await self._compressed(bytes(body), CODINGS[name])
        response.headers["content-encoding"] = name
        response.headers["content-length"] = str(len(response.body))

    async def _compressed(self, body: bytes, coding: Coding) -> bytes:
        if len(body) <= coding.most_on_loop_bytes:
            return coding.compress(body)
        return await asyncio.get_running_loop().run_in_executor(self._threads, coding.compress, body)

    def close(self) -> None:
        """Lets go of the threads."""
        self._threads.shutdown()


@lru_cache(1000)
def _liked(header: str) -> str | None:
    """The coding that an `Accept-Encoding` header likes best; None where it likes none, or an answer as it is more."""
    wishes = weights(header)
    # Who names no coding for an answer as it is takes one, but likes what is named better.
    as_it_is = wishes.get("identity", 0)
    liked = {name: wishes.get(name, wishes.get("*", 0)) for name in CODINGS}
    best = max(liked, key=lambda name: liked[name])
    return best if liked[best] and liked[best] >= as_it_is else None
