"""What people call the nodes of the lineage."""

from collections.abc import Mapping

from lineage_api.engine.levels import Column


def _of_dataset(name: str, digest: str) -> str:
    return f"{name} ({digest})"


def _of_version(name: str, version: int) -> str:
    return f"{name} v{version}"


LABELS: Mapping[str, Column] = {
    "Dataset": Column("name", "digest", convert=_of_dataset),
    "Run": Column("display_name"),
    "LoggedModel": Column("name"),
    "ModelVersion": Column("name", "version", convert=_of_version),
}
"""The field `label` of each type of LineageNode."""
