"""Options that several commands have."""

import click

from lineage_api.config import Settings

STORE = click.option(
    "--backend-store-uri",
    default=Settings.backend_store_uri,
    envvar=["LINEAGE_API_BACKEND_STORE_URI", "MLFLOW_BACKEND_STORE_URI"],
    show_default=True,
    help="The database of the MLflow store.",
)


KINDS = click.option("--kinds", multiple=True, help="Only events of this kind, such as STAGE_CHANGED; repeatable.")
MODELS = click.option("--model", "models", multiple=True, help="Only events of this registered model; repeatable.")
TO_STAGES = click.option(
    "--to-stage",
    "to_stages",
    multiple=True,
    type=click.Choice(["NONE", "STAGING", "PRODUCTION", "ARCHIVED"], case_sensitive=False),
    help="Only events by which a version enters this stage; repeatable.",
)


def wanted(kinds: tuple[str, ...], models: tuple[str, ...], to_stages: tuple[str, ...]) -> dict[str, list[str] | None]:
    """Filters as the API takes them; kinds may also stand in one text, with commas between them."""
    each = [kind.strip().upper() for part in kinds for kind in part.split(",") if kind.strip()]
    return {"kinds": each or None, "models": list(models) or None, "toStages": list(to_stages) or None}
