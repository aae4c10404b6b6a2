"""Units of work: a change, its history and what is kept of the request, in one transaction.

The locks are taken in one order, which is also MLflow's own: a row of ours for the model, the versions in the stage,
the target, MLflow's row of the model.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, PendingRollbackError

from lineage_api.errors import TimedOut, Unsuitable
from lineage_api.registry import requests
from lineage_api.registry.outcome import Asked, Outcome
from lineage_api.registry.reasons import AlreadyExists, Invalid, NotFound, Reason, Refused
from lineage_api.store import reconciliation, tables
from lineage_api.store.history import DELETED, events, models
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
_LOST = {"40001", "40P01", "23505"}
"""PostgreSQL: serialization failure, deadlock, a row that somebody else has just inserted."""
_SILENT = {"55P03", "57014"}
"""PostgreSQL: a lock that was not to be had in time."""

Change = Callable[["Unit"], Outcome]


class BusyError(Exception):
    """Others were in the way of a change."""


@dataclass
class Unit:
    """A change that is being made."""

    session: "JoinedSession"
    registry: "JoinedRegistry"
    tracking: "JoinedTracking"
    is_recorded: bool
    """Whether triggers record what is changed."""
    first: tuple[str, ...] = ()
    """The kind of event that brings about the others, and a version where there may be several of that kind."""
    about: int | None = None
    before: int = 0
    """The last event before the change."""
    models: set[str] = field(default_factory=set)
    """The names of the models that are changed, where no triggers tell."""

    def lock(self, name: str, *, stage: str | None = None, version: int | None = None) -> None:
        """Nobody else changes a registered model until the end; refuses when there is none of that name."""
        self.watch(name)
        live = (models.c.name == name, models.c.deleted_at.is_(None))
        known = self.session.execute(select(models.c.is_prompt).where(*live).with_for_update()).first()
        in_stage = (_v.workspace == WORKSPACE, _v.name == name, _v.current_stage == stage)
        target = (_v.workspace == WORKSPACE, _v.name == name, _v.version == version)
        if self._locks_rows:
            for rows, is_meant in ((in_stage, stage), (target, version)):
                if is_meant is not None:
                    self.session.execute(select(_v.version).where(*rows).order_by(_v.version).with_for_update())
        row = select(_m.name).where(_m.workspace == WORKSPACE, _m.name == name).with_for_update()
        if self.session.execute(row).first() is None or (known and known[0]):
            raise Refused(no_model(name))

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

    def last_event_of(self, name: str) -> int:
        """The ID of the last event of a registered model that was committed."""
        of_model = select(func.max(_e.id)).join_from(events, models, models.c.id == _e.model_id)
        return self.session.scalar(of_model.where(models.c.name == name, models.c.deleted_at.is_(None))) or 0

    def last_event(self) -> int:
        """The ID of the last event that was committed, or of this transaction."""
        return self.session.scalar(select(func.max(_e.id))) or 0


class Units:
    """Makes changes, one transaction each; MLflow's stores are opened with the first."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._stores: tuple[JoinedRegistry, JoinedTracking] | None = None

    def made(self, asked: Asked, change: Change) -> Outcome:
        """What came of a change; it is tried again when others were in the way, and refused as a whole."""
        for attempt in range(RETRIES + 1):
            try:
                return self._once(asked, change)
            except BusyError:
                if attempt == RETRIES:
                    raise TimedOut("Others are changing the registry; try again.") from None
                time.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 - so that two do not meet again
        raise AssertionError

    def _once(self, asked: Asked, change: Change) -> Outcome:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        from lineage_api.registry.joined import JoinedSession, LostRaceError  # noqa: PLC0415 - MLflow takes seconds

        registry, tracking = self._opened()
        session = JoinedSession(registry.engine, expire_on_commit=False)
        try:
            self._begin(session)
            known = requests.claimed(session, asked)
            if known is not None:
                return known
            unit = Unit(session, registry, tracking, is_recorded=_are_triggers_there(session))
            unit.before = unit.last_event()
            with session.lent():
                outcome = change(unit)
            outcome.events = unit.complete(asked)
            requests.keep(session, asked, outcome)
            session.commit()
            return outcome
        except (LostRaceError, PendingRollbackError):
            raise BusyError from None
        except MlflowException as error:
            if _is_lost(error.__cause__ or error.__context__) or not session.is_active:
                raise BusyError from None
            raise Refused(*_reasons(error)) from error
        except DBAPIError as error:
            raise _told(error) from error
        finally:
            session.is_lent = False
            session.close()

    def _opened(self) -> "tuple[JoinedRegistry, JoinedTracking]":
        if self._stores is None:
            from lineage_api.registry.joined import JoinedRegistry, JoinedTracking  # noqa: PLC0415

            self._stores = JoinedRegistry(self._uri), JoinedTracking(self._uri)
        return self._stores

    def _begin(self, session: "JoinedSession") -> None:
        if session.get_bind().dialect.name == "sqlite":
            for pragma in (f"busy_timeout = {LOCK_WAIT_MS}", "foreign_keys = ON", "case_sensitive_like = true"):
                session.execute(text(f"PRAGMA {pragma}"))
            session.execute(text("BEGIN IMMEDIATE"))
        else:
            session.execute(text(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}"))

    def close(self) -> None:
        """Lets go of the database."""
        for store in self._stores or ():
            store.engine.dispose()


def _are_triggers_there(session: "JoinedSession") -> bool:
    """Whether what is changed is recorded as it happens."""
    if session.get_bind().dialect.name == "sqlite":
        rows = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'lineage\\_%' ESCAPE '\\'"
        return session.scalar(text(rows)) == len(TRIGGERS)
    rows = """
        SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE t.tgname = ANY(:names) AND t.tgenabled IN ('O', 'A') AND c.relnamespace = current_schema()::regnamespace"""
    names = [trigger.name for trigger in TRIGGERS]
    return session.scalar(text(rows), {"names": names}) == len(TRIGGERS)


def no_model(name: str) -> NotFound:
    """There is no registered model of that name."""
    return NotFound(f"There is no registered model {name[:100]!r}.", ("model",))


def no_version(name: str, version: int, *path: str) -> NotFound:
    """The registered model has no such version."""
    return NotFound(f"The registered model {name[:100]!r} has no version {version}.", path or ("version",))


def _reasons(error: Any) -> list[Reason]:
    """Why MLflow refused; what is no refusal is raised again."""
    kinds: dict[str, type[Reason]] = {
        "RESOURCE_DOES_NOT_EXIST": NotFound,
        "RESOURCE_ALREADY_EXISTS": AlreadyExists,
        "INVALID_PARAMETER_VALUE": Invalid,
    }
    if error.error_code not in kinds:
        raise error
    return [kinds[error.error_code](error.message)]


def _state(error: BaseException | None) -> str:
    return str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")


def _is_lost(error: BaseException | None) -> bool:
    return isinstance(error, IntegrityError) or _state(error) in _LOST


def _told(error: DBAPIError) -> Exception:
    """What is said of a failure of the database: whether it is worth another try, or whose fault it is."""
    code = getattr(error.orig, "sqlite_errorname", "")
    if _is_lost(error):
        return BusyError()
    if code.startswith("SQLITE_BUSY") or _state(error) in _SILENT:
        return TimedOut("Others are changing the registry; try again.")
    if code.startswith("SQLITE_READONLY") or _state(error) == "25006":
        return Unsuitable("This database can only be read.")
    return error
