"""The schema."""

from functools import cache
from typing import Any

import strawberry
from graphql import GraphQLScalarType, GraphQLSchema

from lineage_api.api.costs import bounded
from lineage_api.api.mutation import Mutation
from lineage_api.api.query import Query
from lineage_api.api.subscription import Subscription
from lineage_api.api.user_errors import ERRORS
from lineage_api.engine.leaves import KINDS
from lineage_api.engine.schema import columnar
from lineage_api.graph import forms  # noqa: F401 - which PostgreSQL writes its answers by
from lineage_api.graph.dataset import Dataset
from lineage_api.graph.event import RegistryEvent
from lineage_api.graph.experiment import Experiment
from lineage_api.graph.logged_model import LoggedModel
from lineage_api.graph.model_version import ModelVersion
from lineage_api.graph.registered_model import RegisteredModel
from lineage_api.graph.run import Run
from lineage_api.graph.scalars import CONFIG, OWN_FORM
from lineage_api.graph.webhook import Webhook, WebhookDelivery

NODES: list[Any] = [
    Dataset,
    Experiment,
    LoggedModel,
    ModelVersion,
    RegisteredModel,
    RegistryEvent,
    Run,
    Webhook,
    WebhookDelivery,
]
"""The types of `node`, to which no field needs to lead."""


@cache
def declared(*, read_only: bool = False) -> strawberry.Schema:
    """The schema as it is declared; without mutations where nothing is to be changed."""
    mutation, types = (None, NODES) if read_only else (Mutation, [*NODES, *ERRORS])
    return strawberry.Schema(Query, mutation, Subscription, types=types, config=CONFIG)


@cache
def executable(*, read_only: bool = False) -> GraphQLSchema:
    """The schema as it is executed."""
    schema = bounded(columnar(declared(read_only=read_only)))
    for name, kinds in OWN_FORM.items():
        scalar = schema.type_map[name]
        assert isinstance(scalar, GraphQLScalarType)
        scalar.extensions[KINDS] = kinds
    return schema


def sdl() -> str:
    """The schema in GraphQL's schema definition language."""
    return declared().as_str() + "\n"
