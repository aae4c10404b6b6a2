"""Why changes are refused, as GraphQL knows it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import column as named

from lineage_api.engine.nouns import interface, listed, noun
from lineage_api.graph.check import Check
from lineage_api.graph.nouns import ModelVersion
from lineage_api.graph.rows import MODEL_VERSIONS
from lineage_api.registry import reasons


@interface
class UserError:
    """Why a change was refused, in a form that a person can act on."""

    message: str
    """What is wrong, and what would be right."""
    path: list[str] | None
    """The input field at fault, such as `["tags", "0", "key"]`; null when it is not about one."""


@noun
class NotFoundError(UserError):
    """What the input names is not there."""


@noun
class AlreadyExistsError(UserError):
    """What would be made is there already."""


@noun
class InvalidInputError(UserError):
    """The input is not allowed."""


@noun
class ConflictError(UserError):
    """The registry is not as the caller expected."""

    current: list[ModelVersion] = listed(
        MODEL_VERSIONS, of=named("current_keys"), to=[MODEL_VERSIONS.c.name, MODEL_VERSIONS.c.version]
    )
    """The versions that hold the place in fact."""


@noun
class UnsafeError(UserError):
    """A safety check failed."""

    checks: list[Check]
    """What was looked at."""


ERRORS: list[Any] = [NotFoundError, AlreadyExistsError, InvalidInputError, ConflictError, UnsafeError]

_TYPES = {
    reasons.NotFound: NotFoundError,
    reasons.AlreadyExists: AlreadyExistsError,
    reasons.Invalid: InvalidInputError,
    reasons.Conflict: ConflictError,
    reasons.Unsafe: UnsafeError,
}


@dataclass(frozen=True)
class Told:
    """A reason as an object of its GraphQL type."""

    reason: reasons.Reason

    @property
    def type_name(self) -> str:
        """The name of its type."""
        return _TYPES[type(self.reason)].__name__

    @property
    def message(self) -> str:
        """What is wrong."""
        return self.reason.message

    @property
    def path(self) -> list[str] | None:
        """The input field at fault."""
        return None if self.reason.path is None else list(self.reason.path)

    @property
    def current_keys(self) -> list[tuple[str, int]]:
        """Of a conflict: the versions that hold the place."""
        assert isinstance(self.reason, reasons.Conflict)
        return [(self.reason.model, version) for version in self.reason.current]

    @property
    def checks(self) -> list[Any]:
        """Of what is not safe: what was looked at."""
        assert isinstance(self.reason, reasons.Unsafe)
        return list(self.reason.checks)
