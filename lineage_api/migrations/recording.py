"""Whether history is recorded, and how that begins, goes on and ends."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, Engine, column, func, insert, inspect, select, table, text
from sqlalchemy.exc import DBAPIError

from lineage_api.errors import Unsuitable
from lineage_api.store import history, reconciliation
from lineage_api.store.engines import reading, writing
from lineage_api.store.trigger_forms import Form
from lineage_api.store.triggers import TRIGGERS

REVISION = "a1"
"""The revision of our tables."""
_UPGRADE_LOCK = int.from_bytes(b"lineageu")
_LOCK_NAME = "lineage_api"
_WAIT_S = 60

_version = table(history.VERSION_TABLE, column("version_num"))


@dataclass(frozen=True, slots=True)
class Recording:
    """How far history is recorded in a database."""

    since: int | None
    """Since when, in milliseconds since 1970; None when it is not."""
    missing: tuple[str, ...] = ()
    """The triggers that are not there: without them, what others change is found after the fact."""
    refusal: str | None = None
    """Why triggers could not be made."""
    added: int = 0
    """How many events were found to be missing, and added."""

    @property
    def is_on(self) -> bool:
        """Whether our tables are there."""
        return self.since is not None


def looked_at(uri: str) -> Recording:
    """How far history is recorded; nothing is changed."""
    with reading(uri).connect() as connection:
        return _state(connection)


def begin(uri: str) -> Recording:
    """Makes our tables and triggers, or what is missing of them, and adds what was missed meanwhile.

    Raises Unsuitable where tables of ours are not allowed, or are of a later release.
    """
    engine = writing(uri)
    try:
        with _alone(engine) as connection:
            _upgrade(connection)
            refusal = _install(connection)
            return _caught_up(connection, refusal)
    except DBAPIError as error:
        said = " ".join(str(error.orig).split())
        raise Unsuitable(f"history cannot be recorded, since its tables cannot be made: {said}") from None


def catch_up(uri: str) -> Recording:
    """Adds what was missed, and makes triggers that are gone; looks first, and takes no lock where all is well."""
    with reading(uri).connect() as connection:
        state = _state(connection)
        if not state.is_on:
            return state
        missing, ended = reconciliation.differences(connection)
    if not missing and not ended and not state.missing:
        return state
    with _alone(writing(uri)) as connection:
        refusal = _install(connection)
        return _caught_up(connection, refusal)


def end(uri: str) -> None:
    """Takes out all that is ours: the triggers first, since MLflow's own writes fail on one whose table is gone."""
    engine = writing(uri)
    with _alone(engine) as connection:
        Form.of(connection.dialect.name).remove(connection)
        if _revision(connection) is not None:
            _alembic(connection, "downgrade", "base")
            connection.execute(text(f"DROP TABLE {history.VERSION_TABLE}"))


def _state(connection: Connection) -> Recording:
    if _revision(connection) is None:
        return Recording(None)
    present = Form.of(connection.dialect.name).present(connection)
    missing = tuple(trigger.name for trigger in TRIGGERS if trigger.name not in present)
    return Recording(connection.scalar(select(func.min(history.recording.c.since))), missing)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(history.VERSION_TABLE):
        return None
    return connection.scalar(select(_version.c.version_num))


def _upgrade(connection: Connection) -> None:
    revision = _revision(connection)
    if revision == REVISION:
        return
    if revision is not None and revision not in _revisions():
        raise Unsuitable(
            f"the history is at revision {revision}, of a later release: install that, or take the history out with"
            " `lineage-api db remove`"
        )
    _alembic(connection, "upgrade", "head")


def _alembic(connection: Connection, command: str, revision: str) -> None:
    # Importing it takes as long as all the rest of a start.
    from alembic import command as commands  # noqa: PLC0415

    config = _config()
    config.attributes["connection"] = connection
    getattr(commands, command)(config, revision)


def _config():  # noqa: ANN202
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


@cache
def _revisions() -> frozenset[str]:
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return frozenset(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def _install(connection: Connection) -> str | None:
    """Makes the triggers that are missing; gives what the database says where it does not let us."""
    form = Form.of(connection.dialect.name)
    try:
        with connection.begin_nested():
            form.install(connection)
    except DBAPIError as error:
        return " ".join(str(error.orig).split())
    return None


def _caught_up(connection: Connection, refusal: str | None) -> Recording:
    now = time.time_ns() // 1_000_000
    reconciliation.lock(connection)
    added = reconciliation.reconcile(connection, now)
    if connection.scalar(select(func.count()).select_from(history.recording)) == 0:
        connection.execute(insert(history.recording), {"since": now})
    state = _state(connection)
    return Recording(state.since, state.missing, refusal if state.missing else None, added)


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction, of which there is one at a time in a database."""
    with engine.begin() as connection:
        match engine.dialect.name:
            case "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
                yield connection
            case "sqlite":
                yield connection
            case _:
                connection.execute(select(func.get_lock(_LOCK_NAME, _WAIT_S)))
                yield connection
                connection.execute(select(func.release_lock(_LOCK_NAME)))
