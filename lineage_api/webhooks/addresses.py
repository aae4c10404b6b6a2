"""Which addresses a webhook may be sent to: those of the internet, and those of networks that were allowed.

A URL is checked when somebody gives it and whenever something is sent to it; where its name leads is seen only then, as
it is connected to, so that the address that was checked is the one that is connected to.
"""

import asyncio
import errno
import re
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

from lineage_api.errors import Unsuitable

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Networks = Sequence[Network]
LookUp = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a host for a port; it may block, and raises OSError when there are none."""

MAX_URL_LENGTH = 2_000
_MAX_NAME_LENGTH = 253
_LOOK_UPS_AT_ONCE = 16

_PLAIN = re.compile(r"[!-\[\]-~]+")
"""Printable ASCII without a backslash, which some read as a slash: all who read such a URL see the same host."""
_PLACE = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")

_UNICAST = IPv6Network("2000::/3")
"""All that is handed out of the addresses of the internet, in IPv6."""
_NAT64 = IPv6Network("64:ff9b::/96")
_NO_HOSTS = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20")))
"""For protocols, relays, Teredo and documentation: not all versions of Python know of all of these."""


class InsideError(OSError):
    """A host leads into a network that webhooks are not sent to; `strerror` says so in one line."""

    def __init__(self, said: str) -> None:
        super().__init__(errno.EACCES, said)


def networks(text: str) -> tuple[Network, ...]:
    """The networks of a setting such as `10.0.0.0/8,127.0.0.1/32`; raises Unsuitable for one that is none."""
    return tuple(_network(part.strip()) for part in text.split(",") if part.strip())


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        said = f"{text!r} is no network: {error}; write networks like 10.0.0.0/8,127.0.0.1/32."
        raise Unsuitable(said) from None


def refusal(url: str, allowed: Networks = ()) -> str | None:
    """What is wrong with a URL for a webhook, in one line; None when nothing is. No name is looked up."""
    if len(url) > MAX_URL_LENGTH:
        return f"The URL of a webhook may have {MAX_URL_LENGTH:,} characters at most; this has {len(url):,}."
    if not _PLAIN.fullmatch(url):
        return (
            "The URL of a webhook may only have printable ASCII characters, no spaces and no `\\`; "
            "percent-encode others, and write an international name as xn--…"
        )
    try:
        parts = urlsplit(url)
    except ValueError:
        return "The URL of a webhook cannot be read; write it like https://ci.example/hooks."
    return _wrong_part(parts, has_fragment="#" in url) or _wrong_place(parts.netloc, allowed)


def _wrong_part(parts: SplitResult, *, has_fragment: bool) -> str | None:
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return "The URL of a webhook begins with https:// or http:// and a host."
    if "@" in parts.netloc:
        return "The URL of a webhook has no user name and no password: what is sent is signed instead."
    return "The URL of a webhook has no fragment: leave out `#` and what follows." if has_fragment else None


def _wrong_place(place: str, allowed: Networks) -> str | None:
    found = _PLACE.fullmatch(place)
    if found is None:
        return "The host of a webhook is a name or an address, without a zone, and perhaps a port from 1 to 65535."
    if found["port"] and not 0 < int(found["port"]) < 2**16:
        return "The port of a webhook is a number from 1 to 65535."
    text, labels = found["address"] or found["name"], (found["name"] or "").removesuffix(".").split(".")
    if found["name"] and not _NUMBER.fullmatch(labels[-1]):
        is_name = len(text) <= _MAX_NAME_LENGTH and all(map(_LABEL.fullmatch, labels))
        return None if is_name else "The host of a webhook is no name that can be looked up."
    try:
        address = ip_address(text)
    except ValueError:
        return "The host of a webhook is no address as it is usually written, such as 192.0.2.1 or [2001:db8::1]."
    return None if is_allowed(address, allowed) else f"{address} is inside a private network"


def is_allowed(address: Address, allowed: Networks) -> bool:
    """Whether a webhook may be sent to an address: one of the internet, or in one of these networks."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False
    meant = _meant(address)
    return _is_global(meant) or any(each in network for each in (address, meant) for network in allowed)


def _meant(address: Address) -> Address:
    """The IPv4 address at which packets to an IPv6 address arrive at last, where it is made of one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_global(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    is_of_hosts = address.is_global and not address.is_multicast and not address.is_reserved
    return is_of_hosts and not any(address in network for network in _NO_HOSTS)


def looked_up(host: str, port: int) -> list[str]:
    """The addresses of a host, as the system knows them, in the order in which they are to be tried."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


class CheckedResolver(AbstractResolver):
    """Gives aiohttp those addresses of a host that a webhook may be sent to; raises InsideError when it has others."""

    def __init__(self, allowed: Networks, look_up: LookUp = looked_up) -> None:
        self._allowed = allowed
        self._look_up = look_up
        # Threads of its own: those of the event loop are for others, and a look-up can take half a minute.
        self._threads = ThreadPoolExecutor(_LOOK_UPS_AT_ONCE, "webhook-names")

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - of both
    ) -> list[ResolveResult]:
        """Where a host leads, as addresses that are not looked up again."""
        found = await asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, host, port)
        usable = [address for address in map(ip_address, found) if is_allowed(address, self._allowed)]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        if not usable:
            raise InsideError(f"{host} leads to {found[0]}, which is inside a private network")
        return [_result(host, address, port) for address in usable]

    async def close(self) -> None:
        """Lets go of the threads; those that look up a name end when it was found."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _result(host: str, address: Address, port: int) -> ResolveResult:
    family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=str(address), port=port, family=family, proto=0, flags=numeric)
