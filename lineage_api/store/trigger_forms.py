"""Triggers in each database's own words.

On SQLite and MariaDB an event gets its ID and time as it is written. On PostgreSQL, where transactions may be
committed in another order, it is numbered as its transaction commits, one transaction after the other.
"""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, text

from lineage_api.store.triggers import TRIGGERS, Record, Trigger

COMMIT_LOCK = int.from_bytes(b"lineagec")
"""The advisory lock of PostgreSQL under which events are numbered."""

_LIVE = "(SELECT MAX(m.id) FROM lineage_models m WHERE m.name = {row}.name AND m.deleted_at IS NULL)"
_DELETION = (
    "(SELECT MAX(e.id) FROM lineage_events e WHERE e.model_id = {live} AND e.slot = 'stage/' || CAST({row}.version AS"
    " <text>) AND e.kind = 'VERSION_DELETED' AND e.ended_at IS NULL)"
)


class Form(ABC):
    """How a database is told of triggers."""

    text_type = "TEXT"
    true = "1"
    now = ""
    """The moment, in milliseconds, not before that of the last event."""

    @staticmethod
    def of(dialect: str) -> "Form":
        """The form of a database of SQLAlchemy's name for it."""
        return {"sqlite": SQLite, "postgresql": PostgreSQL}.get(dialect, MariaDB)()

    def install(self, connection: Connection) -> list[str]:
        """Makes the triggers that are missing or of another release; gives their names."""
        present = self.present(connection)
        missing = [trigger for trigger in TRIGGERS if trigger.name not in present]
        for trigger in missing:
            for statement in [*self.removal(trigger), *self.creation(trigger)]:
                run(connection, statement)
        return [trigger.name for trigger in missing]

    def remove(self, connection: Connection) -> None:
        """Removes the triggers."""
        for trigger in TRIGGERS:
            for statement in self.removal(trigger):
                run(connection, statement)

    def present(self, connection: Connection) -> set[str]:
        """The names of the triggers that are there as they should be."""
        bodies = {name: body for name, body in connection.execute(text(self.bodies))}
        return {trigger.name for trigger in TRIGGERS if self.mark(trigger) in (bodies.get(trigger.name) or "")}

    bodies: str
    """A statement that gives the names and bodies of triggers."""

    def mark(self, trigger: Trigger) -> str:
        """A comment that tells a trigger from that of another release."""
        return f"/* {hashlib.sha256(self._body(trigger).encode()).hexdigest()[:16]} */"

    def _body(self, trigger: Trigger) -> str:
        steps = [self._step(step) for step in trigger.steps]
        return ";\n".join(self.said(part) for step in steps for part in step) + ";"

    def _step(self, step: Record | str) -> Iterator[str]:
        if isinstance(step, Record):
            yield from self.recorded(step)
        else:
            yield from self.further(step)

    def said(self, expression: str) -> str:
        """An expression in the words of the database."""
        words = re.sub("<deletion of (OLD|NEW)>", lambda m: _DELETION.format(row=m[1], live=live(m[1])), expression)
        return words.replace("<text>", self.text_type)

    def when(self, trigger: Trigger) -> str:
        """When a trigger is to do anything: in the one workspace that is served."""
        row = "OLD" if trigger.event == "DELETE" else "NEW"
        return self.said(f"{row}.workspace = 'default' AND ({trigger.when})")

    def recorded(self, record: Record) -> Iterator[str]:
        """The statements that write an event, and end the one before it in its slot."""
        condition = f"m.name = {record.row}.name AND m.deleted_at IS NULL AND ({record.when})"
        yield from self.ended(record)
        columns = {
            "occurred_at": self.now,
            "ended_at": f"CASE WHEN {record.ends} THEN {self.now} END",
            "slot": record.slot,
            "kind": f"'{record.kind}'",
            "origin": "'EXTERNAL'",
            "model_id": "m.id",
            "model_name": f"{record.row}.name",
            **record.columns,
        }
        yield insertion(columns, "lineage_models m", condition)

    def ended(self, record: Record) -> Iterator[str]:
        """The statements that end what was in the slot of an event."""
        yield (
            f"UPDATE lineage_events SET ended_at = {self.now} WHERE model_id = {live(record.row)}"
            f" AND slot = {record.slot} AND ended_at IS NULL AND ({record.when})"
        )

    def further(self, step: str) -> Iterator[str]:
        """The statements of a further step."""
        yield from {
            "begin_model": [
                "INSERT INTO lineage_models (name, created_at) VALUES (NEW.name, NEW.creation_time)",
            ],
            "rename_model": [
                "UPDATE lineage_models SET name = NEW.name WHERE name = OLD.name AND deleted_at IS NULL"
                " AND NEW.name <> OLD.name",
            ],
            "mark_prompt": [
                f"UPDATE lineage_models SET is_prompt = {self.true} WHERE name = NEW.name AND deleted_at IS NULL"
                """ AND NEW."key" = 'mlflow.prompt.is_prompt' AND LOWER(NEW.value) = 'true'"""
            ],
            "end_aliases": self._left("ALIAS_REMOVED", "alias/%", {"alias": "e.alias", "previous_version": "e.version"}),
            "end_versions": self._left(
                "VERSION_DELETED", "stage/%", {"from_stage": "e.to_stage"}, " AND e.to_stage <> 'Deleted_Internal'"
            ),
            "end_version": [
                f"UPDATE lineage_events SET ended_at = {self.now} WHERE model_id = {live('OLD')} AND ended_at IS NULL"
                " AND slot = 'stage/' || CAST(OLD.version AS <text>) AND kind = 'VERSION_DELETED'"
            ],
            "end_model": [
                *self.all_ended(),
                f"UPDATE lineage_models SET deleted_at = {self.now} WHERE name = OLD.name AND deleted_at IS NULL",
            ],
        }[step]

    def all_ended(self) -> Iterator[str]:
        """The statements that end whatever is left of a model that is gone."""
        yield (
            f"UPDATE lineage_events SET ended_at = {self.now} WHERE model_id = {live('OLD')} AND ended_at IS NULL"
        )

    def _left(self, kind: str, slot: str, columns: Mapping[str, str], more: str = "") -> Iterator[str]:
        """Events of what a model that is deleted still had: its aliases may go by a cascade, which fires no trigger."""
        columns = {
            "occurred_at": self.now,
            "ended_at": self.now,
            "slot": "e.slot",
            "kind": f"'{kind}'",
            "origin": "'EXTERNAL'",
            "model_id": "e.model_id",
            "model_name": "OLD.name",
            "version": "e.version",
            **columns,
        }
        of = f"e.model_id = {live('OLD')} AND e.slot LIKE '{slot}' AND e.ended_at IS NULL{more}{self.is_last}"
        yield insertion(columns, "lineage_events e", of)
        yield (
            f"UPDATE lineage_events SET ended_at = {self.now} WHERE model_id = {live('OLD')} AND slot LIKE '{slot}'"
            " AND ended_at IS NULL"
        )

    is_last = ""
    """A condition that an event `e` with no end is the last of its slot, where it need not be."""

    @abstractmethod
    def creation(self, trigger: Trigger) -> Sequence[str]:
        """The statements that make a trigger."""

    def removal(self, trigger: Trigger) -> Sequence[str]:
        """The statements that remove a trigger, if it is there."""
        return [f"DROP TRIGGER IF EXISTS {trigger.name}"]


