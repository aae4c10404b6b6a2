"""What MLflow recorded of runs, for comparing them and for training again: a statement for each kind of thing."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import BindParameter, and_, bindparam, select

from lineage_api.store import convert, tables
from lineage_api.store.database import Snapshot
from lineage_api.store.functions import as_array, one_of
from lineage_api.store.statements import Prepared

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


_IDS: BindParameter[str] = bindparam("run_ids", None)
_r, _p, _m, _t = tables.runs.c, tables.params.c, tables.latest_metrics.c, tables.tags.c
_i, _d, _part = tables.inputs.c, tables.datasets.c, tables.input_tags.c
_is_part = and_(_part.input_uuid == _i.input_uuid, _part.name == "mlflow.data.context")

_RUNS = Prepared(
    select(_r.run_uuid, _r.name, _r.start_time, _r.end_time, _r.artifact_uri, _r.lifecycle_stage).where(
        one_of(_r.run_uuid, _IDS)
    )
)
_ROWS = {
    PARAMS: Prepared(select(_p.run_uuid, _p.key, _p.value).where(one_of(_p.run_uuid, _IDS))),
    METRICS: Prepared(select(_m.run_uuid, _m.key, _m.value, _m.is_nan).where(one_of(_m.run_uuid, _IDS))),
    TAGS: Prepared(select(_t.run_uuid, _t.key, _t.value).where(one_of(_t.run_uuid, _IDS))),
    DATASETS: Prepared(
        select(_i.destination_id, _d.name, _d.digest, _part.value, _d.dataset_source_type, _d.dataset_source)
        .select_from(
            tables.inputs.join(tables.datasets, _d.dataset_uuid == _i.source_id).outerjoin(tables.input_tags, _is_part)
        )
        .where(
            _i.destination_type == "RUN",
            one_of(_i.destination_id, _IDS),
            # As an expression, or SQLite takes the index that begins with the type for the better one.
            (_i.source_type + "") == "DATASET",
        )
        .order_by(_i.destination_id, _d.name, _d.digest)
    ),
}


async def recorded_runs(
    reader: Snapshot, run_ids: Collection[str], parts: Collection[str] = EVERYTHING
) -> dict[str, RecordedRun]:
    """What was recorded of these runs, by their IDs; those that are not there are left out."""
    if not run_ids:
        return {}
    wanted = as_array(sorted(set(run_ids)))
    found = {
        id_: RecordedRun(id_, name or id_, start, end, convert.text(uri), convert.in_trash(stage))
        for id_, name, start, end, uri, stage in await reader.read(_RUNS, run_ids=wanted)
    }
    for part in sorted(parts):
        for id_, *row in await reader.read(_ROWS[part], run_ids=wanted):
            # MLflow's links outlive the runs that its gc removes.
            if id_ in found:
                _ADD[part](found[id_], *row)
    return found


def _add_param(run: RecordedRun, key: str, value: str) -> None:
    run.params[key] = value


def _add_metric(run: RecordedRun, key: str, value: float | None, is_nan: object) -> None:
    run.metrics[key] = convert.number_text(value, is_nan)


def _add_tag(run: RecordedRun, key: str, value: str | None) -> None:
    run.tags[key] = convert.written(value)


def _add_dataset(run: RecordedRun, name: str, digest: str, context: str | None, *source: str) -> None:
    run.datasets.append(Dataset(name, digest, convert.text(context), *source))


_ADD: Mapping[str, Callable[..., None]] = {
    PARAMS: _add_param,
    METRICS: _add_metric,
    TAGS: _add_tag,
    DATASETS: _add_dataset,
}
