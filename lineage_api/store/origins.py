"""Where a model version comes from, in SQL.

MLflow keeps no foreign keys for this: the run is named in `run_id`, or only by `source` or the place of the files;
the logged model by `source` (`models:/m-…`), or, for copies and files, by the place of the files alone, which a copy
shares with its original.
"""

import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, String, and_, case, exists, func, or_, select

from lineage_api.store.functions import model_in_path, run_in_path
from lineage_api.store.tables import logged_models, model_versions, registered_model_tags

WORKSPACE = "default"
"""The one workspace that is served."""
_VERSIONS_END = 2**31

_versions = model_versions.c
_models = logged_models.alias("origin")

is_registered: ColumnElement[bool] = and_(
    _versions.workspace == WORKSPACE, _versions.current_stage != "Deleted_Internal"
)
"""Whether a row of model_versions is a version that has not been deleted."""


def is_prompt(name: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the registered model of that name is a prompt, which MLflow keeps in the same tables."""
    tags = registered_model_tags.c
    return exists().where(
        tags.workspace == WORKSPACE,
        tags.name == name,
        tags.key == "mlflow.prompt.is_prompt",
        func.lower(tags.value) == "true",
    )


is_model_version: ColumnElement[bool] = and_(is_registered, ~is_prompt(_versions.name))
"""Whether a row of model_versions is a version of a model, and has not been deleted."""

is_scanned_version: ColumnElement[bool] = and_(
    (_versions.workspace + "") == WORKSPACE, _versions.current_stage != "Deleted_Internal", ~is_prompt(_versions.name)
)
"""The same where all rows are looked at: the one workspace has all of them, and the way by its index is longer."""

stated_source: ColumnElement[str] = case(
    (_versions.current_stage != "Deleted_Internal", func.nullif(_versions.source, "", type_=String))
)
"""What a version was registered from; null once it has been deleted, since MLflow writes something else over it."""

_files_at = func.coalesce(func.nullif(_versions.storage_location, "", type_=String), stated_source)

artifact_uri: ColumnElement[str] = case(
    # What MLflow did not resolve is a name, at which no files lie.
    (or_(_files_at.like("models:/%"), _files_at.like("runs:/%")), None),
    else_=_files_at,
)
"""Where the files of a version lie; null where nobody has said."""

# Versions of MLflow 1 and 2 have no place of their files beside their source.
_place = func.coalesce(func.nullif(_versions.storage_location, "", type_=String), _versions.source)
# With a further part, `m-…` is the name of a registered model.
_names_model = and_(_versions.source.like("models:/m-%"), _versions.source.not_like("models:/%/%"))

model_id: ColumnElement[str] = case(
    (_names_model, func.substr(_versions.source, 9, 34)),
    else_=model_in_path(_place),
)
"""The ID of the logged model of a version; it may name one that is not there."""

run_id: ColumnElement[str] = case(
    (and_(_versions.run_id != "", _versions.current_stage != "Deleted_Internal"), _versions.run_id),
    (_versions.source.like("runs:/%"), func.substr(_versions.source, 7, 32)),
    else_=func.coalesce(
        # Left to itself, SQLAlchemy correlates only with the statement directly around, which may be one about runs.
        select(_models.c.source_run_id)
        .where(_models.c.model_id == model_id)
        .correlate(model_versions)
        .scalar_subquery(),
        run_in_path(_place),
    ),
)
"""The ID of the run of a version; it may name one that is not there."""


def has_run(is_wanted: Callable[[ColumnElement[Any]], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Whether the run of a version is wanted; worked out only where it is not stated, since versions are scanned."""
    is_stated = func.coalesce(_versions.run_id, "") != ""
    return or_(is_wanted(_versions.run_id), and_(~is_stated, is_wanted(run_id)))


def copied_version(source: str | None) -> tuple[str, int] | None:
    """The version of which one with this source is a copy: its model's name and its number; None when it is none."""
    named = re.fullmatch("models:/+([^/].*)/([0-9]{1,10})", source or "", re.DOTALL)
    return (named[1], int(named[2])) if named and int(named[2]) < _VERSIONS_END else None