def run(connection: Connection, statement: str) -> None:
    """Runs a statement as it stands: a percent sign in it is one."""
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def live(row: str) -> str:
    """The identity of the model that a row belongs to, as an expression."""
    return _LIVE.format(row=row)


def insertion(columns: Mapping[str, str], source: str, condition: str) -> str:
    """A statement that inserts an event for each row of a source."""
    names, values = ", ".join(f'"{name}"' for name in columns), ", ".join(columns.values())
    return f"INSERT INTO lineage_events ({names}) SELECT {values} FROM {source} WHERE {condition}"


_NOT_BEFORE = "COALESCE((SELECT occurred_at FROM lineage_events ORDER BY id DESC LIMIT 1), 0)"


class SQLite(Form):
    """SQLite, where one writes at a time."""

    now = (
        "MAX(CAST(strftime('%s', 'now') AS INTEGER) * 1000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER),"
        f" {_NOT_BEFORE})"
    )
    bodies = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"

    def creation(self, trigger: Trigger) -> Sequence[str]:
        return [
            f"CREATE TRIGGER {trigger.name} AFTER {trigger.event} ON {trigger.table} WHEN {self.when(trigger)}\n"
            f"BEGIN {self.mark(trigger)}\n{self._body(trigger)}\nEND"
        ]


