"""Plain connections, over which may be sent what no client of HTTP would send."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from tests.fuzzing.checks import Answer

PATIENCE_S = 60.0
"""How long is waited for an answer that has to come."""
GLANCE_S = 0.03
"""How long is waited for one that need not come, and for more of a stream."""
_MAX = 2**24


class Nothing(Exception):
    """No answer came."""


class Connection:
    """A connection by TCP to a port of this machine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.is_open = True

    @classmethod
    async def to(cls, port: int) -> "Connection":
        """A new one."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=_MAX))

    async def answer(self, raw: bytes, *, is_whole: bool = True) -> Answer:
        """The answer to a request; raises Nothing."""
        with suppress(ConnectionError):
            self._writer.write(raw)
            await self._writer.drain()
        try:
            if not is_whole:
                return await self._glance()
            async with asyncio.timeout(PATIENCE_S):
                return await self._response(has_body=not raw.startswith(b"HEAD "))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            self.close()
            raise Nothing("the connection was closed without an answer") from None
        except TimeoutError:
            self.close()
            raise Nothing(f"no answer within {PATIENCE_S:g} s") from None

    async def _glance(self) -> Answer:
        """An answer that comes soon, or when the server is told that no more is sent."""
        reading = asyncio.ensure_future(self._response(has_body=True))
        done, _ = await asyncio.wait([reading], timeout=GLANCE_S)
        if not done:
            with suppress(OSError, RuntimeError):
                self._writer.write_eof()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await reading
        finally:
            self.close()

    async def _response(self, *, has_body: bool) -> Answer:
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        status = int(first.split(" ")[1])
        if status == 100:
            return await self._response(has_body=has_body)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("content-type", "").startswith("text/event-stream"):
            body, is_cut = await self._some(), True
            self.close()
        else:
            body, is_cut = await self._body(headers) if has_body and status not in (101, 204, 304) else b"", False
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, body, is_cut)

    async def _body(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return await self._reader.readexactly(int(headers["content-length"]))
        if "transfer-encoding" not in headers:
            return await self._reader.read()
        body = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            body += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
        return body

    async def _some(self) -> bytes:
        """The beginning of a stream, without its chunks' sizes."""
        body = b""
        with suppress(TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            async with asyncio.timeout(GLANCE_S):
                while size := int(await self._reader.readuntil(b"\r\n"), 16):
                    body += (await self._reader.readexactly(size + 2))[:-2]
        return body

    async def frames(self, raw: bytes, wait_s: float) -> AsyncIterator[tuple[int, bytes]]:
        """What comes over a WebSocket, by opcode, after these bytes; it ends when nothing has come for a while."""
        with suppress(ConnectionError):
            self._writer.write(raw)
        with suppress(TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            while True:
                async with asyncio.timeout(wait_s):
                    frame = await self._frame()
                yield frame
                if frame[0] == 8:
                    return

    async def _frame(self) -> tuple[int, bytes]:
        head = await self._reader.readexactly(2)
        length = head[1] & 127
        if length > 125:
            length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8), "big")
        return head[0] & 15, await self._reader.readexactly(length)

    @property
    def is_over(self) -> bool:
        """Whether the server has closed it."""
        return self._reader.at_eof()

    def close(self) -> None:
        """Ends it."""
        if self.is_open:
            self.is_open = False
            self._writer.close()
