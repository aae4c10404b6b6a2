"""What a change came to, as keys: the objects themselves are read afresh."""

from dataclasses import asdict, dataclass, field, replace
from time import monotonic
from typing import Any

import orjson

from lineage_api.access.roles import Role


@dataclass(slots=True)
class Outcome:
    """The keys of all that a change was about; what does not apply is None or empty."""

    model: str | None = None
    """The name of the registered model, after the change."""
    model_id: int | None = None
    """Its row among those that ever were, by which it is known after it was renamed."""
    version: int | None = None
    others: list[int] = field(default_factory=list)
    """The versions that made room for it."""
    previous: int | None = None
    """The version that an alias pointed at before."""
    alias: str | None = None
    gone: str | None = None
    """The name of a registered model that is gone, or a version of it, as it was then."""
    deleted: int | None = None
    """The number of a version that is gone."""
    subject: list[Any] | None = None
    """The type and key of what was tagged."""
    webhook: int | None = None
    """The number of a webhook."""
    secret: str | None = None
    """What a new webhook signs with, which is not kept with the rest."""
    delivery: int | None = None
    """The number of an attempt to send something."""
    recovered: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    """The IDs of the events, the one that brought about the others first."""

    @property
    def registered(self) -> str | None:
        """The name of the registered model that the change was about, or something of it."""
        is_of_registry = self.subject is not None and self.subject[0] in {"RegisteredModel", "ModelVersion"}
        return str(self.subject[1]) if self.subject is not None and is_of_registry else self.model

    def renamed(self, name: str | None) -> "Outcome":
        """The same, with the name that the registered model has now; None when it is gone."""
        if self.subject is None:
            return replace(self, model=name)
        kind, _, *version = self.subject
        return replace(self, subject=None if name is None else [kind, name, *version])

    def written(self) -> str:
        """As a text, to be kept."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def read(cls, text: str) -> "Outcome":
        """From the text that was kept."""
        return cls(**orjson.loads(text))


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a change, why, and under which key."""

    mutation: str
    actor: str | None = None
    role: Role = Role.MANAGER
    """What whoever asks may do; everything, where nobody has to say who they are."""
    reason: str | None = None
    key: str | None = None
    """The caller's own, by which a repeated request is known."""
    digest: str = ""
    """Of the input, which tells one request from another under the same key."""
    since: float = field(default_factory=monotonic)
    """Since when it has been waited for."""
