"""What a crowd is told for which there is no room: at once, by the bytes of a request, before it becomes one.

Until a server knows what a request asks, who asks, and in which form, it has done as much as a small query takes. Of
ten times as many requests as can be answered, that would leave too little for those that are.
"""

import re
from functools import cache

from starlette.datastructures import Headers
from starlette.responses import Response

from lineage_api.access.callers import ANYBODY
from lineage_api.api.executor import Executor
from lineage_api.api.http import GRAPHQL, JSON, Unanswerable, media_type_for, no_room, parameters_of, require_json
from lineage_api.errors import Unreadable

MAX_HEADS = 1_000
"""Of how many heads of requests it is known how they are to be answered."""

_REQUEST = b"POST /graphql HTTP/1.1"
_LENGTH = re.compile(rb"\r\ncontent-length: ?(\d+)(?=\r\n|\Z)", re.IGNORECASE)
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)")
_OF_CONSEQUENCE = (
    *("connection", "content-length", "expect", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    *("origin", "sec-fetch-site"),
)
"""Headers by which a request may have another end than its length says, or its answer other headers."""


class Crowd:
    """Refuses queries for which there is no room; whatever is not like most requests is left to those who read it."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._accepted: dict[int, str | None] = {}
        """As what a query is to be answered, by the hash of its head: tokens are in it, and are not kept."""

    def refusal(self, data: bytes) -> Response | None:
        """The answer to a query for which there is no room; None to all else, and to what is not one whole request."""
        if not self._executor.is_waited_for:
            return None
        head, _, body = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if length is None or length[1] != b"%d" % len(body):
            return None
        media_type = self._media_type(head[: length.start()] + head[length.end() :])
        if media_type is None:
            return None
        try:
            question = self._executor.question(parameters_of(body), ANYBODY)
        except (Unanswerable, Unreadable):
            return None
        return None if self._executor.lets_in(question) else _refusal(media_type)

    def _media_type(self, head: bytes) -> str | None:
        key = hash(head)
        if key not in self._accepted:
            if len(self._accepted) >= MAX_HEADS:
                self._accepted.clear()
            self._accepted[key] = _media_type(head)
        return self._accepted[key]


@cache
def _refusal(media_type: str) -> Response:
    return no_room(media_type)


def _media_type(head: bytes) -> str | None:
    """As what a query is to be answered whose head this is, but for its length; None of one that is unlike most."""
    request, *lines = head.split(b"\r\n")
    found = [_HEADER.fullmatch(line) for line in lines]
    headers = Headers(raw=[(each[1].lower(), each[2].strip(b"\t ")) for each in found if each])
    if request != _REQUEST or not all(found) or any(name in headers for name in _OF_CONSEQUENCE):
        return None
    try:
        require_json(headers)
    except Unanswerable:
        return None
    return media_type_for(headers, (GRAPHQL, JSON))
