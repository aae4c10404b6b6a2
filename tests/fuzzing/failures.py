"""What went wrong, told so that it can be sent again."""

import base64
import re
import zlib
from collections import Counter

from tests.fuzzing.target import Log

_TOLD_OF_EACH = 3
_SHOWN = 4_000


class Failures:
    """What was wrong, by kind; of each kind a few examples are told in full, as they come."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.kinds: Counter[str] = Counter()
        self.count = 0

    def add(self, which: str, wrong: list[str], sent: bytes | str, answer: str = "") -> None:
        """Notes an example."""
        self.count += 1
        ids = [found for each in wrong for found in re.findall(r"INTERNAL (\w+)", each)]
        logged = self._log.about(ids[0]) if ids else ""
        kind = "; ".join(sorted({_kind(each) for each in wrong})) + (f" [{_last(logged)}]" if ids else "")
        self.kinds[kind] += 1
        if self.kinds[kind] <= _TOLD_OF_EACH:
            told = [f"--- {which}: {'; '.join(wrong)[:1000]}", _sendable(sent), answer and f"answer: {answer}", logged]
            print("\n".join(part for part in told if part), flush=True)


def _kind(wrong: str) -> str:
    return re.sub(r"INTERNAL \w+", "INTERNAL", wrong)[:120]


def _last(logged: str) -> str:
    """What was raised, without the values in it."""
    raised = [line for line in logged.splitlines() if re.match(r"[\w.]+(Error|Exception|Warning)\b|[\w.]+: ", line)]
    places = re.findall(r'File "\S*?(lineage_api/\S+)", line (\d+)', logged)
    return f"{raised[-1][:80] if raised else ''} at {':'.join(places[-1]) if places else '?'}"


def _sendable(sent: bytes | str) -> str:
    if isinstance(sent, str):
        return sent
    if len(sent) <= _SHOWN:
        return f"sent: {sent!r}"
    packed = base64.b64encode(zlib.compress(sent, 9)).decode()
    return f"sent: zlib.decompress(base64.b64decode({packed!r}))"
