"""What is kept of what was worked out for operations: so much in all, whoever asks in ever new ways."""

from collections import deque
from collections.abc import Hashable
from typing import Any

MAX_BYTES = 16 * 2**20
"""How much may be kept in all memos, about; what came first goes first."""
MAX_OF_A_MEMO = 100
"""How many things a memo keeps."""

_SMALLEST_BYTES = 1_000


class _Keeping:
    """The memos, and what is in them."""

    def __init__(self) -> None:
        self._all: deque[tuple[dict[Any, Any], Hashable, int]] = deque()
        self._bytes = 0

    def keep(self, memo: dict[Any, Any], key: Hashable, value: Any, size_bytes: int) -> None:
        """Keeps something under a key of a memo that does not have it yet."""
        if len(memo) >= MAX_OF_A_MEMO:
            memo.clear()
        memo[key] = value
        self._all.append((memo, key, _SMALLEST_BYTES + size_bytes))
        self._bytes += _SMALLEST_BYTES + size_bytes
        while self._bytes > MAX_BYTES:
            oldest, its_key, its_bytes = self._all.popleft()
            oldest.pop(its_key, None)
            self._bytes -= its_bytes


keep = _Keeping().keep
