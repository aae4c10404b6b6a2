"""What MLflow recorded of runs, for comparing them and for training again: a statement for each kind of thing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from lineage_api.store import convert, tables
from lineage_api.store.database import Snapshot
from lineage_api.store.functions import one_of

CODE_TAGS = {
    "entry_point": "mlflow.source.name",
    "repo_url": "mlflow.source.git.repoURL",
    "commit": "mlflow.source.git.commit",
    "branch": "mlflow.source.git.branch",
    "dirty": "mlflow.source.git.dirty",
}
"""In which tags MLflow writes what code a run ran."""

PARAMS, METRICS, TAGS, DATASETS = "params", "metrics", "tags", "datasets"
EVERYTHING = frozenset({PARAMS, METRICS, TAGS, DATASETS})
"""The kinds of things that can be read of a run, beside its own row."""


@dataclass(frozen=True, slots=True)
class Code:
    """The code that a run ran; None is what was not recorded."""

    entry_point: str | None = None
    repo_url: str | None = None
    commit: str | None = None
    branch: str | None = None
    is_dirty: bool | None = None

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> "Code":
        """What the tags of a run say of its code."""
        said = {name: convert.text(tags.get(key)) for name, key in CODE_TAGS.items()}
        return cls(**{name: said[name] for name in said if name != "dirty"}, is_dirty=convert.truth(said["dirty"]))

    def __bool__(self) -> bool:
        """Whether anything at all was recorded."""
        return self != _NO_CODE


_NO_CODE = Code()


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset that a run read."""

    name: str
    digest: str
    context: str | None
    """The part that it played, such as `training`; None when that was not said."""
    source_type: str
    source: str
    """As MLflow recorded it: as a rule a JSON document."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """What MLflow recorded of a run; empty are also those kinds that were not asked for."""

    run_id: str
    name: str
    started_at: int | None
    """In milliseconds since 1970; None when MLflow was never told."""
    ended_at: int | None
    artifact_uri: str | None
    is_deleted: bool
    """Whether it is in the trash."""
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    """The last value of each, in writing: `NaN`, `Infinity` and `-Infinity` among others."""
    tags: dict[str, str] = field(default_factory=dict)
    """Those that MLflow keeps for itself among them."""
    datasets: list[Dataset] = field(default_factory=list)
    """By name and digest."""

    @property
    def code(self) -> Code:
        """The code that it ran, going by its tags."""
        return Code.of(self.tags)

    @property
    def duration(self) -> float | None:
        """How long it took, in seconds; None while it runs."""
        return convert.seconds_between(self.started_at, self.ended_at)


async def recorded_runs(
    reader: Snapshot, run_ids: Collection[str], parts: Collection[str] = EVERYTHING
) -> dict[str, RecordedRun]:
    """What was recorded of these runs, by their IDs; those that are not there are left out."""
    wanted = sorted(set(run_ids))
    if not wanted:
        return {}
    r = tables.runs.c
    columns = (r.run_uuid, r.name, r.start_time, r.end_time, r.artifact_uri, r.lifecycle_stage)
    found = {
        id_: RecordedRun(id_, name or id_, start, end, convert.text(uri), convert.in_trash(stage))
        for id_, name, start, end, uri, stage in await reader.read(select(*columns).where(one_of(r.run_uuid, wanted)))
    }
    for part in sorted(parts):
        # Links to runs may outlive them.
        await _READ[part](reader, sorted(found), found)
    return found


async def _read_params(reader: Snapshot, run_ids: Sequence[str], found: Mapping[str, RecordedRun]) -> None:
    p = tables.params.c
    for id_, key, value in await reader.read(select(p.run_uuid, p.key, p.value).where(one_of(p.run_uuid, run_ids))):
        found[id_].params[key] = value


async def _read_metrics(reader: Snapshot, run_ids: Sequence[str], found: Mapping[str, RecordedRun]) -> None:
    m = tables.latest_metrics.c
    rows = select(m.run_uuid, m.key, m.value, m.is_nan).where(one_of(m.run_uuid, run_ids))
    for id_, key, value, is_nan in await reader.read(rows):
        found[id_].metrics[key] = convert.number_text(value, is_nan)


async def _read_tags(reader: Snapshot, run_ids: Sequence[str], found: Mapping[str, RecordedRun]) -> None:
    t = tables.tags.c
    for id_, key, value in await reader.read(select(t.run_uuid, t.key, t.value).where(one_of(t.run_uuid, run_ids))):
        found[id_].tags[key] = convert.written(value)


async def _read_datasets(reader: Snapshot, run_ids: Sequence[str], found: Mapping[str, RecordedRun]) -> None:
    i, d, t = tables.inputs.c, tables.datasets.c, tables.input_tags.c
    rows = (
        select(i.destination_id, d.name, d.digest, t.value, d.dataset_source_type, d.dataset_source)
        .select_from(
            tables.inputs.join(tables.datasets, d.dataset_uuid == i.source_id).outerjoin(
                tables.input_tags, (t.input_uuid == i.input_uuid) & (t.name == "mlflow.data.context")
            )
        )
        .where(
            i.destination_type == "RUN",
            one_of(i.destination_id, run_ids),
            # As an expression, or SQLite takes the index that begins with the type for the better one.
            (i.source_type + "") == "DATASET",
        )
        .order_by(i.destination_id, d.name, d.digest)
    )
    for id_, name, digest, context, source_type, source in await reader.read(rows):
        found[id_].datasets.append(Dataset(name, digest, convert.text(context), source_type, source))


_READ = {PARAMS: _read_params, METRICS: _read_metrics, TAGS: _read_tags, DATASETS: _read_datasets}
