"""How a server is started that is to be attacked: with all guards on, and the attackers' token known."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lineage_api.access.roles import Role
from lineage_api.access.token_file import TokenFile
from lineage_api.access.tokens import Token, digest
from tests.attacks.attack import TOKEN


def options(uri: str, folder: Path) -> Sequence[str]:
    """Those of `lineage-api serve` for a store; the file of tokens is made in a folder."""
    file = TokenFile(str(folder / "tokens.json"))
    file.add(Token("attacker", Role.MANAGER, digest(TOKEN), datetime.now(UTC)))
    return ["--backend-store-uri", uri, "--tokens", file.path]
