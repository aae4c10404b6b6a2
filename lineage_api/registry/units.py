"""Units of work: a change, its history and what is kept of the request, in one transaction.

The locks are taken in one order, which is also MLflow's own: a row of ours for the model, the versions in the stage,
the target, MLflow's row of the model.
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Engine, case, func, select, text, update
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from lineage_api.access.roles import Role
from lineage_api.errors import TimedOut, Unsuitable
from lineage_api.registry import failures, requests
from lineage_api.registry.outcome import Asked, Outcome
from lineage_api.registry.reasons import Refused, no_model, no_version
from lineage_api.store import reconciliation, tables
from lineage_api.store.engines import changing
from lineage_api.store.history import DELETED, events, models
from lineage_api.store.imports import importing
from lineage_api.store.opening import prepared
from lineage_api.store.origins import WORKSPACE
from lineage_api.store.triggers import TRIGGERS

if TYPE_CHECKING:
    from lineage_api.registry.joined import JoinedRegistry, JoinedSession, JoinedTracking

LOCK_WAIT_MS = 5_000
"""How long to wait for others who write."""
RETRIES = 3
"""How often a change is tried again when others were in its way, before anything of it was committed."""

_v, _m, _e = tables.model_versions.c, tables.registered_models.c, events.c
_TOLD = (_e.id, _e.kind, _e.version, _e.cause_id, _e.model_id, _e.slot, _e.occurred_at)

_log = logging.getLogger(__name__)

Change = Callable[["Unit"], Outcome]


@dataclass
class Unit:
    """A change that is being made."""

    session: "JoinedSession"
    registry: "JoinedRegistry"
    tracking: "JoinedTracking"
    role: Role = Role.MANAGER
    """What whoever asks for the change may do."""
    is_recorded: bool = True
    """Whether triggers record what is changed."""
    first: tuple[str, ...] = ()
    """The kind of event that brings about the others, and a version where there may be several of that kind."""
    about: int | None = None
    before: int = 0
    """The last event before the change."""
    models: set[str] = field(default_factory=set)
    """The names of the models that are changed, where no triggers tell."""

    def lock(self, name: str, *path: str, stage: str | None = None, version: int | None = None) -> None:
        """Nobody else changes a registered model until the end; refuses when there is none of that name."""
        if not self.locked(name, stage=stage, version=version):
            raise Refused(no_model(name, *path))

    def locked(self, name: str, *, stage: str | None = None, version: int | None = None) -> bool:
        """Whether there is a registered model of that name, which nobody else changes until the end."""
        self.watch(name)
        live = (models.c.name == name, models.c.deleted_at.is_(None))
        known = self.session.execute(select(models.c.is_prompt).where(*live).with_for_update()).first()
        if self._locks_rows:
            of_model = select(_v.version).where(_v.workspace == WORKSPACE, _v.name == name).order_by(_v.version)
            for is_meant, value in ((_v.current_stage == stage, stage), (_v.version == version, version)):
                if value is not None:
                    self.session.execute(of_model.where(is_meant).with_for_update())
        row = select(_m.name).where(_m.workspace == WORKSPACE, _m.name == name).with_for_update()
        return self.session.execute(row).first() is not None and not (known and known[0])

    @property
    def _locks_rows(self) -> bool:
        return self.session.get_bind().dialect.name != "sqlite"

    def watch(self, name: str) -> None:
        """Where no triggers tell what is changed of a model, it is compared before and after."""
        if not self.is_recorded and name not in self.models:
            self.models.add(name)
            self._compare([name])
            self.before = self.last_event()

    def _compare(self, names: Sequence[str]) -> None:
        connection = self.session.connection()
        reconciliation.lock(connection)
        reconciliation.reconcile(connection, time.time_ns() // 1_000_000, names)

    def has_model(self, name: str) -> bool:
        """Whether there is a registered model, or a prompt, of that name."""
        row = select(_m.name).where(_m.workspace == WORKSPACE, _m.name == name)
        return self.session.execute(row).first() is not None

    def version(self, name: str, version: int, *path: str) -> Any:
        """The row of a version; refuses when there is none, or it is deleted."""
        row = self.session.execute(
            select(tables.model_versions).where(
                _v.workspace == WORKSPACE, _v.name == name, _v.version == version, _v.current_stage != DELETED
            )
        ).first()
        if row is None:
            raise Refused(no_version(name, version, *path))
        return row

    def in_stage(self, name: str, stage: str) -> list[int]:
        """The numbers of the versions in a stage."""
        rows = select(_v.version).where(_v.workspace == WORKSPACE, _v.name == name, _v.current_stage == stage)
        return list(self.session.scalars(rows.order_by(_v.version)))

    def begins_with(self, *kinds: str, version: int | None = None) -> None:
        """Says which event brings about the others: the first of these kinds, about this version."""
        self.first, self.about = kinds, version

    def complete(self, asked: Asked) -> list[int]:
        """Says of the events of this change who made it and why; gives their IDs, the first one first."""
        if not self.is_recorded:
            self._compare(sorted(self.models))
        elif self._locks_rows:
            reconciliation.lock(self.session.connection())
            self.before = self.last_event()
            self.session.execute(text("SET CONSTRAINTS lineage_events_number IMMEDIATE"))
        said = {"origin": "API", "mutation": asked.mutation, "actor": asked.actor, "reason": asked.reason}
        made = update(events).where(_e.id > self.before).values(said).returning(*_TOLD)
        rows = sorted(self.session.execute(made.execution_options(synchronize_session=False)).all())
        self._at_one_moment(rows)
        leading = self._leading(rows)
        if leading is None:
            return [row.id for row in rows]
        caused = [row.id for row in rows if row.id != leading and row.cause_id is None]
        if caused:
            self.session.execute(update(events).where(_e.id.in_(caused)).values(cause_id=leading))
        return [leading, *(row.id for row in rows if row.id != leading)]

    def _at_one_moment(self, rows: Sequence[Any]) -> None:
        """A change happens at one moment: nobody who asks about it finds half of it."""
        moment = max((row.occurred_at for row in rows), default=0)
        for row in rows:
            if row.occurred_at != moment:
                e = events.alias()
                before = select(func.max(e.c.id)).where(
                    e.c.model_id == row.model_id, e.c.slot == row.slot, e.c.id < row.id
                )
                ended = (_e.id == before.scalar_subquery(), _e.ended_at == row.occurred_at)
                self.session.execute(update(events).where(*ended).values(ended_at=moment))
                own = {"occurred_at": moment, "ended_at": case((_e.ended_at.is_not(None), moment))}
                self.session.execute(update(events).where(_e.id == row.id).values(own))

    def _leading(self, rows: Sequence[Any]) -> int | None:
        for kind in self.first:
            for row in rows:
                if row.kind == kind and self.about in {None, row.version}:
                    return int(row.id)
        return None

    def last_event_of(self, name: str, condition: ColumnElement[bool]) -> int:
        """The ID of the last event of a registered model that meets a condition."""
        of_model = select(func.max(_e.id)).join_from(events, models, models.c.id == _e.model_id)
        live = (models.c.name == name, models.c.deleted_at.is_(None))
        return self.session.scalar(of_model.where(*live, _e.id > 0, condition)) or 0

    def last_event(self) -> int:
        """The ID of the last event that was committed, or of this transaction."""
        return self.session.scalar(select(func.max(_e.id))) or 0


class Units:
    """Makes changes, one transaction each; MLflow's stores are opened with the first."""

    def __init__(self, uri: str, writers: int = 1) -> None:
        self._uri = uri
        self._writers = writers
        self._stores: tuple[JoinedRegistry, JoinedTracking] | None = None
        self._engine: Engine | None = None
        self._gave_up_at = 0.0
        """When a change was last given up because of a lock; who asked before has waited long enough."""

    def made(self, asked: Asked, change: Change) -> Outcome:
        """What came of a change; it is tried again when others were in the way, and refused as a whole.

        Where others hold the lock that all who write to SQLite need, it is not waited for by one after the other.
        """
        for attempt in range(RETRIES + 1):
            if asked.since < self._gave_up_at:
                raise TimedOut(failures.OTHERS_CHANGE)
            try:
                return self._once(asked, change)
            except TimedOut:
                if self._uri.startswith("sqlite"):
                    self._gave_up_at = time.monotonic()
                raise
            except failures.BusyError:
                if attempt == RETRIES:
                    raise TimedOut(failures.OTHERS_CHANGE) from None
                time.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 - so that two do not meet again
        raise AssertionError

    def _once(self, asked: Asked, change: Change) -> Outcome:
        with importing():
            from mlflow.exceptions import MlflowException  # noqa: PLC0415 - MLflow takes seconds

            from lineage_api.registry.joined import JoinedSession, LostRaceError  # noqa: PLC0415

            registry, tracking = self._opened()
        session = JoinedSession(self._engine, expire_on_commit=False)
        try:
            return self._committed(Unit(session, registry, tracking, asked.role), asked, change)
        except (LostRaceError, PendingRollbackError):
            raise failures.BusyError from None
        except MlflowException as error:
            raise (failures.of_mlflow(error) if session.is_active else failures.BusyError()) from error.__cause__
        except DBAPIError as error:
            session.invalidate()  # of a file that was damaged or empty the connection would remember that
            raise failures.of_database(error) from error.__cause__
        finally:
            session.is_lent = False
            session.close()

    @staticmethod
    def _committed(unit: Unit, asked: Asked, change: Change) -> Outcome:
        """What came of a change, or what had come of the same request before."""
        known = requests.claimed(unit.session, asked)
        if known is not None:
            return known
        triggers, unit.before = unit.session.execute(text(_STATES[unit.session.get_bind().dialect.name])).one()
        unit.is_recorded = triggers == len(TRIGGERS)
        with unit.session.lent():
            outcome = change(unit)
        outcome.events = unit.complete(asked)
        requests.keep(unit.session, asked, outcome)
        unit.session.commit()
        return outcome

    def _opened(self) -> "tuple[JoinedRegistry, JoinedTracking]":
        if self._stores is None:
            from lineage_api.registry.joined import JoinedRegistry, JoinedTracking  # noqa: PLC0415

            _require_fit(self._uri)
            self._engine = changing(self._uri, self._writers, LOCK_WAIT_MS)
            self._stores = JoinedRegistry(self._uri), JoinedTracking(self._uri)
        return self._stores

    def close(self) -> None:
        """Lets go of the database."""
        if self._engine is not None:
            self._engine.dispose()
        for store in self._stores or ():
            store.engine.dispose()  # by which it looked at the tables as it was opened


def _require_fit(uri: str) -> None:
    """Refuses a database that has become one of another release meanwhile: MLflow's stores would migrate it."""
    try:
        prepared(uri, create=False)
    except Unsuitable as refusal:
        _log.warning("Nothing can be changed: %s", refusal)  # it names the database, which is not for clients
        raise Unsuitable("Nothing can be changed: the store is not of the MLflow that is installed here.") from None


_TRIGGERS = ", ".join(f"'{trigger.name}'" for trigger in TRIGGERS)
_STATES = {
    "sqlite": f"""
        SELECT (SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name IN ({_TRIGGERS})),
        (SELECT coalesce(max(id), 0) FROM lineage_events)""",  # noqa: S608 - the names are our own
    "postgresql": f"""
        SELECT count(*), 0 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE t.tgname IN ({_TRIGGERS}) AND t.tgenabled IN ('O', 'A')
        AND c.relnamespace = current_schema()::regnamespace""",  # noqa: S608
}
"""How many of our triggers are there, and the last event, which on PostgreSQL is asked for only when it counts."""
