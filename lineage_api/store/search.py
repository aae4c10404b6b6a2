"""MLflow's own search syntax, as conditions on runs.

MLflow parses it; what the parts mean in SQL is said here as MLflow says it, for runs of any experiment.
"""

import operator
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select

from lineage_api.errors import Unreadable
from lineage_api.store import tables

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
_DATASET_COLUMNS = {"name": tables.datasets.c.name, "digest": tables.datasets.c.digest}


def run_matches(expression: str) -> ColumnElement[bool]:
    """Whether a run meets an expression such as `metrics.rmse < 1 and tags.team = 'ops'`."""
    return and_(True, *map(_clause, _parsed(expression)))


def _parsed(expression: str) -> list[dict[str, Any]]:
    # Importing MLflow takes seconds, which only those who use its syntax pay.
    from mlflow.exceptions import MlflowException  # noqa: PLC0415
    from mlflow.utils.search_utils import SearchUtils  # noqa: PLC0415

    try:
        parts: list[dict[str, Any]] = SearchUtils.parse_search_filter(expression)
    except MlflowException as error:
        raise Unreadable(f"`matching` is not in MLflow's search syntax: {error.message}") from None
    except Exception:  # noqa: BLE001 - on odd input its parser fails in ways of its own
        raise Unreadable("`matching` is not in MLflow's search syntax, such as `metrics.rmse < 1`.") from None
    return [part | {"key": SearchUtils.translate_key_alias(part["key"])} for part in parts]


def _clause(part: dict[str, Any]) -> ColumnElement[bool]:
    kind, key, comparator, value = part["type"], part["key"], part["comparator"].upper(), part["value"]
    if comparator == "RLIKE":
        raise Unreadable("`matching` takes no regular expressions; use LIKE or ILIKE instead of RLIKE.")
    if kind == "attribute":
        return _attribute(key, comparator, value)
    if kind == "dataset":
        return _dataset(key, comparator, value)
    return _keyed(kind, key, comparator, value)


def _attribute(key: str, comparator: str, value: Any) -> ColumnElement[bool]:
    if key == "run_name":  # runs of old have their name in a tag alone
        return _keyed("tag", "mlflow.runName", comparator, value)
    if key not in _ATTRIBUTES:
        raise Unreadable(f"`matching` names the attribute `{key}`; there are run_name, {', '.join(_ATTRIBUTES)}.")
    column = _ATTRIBUTES[key]
    return _compared(column, comparator, int(value) if key in {"start_time", "end_time"} else value)


def _dataset(key: str, comparator: str, value: Any) -> ColumnElement[bool]:
    inputs, datasets, input_tags = tables.inputs.c, tables.datasets.c, tables.input_tags.c
    read = [inputs.destination_id == _runs.run_uuid, inputs.destination_type == "RUN", inputs.source_type == "DATASET"]
    if key == "context":
        context = [input_tags.input_uuid == inputs.input_uuid, input_tags.name == "mlflow.data.context"]
        return exists().where(*read, *context, _compared(input_tags.value, comparator, value))
    column = _DATASET_COLUMNS[key]
    return exists().where(*read, datasets.dataset_uuid == inputs.source_id, _compared(column, comparator, value))


def _keyed(kind: str, key: str, comparator: str, value: Any) -> ColumnElement[bool]:
    columns = _KEYED[kind].c
    owned = select(columns.key).where(columns.run_uuid == _runs.run_uuid, columns.key == key)
    if comparator == "IS NULL":
        return ~owned.exists()
    if comparator == "IS NOT NULL":
        return owned.exists()
    if kind != "metric":
        return owned.where(_compared(columns.value, comparator, value)).exists()
    compared = _compared(columns.value, comparator, float(value))
    # NaN differs from every number, and compares with none.
    return owned.where(
        or_(compared, columns.is_nan) if comparator == "!=" else and_(compared, ~columns.is_nan)
    ).exists()


_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "LIKE": lambda column, value: column.like(value),
    "ILIKE": lambda column, value: column.ilike(value),
    "IN": lambda column, value: column.in_(list(value)),
    "NOT IN": lambda column, value: ~column.in_(list(value)),
}


def _compared(column: ColumnElement[Any], comparator: str, value: Any) -> ColumnElement[bool]:
    if comparator not in _COMPARED:
        raise Unreadable(f"`matching` does not take {comparator} here.")
    compared: ColumnElement[bool] = _COMPARED[comparator](column, value)
    return compared
