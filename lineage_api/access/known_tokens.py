"""The tokens that are valid now, as a server knows them: their file is read again whenever it changes."""

import hmac
import logging
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from lineage_api.access.token_file import TokenFile
from lineage_api.access.tokens import Token, digest
from lineage_api.errors import Unsuitable

SETTLED_NS = 1_000_000_000
"""How long ago a file has to have changed, so that another change would change its time too."""

_State = tuple[int, int, int, int]

_log = logging.getLogger(__name__)


class KnownTokens:
    """The tokens of a file; while it cannot be read, those that it had last."""

    def __init__(self, file: TokenFile) -> None:
        self._file = file
        self._tokens: Sequence[Token] = ()
        self._seen: _State | None = None
        self._trouble: str | None = None

    def find(self, secret: str) -> Token | None:
        """The token, where it is known and has not expired.

        All are compared, and each in constant time, so that nobody learns anything from how long it takes.
        """
        wanted, found = digest(secret), None
        for token in self._current():
            if hmac.compare_digest(token.sha256, wanted):
                found = token
        return found if found is not None and found.is_valid_at(datetime.now(UTC)) else None

    def valid(self) -> frozenset[Token]:
        """All that are valid now."""
        now = datetime.now(UTC)
        return frozenset(token for token in self._current() if token.is_valid_at(now))

    def _current(self) -> Sequence[Token]:
        state = _state(self._file.path)
        if state is None or state != self._seen:
            self._read()
            is_settled = state is not None and time.time_ns() - max(state[:2]) > SETTLED_NS
            self._seen = state if is_settled else None
        return self._tokens

    def _read(self) -> None:
        try:
            self._tokens, self._trouble = self._file.read(), None
        except Unsuitable as why:
            if str(why) != self._trouble:
                _log.error("The tokens stay as they were: %s", why)
            self._trouble = str(why)


def _state(path: str) -> _State | None:
    """What changes with a file; None when it cannot be looked at."""
    try:
        found = os.stat(path)  # noqa: PTH116 - in half the time, with each request
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size
