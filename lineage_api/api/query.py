"""What can be asked: the root fields."""

from typing import Annotated, Any

import strawberry
from sqlalchemy import Select, String, cast, func, select, tuple_

from lineage_api.api.limits import Limits, as_set
from lineage_api.engine.nouns import Connection, arrow, batch, noun, resolved
from lineage_api.engine.orders import By
from lineage_api.engine.sql import Bound
from lineage_api.graph.abilities import Node
from lineage_api.graph.comparison import (
    BetweenRuns,
    BetweenVersions,
    ModelVersionComparison,
    RunComparison,
    of_runs,
    of_versions,
)
from lineage_api.graph.conditions import only_one
from lineage_api.graph.event_filter import event_order, narrow_events
from lineage_api.graph.experiment_filter import experiment_order, narrow_experiments
from lineage_api.graph.node import ByID
from lineage_api.graph.nouns import (
    Dataset,
    Experiment,
    LoggedModel,
    ModelVersion,
    RegisteredModel,
    RegistryEvent,
    Run,
    Webhook,
)
from lineage_api.graph.registered_model import model_order, narrow_models
from lineage_api.graph.registry_at import AsOf, RegistrySnapshot, as_of
from lineage_api.graph.rows import (
    DATASETS,
    EVENTS,
    EXPERIMENTS,
    LOGGED_MODELS,
    MODEL_VERSIONS,
    NEWEST_MODELS,
    REGISTERED_MODELS,
    RUNS,
    WEBHOOKS,
)
from lineage_api.graph.run_filter import narrow_runs, run_order
from lineage_api.graph.version_filter import (
    ModelVersionRef,
    narrow_to_one,
    narrow_versions,
    order_of_all_versions,
    several_in_stage,
)
from lineage_api.graph.version_page import VersionPage
from lineage_api.graph.viewer import Asking, Viewer
from lineage_api.graph.webhook import WebhookPage
from lineage_api.store import tables

ID = Annotated[strawberry.ID, strawberry.argument(description="The ID of an object.")]
IDs = Annotated[list[strawberry.ID], strawberry.argument(description="The IDs of objects.")]
ExperimentID = Annotated[Bound[str], strawberry.argument(description="MLflow's own ID.")]
ExperimentName = Annotated[Bound[str], strawberry.argument(description="Its name.")]
RunID = Annotated[Bound[str], strawberry.argument(description="MLflow's own ID.")]
ModelID = Annotated[Bound[str], strawberry.argument(description="MLflow's own ID.")]
Name = Annotated[Bound[str], strawberry.argument(description="Only those of this name.")]
Digest = Annotated[Bound[str], strawberry.argument(description="Only the one with this digest.")]
ModelName = Annotated[Bound[str], strawberry.argument(description="Its name.")]
Ref = Annotated[ModelVersionRef, strawberry.argument(description="Which version.")]


def _node(id: ID) -> None:
    """The arguments of `node`."""


def _nodes(ids: IDs) -> None:
    """The arguments of `nodes`."""


def _one_experiment(
    rows: Select[Any], experiment_id: ExperimentID | None = None, name: ExperimentName | None = None
) -> Select[Any]:
    only_one(["experimentId", "name"], [experiment_id, name])
    if experiment_id is not None:
        return rows.where(cast(EXPERIMENTS.c.experiment_id, String) == experiment_id)
    return rows.where(EXPERIMENTS.c.name == name)


def _one_run(rows: Select[Any], run_id: RunID) -> Select[Any]:
    return rows.where(RUNS.c.run_uuid == run_id)


def _one_logged_model(rows: Select[Any], model_id: ModelID) -> Select[Any]:
    return rows.where(LOGGED_MODELS.c.model_id == model_id)


def _models_named(rows: Select[Any], name: Name | None = None) -> Select[Any]:
    return rows if name is None else rows.where(LOGGED_MODELS.c.name == name)


def _datasets_named(rows: Select[Any], name: Name | None = None, digest: Digest | None = None) -> Select[Any]:
    each = tables.datasets.alias()
    once = select(each.c.name, each.c.digest, func.min(each.c.experiment_id)).group_by(each.c.name, each.c.digest)
    if name is not None:
        rows, once = rows.where(DATASETS.c.name == name), once.where(each.c.name == name)
    if digest is not None:
        rows, once = rows.where(DATASETS.c.digest == digest), once.where(each.c.digest == digest)
    return rows.where(tuple_(DATASETS.c.name, DATASETS.c.digest, DATASETS.c.experiment_id).in_(once))


