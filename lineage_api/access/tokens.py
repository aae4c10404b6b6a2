"""Tokens, by which callers are known: what is kept of them."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lineage_api.access.roles import Role
from lineage_api.errors import Unsuitable

MARK = "lineage_"
"""What each token begins with, so that those who look for secrets in texts find it."""
MAX_NAME_LENGTH = 200
"""How many characters a name may have; that of the column of actors is longer."""

_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token; the token itself is kept nowhere."""

    name: str
    """Whose it is: the actor of all that is done with it."""
    role: Role
    sha256: str
    created_at: datetime
    expires_at: datetime | None = None
    """From when on it is none; None when it does not expire."""

    def is_valid_at(self, now: datetime) -> bool:
        """Whether it has not expired at a moment."""
        return self.expires_at is None or now < self.expires_at

    def written(self) -> dict[str, str | None]:
        """As JSON."""
        return {
            "name": self.name,
            "role": self.role.name.lower(),
            "sha256": self.sha256,
            "created_at": self.created_at.isoformat(),
            "expires_at": None if self.expires_at is None else self.expires_at.isoformat(),
        }

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Token":
        """From JSON; raises ValueError, KeyError or TypeError where it is no token."""
        name, sha256, expires = given["name"], given["sha256"], given.get("expires_at")
        if wrong_name(name) or not _DIGEST.fullmatch(sha256):
            raise ValueError
        role, created = Role[given["role"].upper()], moment(given["created_at"])
        return cls(name, role, sha256, created, None if expires is None else moment(expires))


def made(name: str, role: Role, expires_at: datetime | None) -> tuple[Token, str]:
    """A new token: what is kept of it, and the token itself. Raises Unsuitable for a name that is none."""
    if wrong := wrong_name(name):
        raise Unsuitable(wrong)
    secret = MARK + secrets.token_urlsafe(32)
    return Token(name, role, digest(secret), datetime.now(UTC).replace(microsecond=0), expires_at), secret


def digest(secret: str) -> str:
    """What a token is known by."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def wrong_name(name: Any) -> str | None:
    """What is wrong with the name of a caller; None when nothing is."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        return "a name must have letters, and nothing that cannot be printed"
    if len(name) > MAX_NAME_LENGTH or name != name.strip():
        return f"a name may have {MAX_NAME_LENGTH} characters at most, and no spaces around it"
    return None


def moment(text: str) -> datetime:
    """A date or moment as ISO 8601 writes it, in UTC, which is meant where no zone is named; or raises ValueError."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
