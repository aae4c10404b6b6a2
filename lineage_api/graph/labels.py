"""What people call the nodes of the lineage."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Text, cast

from lineage_api.engine.forms import form, literal
from lineage_api.engine.levels import Column


def _of_dataset(name: str, digest: str) -> str:
    return f"{name} ({digest})"


@form(_of_dataset)
def _dataset_form(name: ColumnElement[str], digest: ColumnElement[str]) -> ColumnElement[Any]:
    return name + literal(" (") + digest + literal(")")


def _of_version(name: str, version: int) -> str:
    return f"{name} v{version}"


@form(_of_version)
def _version_form(name: ColumnElement[str], version: ColumnElement[int]) -> ColumnElement[Any]:
    return name + literal(" v") + cast(version, Text)


LABELS: Mapping[str, Column] = {
    "Dataset": Column("name", "digest", convert=_of_dataset),
    "Run": Column("display_name"),
    "LoggedModel": Column("name"),
    "ModelVersion": Column("name", "version", convert=_of_version),
}
"""The field `label` of each type of LineageNode."""