class MariaDB(Form):
    """MariaDB and MySQL. IDs are those of writing, which need not be the order of commits."""

    text_type = "CHAR"
    now = f"GREATEST(CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED), {_NOT_BEFORE})"
    bodies = "SELECT trigger_name, action_statement FROM information_schema.triggers WHERE trigger_schema = DATABASE()"

    def creation(self, trigger: Trigger) -> Sequence[str]:
        event = trigger.event.partition(" ")[0]  # there is no `OF` here
        return [
            # A trigger keeps the mode in which it was made.
            "SET @lineage_mode = @@sql_mode",
            "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,STRICT_TRANS_TABLES'",
            f"CREATE TRIGGER {trigger.name} AFTER {event} ON {trigger.table} FOR EACH ROW\n"
            f"BEGIN {self.mark(trigger)}\nIF {self.when(trigger)} THEN\n{self._body(trigger)}\nEND IF;\nEND",
            "SET sql_mode = @lineage_mode",
        ]


class PostgreSQL(Form):
    """PostgreSQL. Functions run as their owner: the role that MLflow comes as may not know our tables."""

    true = "true"
    now = "0"  # set as the transaction commits
    bodies = """
        SELECT t.tgname, p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
        JOIN pg_class c ON c.oid = t.tgrelid
        WHERE t.tgenabled IN ('O', 'A') AND c.relnamespace = current_schema()::regnamespace"""

    is_last = (
        " AND NOT EXISTS (SELECT 1 FROM lineage_events d WHERE d.model_id = e.model_id AND d.slot = e.slot AND d.id < 0"
        " AND (e.id > 0 OR d.id < e.id))"
    )

    def ended(self, record: Record) -> Iterator[str]:  # noqa: ARG002
        yield from ()

    def all_ended(self) -> Iterator[str]:
        yield from ()

    def further(self, step: str) -> Iterator[str]:
        for statement in super().further(step):
            # Those of the slots are ended as the events that follow them are numbered.
            if step == "end_version" or not statement.startswith("UPDATE lineage_events"):
                yield statement.replace(" = 0 WHERE", f" = {NOW} WHERE")

    def creation(self, trigger: Trigger) -> Sequence[str]:
        body = f"{self.mark(trigger)}\nBEGIN\n{self._body(trigger)}\nRETURN NULL;\nEND"
        return [
            function(trigger.name, body),
            f"CREATE TRIGGER {trigger.name} AFTER {trigger.event} ON {trigger.table} FOR EACH ROW"
            f" WHEN ({self.when(trigger)}) EXECUTE FUNCTION {trigger.name}()",
        ]

    def removal(self, trigger: Trigger) -> Sequence[str]:
        return [f"DROP TRIGGER IF EXISTS {trigger.name} ON {trigger.table}", f"DROP FUNCTION IF EXISTS {trigger.name}()"]


NOW = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
"""The moment on PostgreSQL, in milliseconds."""


def function(name: str, body: str) -> str:
    """A statement that makes a trigger's function on PostgreSQL."""
    return (
        f"DO $make$ BEGIN EXECUTE format('CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
        f" SECURITY DEFINER SET search_path = %I, pg_temp AS %L', current_schema(), $body${body}$body$); END $make$"
    )


NUMBERING = (
    "CREATE SEQUENCE lineage_event_number",
    "ALTER TABLE lineage_events ALTER COLUMN id SET DEFAULT -nextval('lineage_events_id_seq')",
    "CREATE INDEX lineage_events_of_draft ON lineage_events (cause_id) WHERE cause_id < 0",
    function(
        "lineage_number",
        f"""
DECLARE
    number BIGINT;
    moment BIGINT;
BEGIN
    PERFORM pg_advisory_xact_lock({COMMIT_LOCK});
    number := nextval('lineage_event_number');
    SELECT occurred_at INTO moment FROM lineage_events WHERE id > 0 ORDER BY id DESC LIMIT 1;
    moment := GREATEST(moment, CASE NEW.occurred_at WHEN 0 THEN {NOW} ELSE NEW.occurred_at END);
    UPDATE lineage_events SET ended_at = moment
        WHERE model_id = NEW.model_id AND (slot = NEW.slot OR NEW.kind = 'MODEL_DELETED') AND ended_at IS NULL AND id > 0;
    UPDATE lineage_events SET id = number, occurred_at = moment, ended_at = CASE WHEN ended_at IS NOT NULL THEN moment END
        WHERE id = NEW.id;
    UPDATE lineage_events SET cause_id = number WHERE cause_id = NEW.id;
    RETURN NULL;
END""",
    ),
    "CREATE CONSTRAINT TRIGGER lineage_events_number AFTER INSERT ON lineage_events DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW WHEN (NEW.id < 0) EXECUTE FUNCTION lineage_number()",
)
"""What numbers events on PostgreSQL as their transactions commit: part of our own tables."""
