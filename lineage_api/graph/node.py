"""Objects of any type, by their IDs."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, column

from lineage_api.access.roles import Action, Role, may
from lineage_api.engine.arrows import One
from lineage_api.engine.levels import Call, Level, Lookahead
from lineage_api.engine.sql import Rows
from lineage_api.engine.steps import Steps, together
from lineage_api.engine.tables import Grouped, Mixed, Picked, Table
from lineage_api.graph import identity
from lineage_api.graph.rows import (
    DATASETS,
    DELIVERIES,
    EVENTS,
    EXPERIMENTS,
    LOGGED_MODELS,
    MODEL_VERSIONS_EVER,
    REGISTERED_MODELS,
    RUNS,
    WEBHOOKS,
)
from lineage_api.store import origins, tables

NODES: Mapping[str, tuple[Rows, Sequence[ColumnElement[Any]]]] = {
    "Experiment": (EXPERIMENTS, [EXPERIMENTS.c.experiment_id]),
    "Run": (RUNS, [RUNS.c.run_uuid]),
    "Dataset": (DATASETS, [DATASETS.c.name, DATASETS.c.digest]),
    "LoggedModel": (LOGGED_MODELS, [LOGGED_MODELS.c.model_id]),
    "RegisteredModel": (REGISTERED_MODELS, [REGISTERED_MODELS.c.name]),
    # A version that has been deleted is still there for who knows its ID.
    "ModelVersion": (
        MODEL_VERSIONS_EVER.where(~origins.is_prompt(tables.model_versions.c.name)),
        [MODEL_VERSIONS_EVER.c.name, MODEL_VERSIONS_EVER.c.version],
    ),
    "RegistryEvent": (EVENTS, [EVENTS.c.id]),
    "Webhook": (WEBHOOKS, [WEBHOOKS.c.id]),
    "WebhookDelivery": (DELIVERIES, [DELIVERIES.c.id]),
}
"""Each type of Node: its rows, and the columns that an ID names it by."""

_TAKES = {"Webhook": Action.LOOK_AFTER_WEBHOOKS, "WebhookDelivery": Action.LOOK_AFTER_WEBHOOKS}
"""What there is to do with objects of a type that not everybody may read."""


class OfType:
    """What is selected on one type below a field of several."""

    def __init__(self, below: Lookahead, type_name: str) -> None:
        self._below = below
        self._type_name = type_name

    def columns(self, type_name: str | None = None) -> frozenset[str] | None:  # noqa: ARG002
        return self._below.columns(self._type_name)

    def below(self, field: str) -> Lookahead:
        return self._below.below(field)

    def selects(self, field: str) -> bool:
        return self._below.selects(field)


class ByID(Level):
    """The object that an ID names, or those that a list of IDs names; null for what is no ID of an object."""

    def __init__(self, *, is_list: bool) -> None:
        self._is_list = is_list

    def resolve(self, call: Call) -> Steps[Any]:
        ids: Sequence[str] = call.arguments["ids"] if self._is_list else [call.arguments["id"]]
        role = call.context.caller.role
        found = yield from objects(call, [_named_object(id_, role) for id_ in ids], call.below)
        return Grouped(found, [len(ids)]) if self._is_list else found


class Objects(Level):
    """The objects whose types and keys stand in a column of the parents, one for each, or as lists."""

    def __init__(self, name: str, *, is_list: bool = False) -> None:
        self.needs = (name,)
        self._is_list = is_list

    def resolve(self, call: Call) -> Steps[Any]:
        [name] = self.needs
        column = call.column(name)
        if not self._is_list:
            return (yield from objects(call, column, call.below))
        found = yield from objects(call, [each for part in column for each in part], call.below)
        return Grouped(found, list(map(len, column)))


Named = tuple[str, Sequence[Any]]
"""The type of an object, and its key."""

_ARROWS = {
    name: One(rows, of=[column(f"key_{i}") for i in range(len(key))], to=key) for name, (rows, key) in NODES.items()
}


def objects(call: Call, named: Sequence[Named | None], below: Lookahead) -> Steps[Mixed]:
    """What is at these types and keys, each in its place: a statement for each type."""
    names = sorted({there[0] for there in named if there})
    keys = {name: [there[1] for there in named if there and there[0] == name] for name in names}
    found: list[Picked] = yield from together([_found(name, keys[name], call, below) for name in names])
    parts = dict(zip(names, found, strict=True))
    taken = {name: iter(part.indices) for name, part in parts.items()}
    places = [_place(there[0], next(taken[there[0]])) if there else None for there in named]
    return Mixed({name: part.rows for name, part in parts.items()}, places)


def _found(name: str, keys: Sequence[Sequence[Any]], call: Call, below: Lookahead) -> Steps[Picked]:
    columns = zip(*keys, strict=True)
    parents = Table({f"key_{i}": column for i, column in enumerate(columns)}, len(keys))
    memo = call.memo.setdefault(name, {})
    return _ARROWS[name].resolve(Call(parents, {}, call.context, OfType(below, name), memo))


def _place(name: str, index: Any) -> tuple[str, int] | None:
    return None if index is None else (name, index)


def _named_object(id_: str, role: Role) -> Named | None:
    """What an ID names; None where it names nothing, or what is not shown to who has a role."""
    found = identity.decoded(id_)
    if found is None or found[0] not in NODES or not may(role, _TAKES.get(found[0], Action.READ)):
        return None
    return found if identity.is_key(found[1], NODES[found[0]][1]) else None
