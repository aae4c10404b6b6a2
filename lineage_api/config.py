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
    tokens: str | None = None
    """The file of the tokens by which callers are known, as `lineage-api token create` makes it."""
    insecure_no_auth: bool = False
    """Whether everybody who reaches the server may do everything, from other machines too."""
    trusted_proxies: str | None = None
    """The networks of proxies that say who asks, such as `10.1.0.0/16,127.0.0.1/32`."""
    trusted_proxy_header: str | None = None
    """The header in which they say the caller's name, such as `X-Forwarded-User`."""
    trusted_proxy_role_header: str | None = None
    """The header in which they say the caller's role."""
    trusted_proxy_role: str = "reader"
    """The role of callers of whom no such header says it: `reader`, `editor` or `manager`."""
    allowed_hosts: str | None = _also(None, "MLFLOW_SERVER_ALLOWED_HOSTS")
    """Further names of the server, such as `lineage.example.com`, with commas; patterns are refused."""
    cors_allowed_origins: str | None = _also(None, "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS")
    """Other origins whose pages may ask, such as `https://app.example.com`, with commas; patterns are refused."""
    max_body_bytes: int = 2**20
    """How long the body of a request may be."""
    max_document_bytes: int = 100_000
    """How long a GraphQL document may be."""
    max_document_tokens: int = 2_000
    """How many tokens a GraphQL document may have, comments apart."""
    max_comments: int = 200
    """How many comments a document may have."""
    max_operations: int = 20
    """How many operations a document may have."""
    max_variables: int = 50
    """How many variables an operation may declare."""
    max_list_items: int = 100
    """How many items a list in an argument or a variable may have."""
    max_input_objects: int = 200
    """How many objects, such as filters and their conditions, the arguments of an operation may have; SQL each."""
    max_input_depth: int = 10
    """How deep such objects may stand in each other."""
    max_depth: int = 15
    """How deep fields may stand below each other; the usual introspection query needs 15."""
    max_root_fields: int = 20
    """How many fields an operation may select at its root."""
    max_aliases: int = 30
    """How many fields with an alias an operation may select, as often as fragments repeat them."""
    max_fields: int = 2_000
    """How many fields an operation may select, as often as fragments repeat them."""
    max_directives: int = 50
    """How many directives an operation may have, as often as fragments repeat them."""
    max_cost: int = 10_000
    """How many objects an operation may ask for, pages within pages multiplied; each takes 2 to 5 microseconds."""
    max_rows: int = 100_000
    """How many values the lists without pages in an answer may have in all."""
    trusted_documents: str | None = None
    """A manifest of documents that frontends send by their IDs, as Relay, graphql-codegen and Apollo write it."""
    only_trusted: bool = False
    """Whether nothing but those documents is answered."""
    allow_introspection: bool = False
    """Whether the schema may be asked for all the same, as GraphiQL does."""
    max_page: int = 100
    """How many items a page may have, where the schema does not say otherwise."""
    time_limit_s: float = 10.0
    """How long an operation may take, its SQL included, once it runs; and how long it may wait until then."""
    max_running: int = 16
    """How many queries run at once; changes and answers on events have half as many, slow queries a quarter."""
    max_waiting: int = 256
    """How many queries, and how many changes, may wait for a place; others are refused at once."""
    max_answer_bytes: int = 10 * 2**20
    """How long an answer may be, before it is compressed."""
    max_websockets: int = 5_000
    """How many WebSockets may be open at the same time."""
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
