"""Comparing the history with the tables, and adding what was missed.

Both are brought into one form, rows of (model, slot, state), and compared. What differs becomes events that are
INFERRED, each at the latest moment at which it can have happened (see `inference`).
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    String,
    Text,
    case,
    cast,
    except_,
    func,
    literal,
    select,
    text,
    union_all,
)

from lineage_api.store import tables as t
from lineage_api.store.history import events, models, recording
from lineage_api.store.inference import PROMPT, Findings, State
from lineage_api.store.inferred_events import end_followed, write
from lineage_api.store.origins import WORKSPACE, is_prompt
from lineage_api.store.statements import Compiled
from lineage_api.store.trigger_forms import COMMIT_LOCK

_NOT_ENDED = {"mysql", "mariadb"}
"""Where triggers leave it for later to end the events that are followed by others."""
_TEXT = Text().with_variant(String(5_000), "mysql", "mariadb")


def differences(connection: Connection, names: Collection[str] | None = None) -> tuple[set[State], set[State]]:
    """What is in the tables and not in the history, and the reverse; of some models, or of all."""
    if connection.dialect.name in _NOT_ENDED:
        there, recorded = list(_in_tables(names)), list(_in_history(names))
        recorded[0] = recorded[0].where(_is_last)
        # Their texts are compared here, since there `A` is `a`, and what is compared has to be of one collation.
        in_tables, in_history = _rows(connection, there), _rows(connection, recorded)
        return in_tables - in_history, in_history - in_tables
    if names is None:
        return _all_differences(connection)
    missing, ended = _comparing(names)
    return _rows(connection, [missing]), _rows(connection, [ended])


def _comparing(names: Collection[str] | None) -> Sequence[CompoundSelect[Any]]:
    # Each as one source, since SQLite takes no parentheses around a part of EXCEPT.
    one, other = (select(union_all(*parts).subquery()) for parts in (_in_tables(names), _in_history(names)))
    return except_(one, other), except_(other, one)


def _rows(connection: Connection, statements: Iterable[Any]) -> set[State]:
    return _states(row for statement in statements for row in connection.execute(statement))


def _states(rows: Iterable[Sequence[Any]]) -> set[State]:
    return {(row[0], row[1], row[2]) for row in rows}


def _all_differences(connection: Connection) -> tuple[set[State], set[State]]:
    kind = connection.dialect.name
    if kind not in _compiled:
        _compiled[kind] = [Compiled(statement, connection.dialect) for statement in _comparing(None)]
    missing, ended = (_states(connection.exec_driver_sql(each.text, each.parameters({}))) for each in _compiled[kind])
    return missing, ended


_compiled: dict[str, Sequence[Compiled]] = {}
"""What compares all, by kind of database: SQLAlchemy would compile it at each look, which takes ten times as long."""


def reconcile(connection: Connection, now: int, names: Collection[str] | None = None) -> int:
    """Adds to the history what it lacks, of some models or of all; gives how many events.

    Call it where nobody else can write events: see `lock`.
    """
    if connection.dialect.name in _NOT_ENDED:
        end_followed(connection)
    missing, ended = differences(connection, names)
    if not missing and not ended:
        return 0
    found = Findings(connection, now)
    found.identify(names)
    # With the identities settled, the rest is said of the models that are there.
    found.add(*differences(connection, names))
    return write(connection, found.found, found.emptied, now)


def lock(connection: Connection) -> None:
    """Keeps others from writing events until the transaction ends; on SQLite it does so from its beginning."""
    match connection.dialect.name:
        case "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(COMMIT_LOCK)))
        case "mysql" | "mariadb":
            # What is read after this is what has been committed when nobody writes.
            connection.execute(text("COMMIT"))
            connection.execute(select(recording.c.since).with_for_update())


# Both in one form


def _words(*parts: Any) -> ColumnElement[str]:
    said: ColumnElement[str] = literal("", Text)
    for part in parts:
        said = said + (literal(part, Text) if isinstance(part, str) else cast(part, _TEXT))
    return said


def _in_tables(names: Collection[str] | None) -> Iterable[Select[Any]]:
    m, v, a = t.registered_models.c, t.model_versions.c, t.registered_model_aliases.c
    mt, vt = t.registered_model_tags.c, t.model_version_tags.c
    parts = [
        _state(m, literal("name", Text), _words(func.coalesce(m.creation_time, 0))),
        _state(m, literal("description/", Text), m.description).where(func.length(m.description) > 0),
        _state(m, literal(PROMPT, Text), literal("", Text)).where(is_prompt(m.name)),
        _state(v, _words("stage/", v.version), func.coalesce(v.current_stage, "None")),
        _state(v, _words("description/", v.version), v.description).where(func.length(v.description) > 0),
        _state(a, _words("alias/", a.alias), _words(a.version)),
        _state(mt, _words("tag//", mt.key), func.coalesce(mt.value, "")),
        _state(vt, _words("tag/", vt.version, "/", vt.key), func.coalesce(vt.value, "")),
    ]
    return parts if names is None else [part.where(part.selected_columns.name.in_(names)) for part in parts]


def _state(columns: Any, slot: ColumnElement[Any], state: ColumnElement[Any]) -> Select[Any]:
    rows = select(columns.name, slot.label("slot"), state.label("state")).where(columns.workspace == WORKSPACE)
    if columns is t.registered_models.c:
        return rows
    # Where foreign keys are off, rows may be left of a model that is gone.
    m = t.registered_models.alias("of").c
    return rows.where(select(m.name).where(m.workspace == WORKSPACE, m.name == columns.name).exists())


_later = events.alias("later").c
_is_last = ~(
    select(_later.id)
    .where(_later.model_id == events.c.model_id, _later.slot == events.c.slot, _later.id > events.c.id)
    .exists()
)


def _in_history(names: Collection[str] | None) -> Iterable[Select[Any]]:
    e, m = events.c, models.c
    nothing: BindParameter[str] = literal("", Text)
    state = case(
        (e.slot == "name", _words(func.coalesce(m.created_at, 0))),
        (e.slot.like("alias/%"), _words(e.version)),
        (e.slot.like("stage/%"), e.to_stage),
        else_=func.coalesce(e.value, ""),
    )
    is_open = (e.ended_at.is_(None), e.slot.is_not(None))
    parts = [
        select(m.name, e.slot, state.label("state")).join_from(events, models, m.id == e.model_id).where(*is_open),
        select(m.name, literal(PROMPT, Text).label("slot"), nothing.label("state")).where(m.is_prompt),
    ]
    live = [part.where(m.deleted_at.is_(None)) for part in parts]
    return live if names is None else [part.where(m.name.in_(names)) for part in live]