def _one_registered_model(rows: Select[Any], name: ModelName) -> Select[Any]:
    return rows.where(REGISTERED_MODELS.c.name == name)


def _one_version(rows: Select[Any], ref: Ref) -> Select[Any]:
    only_one(["version", "stage", "alias"], [ref.version, ref.stage, ref.alias])
    return narrow_to_one(rows.where(MODEL_VERSIONS.c.name == ref.model), ref.version, ref.stage, ref.alias)


@noun
class Query:
    """What can be asked of an MLflow store."""

    node: Node | None = resolved(ByID(is_list=False), _node)
    """Any object by its ID; null when there is none."""
    nodes: list[Node | None] = resolved(ByID(is_list=True), _nodes)
    """Objects by their IDs, each in its place."""
    experiment: Experiment | None = arrow(EXPERIMENTS, narrow=_one_experiment)
    """An experiment, by exactly one of its ID and its name."""
    experiments: Connection[Experiment] = arrow(EXPERIMENTS, order=experiment_order, narrow=narrow_experiments)
    """Experiments, by default by name."""
    run: Run | None = arrow(RUNS, narrow=_one_run)
    """A run by MLflow's own ID."""
    runs: Connection[Run] = arrow(RUNS, order=run_order, narrow=narrow_runs)
    """Runs of every experiment."""
    datasets: Connection[Dataset] = arrow(
        DATASETS, order=[By(DATASETS.c.name), By(DATASETS.c.digest)], narrow=_datasets_named
    )
    """The datasets of a name, or the one with that digest."""
    logged_model: LoggedModel | None = arrow(LOGGED_MODELS, narrow=_one_logged_model)
    """A logged model by MLflow's own ID."""
    logged_models: Connection[LoggedModel] = arrow(LOGGED_MODELS, order=NEWEST_MODELS, narrow=_models_named)
    """Logged models of every experiment, newest first."""
    registered_model: RegisteredModel | None = arrow(REGISTERED_MODELS, narrow=_one_registered_model)
    """A registered model by its name."""
    registered_models: Connection[RegisteredModel] = arrow(REGISTERED_MODELS, order=model_order, narrow=narrow_models)
    """Registered models, by default by name."""
    model_version: ModelVersion | None = arrow(
        MODEL_VERSIONS, narrow=_one_version, ambiguous=(MODEL_VERSIONS.c.version, several_in_stage)
    )
    """One version of one registered model; null when there is none. A stage that holds more than one is an error that
    names them."""
    model_versions: Connection[ModelVersion] = arrow(
        MODEL_VERSIONS, order=order_of_all_versions, narrow=narrow_versions, page=VersionPage
    )
    """Versions of every registered model."""
    compare_model_versions: ModelVersionComparison = resolved(BetweenVersions(), of_versions)
    """What differs between two versions, of the same registered model or of two. A reference that names nothing is the
    error NOT_FOUND, a malformed one BAD_USER_INPUT."""
    compare_runs: RunComparison = resolved(BetweenRuns(), of_runs)
    """What differs between two runs, before anything is registered, by MLflow's own IDs. A run that is not there is the
    error NOT_FOUND."""
    registry_at: RegistrySnapshot = resolved(AsOf(), as_of)
    """The registry as it stood at a moment."""
    registry_events: Connection[RegistryEvent] = arrow(EVENTS, order=event_order, narrow=narrow_events)
    """What has happened in the registry, by default the newest first. Who polls asks for OLDEST_FIRST with
    `afterEvent`, the last event that was handled."""
    webhooks: Connection[Webhook] = arrow(WEBHOOKS, order=[By(WEBHOOKS.c.id)], page=WebhookPage)
    """Where events are sent, the oldest first. To those who are no MANAGER this is the error FORBIDDEN."""
    viewer: Viewer = resolved(Asking())
    """Who asks, and what they may do."""
    limits: Limits = batch(as_set, service=Limits)
    """What one request may ask for."""
