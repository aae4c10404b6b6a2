"""The file in which tokens are kept."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import orjson

from lineage_api.access.tokens import Token
from lineage_api.errors import Unsuitable


class TokenFile:
    """A file of tokens, which only its owner can read; a change of it is made as a whole, and one at a time."""

    def __init__(self, path: str) -> None:
        self.path = path

    def exists(self) -> bool:
        """Whether there is such a file."""
        return Path(self.path).exists()

    def read(self) -> tuple[Token, ...]:
        """All tokens that are kept, expired ones too; raises Unsuitable where they cannot be read."""
        try:
            text = Path(self.path).read_bytes()
        except OSError as error:
            raise Unsuitable(f"the tokens in {self.path} cannot be read: {error.strerror}") from None
        try:
            tokens = tuple(map(Token.read, orjson.loads(text)["tokens"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unsuitable(f"{self.path} is no file of tokens as `lineage-api token create` makes it") from None
        if len({token.name for token in tokens}) < len(tokens):
            raise Unsuitable(f"{self.path} has two tokens of the same name")
        return tokens

    def add(self, token: Token) -> None:
        """Keeps another token; makes the file where there is none. Raises Unsuitable for a name that is taken."""

        def added(tokens: Sequence[Token]) -> Sequence[Token]:
            if any(each.name == token.name for each in tokens):
                said = f"there is a token {token.name!r} already: revoke it first, or choose another name"
                raise Unsuitable(said)
            return [*tokens, token]

        self._change(added)

    def remove(self, name: str) -> None:
        """Forgets the token of a name; raises Unsuitable where there is none."""

        def without(tokens: Sequence[Token]) -> Sequence[Token]:
            left = [each for each in tokens if each.name != name]
            if len(left) == len(tokens):
                raise Unsuitable(f"there is no token {name!r} in {self.path}; `lineage-api token list` prints them")
            return left

        self._change(without)

    def _change(self, change: Callable[[Sequence[Token]], Sequence[Token]]) -> None:
        try:
            with self._alone():
                self._write(change(self.read() if self.exists() else ()))
        except OSError as error:
            raise Unsuitable(f"{self.path} cannot be written: {error.strerror}") from None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time, by a lock on a file beside it, which stays."""
        with ExitStack() as stack:
            beside = stack.enter_context(_private(f"{os.path.realpath(self.path)}.lock"))
            with suppress(ImportError):  # Windows has no such locks
                import fcntl  # noqa: PLC0415

                fcntl.flock(beside, fcntl.LOCK_EX)
            yield

    def _write(self, tokens: Sequence[Token]) -> None:
        """Puts a new file in the place of the old one: who reads finds all of one of them."""
        place = os.path.realpath(self.path)
        text = orjson.dumps({"tokens": [token.written() for token in tokens]}, option=orjson.OPT_INDENT_2)
        number, name = tempfile.mkstemp(prefix=".tokens-", dir=Path(place).parent)  # of mode 0600
        try:
            with os.fdopen(number, "wb") as file:
                file.write(text + b"\n")
                file.flush()
                os.fsync(number)
            Path(name).replace(place)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def _private(path: str) -> Iterator[int]:
    """A file that is made where there is none, and that only its owner can read."""
    number = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        yield number
    finally:
        os.close(number)
