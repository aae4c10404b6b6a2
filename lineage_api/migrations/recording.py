"""Whether history is recorded, and how that begins, goes on and ends."""

import random
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, Engine, column, func, insert, inspect, select, table, text
from sqlalchemy.exc import DBAPIError

from lineage_api.errors import Unsuitable
from lineage_api.store import history, reconciliation
from lineage_api.store.engines import LOCK_WAIT_S, reading, writing
from lineage_api.store.our_tables import OURS
from lineage_api.store.package_tables import model_files, packages
from lineage_api.store.trigger_forms import form_of
from lineage_api.store.triggers import TRIGGERS
from lineage_api.store.webhook_tables import deliveries, webhooks

if TYPE_CHECKING:
    from alembic.config import Config

REVISION = "a3"
"""The revision of our tables."""
_UPGRADE_LOCK = int.from_bytes(b"lineageu")
_UPGRADE_WAIT_S = 60
_TABLE_WAIT_MS = 200
"""How long a table or a row is waited for on PostgreSQL: less than it takes until others find themselves deadlocked."""
_IN_THE_WAY = {"55P03", "40P01", "40001", 1205, 1213}
"""Locks that were not to be had in time, and deadlocks: PostgreSQL, MariaDB."""

_T = TypeVar("_T")
_version = select(table(history.VERSION_TABLE, column("version_num")))


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
    lacking: frozenset[str] = OURS
    """The tables of ours that are not there: an earlier release made fewer."""

    @property
    def is_on(self) -> bool:
        """Whether our tables are there."""
        return self.since is not None

    @property
    def has_index(self) -> bool:
        """Whether what the files of models say can be kept."""
        return not {model_files.name, packages.name} & self.lacking

    @property
    def has_webhooks(self) -> bool:
        """Whether webhooks can be kept."""
        return not {webhooks.name, deliveries.name} & self.lacking


def looked_at(uri: str) -> Recording:
    """How far history is recorded; nothing is changed."""
    with _told("read"), reading(uri).connect() as connection:
        return _state(connection)


def begin(uri: str) -> Recording:
    """Makes our tables and triggers, or what is missing of them, and adds what was missed meanwhile.

    Raises Unsuitable where tables of ours are not allowed, or are of a later release.
    """
    state, is_well = _seen(uri)
    if not state.lacking:
        return state if is_well else _brought_up_to_date(uri)
    with _told(f"{'brought up to date' if state.is_on else 'recorded'}, since its tables cannot be made"):
        return _patiently(partial(_made, uri))


def catch_up(uri: str) -> Recording:
    """Adds what was missed, and makes triggers that are gone; looks first, and takes no lock where all is well."""
    state, is_well = _seen(uri)
    return state if is_well or not state.is_on else _brought_up_to_date(uri)


def _brought_up_to_date(uri: str) -> Recording:
    with _told("brought up to date"):
        return _patiently(partial(_caught_up_alone, uri))


def end(uri: str) -> None:
    """Takes out all that is ours: the triggers first, since MLflow's own writes fail on one whose table is gone."""
    with _told("taken out"):
        _patiently(partial(_removed, uri))


@contextmanager
def _told(what: str) -> Iterator[None]:
    """What the database says is told in one line."""
    try:
        yield
    except DBAPIError as error:
        raise Unsuitable(f"history cannot be {what}: {_said(error)}") from None


def _said(error: DBAPIError) -> str:
    # PyMySQL's errors are a number and a text.
    said = error.orig.args[-1] if error.orig and error.orig.args else error
    return " ".join(str(said).split())


def _patiently(work: Callable[[], _T], seconds: float = LOCK_WAIT_S) -> _T:
    """What comes of work that others may be in the way of: it is then tried again."""
    until = time.monotonic() + seconds
    while True:
        try:
            return work()
        except DBAPIError as error:
            if not _is_in_the_way(error) or time.monotonic() > until:
                raise
        time.sleep(random.uniform(0.02, 0.2))  # noqa: S311 - so that two do not meet again


def _is_in_the_way(error: DBAPIError) -> bool:
    codes = {getattr(error.orig, "sqlstate", None), *(error.orig.args[:1] if error.orig else ())}
    return not codes.isdisjoint(_IN_THE_WAY)


# How far it is


