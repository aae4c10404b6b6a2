"""How a server is asked: what is sent for a question, and how its answer becomes ours.

A dialogue yields requests and is sent their bodies, since what some servers are asked depends on what they said
before. What `data` makes of the bodies is for the comparison of answers alone, and never measured.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import orjson

from benchmarks.client import post
from benchmarks.questions import Json, Question

Dialogue = Generator[bytes, bytes, None]


class Way:
    """How servers of one kind are asked; as here, by GraphQL, in the words of lineage_api."""

    share: Mapping[str, int] = MappingProxyType({})
    """Of so many questions by a name, it is asked one; every one unless said otherwise."""

    def answers(self, question: Question) -> bool:
        """Whether it can be asked this."""
        return True

    def dialogue(self, question: Question, variables: Json) -> Dialogue:
        """The requests that it takes."""
        yield graphql(question.document, variables)

    def data(self, question: Question, variables: Json, bodies: Sequence[bytes]) -> Any:
        """The data of the answer, in the shape of ours."""
        return orjson.loads(bodies[0])["data"]


class Slow(Way):
    """The same, where an answer takes its time."""

    share = MappingProxyType({"catalog": 5, "rollback": 5, "comparison": 5, "newest": 5})


class ByHand(Way):
    """A route for each question, which takes the JSON of its variables."""

    def dialogue(self, question: Question, variables: Json) -> Dialogue:
        yield post(f"/{question.name}", orjson.dumps(variables))


def graphql(document: str, variables: Json) -> bytes:
    """A GraphQL request."""
    return post("/graphql", orjson.dumps({"query": document, "variables": variables}))
