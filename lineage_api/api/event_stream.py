"""Answers as server-sent events."""

from collections.abc import AsyncGenerator

from starlette.responses import Response

from lineage_api.api.executor import Answer


class EventStream(Response):
    """A stream of answers."""

    def __init__(self, answers: AsyncGenerator[Answer, None]) -> None:
        raise NotImplementedError
