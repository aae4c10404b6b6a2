"""The columns of MLflow's tables that we read, as SQLAlchemy tables.

They are our own, since MLflow's classes cost seconds to import and name every column. A test compares them with
MLflow's. Times are milliseconds since 1970.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, MetaData, String, Table

_metadata = MetaData()


def _table(name: str, keys: str, indexed: str, /, **columns: type) -> Table:
    """A table with these columns, of which those named in `keys` are its primary key.

    By each of those named in `indexed` an index of MLflow's leads to rows, alone or after the workspace.
    """
    key, index = keys.split(), indexed.split()
    return Table(
        name,
        _metadata,
        *(Column(c, kind(), primary_key=c in key, index=c in index) for c, kind in columns.items()),
    )


experiments = _table(
    "experiments",
    "experiment_id",
    "experiment_id",
    experiment_id=Integer,
    name=String,
    artifact_location=String,
    lifecycle_stage=String,
    creation_time=BigInteger,
    last_update_time=BigInteger,
    workspace=String,
)
experiment_tags = _table("experiment_tags", "key experiment_id", "", key=String, value=String, experiment_id=Integer)
runs = _table(
    "runs",
    "run_uuid",
    "run_uuid",
    run_uuid=String,
    name=String,
    status=String,
    start_time=BigInteger,
    end_time=BigInteger,
    lifecycle_stage=String,
    artifact_uri=String,
    experiment_id=Integer,
    user_id=String,
)
params = _table("params", "key run_uuid", "run_uuid", key=String, value=String, run_uuid=String)
latest_metrics = _table(
    "latest_metrics",
    "key run_uuid",
    "run_uuid",
    key=String,
    value=Double,
    is_nan=Boolean,
    step=BigInteger,
    timestamp=BigInteger,
    run_uuid=String,
)
metrics = _table(
    "metrics",
    "key timestamp step run_uuid value is_nan",
    "run_uuid",
    key=String,
    value=Double,
    is_nan=Boolean,
    step=BigInteger,
    timestamp=BigInteger,
    run_uuid=String,
)
tags = _table("tags", "key run_uuid", "run_uuid", key=String, value=String, run_uuid=String)
datasets = _table(
    "datasets",
    "experiment_id name digest",
    "dataset_uuid experiment_id",
    dataset_uuid=String,
    experiment_id=Integer,
    name=String,
    digest=String,
    dataset_source_type=String,
    dataset_source=String,
    dataset_schema=String,
    dataset_profile=String,
)
inputs = _table(
    "inputs",
    "source_type source_id destination_type destination_id",
    "input_uuid",
    input_uuid=String,
    source_type=String,
    source_id=String,
    destination_type=String,
    destination_id=String,
)
input_tags = _table("input_tags", "input_uuid name", "input_uuid", input_uuid=String, name=String, value=String)
logged_models = _table(
    "logged_models",
    "model_id",
    "model_id",
    model_id=String,
    experiment_id=Integer,
    name=String,
    artifact_location=String,
    creation_timestamp_ms=BigInteger,
    last_updated_timestamp_ms=BigInteger,
    status=Integer,
    lifecycle_stage=String,
    model_type=String,
    source_run_id=String,
)
logged_model_params = _table(
    "logged_model_params", "model_id param_key", "model_id", model_id=String, param_key=String, param_value=String
)
logged_model_tags = _table(
    "logged_model_tags", "model_id tag_key", "model_id", model_id=String, tag_key=String, tag_value=String
)
logged_model_metrics = _table(
    "logged_model_metrics",
    "model_id metric_name metric_timestamp_ms metric_step run_id",
    "model_id",
    model_id=String,
    metric_name=String,
    metric_timestamp_ms=BigInteger,
    metric_step=BigInteger,
    metric_value=Double,
    experiment_id=Integer,
    run_id=String,
    dataset_name=String,
    dataset_digest=String,
)
registered_models = _table(
    "registered_models",
    "workspace name",
    "name",
    workspace=String,
    name=String,
    description=String,
    creation_time=BigInteger,
    last_updated_time=BigInteger,
)
registered_model_tags = _table(
    "registered_model_tags", "workspace key name", "name", workspace=String, name=String, key=String, value=String
)
registered_model_aliases = _table(
    "registered_model_aliases",
    "workspace name alias",
    "name",
    workspace=String,
    name=String,
    alias=String,
    version=Integer,
)
model_versions = _table(
    "model_versions",
    "workspace name version",
    "name",
    workspace=String,
    name=String,
    version=Integer,
    creation_time=BigInteger,
    last_updated_time=BigInteger,
    description=String,
    current_stage=String,
    source=String,
    storage_location=String,
    run_id=String,
    run_link=String,
    status=String,
    status_message=String,
    user_id=String,
)
model_version_tags = _table(
    "model_version_tags",
    "workspace key name version",
    "name",
    workspace=String,
    name=String,
    version=Integer,
    key=String,
    value=String,
)
