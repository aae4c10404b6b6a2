import pytest
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
from mlflow.store.tracking.dbmodels.models import SqlRun
from sqlalchemy import Table

from lineage_api.store import tables

THEIRS = {**SqlModelVersion.metadata.tables, **SqlRun.metadata.tables}
OURS = [each for each in vars(tables).values() if isinstance(each, Table)]


@pytest.mark.parametrize("ours", OURS, ids=lambda table: table.name)
def test_a_table_is_as_mlflow_has_it(ours):
    """Its columns exist in MLflow's own, and its primary key is the same: pages and cursors rely on it."""
    theirs = THEIRS[ours.name]

    assert set(ours.columns.keys()) <= set(theirs.columns.keys())
    assert set(ours.primary_key.columns.keys()) == set(theirs.primary_key.columns.keys())
