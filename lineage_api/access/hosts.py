"""The names by which a server may be asked: a page whose name is made to lead here has another one."""

import re
from collections.abc import Iterable

from lineage_api.errors import Unsuitable

LOCAL = ("localhost", "127.0.0.1", "[::1]")
"""The names of a machine for itself."""

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::[0-9]{1,5})?")


class Hosts:
    """The names that are allowed, with any port, or with one."""

    def __init__(self, names: Iterable[str]) -> None:
        self._allowed = frozenset(names)

    def allow(self, host: str) -> bool:
        """Whether a `Host` header has one of them: exactly, but for upper case."""
        found = _HOST.fullmatch(host.lower())
        return found is not None and (found[1] in self._allowed or found[0] in self._allowed)


def hosts(bound: str, more: str) -> Hosts:
    """Those of a server that listens at a host, and those that a setting names; raises Unsuitable for a pattern."""
    own = f"[{bound}]" if ":" in bound else bound
    return Hosts([*LOCAL, own.lower(), *(_named(name.strip().lower()) for name in more.split(",") if name.strip())])


def _named(name: str) -> str:
    if not _HOST.fullmatch(name):
        raise Unsuitable(
            f"{name!r} in --allowed-hosts is no name of a host: name each host in full, such as lineage.example.com;"
            " there are no patterns, which would let others in too"
        )
    return name