def _seen(uri: str) -> tuple[Recording, bool]:
    """How far history is recorded, and whether nothing is amiss with it."""
    with _told("read"), reading(uri).connect() as connection:
        state = _state(connection)
        if not state.is_on or state.missing:
            return state, False
        ends_events = form_of(connection.dialect.name).ends_events or connection.dialect.name == "postgresql"
        return state, ends_events and not any(reconciliation.differences(connection))


def _state(connection: Connection) -> Recording:
    names = inspect(connection).get_table_names()
    revision = _revision(connection, names)
    if revision is None:
        return Recording(None)
    _require_known(revision)
    present = form_of(connection.dialect.name).present(connection)
    missing = tuple(trigger.name for trigger in TRIGGERS if trigger.name not in present)
    since = connection.scalar(select(func.min(history.recording.c.since)))
    return Recording(since, missing, lacking=OURS.difference(names))


def _revision(connection: Connection, names: Collection[str]) -> str | None:
    """The revision of our tables, of which there are some where these tables are."""
    return connection.scalar(_version) if history.VERSION_TABLE in names else None


def _require_known(revision: str) -> None:
    if revision != REVISION and revision not in _revisions():
        raise Unsuitable(
            f"the history is at revision {revision}, of a later release: install that, or take the history out with"
            " `lineage-api db remove`"
        )


# How it gets there


def _made(uri: str) -> Recording:
    with _alone(writing(uri)) as connection:
        _upgrade(connection)
        return _caught_up(connection, _install(connection))


def _caught_up_alone(uri: str) -> Recording:
    with _alone(writing(uri)) as connection:
        return _caught_up(connection, _install(connection))


def _upgrade(connection: Connection) -> None:
    names = inspect(connection).get_table_names()
    revision = _revision(connection, names)
    if revision == REVISION:
        return
    if revision is not None:
        _require_known(revision)
    elif "registered_models" not in names:
        raise Unsuitable("history cannot be recorded: MLflow's tables are not there; start `mlflow server` on it once")
    _alembic(connection, "upgrade", "head")


def _alembic(connection: Connection, command: str, revision: str) -> None:
    # Importing it takes as long as all the rest of a start.
    from alembic import command as commands  # noqa: PLC0415

    config = _config()
    config.attributes["connection"] = connection
    getattr(commands, command)(config, revision)


def _config() -> "Config":
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
    try:
        _patiently(partial(_installed, connection), LOCK_WAIT_S / 2)
    except DBAPIError as error:
        return _said(error)
    return None


def _installed(connection: Connection) -> None:
    form = form_of(connection.dialect.name)
    if form.is_transactional:
        with connection.begin_nested():
            form.install(connection)
    else:
        form.install(connection)


def _caught_up(connection: Connection, refusal: str | None) -> Recording:
    is_new = connection.scalar(select(func.count()).select_from(history.recording)) == 0
    now = _now()
    if is_new:
        connection.execute(insert(history.recording), {"since": now})
    reconciliation.lock(connection)
    # What is found at the beginning is not later than that: so it is known to be older than the history.
    added = reconciliation.reconcile(connection, now if is_new else _now())
    state = _state(connection)
    return replace(state, refusal=refusal if state.missing else None, added=added)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _removed(uri: str) -> None:
    with _alone(writing(uri)) as connection:
        form = form_of(connection.dialect.name)
        form.remove(connection)
        for name in inspect(connection).get_table_names():
            if name.startswith("lineage_") or name == history.VERSION_TABLE:
                connection.execute(text(f"DROP TABLE {name}"))
        for statement in form.leftovers:
            connection.execute(text(statement))


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction, of which there is one at a time in a database."""
    with engine.begin() as connection:
        match engine.dialect.name:
            case "postgresql":
                connection.execute(text(f"SET LOCAL lock_timeout = {_UPGRADE_WAIT_S * 1_000}"))
                connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
                connection.execute(text(f"SET LOCAL lock_timeout = {_TABLE_WAIT_MS}"))
                yield connection
            case "sqlite":
                yield connection
            case _:
                # The lock is the connection's, and goes with it. Its name is known to the whole server.
                lock = func.get_lock(func.md5(func.concat("lineage_api ", func.database())), _UPGRADE_WAIT_S)
                if not connection.scalar(select(lock)):
                    raise Unsuitable("history cannot be recorded: somebody else has been beginning to for a minute")
                yield connection
