"""What an operation has at hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from lineage_api.access.callers import ANYBODY, Caller
from lineage_api.access.roles import Action, may
from lineage_api.engine.redaction import Redact
from lineage_api.engine.sql import Reader
from lineage_api.engine.tally import Tally
from lineage_api.graph.redaction import redacted


@dataclass(frozen=True, slots=True)
class Context:
    """A snapshot of the database, the services that read what is outside of it, and limits."""

    reader: Reader
    services: Mapping[type, Any]
    max_page: int
    caller: Caller = ANYBODY
    """Who asks."""
    after: str | None = None
    """The event after which a subscription is gone on with, whatever its argument says; None when it is not."""
    extensions: dict[str, Any] = field(default_factory=dict)
    """What the answer says beside data and errors, by subject."""
    asked_at: float = field(default_factory=monotonic)
    """When it was asked for, of `monotonic`: before it waited for a place to run."""
    tally: Tally = field(default_factory=Tally)
    """What the answer has, counted while it is worked out."""

    @property
    def redact(self) -> Redact | None:
        """What texts are shown through to those who may not know secrets; None for the others."""
        return None if may(self.caller.role, Action.KNOW_SECRETS) else redacted

    def service(self, kind: type) -> Any:
        """The service of a class."""
        return self.services[kind]
