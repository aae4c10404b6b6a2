"""Why a change is refused, in a form that a person can act on."""

from collections.abc import Sequence
from dataclasses import dataclass

from lineage_api.analysis.checks import Check
from lineage_api.errors import LineageError


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason, with the input field at fault, such as `("tags", "0", "key")`; None when it is not about one."""

    message: str
    path: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class NotFound(Reason):
    """What the input names is not there."""


@dataclass(frozen=True, slots=True)
class AlreadyExists(Reason):
    """What would be made is there already."""


@dataclass(frozen=True, slots=True)
class Invalid(Reason):
    """The input is not allowed."""


@dataclass(frozen=True, slots=True)
class Conflict(Reason):
    """The registry is not as the caller expected: which versions of which model hold the place in fact."""

    model: str = ""
    current: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Unsafe(Reason):
    """A safety check failed."""

    checks: tuple[Check, ...] = ()


class Refused(LineageError):
    """A change that cannot be made, and nothing of it was."""

    code = "REFUSED"

    def __init__(self, *reasons: Reason) -> None:
        super().__init__(" ".join(reason.message for reason in reasons))
        self.reasons = reasons


def no_model(name: str, *path: str) -> NotFound:
    """There is no registered model of that name."""
    return NotFound(f"There is no registered model {name[:100]!r}.", path or ("model",))


def no_version(name: str, version: int, *path: str) -> NotFound:
    """The registered model has no such version."""
    return NotFound(f"The registered model {name[:100]!r} has no version {version}.", path or ("version",))


def require(*found: Sequence[Reason]) -> None:
    """Refuses when anything was found to be wrong, with all of it."""
    reasons = [reason for reasons in found for reason in reasons]
    if reasons:
        raise Refused(*reasons)
