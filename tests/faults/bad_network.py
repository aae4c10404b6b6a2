"""A network between clients and a server that cuts, delays and resets; what befalls each connection is dealt by a seed.

It takes connections on which one request is sent, by clients that ask for them to be closed after the answer.
"""

import asyncio
import random
import re
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from urllib.parse import urlsplit


class Fate(Enum):
    """What befalls a connection."""

    WHOLE = "request and answer arrive"
    SLOW = "both arrive, but piece by piece and late"
    REFUSED = "it is reset before anything is read"
    REQUEST_CUT = "the server gets a part of the request, and then the connection is reset"
    ANSWER_LOST = "the client is cut off while the server has its request"
    BOTH_LOST = "the server is cut off too, perhaps in the middle of the change"
    ANSWER_CUT = "the client gets a part of the answer"
    LATE = "the client is cut off, and the server gets its request some time afterwards"


class BadNetwork:
    """A proxy before a server."""

    def __init__(self, server: str, seed: int) -> None:
        self._server = urlsplit(server)
        self._chance = random.Random(seed)
        self._deck: list[Fate] = []
        self._passing = 0
        self.address = ""
        """Where clients reach the server through it."""
        self.befell: Counter[Fate] = Counter()
        """How often what happened."""

    def _dealt(self) -> Fate:
        """Each comes as often as the others, in any order; only that all is well is twice as frequent."""
        if not self._deck:
            self._deck = [*Fate, Fate.WHOLE]
            self._chance.shuffle(self._deck)
        return self._deck.pop()

    async def passing(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """What befalls a connection."""
        self._passing += 1
        fate = self._dealt()
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._befall(fate, client, back)
        finally:
            self.befell[fate] += 1
            self._passing -= 1
            self._end(back)

    async def _befall(self, fate: Fate, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        if fate is Fate.REFUSED:
            return
        request = await whole(client)
        if fate is Fate.REQUEST_CUT:
            request = self._part_of(request)
        if fate is Fate.LATE:
            self._end(back)
            await asyncio.sleep(self._chance.uniform(0, 0.2))
        send = self._piece_by_piece if fate is Fate.SLOW else at_once
        answering, server = await asyncio.open_connection(self._server.hostname, self._server.port)
        try:
            await send(server, request)
            if fate is Fate.REQUEST_CUT:
                return
            if fate in {Fate.ANSWER_LOST, Fate.BOTH_LOST}:
                self._end(back)
            if fate is Fate.BOTH_LOST:
                await asyncio.sleep(self._chance.uniform(0, 0.02))
                return
            answer = await answering.read()
        finally:
            self._end(server)
        if fate is Fate.ANSWER_CUT:
            answer = self._part_of(answer)
        await send(back, answer)

    def _part_of(self, data: bytes) -> bytes:
        return data[: self._chance.randrange(1, max(2, len(data)))]

    def _end(self, connection: asyncio.StreamWriter) -> None:
        """As one ends a connection, or as nobody should: what was sent last may be lost with it."""
        if connection.is_closing():
            return
        if self._chance.random() < 0.5:
            lingering = struct.pack("ii", 1, 0)
            connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
            connection.transport.abort()
        else:
            connection.close()

    async def _piece_by_piece(self, to: asyncio.StreamWriter, data: bytes) -> None:
        size = len(data) // 4 + 1
        for start in range(0, len(data), size):
            await asyncio.sleep(self._chance.uniform(0, 0.05))
            await at_once(to, data[start : start + size])

    async def quiet(self) -> None:
        """Waits until nothing is on its way any more."""
        while self._passing:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def before(server: str, seed: int) -> AsyncIterator[BadNetwork]:
    """A bad network before the server at an address."""
    network = BadNetwork(server, seed)
    async with await asyncio.start_server(network.passing, "127.0.0.1", 0) as listening:
        network.address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield network
        await network.quiet()


async def whole(client: asyncio.StreamReader) -> bytes:
    """A request, with its body."""
    head = await client.readuntil(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return head + (await client.readexactly(int(length[1])) if length else b"")


async def at_once(to: asyncio.StreamWriter, data: bytes) -> None:
    """Sends it."""
    to.write(data)
    await to.drain()
