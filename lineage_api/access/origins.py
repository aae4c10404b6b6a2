"""The pages from which browsers may ask: those of the server itself, and those whose origins are listed."""

import re
from collections.abc import Sequence

from lineage_api.errors import Unsuitable

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


class Origins:
    """The origins of other pages that may ask here."""

    def __init__(self, listed: str = "") -> None:
        """From a setting; raises Unsuitable for what is no origin."""
        self._listed = frozenset(_named(each.strip().lower()) for each in listed.split(",") if each.strip())

    def has(self, origin: str) -> bool:
        """Whether an origin is listed."""
        return origin.lower() in self._listed

    def allow(self, host: str, origins: Sequence[str], sites: Sequence[str]) -> bool:
        """Whether a request may be answered, by its headers `Host`, `Origin` and `Sec-Fetch-Site`.

        One that has neither of the last two is no browser's, and could say whatever it likes.
        """
        if len(origins) > 1 or len(sites) > 1:
            return False
        if not origins:
            return not sites or sites[0] in {"same-origin", "none"}
        own = (f"http://{host.lower()}", f"https://{host.lower()}") if host else ()
        return sites == ["same-origin"] or origins[0].lower() in own or self.has(origins[0])


def _named(origin: str) -> str:
    if not _ORIGIN.fullmatch(origin):
        raise Unsuitable(
            f"{origin!r} in --cors-allowed-origins is no origin: name each in full, such as https://app.example.com,"
            " with no path and no pattern"
        )
    return origin
