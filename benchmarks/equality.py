"""Whether all servers give equal answers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from random import Random
from typing import Any

from benchmarks.questions import Known, Question
from benchmarks.servers import Server


def difference(one: Any, other: Any, path: str = "data") -> str | None:
    """Where two answers differ first, the order of keys included; None when they are equal. 5 is 5.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        if list(one) != list(other):
            return f"{path}: keys {list(one)} and {list(other)}"
        found = (difference(one[key], other[key], f"{path}.{key}") for key in one)
        return next((text for text in found if text), None)
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return f"{path}: {len(one)} and {len(other)} items"
        found = (difference(a, b, f"{path}[{place}]") for place, (a, b) in enumerate(zip(one, other, strict=True)))
        return next((text for text in found if text), None)
    same = one == other and isinstance(one, bool) == isinstance(other, bool)
    return None if same else f"{path}: {one!r} and {other!r}"


def check(servers: Sequence[Server], questions: Sequence[Question], known: Known, times: int = 10) -> None:
    """Ends the program unless all servers give equal answers; slow ones are asked twice a question."""
    random = Random(11)
    for question in questions:
        for turn in range(times):
            variables = question.variables(random, known)
            expected = servers[0].data(question, variables)
            for server in servers[1:]:
                is_slow = question.name in server.way.share
                if server.way.answers(question) and not (is_slow and turn > 1):
                    same(servers[0], expected, server, question, variables)


def same(first: Server, expected: Any, server: Server, question: Question, variables: Any) -> None:
    """Ends the program unless the server answers as the first one did."""
    text = difference(expected, server.data(question, variables))
    if text:
        sys.exit(f"{question.name} {variables}: {first.name} and {server.name} differ at {text}")
