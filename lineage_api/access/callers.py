"""Who asks: known by a token, or through a proxy that is trusted; or anybody, where nobody has to say."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from lineage_api.access.known_tokens import KnownTokens
from lineage_api.access.proxies import Headers, Proxies
from lineage_api.access.roles import Role
from lineage_api.access.tokens import Token
from lineage_api.errors import Unauthenticated

LOOK_S = 1.0
"""How often it is looked at whether those who are connected may stay."""

_SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks."""

    name: str | None
    """None when nobody has to say who they are."""
    role: Role
    token: Token | None = field(default=None, repr=False)
    """By which they are known; None when it was by something else."""


ANYBODY = Caller(None, Role.MANAGER)
"""Who asks where nobody has to say who they are."""


class Callers:
    """Knows callers. Without tokens and proxies nobody has to say who they are, and everybody may do everything."""

    def __init__(self, tokens: KnownTokens | None = None, proxies: Proxies | None = None) -> None:
        self._tokens = tokens
        self._proxies = proxies
        self._connected: dict[object, tuple[Token, Callable[[], object]]] = {}

    def who(self, headers: Headers, peer: str | None, authorization: object = None) -> Caller:
        """Who asks, by the headers of a request from an address; `authorization` goes before the header of that name.

        Raises Unauthenticated, whatever is wrong.
        """
        if self._tokens is None and self._proxies is None:
            return ANYBODY
        told = self._proxies.caller(peer, headers) if self._proxies else None
        if told is not None:
            return Caller(*told)
        given = headers.getlist("authorization") if authorization is None else [authorization]
        token = self._token(given[0]) if len(given) == 1 else None
        if token is None:
            raise Unauthenticated
        return Caller(token.name, token.role, token)

    def _token(self, authorization: object) -> Token | None:
        if self._tokens is None or not isinstance(authorization, str):
            return None
        scheme, _, secret = authorization.partition(" ")
        return self._tokens.find(secret.strip()) if scheme.lower() == _SCHEME else None

    @contextmanager
    def connected(self, caller: Caller, end: Callable[[], object]) -> Iterator[None]:
        """While somebody is connected; `end` is called once their token is revoked, expired, or has another role."""
        mark = object()
        if caller.token is not None:
            self._connected[mark] = (caller.token, end)
        try:
            yield
        finally:
            self._connected.pop(mark, None)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """While it is looked at whether those who are connected may stay."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    async def _watch(self) -> None:
        while self._tokens is not None:
            await asyncio.sleep(LOOK_S)
            valid = self._tokens.valid() if self._connected else frozenset()
            gone = [mark for mark, (token, _) in self._connected.items() if token not in valid]
            for mark in gone:
                _, end = self._connected.pop(mark)
                end()
