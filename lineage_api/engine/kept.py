"""What is kept of what was worked out for operations: so much in all, whoever asks in ever new ways."""

import gc
from collections import deque
from collections.abc import Hashable
from sys import getsizeof
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
        self._gone_bytes = 0
        """How much is not kept any more, and may wait for the garbage collector."""

    def keep(self, memo: dict[Any, Any], key: Hashable, value: Any, size_bytes: int) -> None:
        """Keeps something under a key of a memo that does not have it yet; the key is added to its size."""
        if len(memo) >= MAX_OF_A_MEMO:
            memo.clear()
        memo[key] = value
        size_bytes += _SMALLEST_BYTES + bytes_of(key)
        self._all.append((memo, key, size_bytes))
        self._bytes += size_bytes
        while self._bytes > MAX_BYTES:
            oldest, its_key, its_bytes = self._all.popleft()
            oldest.pop(its_key, None)
            self._bytes -= its_bytes
            self._gone_bytes += its_bytes
        # To work out what is kept leaves hundreds of objects that refer to each other, and to what was asked; and parts
        # of what was kept refer to each other as well.
        if self._gone_bytes > MAX_BYTES // 4:
            self._gone_bytes = 0
            gc.collect()
        else:
            gc.collect(0)


def bytes_of(value: Any) -> int:
    """How much memory a value takes, with all that is in tuples."""
    if isinstance(value, tuple):
        return getsizeof(value) + sum(map(bytes_of, value))
    return 0 if isinstance(value, type) else getsizeof(value)


keep = _Keeping().keep
