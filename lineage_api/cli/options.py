"""Options that several commands have."""

import click

from lineage_api.config import Settings
from lineage_api.errors import Unsuitable

STORE = click.option(
    "--backend-store-uri",
    default=Settings.backend_store_uri,
    envvar=["LINEAGE_API_BACKEND_STORE_URI", "MLFLOW_BACKEND_STORE_URI"],
    show_default=True,
    help="The database of the MLflow store.",
)

EVENT_KINDS = (
    *("MODEL_CREATED", "MODEL_RENAMED", "MODEL_DELETED", "VERSION_REGISTERED", "VERSION_DELETED", "VERSION_RESTORED"),
    *("STAGE_CHANGED", "ALIAS_SET", "ALIAS_REMOVED", "TAG_SET", "TAG_REMOVED", "DESCRIPTION_CHANGED"),
)
"""What can happen in the registry, as the API calls it: to load its enum takes long."""

KINDS = click.option(
    "--kinds", multiple=True, help="Only events of this kind, such as STAGE_CHANGED; repeatable, or with commas."
)
MODELS = click.option("--model", "models", multiple=True, help="Only events of this registered model; repeatable.")
TO_STAGES = click.option(
    "--to-stage",
    "to_stages",
    multiple=True,
    type=click.Choice(["NONE", "STAGING", "PRODUCTION", "ARCHIVED"], case_sensitive=False),
    help="Only events by which a version enters this stage; repeatable.",
)


def wanted(kinds: tuple[str, ...], models: tuple[str, ...], to_stages: tuple[str, ...]) -> dict[str, list[str] | None]:
    """Filters as the API takes them; kinds may also stand in one text, with commas between them.

    Raises Unsuitable for a kind that there is not.
    """
    each = [kind.strip().upper() for part in kinds for kind in part.split(",") if kind.strip()]
    for kind in each:
        if kind not in EVENT_KINDS:
            raise Unsuitable(f"{kind!r} is no kind of event; there are {', '.join(EVENT_KINDS)}")
    return {"kinds": each or None, "models": list(models) or None, "toStages": list(to_stages) or None}
