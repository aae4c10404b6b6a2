"""Changes that were asked for with a key: each is made once, however often it is asked for."""

import time
from typing import Any

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from lineage_api.registry.outcome import Asked, Outcome
from lineage_api.registry.reasons import Invalid, Refused
from lineage_api.store.history import models, requests

KEPT_MS = 7 * 24 * 3_600_000
"""How long keys are kept."""

_r = requests.c
_INSERTS: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def claimed(session: Session, asked: Asked) -> Outcome | None:
    """What came of the same request before; None when it is the first, and the key is now taken.

    Whoever comes with the same key meanwhile waits for the end of this transaction.
    """
    if asked.key is None:
        return None
    now = time.time_ns() // 1_000_000
    session.execute(delete(requests).where(_r.created_at < now - KEPT_MS))
    row = {**_identity(asked), "digest": asked.digest, "created_at": now}
    taken = _INSERTS[session.get_bind().dialect.name](requests).values(row).on_conflict_do_nothing()
    if session.execute(taken.returning(_r.id)).first():
        return None
    digest, outcome = session.execute(select(_r.digest, _r.outcome).where(*_is(asked))).one()
    if digest != asked.digest:
        message = "This key was given with another input before; use a new key for another change."
        raise Refused(Invalid(message, ("idempotencyKey",)))
    return _with_name_now(session, Outcome.read(outcome))


def keep(session: Session, asked: Asked, outcome: Outcome) -> None:
    """Keeps what came of a request."""
    if asked.key is not None:
        outcome.model_id = _model_id(session, outcome.registered)
        session.execute(update(requests).where(*_is(asked)).values(outcome=outcome.written()))


def _model_id(session: Session, name: str | None) -> int | None:
    return session.scalar(select(models.c.id).where(models.c.name == name, models.c.deleted_at.is_(None)))


def _with_name_now(session: Session, outcome: Outcome) -> Outcome:
    """The outcome with the name that its registered model has now."""
    if outcome.model_id is None:
        return outcome
    name = select(models.c.name).where(models.c.id == outcome.model_id, models.c.deleted_at.is_(None))
    return outcome.renamed(session.scalar(name))


def _identity(asked: Asked) -> dict[str, str]:
    return {"actor": asked.actor or "", "mutation": asked.mutation, "key": asked.key or ""}


def _is(asked: Asked) -> list[ColumnElement[bool]]:
    return [_r[name] == value for name, value in _identity(asked).items()]
