"""The index of model files: of which places they have been read, and which packages they ask for there.

Whoever reads a place for the index takes it for a while, so that several processes share the work. Times are
milliseconds since 1970.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lineage_api.store import origins
from lineage_api.store.manifests import Manifest
from lineage_api.store.model_files import Known
from lineage_api.store.package_tables import model_files, packages

PYTHON = "python"
"""The name under which Python itself stands among the packages."""
_TAKEN_FOR_MS = 60_000
_RETRY_MS = 60_000
_MOST_DOUBLINGS = 6
_MOST_CHARACTERS = {"name": 250, "version": 100}

_files = model_files.c
_places = (
    select(origins.artifact_uri.label("location"))
    .where(origins.is_model_version, origins.artifact_uri.is_not(None))
    .distinct()
    .subquery("places")
)
_known_places = _places.outerjoin(model_files, _files.location == _places.c.location)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the files of all versions are read."""

    places: int
    """In how many places they lie."""
    read: int
    """In how many of these they have been read."""
    unreadable: int
    """In how many they could not be, at the last try."""

    def __str__(self) -> str:
        unreadable = f", {self.unreadable} cannot be read" if self.unreadable else ""
        return f"model files: {self.read} of {self.places} read{unreadable}"


def progress(connection: Connection) -> Progress:
    """How far the index is."""
    unreadable = case((and_(_files.read_at.is_(None), _files.failures > 0), 1))
    counted = select(func.count(), func.count(_files.read_at), func.count(unreadable)).select_from(_known_places)
    return Progress(*connection.execute(counted).one())


def due(connection: Connection, now: int) -> list[str]:
    """The places that are to be read, those that were never tried first."""
    is_due = or_(_files.id.is_(None), and_(_files.read_at.is_(None), _files.retry_at <= now))
    found = select(_places.c.location).select_from(_known_places).where(is_due)
    return list(connection.scalars(found.order_by(func.coalesce(_files.failures, 0), _places.c.location)))


def taken(connection: Connection, locations: Sequence[str], now: int) -> Sequence[Row[Any]]:
    """Those of some places that nobody else is reading: their IDs, locations and failures so far."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    rows = [{"location": location, "failures": 0, "retry_at": now + _TAKEN_FOR_MS} for location in locations]
    take = dialect.insert(model_files).values(rows)
    take = take.on_conflict_do_update(
        index_elements=[_files.location],
        set_={"retry_at": take.excluded.retry_at},
        where=and_(_files.read_at.is_(None), _files.retry_at <= now),
    )
    return connection.execute(take.returning(_files.id, _files.location, _files.failures)).all()


def note(connection: Connection, places: Sequence[Row[Any]], found: Sequence[Known], now: int) -> None:
    """Keeps what was found in places that were taken; those that could not be read are tried again, ever later."""
    both = list(zip(places, found, strict=True))
    read = {place.id: known.manifest for place, known in both if known.is_complete}
    is_new = and_(_files.id.in_(read), _files.read_at.is_(None))
    ids = connection.scalars(update(model_files).where(is_new).values(read_at=now).returning(_files.id)).all()
    if rows := [row for id_ in ids for row in _rows(id_, read[id_])]:
        connection.execute(insert(packages), rows)
    if failed := [_later(place, now) for place, known in both if not known.is_complete]:
        is_unread = and_(_files.id == bindparam("of"), _files.read_at.is_(None))
        later = update(model_files).where(is_unread)
        connection.execute(later.values(failures=bindparam("tries"), retry_at=bindparam("until")), failed)


def _rows(id_: int, manifest: Manifest | None) -> Iterator[dict[str, Any]]:
    for place, (name, version) in enumerate(versions_in(manifest)):
        yield {"files_id": id_, "place": place, "name": name, "version": version}


def _later(place: Row[Any], now: int) -> dict[str, int]:
    pause = _RETRY_MS << min(place.failures, _MOST_DOUBLINGS)
    return {"of": place.id, "tries": place.failures + 1, "until": now + pause}


def versions_in(manifest: Manifest | None) -> list[tuple[str, str | None]]:
    """The packages of a model with their exact versions, if they have one, and Python's own version."""
    environment = manifest and manifest.environment
    if not environment:
        return []
    named = [(package.name, package.version) for package in environment.packages if package.name != PYTHON]
    python = [(PYTHON, environment.python_version)] if environment.python_version else []
    return [(name, _fit("version", version)) for name, version in python + named if _fit("name", name)]


def _fit(column: str, text: str | None) -> str | None:
    """A text that every database takes; whoever logged the model may have written anything."""
    return text if text and text.isprintable() and len(text) <= _MOST_CHARACTERS[column] else None
