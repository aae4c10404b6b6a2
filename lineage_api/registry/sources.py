"""What a version may be registered from.

MLflow checks this in its REST handlers, and nothing of it in its SQL store: `file:///etc` would be taken, and its
server would then serve the files. So each source is resolved here first, as MLflow's client would, to what stands in
the row of the version. Places on this machine and on MLflow's own artifact server must be in the artifact folder of a
run or logged model of the database. No message tells what is there on the server.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import quote

from sqlalchemy import Executable, Result, Row, Select, select

from lineage_api.registry import places
from lineage_api.registry.reasons import Invalid, NotFound, Refused, require
from lineage_api.registry.texts import shown, storable
from lineage_api.store.convert import in_trash
from lineage_api.store.origins import WORKSPACE, copied_version, is_model_version
from lineage_api.store.tables import experiments, logged_models, model_versions, registered_model_aliases, runs

_READY = 2
_STATES = {1: "still PENDING", 3: "FAILED"}
_LAYOUT = re.compile("/((?:m-)?[0-9a-f]{32})/artifacts")
"""The ID of a run or logged model in the path of its artifact folder."""
_OUTSIDE = (
    "A source on this machine or at mlflow-artifacts: must be in the artifact folder of a run or logged model that is"
    " in this database; give its loggedModelId, or its runId with an artifactPath."
)


class Connection(Protocol):
    """A connection or session of SQLAlchemy's."""

    def execute(self, statement: Executable, /) -> Result[Any]:
        """The rows of a statement."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a version is made from."""

    source: str
    """What the version says of it."""
    storage_location: str
    """Where the files lie."""
    run_id: str | None
    """The run behind it."""
    model_id: str | None
    """The logged model behind it."""


@dataclass(frozen=True, slots=True)
class _Home:
    """The artifact folder of a run or logged model."""

    root: str
    run_id: str | None = None
    model_id: str | None = None
    unfit: str | None = None
    """Why nothing new may be registered from it."""


_NOWHERE = _Home("")
_is_kept = logged_models.c.lifecycle_stage != "deleted"


def of_logged_model(connection: Connection, model_id: str) -> Origin:
    """What a version of a logged model is made from."""
    require(storable(model_id, "loggedModelId"))
    found = connection.execute(_logged_models().where(_is_kept, logged_models.c.model_id == model_id)).first()
    if found is None:
        raise Refused(NotFound(f"There is no logged model {shown(model_id)}.", ("loggedModelId",)))
    return _of_home(_home_of_model(found), "loggedModelId")


def of_run(connection: Connection, run_id: str, artifact_path: str) -> Origin:
    """What a version of a run's model is made from: a logged model of that name, or else a folder of its artifacts."""
    require(storable(run_id, "runId"), storable(artifact_path, "artifactPath"))
    home = _run(connection, run_id)
    if model := _named(connection, run_id, artifact_path):
        return _of_home(model, "artifactPath")
    places.refuse_path(artifact_path)
    place = places.below(home.root, artifact_path)
    if places.way(home.root, place) is None:
        raise Refused(Invalid("The path leads out of the run's artifact folder.", ("artifactPath",)))
    return _fitting(Origin(place, place, run_id, None), "artifactPath")


def of_source(connection: Connection, source: str) -> Origin:
    """What a version of a URI or path is made from."""
    try:
        return _of_source(connection, source)
    except Refused as refused:
        raise Refused(*(replace(reason, path=("source",)) for reason in refused.reasons)) from None


def _of_source(connection: Connection, source: str) -> Origin:
    places.refuse_text(source, "source")
    match places.split(source).scheme:
        case "runs":
            return _of_run_uri(connection, source)
        case "models":
            return _of_model_uri(connection, source)
        case _:
            place, home = _located(connection, source)
            if home.unfit:
                raise Refused(Invalid(home.unfit))
            return _fitting(Origin(place, place, home.run_id, home.model_id), "source")


def _of_run_uri(connection: Connection, uri: str) -> Origin:
    named = re.fullmatch("runs:/+([^/?#]+)/([^?#]+)", uri, re.IGNORECASE)
    if named is None or places.split(uri).netloc:
        raise Refused(Invalid("Write a folder or model of a run as `runs:/<run ID>/<path>`."))
    return of_run(connection, named[1], named[2])


def _of_model_uri(connection: Connection, uri: str) -> Origin:
    """A logged model, or a version of a registered model, by number or alias."""
    name = uri.partition(":")[2].lstrip("/")
    if places.split(uri).netloc or "?" in name:
        raise Refused(
            Invalid("Write models as `models:/m-<ID>`, `models:/<name>/<version>` or `models:/<name>@<alias>`.")
        )
    if version := copied_version(f"models:/{name}"):
        return _of_version(connection, *version)
    if "/" not in name and "@" in name:
        return _of_version(connection, *_aliased(connection, *name.rsplit("@", 1)))
    if "/" not in name and name.startswith("m-"):
        return of_logged_model(connection, name)
    raise Refused(
        Invalid(
            "A version is made from a fixed version, not from a stage or the latest: write `models:/<name>/<version>`"
            " or `models:/<name>@<alias>`, and a logged model as `models:/m-<ID>`."
        )
    )


def _aliased(connection: Connection, name: str, alias: str) -> tuple[str, int]:
    aliases = registered_model_aliases.c
    version = connection.execute(
        select(aliases.version).where(aliases.workspace == WORKSPACE, aliases.name == name, aliases.alias == alias)
    ).scalar()
    if version is None:
        raise Refused(NotFound(f"The model {shown(name)} has no alias {shown(alias)}."))
    return name, version


