"""Datasets."""

from dataclasses import replace
from typing import Any

import strawberry
from sqlalchemy import Select

from lineage_api.engine.nouns import Connection, arrow, column, noun, resolved
from lineage_api.engine.sql import KeysFirst
from lineage_api.graph.abilities import LineageNode, Node, lineage_arguments
from lineage_api.graph.came_of import PLACE, VERSIONS, CameOf
from lineage_api.graph.identity import identity
from lineage_api.graph.labels import LABELS
from lineage_api.graph.lineage import Lineages
from lineage_api.graph.nouns import Experiment, LineageGraph, ModelVersion, Run
from lineage_api.graph.rows import DATASETS, EXPERIMENTS, NEWEST_RUNS, NEWEST_VERSIONS, READ_DATASETS, RUNS_IN_USE
from lineage_api.graph.run import Part
from lineage_api.graph.scalars import JSON
from lineage_api.graph.version_filter import narrow_versions
from lineage_api.store import convert, tables

_links = KeysFirst(tables.datasets, READ_DATASETS, READ_DATASETS.c.source_id == tables.datasets.c.dataset_uuid)
_readers = (
    # From the datasets on, of which there are few: SQLite, lacking statistics, would begin with all links to runs.
    replace(
        RUNS_IN_USE, source=KeysFirst(_links, tables.runs, tables.runs.c.run_uuid == READ_DATASETS.c.destination_id)
    )
    .through(
        tables.input_tags,
        (tables.input_tags.c.input_uuid == READ_DATASETS.c.input_uuid)
        & (tables.input_tags.c.name == "mlflow.data.context"),
        is_outer=True,
    )
    .where(READ_DATASETS.c.source_type == "DATASET", READ_DATASETS.c.destination_type == "RUN")
)
_experiments = EXPERIMENTS.through(
    tables.datasets, tables.datasets.c.experiment_id == tables.experiments.c.experiment_id
).where(tables.experiments.c.lifecycle_stage == "active")


def _in_part(rows: Select[Any], context: Part | None = None) -> Select[Any]:
    return rows if context is None else rows.where(tables.input_tags.c.value == context)


@noun
class Dataset(LineageNode, Node):
    """Data that runs have read, known by its name and digest; the same data read in two experiments is one dataset."""

    id: strawberry.ID = identity("Dataset", DATASETS.c.name, DATASETS.c.digest)
    """Opaque ID, unique in the whole graph."""
    label: str = resolved(LABELS["Dataset"])
    """What a person calls it: its name and digest."""
    name: str = column(DATASETS.c.name)
    """Its name."""
    digest: str = column(DATASETS.c.digest)
    """The fingerprint of its content."""
    source_type: str = column(DATASETS.c.source_type)
    """What kind of place it came from, such as `local` or `s3`."""
    source: JSON = column(DATASETS.c.source, convert=convert.stated_document)
    """Where it came from, as MLflow recorded it."""
    schema: JSON | None = column(DATASETS.c.columns, convert=convert.document)
    """Its columns, as MLflow recorded them; null when they were not."""
    profile: JSON | None = column(DATASETS.c.profile, convert=convert.document)
    """Its figures, such as the number of rows, as MLflow recorded them; null when they were not."""
    experiments: Connection[Experiment] = arrow(
        _experiments,
        of=[DATASETS.c.name, DATASETS.c.digest],
        to=[tables.datasets.c.name, tables.datasets.c.digest],
        order=[tables.experiments.c.name, tables.experiments.c.experiment_id],
    )
    """The experiments whose runs read it, by name."""
    runs: Connection[Run] = arrow(
        _readers,
        of=[DATASETS.c.name, DATASETS.c.digest],
        to=[tables.datasets.c.name, tables.datasets.c.digest],
        order=NEWEST_RUNS,
        narrow=_in_part,
    )
    """The runs that read it, newest first."""
    model_versions: Connection[ModelVersion] = arrow(
        VERSIONS,
        of=[DATASETS.c.name, DATASETS.c.digest],
        to=PLACE,
        order=NEWEST_VERSIONS,
        narrow=narrow_versions,
        page=CameOf,
    )
    """Every model version that came of it at any remove: through the runs that read it and the runs those started,
    the models they logged, and copies; newest first."""
    lineage: LineageGraph = resolved(Lineages("Dataset", DATASETS.c.name, DATASETS.c.digest), lineage_arguments)
    """What it came from and what came of it."""
