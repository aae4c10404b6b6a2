"""Callers whom a proxy has let in, which says who they are by a header."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Protocol

from lineage_api.access.roles import Role, role_named
from lineage_api.access.tokens import wrong_name
from lineage_api.errors import Unauthenticated, Unsuitable


class Headers(Protocol):
    """The headers of a request, as Starlette has them."""

    def getlist(self, key: str) -> list[str]:
        """The values of a header, whose name is in lower case."""


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies that are trusted, and the headers by which they say who asks."""

    networks: tuple[IPv4Network | IPv6Network, ...]
    header: str
    """Of the name."""
    role_header: str | None
    """Of the role; None where all have the same."""
    role: Role
    """Of those of whom no header says it."""

    def caller(self, peer: str | None, headers: Headers) -> tuple[str, Role] | None:
        """The name and role of who asks through a proxy; None where none says so.

        Raises Unauthenticated where what it says is no name or no role, or is said twice.
        """
        if not self._trusts(peer):
            return None
        names = [_text(name) for name in headers.getlist(self.header)]
        if not names:
            return None
        roles = headers.getlist(self.role_header) if self.role_header else []
        role = role_named(roles[0]) if roles else self.role
        [name, *more] = names
        if name is None or wrong_name(name) or more or len(roles) > 1 or role is None:
            raise Unauthenticated
        return name, role

    def _trusts(self, peer: str | None) -> bool:
        try:
            address = ip_address(peer or "")
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)


def _text(value: str) -> str | None:
    """The value of a header, which was read as ISO 8859-1, as UTF-8, which proxies write; None when it is none."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return None


def proxies(networks: str, header: str, role_header: str, role: str) -> Proxies | None:
    """The proxies that settings name; None where they name none. Raises Unsuitable where they say half of it."""
    default = role_named(role)
    if default is None:
        raise Unsuitable(f"{role!r} is no role; there are reader, editor and manager")
    if not networks.strip() and not header.strip():
        return None
    if not networks.strip() or not header.strip():
        raise Unsuitable("--trusted-proxies and --trusted-proxy-header go together: by whom, and in which header")
    trusted = tuple(_network(part.strip()) for part in networks.split(",") if part.strip())
    return Proxies(trusted, header.strip().lower(), role_header.strip().lower() or None, default)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        said = f"{text!r} in --trusted-proxies is no network: {error}; write networks like 10.0.0.0/8,127.0.0.1/32"
        raise Unsuitable(said) from None
