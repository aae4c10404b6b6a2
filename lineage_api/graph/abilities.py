"""What several nouns can do."""

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Select

from lineage_api.engine.nouns import interface, resolved
from lineage_api.graph.nouns import LineageGraph
from lineage_api.graph.values import Tag

MOST_NODES = 1_000
DEEPEST = 20

Keys = Annotated[list[str], strawberry.argument(description="Only these keys.")]
IncludeSystem = Annotated[bool, strawberry.argument(description="Also the keys that MLflow keeps for itself.")]


@strawberry.enum(description="Which way to walk the lineage.")
class LineageDirection(Enum):
    UPSTREAM = strawberry.enum_value("UPSTREAM", description="Towards the data and the code.")
    DOWNSTREAM = strawberry.enum_value("DOWNSTREAM", description="Towards what is served.")
    BOTH = strawberry.enum_value("BOTH", description="Both ways: what it came from, and what came of it.")


Direction = Annotated[LineageDirection, strawberry.argument(description="Which way to walk from here.")]
Depth = Annotated[int, strawberry.argument(description=f"How many links to walk at most, 1 to {DEEPEST}.")]
MaxNodes = Annotated[int, strawberry.argument(description=f"How many nodes to give at most, 1 to {MOST_NODES}.")]


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


def lineage_arguments(
    direction: Direction = LineageDirection.BOTH, depth: Depth = 5, max_nodes: MaxNodes = 200
) -> None:
    """The arguments of `lineage`."""


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
    lineage: LineageGraph = resolved(None, lineage_arguments)
    """What it came from and what came of it."""