def _of_version(connection: Connection, name: str, version: int) -> Origin:
    """The files of a version may be at a place that MLflow took without a look, so the place is looked at here."""
    columns = model_versions.c
    found = connection.execute(
        select(columns.source, columns.storage_location, columns.run_id).where(
            is_model_version, columns.name == name, columns.version == version
        )
    ).first()
    if found is None:
        raise Refused(NotFound(f"The model {shown(name)} has no version {version}."))
    place, home = _files(connection, found.storage_location or found.source or "")
    return Origin(f"models:/{name}/{version}", place, found.run_id or home.run_id, home.model_id)


def _files(connection: Connection, location: str) -> tuple[str, _Home]:
    """Where the files of a version lie, whose run may be in the trash by now."""
    try:
        places.refuse_text(location, "source")
        if places.split(location).scheme != "runs":
            return location, _located(connection, location)[1]
        origin = _of_run_uri(connection, location)
        return origin.storage_location, _Home("", origin.run_id, origin.model_id)
    except Refused:
        raise Refused(
            Invalid("The files of that version are at a place from which none may be registered. " + places.ALLOWED)
        ) from None


def _located(connection: Connection, place: str) -> tuple[str, _Home]:
    """A place as its version shall name it, and the folder of a run or logged model that it is in."""
    parts = places.split(place)
    places.refuse_place(parts, places.unquoted(place))
    home, way = _home(connection, place)
    if home is _NOWHERE and parts.scheme in places.OWN:
        raise Refused(Invalid(_OUTSIDE))
    if parts.scheme not in places.LOCAL:
        return place, home
    # As the database spells the folder, so that no link on the way to it can be bent later.
    way = quote(way) if places.split(home.root).scheme else way.replace("%", "%25")
    return places.below(home.root, way) if way else home.root, home


def _home(connection: Connection, place: str) -> tuple[_Home, str]:
    """The artifact folder that a place is in, going by MLflow's own layout, and the way from there to the place."""
    ids = set(_LAYOUT.findall(places.unquoted(place)))
    if not ids:
        return _NOWHERE, ""
    homes = [_home_of_run(row) for row in connection.execute(_runs().where(runs.c.run_uuid.in_(ids)))]
    models = connection.execute(_logged_models().where(logged_models.c.model_id.in_(ids)))
    homes += [_home_of_model(row) for row in models]
    found = ((home, places.way(home.root, place)) for home in homes)
    return next(((home, way) for home, way in found if way is not None), (_NOWHERE, ""))


def _named(connection: Connection, run_id: str, name: str) -> _Home | None:
    """The newest of the logged models of that name that a run made, rather one that is ready."""
    columns = logged_models.c
    found = connection.execute(
        _logged_models()
        .where(_is_kept, columns.source_run_id == run_id, columns.name == name)
        .order_by((columns.status == _READY).desc(), columns.creation_timestamp_ms.desc(), columns.model_id)
        .limit(1)
    ).first()
    return None if found is None else _home_of_model(found)


def _run(connection: Connection, run_id: str) -> _Home:
    """The artifact folder of a run from which models may be registered."""
    found = connection.execute(_runs().where(runs.c.run_uuid == run_id)).first()
    if found is None:
        raise Refused(NotFound(f"There is no run {shown(run_id)}.", ("runId",)))
    home = _home_of_run(found)
    if home.unfit:
        raise Refused(Invalid(home.unfit, ("runId",)))
    return home


def _runs() -> Select[Any]:
    return (
        select(runs)
        .join(experiments, experiments.c.experiment_id == runs.c.experiment_id)
        .where(experiments.c.workspace == WORKSPACE)
    )


def _logged_models() -> Select[Any]:
    return (
        select(logged_models)
        .join(experiments, experiments.c.experiment_id == logged_models.c.experiment_id)
        .where(experiments.c.workspace == WORKSPACE)
    )


def _home_of_run(row: Row[Any]) -> _Home:
    unfit = None if row.artifact_uri else f"The run {row.run_uuid} has no artifact folder."
    if in_trash(row.lifecycle_stage):
        unfit = f"The run {row.run_uuid} is in the trash; restore it first."
    return _Home(row.artifact_uri or "", row.run_uuid, None, unfit)


def _home_of_model(row: Row[Any]) -> _Home:
    is_deleted = in_trash(row.lifecycle_stage)
    state = "deleted" if is_deleted else _STATES.get(row.status, "in an unknown state")
    is_fit = row.status == _READY and not is_deleted
    unfit = None if is_fit else f"The logged model {row.model_id} is {state}; register one that is READY."
    return _Home(row.artifact_location, row.source_run_id or None, row.model_id, unfit)


def _of_home(model: _Home, field: str) -> Origin:
    """What a version of a logged model is made from, which a field of the input names."""
    if model.unfit:
        raise Refused(Invalid(model.unfit, (field,)))
    return _fitting(Origin(f"models:/{model.model_id}", model.root, model.run_id, model.model_id), field)


def _fitting(origin: Origin, field: str) -> Origin:
    """The same, if it fits into the columns: those of runs and logged models are longer."""
    if len(origin.storage_location) > places.MAX_LENGTH:
        message = f"The place of these files has more than {places.MAX_LENGTH} characters; choose a shorter path."
        raise Refused(Invalid(message, (field,)))
    return origin
