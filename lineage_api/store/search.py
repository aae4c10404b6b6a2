"""MLflow's own search syntax, as conditions on runs.

MLflow parses it; what the parts mean in SQL is said here as MLflow says it, for runs of any experiment.
"""

import operator
from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Double, Select, and_, literal, or_, select

from lineage_api.errors import Unreadable
from lineage_api.store import tables
from lineage_api.store.functions import there_are
from lineage_api.store.imports import importing

_runs = tables.runs.c
_KEYED = {"metric": tables.latest_metrics, "parameter": tables.params, "tag": tables.tags}
_ATTRIBUTES = {
    "run_id": _runs.run_uuid,
    "status": _runs.status,
    "artifact_uri": _runs.artifact_uri,
    "user_id": _runs.user_id,
    "start_time": _runs.start_time,
    "end_time": _runs.end_time,
}
_NUMBERS = {"start_time", "end_time"}
_DATASET_COLUMNS = {"name": tables.datasets.c.name, "digest": tables.datasets.c.digest}
_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "LIKE": lambda column, value: column.like(value),
    "ILIKE": lambda column, value: column.ilike(value),
    "IN": lambda column, values: column.in_(values),
    "NOT IN": lambda column, values: column.not_in(values),
}

Part = tuple[str, str, str, Any]
"""A comparison: the kind and the name of what is compared, the comparator, the value."""


Readable = Callable[[str, ColumnElement[str]], ColumnElement[bool]]
"""Whether the text under a key may be compared for whoever asks."""


def run_matches(expression: str, is_readable: Readable) -> ColumnElement[bool]:
    """Whether a run meets an expression such as `metrics.rmse < 1 and tags.team = 'ops'`."""
    parts = _parsed(expression)
    clauses = _Clauses(is_readable, len(parts))
    return and_(True, *(clauses.of(*part) for part in parts))


@cache
def load() -> tuple[Any, type[Exception]]:
    """MLflow's parser and what it raises; to import it takes seconds, which only those who use its syntax pay."""
    with importing():
        from mlflow.exceptions import MlflowException  # noqa: PLC0415
        from mlflow.utils.search_utils import SearchUtils  # noqa: PLC0415

    return SearchUtils, MlflowException


def _parsed(expression: str) -> list[Part]:
    parser, unreadable = load()
    try:
        return [_part(parser, **part) for part in parser.parse_search_filter(expression)]
    except unreadable as error:
        raise Unreadable(f"`matching` is not in MLflow's search syntax: {error}") from None
    except Exception:  # noqa: BLE001 - on odd input its parser fails in ways of its own
        raise Unreadable("`matching` is not in MLflow's search syntax, such as `metrics.rmse < 1`.") from None


def _part(utils: Any, type: str, key: str, comparator: str, value: Any) -> Part:
    """A comparison that MLflow's parser found, once MLflow has said that it is one."""
    key, comparator = utils.translate_key_alias(key), comparator.upper()
    utils.is_attribute(type, key, comparator)
    for refuse_others in (utils.is_metric, utils.is_param, utils.is_tag, utils.is_dataset):
        refuse_others(type, comparator)
    is_number = type == "metric" or (type == "attribute" and key in _NUMBERS)
    return type, key, comparator, float(value) if is_number else value


class _Clauses:
    """What the comparisons of an expression say."""

    def __init__(self, is_readable: Readable, count: int) -> None:
        self._is_readable = is_readable
        self._count = count
        """How many there are."""

    def of(self, kind: str, key: str, comparator: str, value: Any) -> ColumnElement[bool]:
        """What one comparison says."""
        if kind == "attribute":
            return self._attribute(key, comparator, value)
        if kind == "dataset":
            return there_are(_datasets(key, _COMPARED[comparator], value), self._count)
        return self._keyed(kind, key, comparator, value)

    def _attribute(self, key: str, comparator: str, value: Any) -> ColumnElement[bool]:
        if key == "run_name":  # runs of old have their name in a tag alone
            return self._keyed("tag", "mlflow.runName", comparator, value)
        # A time is compared with any number: bound as one of the column's type, 2000.5 would be 2000.
        compared: ColumnElement[bool] = _COMPARED[comparator](
            _ATTRIBUTES[key], literal(value, Double) if key in _NUMBERS else value
        )
        return compared

    def _keyed(self, kind: str, key: str, comparator: str, value: Any) -> ColumnElement[bool]:
        columns = _KEYED[kind].c
        owned = select(columns.key).where(columns.run_uuid == _runs.run_uuid, columns.key == key)
        if comparator == "IS NULL":
            return ~there_are(owned, self._count)
        if comparator == "IS NOT NULL":
            return there_are(owned, self._count)
        compared = _COMPARED[comparator](columns.value, value)
        if kind != "metric":
            return there_are(owned.where(self._is_readable(key, columns.value), compared), self._count)
        # NaN differs from every number, and compares with none.
        met = or_(compared, columns.is_nan) if comparator == "!=" else and_(compared, ~columns.is_nan)
        return there_are(owned.where(met), self._count)


def _datasets(key: str, compare: Callable[[Any, Any], Any], value: Any) -> Select[Any]:
    """The links to the datasets of a run that meet a comparison."""
    inputs, datasets, input_tags = tables.inputs.c, tables.datasets.c, tables.input_tags.c
    read = [inputs.destination_id == _runs.run_uuid, inputs.destination_type == "RUN", inputs.source_type == "DATASET"]
    rows = select(inputs.source_id).where(*read)
    if key == "context":
        context = [input_tags.input_uuid == inputs.input_uuid, input_tags.name == "mlflow.data.context"]
        return rows.where(*context, compare(input_tags.value, value))
    return rows.where(datasets.dataset_uuid == inputs.source_id, compare(_DATASET_COLUMNS[key], value))
