"""Experiments."""

from datetime import datetime

import strawberry

from lineage_api.engine.nouns import Connection, arrow, column, noun, resolved
from lineage_api.graph.abilities import Node, Taggable, tagged
from lineage_api.graph.identity import identity
from lineage_api.graph.nouns import Dataset, LoggedModel, Run
from lineage_api.graph.rows import DATASETS, EXPERIMENT_TAGS, EXPERIMENTS, LOGGED_MODELS, NEWEST_MODELS, RUNS
from lineage_api.graph.run_filter import narrow_runs, run_order
from lineage_api.graph.tradeoff import Tradeoff, Weighing, weighing
from lineage_api.graph.values import Tag
from lineage_api.store import convert


@noun
class Experiment(Taggable, Node):
    """A set of runs that try to solve the same problem."""

    id: strawberry.ID = identity("Experiment", EXPERIMENTS.c.experiment_id)
    """Opaque ID, unique in the whole graph."""
    experiment_id: str = column(EXPERIMENTS.c.experiment_id, convert=str)
    """MLflow's own ID."""
    name: str = column(EXPERIMENTS.c.name)
    """Its name."""
    artifact_location: str | None = column(EXPERIMENTS.c.artifact_location, convert=convert.text)
    """Where new runs keep their files."""
    is_deleted: bool = column(EXPERIMENTS.c.lifecycle_stage, convert=convert.in_trash)
    """Whether it is in the trash."""
    created_at: datetime | None = column(EXPERIMENTS.c.creation_time, convert=convert.moment)
    """When it was made; null when MLflow never wrote it down."""
    updated_at: datetime | None = column(EXPERIMENTS.c.last_update_time, convert=convert.moment)
    """When it last changed; null when MLflow never wrote it down."""
    tags: list[Tag] = arrow(
        EXPERIMENT_TAGS,
        of=EXPERIMENTS.c.experiment_id,
        to=EXPERIMENT_TAGS.c.experiment_id,
        order=[EXPERIMENT_TAGS.c.key],
        narrow=tagged(EXPERIMENT_TAGS.c.key),
    )
    """Its tags, by key. Keys that start with `mlflow.` are left out unless asked for."""
    runs: Connection[Run] = arrow(
        RUNS, of=EXPERIMENTS.c.experiment_id, to=RUNS.c.experiment_id, order=run_order, narrow=narrow_runs
    )
    """Its runs, by default the newest first."""
    logged_models: Connection[LoggedModel] = arrow(
        LOGGED_MODELS, of=EXPERIMENTS.c.experiment_id, to=LOGGED_MODELS.c.experiment_id, order=NEWEST_MODELS
    )
    """The models that its runs logged, newest first."""
    datasets: Connection[Dataset] = arrow(
        DATASETS,
        of=EXPERIMENTS.c.experiment_id,
        to=DATASETS.c.experiment_id,
        order=[DATASETS.c.name, DATASETS.c.digest],
    )
    """The datasets that its runs read."""
    tradeoff: Tradeoff = resolved(Weighing(), weighing)
    """Its candidates weighed against each other: score against duration against size."""
