"""What several nouns can do."""

from collections.abc import Callable
from typing import Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Select

from lineage_api.engine.nouns import interface, resolved
from lineage_api.graph.values import Tag

Keys = Annotated[list[str], strawberry.argument(description="Only these keys.")]
IncludeSystem = Annotated[bool, strawberry.argument(description="Also the keys that MLflow keeps for itself.")]


def of_keys(key: ColumnElement[str]) -> Callable[..., Select[Any]]:
    """Narrows rows to some keys."""

    def narrow(rows: Select[Any], keys: Keys | None = None) -> Select[Any]:
        return rows if keys is None else rows.where(key.in_(keys))

    return narrow


def tagged(key: ColumnElement[str]) -> Callable[..., Select[Any]]:
    """Narrows tags to some keys, and to those that people and tools set."""

    def narrow(rows: Select[Any], keys: Keys | None = None, include_system: IncludeSystem = False) -> Select[Any]:
        if keys is not None:
            rows = rows.where(key.in_(keys))
        return rows if include_system else rows.where(~key.startswith("mlflow."))

    return narrow


def _tags(keys: Keys | None = None, include_system: IncludeSystem = False) -> None:
    """The arguments of `tags`."""


@interface
class Node:
    """An object that can be fetched again by its ID."""

    id: strawberry.ID
    """Opaque ID, unique in the whole graph."""


@interface
class Taggable(Node):
    """An object that people and tools put tags on."""

    id: strawberry.ID
    """Opaque ID, unique in the whole graph."""
    tags: list[Tag] = resolved(None, _tags)
    """Its tags, by key. Keys that start with `mlflow.` are left out unless asked for."""


@interface
class LineageNode(Node):
    """A step on the way from data to a served model: a dataset, a run, a logged model or a model version."""

    id: strawberry.ID
    """Opaque ID, unique in the whole graph."""
    label: str
    """What a person calls it, such as `nyc-taxi-regressor v2`."""
