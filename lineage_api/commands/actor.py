"""Who runs a command."""

import getpass


def actor() -> str | None:
    """The user of this system; None where that has no name for it, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None
