"""What a client accepts, as the headers say by which an answer is negotiated."""

import re
from collections.abc import Mapping

from starlette.datastructures import Headers

MAX_ACCEPTED = 1_000
"""How much of such a header is read: what is made of a thousand of them is kept."""


def accepted(headers: Headers, name: str) -> str:
    """What a client says under a name, in however many headers."""
    return ",".join(headers.getlist(name))[:MAX_ACCEPTED]


def weights(header: str) -> Mapping[str, float]:
    """What a header such as `Accept` names, in lower case, and how much each is liked, from 0 to 1."""
    return dict(map(_weight, header.split(",")))


def _weight(part: str) -> tuple[str, float]:
    name, _, parameters = part.partition(";")
    weight = re.search(r"\bq=([01](?:\.\d*)?)", parameters)
    return name.strip().lower(), float(weight[1]) if weight else 1
