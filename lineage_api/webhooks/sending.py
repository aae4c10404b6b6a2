"""One attempt to send a message."""

import asyncio
import errno
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version

import aiohttp

from lineage_api.webhooks import signing
from lineage_api.webhooks.addresses import CheckedResolver, InsideError, LookUp, Networks, looked_up, refusal
from lineage_api.webhooks.messages import CONTENT_TYPE, Message

_USER_AGENT = f"lineage-api/{version('lineage-api')}"
_MOST_READ_BYTES = 4_096
_MOST_READ_S = 1
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of an attempt."""

    status: int | None
    """Of HTTP; None when there was no answer."""
    error: str | None
    """Why the message was not taken, in one line; None when it was."""
    duration_ms: int
    retry_after_s: int | None = None
    """How long the receiver asks to be left alone."""


class Sender:
    """Sends messages to receivers; nothing is kept between two of them."""

    def __init__(self, allowed: Networks, time_limit_s: float, look_up: LookUp = looked_up) -> None:
        self._allowed = allowed
        self._time_limit_s = time_limit_s
        self._look_up = look_up
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Meanwhile messages can be sent."""
        resolver = CheckedResolver(self._allowed, self._look_up)
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True)
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"user-agent": _USER_AGENT, "accept-encoding": "identity"},
            auto_decompress=False,
            read_bufsize=_MOST_READ_BYTES,
        )
        try:
            async with session:
                self._session = session
                yield
        finally:
            self._session = None
            await resolver.close()

    async def sent(self, url: str, secret: str, message: Message) -> Attempt:
        """What comes of sending a message, now."""
        began = time.monotonic()
        status, error, retry_after_s = None, refusal(url, self._allowed), None
        if error is None:
            try:
                status, retry_after_s = await self._answered(url, secret, message)
                error = _meaning(status)
            except TimeoutError:
                error = f"no answer within {self._time_limit_s:g} s"
            except (aiohttp.ClientError, OSError, ValueError) as failure:
                error = _said(failure)
        return Attempt(status, error, round(1_000 * (time.monotonic() - began)), retry_after_s)

    async def _answered(self, url: str, secret: str, message: Message) -> tuple[int, int | None]:
        """The status of the answer, and how long it asks to wait."""
        assert self._session is not None
        signed = signing.headers(secret, message.id, int(time.time()), message.body)
        headers = {"content-type": CONTENT_TYPE, **signed}
        now_s = asyncio.get_running_loop().time
        deadline_s = now_s() + self._time_limit_s
        async with asyncio.timeout_at(deadline_s):
            response = await self._session.post(url, data=message.body, headers=headers, allow_redirects=False)
        async with response:
            # What it says counts for nothing, but some receivers fail when nobody takes it.
            with suppress(aiohttp.ClientError, TimeoutError):
                async with asyncio.timeout_at(min(deadline_s, now_s() + _MOST_READ_S)):
                    await response.content.read(_MOST_READ_BYTES)
        return response.status, _waiting_s(response.headers.get("retry-after"))


def _waiting_s(text: str | None) -> int | None:
    """The seconds of the header `retry-after`, which has a number or a date; None for what is neither."""
    if text is None:
        return None
    if text.isascii() and text.isdecimal():
        return int(text[-_MOST_DIGITS:]) if len(text) <= _MOST_DIGITS else 10**_MOST_DIGITS
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, round((moment - datetime.now(UTC)).total_seconds()))


def _meaning(status: int) -> str | None:
    """Why a status is a failure; None when it is none."""
    if 200 <= status < 300:
        return None
    return f"answered {status}" + (", a redirect, which is not followed" if 300 <= status < 400 else "")


def _said(failure: Exception) -> str:
    """A failure in one line: nothing of what the other side said, nor of what was sent."""
    match failure:
        case aiohttp.ClientConnectorCertificateError():
            return "certificate cannot be verified"
        case aiohttp.ClientSSLError():
            return "no agreement on TLS"
        case aiohttp.ClientConnectorError():
            return _unconnected(failure.os_error)
        case aiohttp.ClientConnectionError():
            return "connection was closed without an answer"
        case aiohttp.ClientResponseError():
            return "answered something that is not HTTP"
        case aiohttp.InvalidURL():
            return "its URL cannot be used"
    return "cannot be sent to"


def _unconnected(error: OSError) -> str:
    if isinstance(error, InsideError):
        return str(error.strerror)
    if isinstance(error, socket.gaierror):
        return "its name cannot be looked up"
    return "connection refused" if error.errno == errno.ECONNREFUSED else "cannot be connected to"
