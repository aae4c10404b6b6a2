"""Settings: all that can be set, in one place, read once."""

from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, get_type_hints

from lineage_api import docstrings

PREFIX = "LINEAGE_API_"


def _also(default: Any, mlflow_variable: str) -> Any:
    """A setting that MLflow has too, under a variable of its own."""
    return field(default=default, metadata={"also": mlflow_variable})


@dataclass(frozen=True)
class Settings:
    """What can be set: each field by an option of `serve`, or by the variable LINEAGE_API_<FIELD>."""

    backend_store_uri: str = _also("sqlite:///mlflow.db", "MLFLOW_BACKEND_STORE_URI")
    """The database of the MLflow store, as MLflow's server takes it (sqlite:///… or postgresql://…)."""
    read_replica_backend_store_uri: str | None = _also(None, "MLFLOW_READ_REPLICA_BACKEND_STORE_URI")
    """A read-only copy of that database, which is read where no history is asked for."""
    registry_store_uri: str | None = _also(None, "MLFLOW_REGISTRY_STORE_URI")
    """The database of the model registry, which has to be the same one."""
    default_artifact_root: str | None = _also(None, "MLFLOW_DEFAULT_ARTIFACT_ROOT")
    """Where a store that is made new keeps the files of its runs."""
    artifacts_destination: str | None = _also(None, "MLFLOW_ARTIFACTS_DESTINATION")
    """Where MLflow's server keeps what it calls mlflow-artifacts:/…, so that it can be read here."""
    backend: str = "best"
    """How PostgreSQL is read: as `rows`, as `json` that it writes itself wherever it can, or as is `best`."""
    host: str = _also("127.0.0.1", "MLFLOW_HOST")
    """The address to listen on."""
    port: int = 8000
    """The port to listen on."""
    max_body_bytes: int = 2**20
    """How long the body of a request may be."""
    max_document_tokens: int = 2_000
    """How many tokens a GraphQL document may have."""
    max_page: int = 100
    """How many items a page may have, where the schema does not say otherwise."""
    artifact_time_limit_s: float = 2.0
    """How long a query waits for an artifact store."""
    webhook_networks: str | None = None
    """Private networks into which webhooks may be sent, such as `10.1.0.0/16,127.0.0.1/32`."""
    no_webhooks: bool = False
    """Whether it is left to others to send to webhooks what happens."""
    no_migrate: bool = False
    """Whether the tables and triggers of the history are left to `lineage-api db upgrade`."""
    read_only: bool = False
    """Whether nothing is changed: there are no mutations, and nothing is made in the database."""

    @property
    def may_send(self) -> bool:
        """Whether what happens is sent to webhooks, which notes how far they have come."""
        return not (self.no_webhooks or self.read_only)

    @property
    def may_make(self) -> bool:
        """Whether tables and triggers of ours may be made at the start."""
        return not (self.no_migrate or self.read_only)


@dataclass(frozen=True)
class Setting:
    """One field of Settings, as people see it."""

    name: str
    type: type
    default: Any
    help: str
    variables: tuple[str, ...]

    @property
    def option(self) -> str:
        """Its option on the command line."""
        return "--" + self.name.replace("_", "-")


def every_setting() -> list[Setting]:
    """All settings, in the order in which they stand above."""
    texts, hints = docstrings.of_attributes(Settings), get_type_hints(Settings)
    return [_setting(part, texts[part.name], hints[part.name]) for part in fields(Settings)]


def _setting(part: Field[Any], text: str, hint: Any) -> Setting:
    own = PREFIX + part.name.upper()
    also = part.metadata.get("also")
    default = None if part.default is MISSING else part.default
    kind = next((kind for kind in (bool, int, float) if hint is kind), str)
    return Setting(part.name, kind, default, text, (own, also) if also else (own,))
