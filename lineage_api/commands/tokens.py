"""The commands `token`: whose tokens there are."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from lineage_api.access import tokens
from lineage_api.access.roles import Role
from lineage_api.access.token_file import TokenFile
from lineage_api.access.tokens import Token
from lineage_api.commands.printing import printable
from lineage_api.errors import Unsuitable

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def create(path: str, name: str, role: str, expires: str | None) -> tuple[Token, str]:
    """A new token in a file: what is kept of it, and the token itself."""
    expires_at = None if expires is None else moment(expires, datetime.now(UTC).replace(microsecond=0))
    kept, secret = tokens.made(name, Role[role.upper()], expires_at)
    TokenFile(path).add(kept)
    return kept, secret


def every(path: str) -> Sequence[Token]:
    """All tokens of a file, the oldest first; none where there is no file."""
    file = TokenFile(path)
    return file.read() if file.exists() else ()


def revoke(path: str, name: str) -> None:
    """Forgets the token of a name."""
    TokenFile(path).remove(name)


def moment(text: str, now: datetime) -> datetime:
    """When something expires, by how long it lasts or a date; raises Unsuitable where it has passed, or is none."""
    found = re.fullmatch(r"([0-9]{1,6})([mhdw])", text.strip())
    try:
        expires = now + int(found[1]) * _UNITS[found[2]] if found else tokens.moment(text.strip())
    except (ValueError, OverflowError):
        said = f"{text!r} says no moment: write how long it lasts, such as 90d or 12h, or a date, such as 2030-01-31"
        raise Unsuitable(said) from None
    if expires <= now:
        raise Unsuitable(f"{text!r} has passed already")
    return expires


def shown(token: Token) -> str:
    """A token, in one line."""
    if token.expires_at is None:
        until = "does not expire"
    else:
        until = f"{'expires' if token.is_valid_at(datetime.now(UTC)) else 'expired'} {token.expires_at.isoformat()}"
    return printable(f"{token.name}  {token.role.name}  made {token.created_at.isoformat()}, {until}")
