"""Requests that are nearly valid, by HTTP and over WebSockets, many at once."""

import asyncio
import json
import time
from collections.abc import Iterator
from random import Random
from typing import Any

from lineage_api.api.schema import executable
from tests.api.random_operations import Operation
from tests.fuzzing import checks, frames, heads, mutations, oddities
from tests.fuzzing.corpus import corpus
from tests.fuzzing.failures import Failures
from tests.fuzzing.outcome import Outcome
from tests.fuzzing.target import Target
from tests.fuzzing.wire import Connection, Nothing

AT_ONCE = 16
"""How many connections are open at the same time."""
OVER_WEBSOCKETS = 0.08
"""Which part of the examples goes over WebSockets."""
LEVELS = {"literals": 6, "values": 7, "document": 4, "json": 3, "bytes": 2, "head": 3, "raw": 1}
"""What is changed of a request, and how often."""
_QUIET_S = 0.05
_PATIENCE_S = {True: 10.0, False: 0.2}
"""How long is waited for a WebSocket to be closed, where all that was sent are frames and where it is not."""


def fuzzed(target: Target, examples: int, seed: int, *, operations: int = 300) -> Outcome:
    """What is wrong with the answers to so many examples."""
    found = corpus(target.known, operations, seed)
    return asyncio.run(_Fuzzer(target, found, seed).run(examples))


class _Fuzzer:
    def __init__(self, target: Target, valid: list[Operation], seed: int) -> None:
        self._target = target
        self._valid = valid
        self._names = oddities.names(executable())
        self._seed = seed
        self._outcome = Outcome(Failures(target.log))

    async def run(self, examples: int) -> Outcome:
        numbers = iter(range(examples))
        start = time.monotonic()
        await asyncio.gather(*(self._work(numbers) for _ in range(AT_ONCE)))
        self._outcome.seconds = time.monotonic() - start
        return self._outcome

    async def _work(self, numbers: Iterator[int]) -> None:
        """Sends one example after the other, as far as it can over one connection."""
        connection = await Connection.to(self._target.port)
        for number in numbers:
            chance = Random(f"{self._seed}/{number}")
            if not connection.is_open or connection.is_over:
                connection.close()
                connection = await Connection.to(self._target.port)
            if chance.random() < OVER_WEBSOCKETS:
                connection.close()
                await self._told(number, chance)
            else:
                await self._asked(number, chance, connection)
        connection.close()

    # --- by HTTP

    async def _asked(self, number: int, chance: Random, connection: Connection) -> None:
        raw, is_whole = self._request(chance)
        start = time.monotonic()
        try:
            answer = await connection.answer(raw, is_whole=is_whole)
        except Nothing as nothing:
            self._outcome.statuses["none"] += 1
            if is_whole:
                self._fail(number, [str(nothing)], raw)
            return
        self._outcome.took(time.monotonic() - start, number, raw)
        self._outcome.statuses[str(answer.status)] += 1
        wrong = checks.faults(answer, _readable(raw))
        if wrong:
            self._fail(number, wrong, raw, f"{answer.status} {answer.body[:1000]!r}")

    def _request(self, chance: Random) -> tuple[bytes, bool]:
        payload = self._payload(chance)
        levels = set(chance.choices(list(LEVELS), LEVELS.values(), k=chance.choice([1, 1, 2])))
        payload = self._changed(chance, payload, levels)
        caller = self._target.caller(chance)
        accept = chance.choice([heads.GRAPHQL] * 6 + [heads.JSON] * 2 + ["text/event-stream"])
        if chance.random() < 0.1:
            request = heads.gotten(payload if isinstance(payload, dict) else {"query": payload}, caller, accept)
        else:
            request = heads.posted(_written(chance, payload, levels), caller, accept)
        if "head" in levels:
            heads.changed(chance, request)
        if "raw" in levels:
            return heads.scrambled(chance, request), False
        return request.raw, request.is_whole

    def _payload(self, chance: Random) -> dict[str, Any]:
        operation = chance.choice(self._valid)
        payload: dict[str, Any] = {"query": operation.document, "variables": operation.variables}
        return payload | ({"operationName": operation.name} if operation.name else {})

    def _changed(self, chance: Random, payload: dict[str, Any], levels: set[str]) -> Any:
        if "document" in levels:
            payload["query"] = mutations.document(chance, payload["query"], self._names)
        if "literals" in levels or ("values" in levels and not payload["variables"]):
            payload["query"] = mutations.literals(chance, payload["query"])
        if "values" in levels:
            if chance.random() < 0.1:
                return mutations.values(chance, payload)
            if payload["variables"]:
                return payload | {"variables": mutations.values(chance, payload["variables"])}
        return payload

    # --- over WebSockets

    async def _told(self, number: int, chance: Random) -> None:
        payloads = [
            self._changed(chance, self._payload(chance), {chance.choice(["literals", "values", "document", ""])})
            for _ in range(chance.choice([1, 2, 3]))
        ]
        sent = frames.frames(chance, self._target.caller(chance), payloads)
        raw = sent.handshake + sent.raw
        connection = await Connection.to(self._target.port)
        try:
            answer = await connection.answer(sent.handshake, is_whole=sent.handshake.endswith(b"\r\n\r\n"))
        except Nothing as nothing:
            if sent.is_whole:
                self._fail(number, [str(nothing)], raw)
            return
        self._outcome.statuses[str(answer.status)] += 1
        wrong = checks.faults(answer, _readable(raw))
        if answer.status == 101 and connection.is_open:
            wrong = await self._heard(connection, sent)
        if wrong:
            self._fail(number, wrong, raw)
        connection.close()

    async def _heard(self, connection: Connection, sent: frames.Frames) -> list[str]:
        """What is wrong with what is said until nothing more is, and then the connection closed."""
        wrong: list[str] = []
        readable = _readable(sent.raw)
        for raw in (sent.raw, frames.CLOSE):
            wait_s = _QUIET_S if raw is sent.raw else _PATIENCE_S[sent.is_whole]
            async for opcode, payload in connection.frames(raw, wait_s):
                if opcode == 1:
                    wrong += checks.of_message(payload, readable)
                elif opcode == 8:
                    self._outcome.statuses[f"closed with {int.from_bytes(payload[:2], 'big') or 1000}"] += 1
                    return wrong + list(checks.of_close(payload, readable))
        self._outcome.statuses["closed without a word"] += 1
        return [*wrong, "closed without a word"] if sent.is_whole else wrong

    def _fail(self, number: int, wrong: list[str], raw: bytes, answer: str = "") -> None:
        self._outcome.failures.add(f"example {number} of seed {self._seed}", wrong, raw, answer)


def _written(chance: Random, payload: Any, levels: set[str]) -> bytes:
    text = json.dumps(payload, ensure_ascii=chance.random() < 0.7)
    if "json" in levels:
        text = mutations.json_text(chance, text)
    body = text.encode("utf-8", "surrogatepass")
    return mutations.raw(chance, body) if "bytes" in levels else body


def _readable(raw: bytes) -> str:
    """What somebody sent, as an answer may repeat it."""
    return raw.decode("utf-8", "replace").replace('\\"', '"').replace("\\/", "/")
