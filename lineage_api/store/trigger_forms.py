"""Triggers in each database's own words.

On SQLite and MariaDB an event gets its ID and time as it is written. On PostgreSQL, where transactions may be
committed in another order, it is numbered as its transaction commits, one transaction after the other.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection, text

from lineage_api.store.trigger_bodies import LIVE, Form, run
from lineage_api.store.triggers import Further, Record, Trigger

COMMIT_LOCK = int.from_bytes(b"lineagec")
"""The advisory lock of PostgreSQL under which events are numbered."""
CHANNEL = "lineage_events"
"""Where PostgreSQL tells whoever listens that there are new events."""


def form_of(dialect: str) -> Form:
    """The form of a database of SQLAlchemy's name for it."""
    forms: dict[str, type[Form]] = {"sqlite": SQLite, "postgresql": PostgreSQL}
    return forms.get(dialect, MariaDB)()


class SQLite(Form):
    """SQLite, where one writes at a time."""

    # Not before that of the last event.
    now = (
        "MAX(CAST(strftime('%s', 'now') AS INTEGER) * 1000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER),"
        " COALESCE((SELECT occurred_at FROM lineage_events ORDER BY id DESC LIMIT 1), 0))"
    )
    bodies = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"

    def creation(self, trigger: Trigger) -> Sequence[str]:
        made = f"CREATE TRIGGER {trigger.name} AFTER {trigger.event} ON {trigger.table} WHEN {self.when(trigger)}"
        return [
            f"DROP TRIGGER IF EXISTS {trigger.name}",
            f"{made}\nBEGIN {self.mark(trigger)}\n{self.body(trigger)}\nEND",
        ]


class MariaDB(Form):
    """MariaDB and MySQL. IDs and times are those of writing, which need not be in the order of commits.

    All that a trigger reads or looks for is locked there until the writer commits, and so is the gap beside it. So
    nothing is looked for that need not be: the events that are followed by others end later (see `inferred_events`).
    """

    now = "lineage_now"
    bodies = "SELECT trigger_name, action_statement FROM information_schema.triggers WHERE trigger_schema = DATABASE()"
    is_last = (
        " AND NOT EXISTS (SELECT 1 FROM lineage_events d WHERE d.model_id = e.model_id AND d.slot = e.slot"
        " AND d.id > e.id)"
    )
    ends_events = False
    is_transactional = False

    def creation(self, trigger: Trigger) -> Sequence[str]:
        event = trigger.event.partition(" ")[0]  # there is no `OF` here
        variables = "DECLARE lineage_gate, lineage_now, lineage_model, lineage_cause BIGINT;"
        body = f"{self.mark(trigger)}\n{variables}\nIF {self.when(trigger)} THEN\n{self.body(trigger)}\nEND IF;"
        return [
            f"DROP TRIGGER IF EXISTS {trigger.name}",
            # A trigger keeps the mode in which it was made.
            "SET @lineage_mode = @@sql_mode",
            "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,STRICT_TRANS_TABLES'",
            f"CREATE TRIGGER {trigger.name} AFTER {event} ON {trigger.table} FOR EACH ROW\nBEGIN {body}\nEND",
            "SET sql_mode = @lineage_mode",
        ]

    def body(self, trigger: Trigger) -> str:
        # Whoever looks for what was missed holds the row for himself (see `reconciliation.lock`).
        gate = "SELECT MAX(since) INTO lineage_gate FROM lineage_recording LOCK IN SHARE MODE"
        return f"{gate};\nSET lineage_now = FLOOR(@@timestamp * 1000);\n{super().body(trigger)}"

    def step(self, step: Record | Further) -> Iterator[str]:
        if step != Further("begin_model"):
            yield f"SET lineage_model = {LIVE.format(row=step.row)}"
        statements = list(super().step(replace(step, when="1 = 1")))
        if any("<deletion of" in statement for statement in statements):
            statements.insert(0, f"SET lineage_cause = {super().deletion(step.row)}")
        # A condition of a statement would not keep it from locking.
        yield from statements if step.when == "1 = 1" else [_if(self.condition(step.when), statements)]

    def live(self, row: str) -> str:  # noqa: ARG002
        return "lineage_model"

    def deletion(self, row: str) -> str:  # noqa: ARG002
        return "lineage_cause"

    def text(self, number: str) -> str:
        return f"(CONVERT({number} USING utf8mb4) COLLATE utf8mb4_bin)"

    def condition(self, condition: str) -> str:
        texts = r'(?<!LOWER\()((?:NEW|OLD)\.(?:"key"|(?:name|alias|value|description|current_stage)\b))'
        return re.sub(texts, r"CAST(\1 AS BINARY)", condition)


def _if(condition: str, statements: Sequence[str]) -> str:
    return f"IF {condition} THEN\n" + ";\n".join(statements) + ";\nEND IF"


NOW = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
"""The moment on PostgreSQL, in milliseconds."""


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
    ends_events = False  # but those who number them do
    leftovers = ("DROP FUNCTION IF EXISTS lineage_number()", "DROP SEQUENCE IF EXISTS lineage_event_number")

    @property
    def clock(self) -> str:
        return NOW

    def creation(self, trigger: Trigger) -> Sequence[str]:
        body = f"{self.mark(trigger)}\nBEGIN\n{self.body(trigger)}\nRETURN NULL;\nEND"
        # To drop one would lock out those who read.
        made = f"CREATE OR REPLACE TRIGGER {trigger.name} AFTER {trigger.event} ON {trigger.table} FOR EACH ROW"
        return [
            function(trigger.name, body),
            f"{made} WHEN ({self.when(trigger)}) EXECUTE FUNCTION {trigger.name}()",
        ]

    def remove(self, connection: Connection) -> None:
        functions = r"""
            SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
            AND proname LIKE 'lineage\_%' AND proname <> 'lineage_number' AND prorettype = 'trigger'::regtype"""
        for name in connection.scalars(text(functions)).all():
            run(connection, f"DROP FUNCTION {name}() CASCADE")


def function(name: str, body: str) -> str:
    """A statement that makes a trigger's function on PostgreSQL."""
    return (
        f"DO $make$ BEGIN EXECUTE format('CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
        f" SECURITY DEFINER SET search_path = %I, pg_temp AS %L', current_schema(), $body${body}$body$); END $make$"
    )


_NUMBER = f"""
DECLARE
    number BIGINT;
    moment BIGINT;
    is_same_transaction BOOLEAN;
BEGIN
    PERFORM pg_advisory_xact_lock({COMMIT_LOCK});
    number := nextval('lineage_event_number');
    SELECT occurred_at, xmin = pg_current_xact_id()::xid INTO moment, is_same_transaction
        FROM lineage_events WHERE id > 0 ORDER BY id DESC LIMIT 1;
    IF is_same_transaction IS NOT TRUE THEN -- what one transaction does happens at one moment
        moment := GREATEST(moment, CASE NEW.occurred_at WHEN 0 THEN {NOW} ELSE NEW.occurred_at END);
    END IF;
    UPDATE lineage_events SET ended_at = moment
        WHERE model_id = NEW.model_id AND (slot = NEW.slot OR NEW.kind = 'MODEL_DELETED')
        AND ended_at IS NULL AND id > 0;
    UPDATE lineage_events
        SET id = number, occurred_at = moment, ended_at = CASE WHEN ended_at IS NOT NULL THEN moment END
        WHERE id = NEW.id;
    UPDATE lineage_events SET cause_id = number WHERE cause_id = NEW.id;
    PERFORM pg_notify('{CHANNEL}', '');
    RETURN NULL;
END"""

NUMBER = function("lineage_number", _NUMBER)
"""What makes the function that numbers events on PostgreSQL."""
NUMBERING = (
    "CREATE SEQUENCE lineage_event_number",
    "ALTER TABLE lineage_events ALTER COLUMN id SET DEFAULT -nextval('lineage_events_id_seq')",
    "CREATE INDEX lineage_events_of_draft ON lineage_events (cause_id) WHERE cause_id < 0",
    NUMBER,
    """
    CREATE CONSTRAINT TRIGGER lineage_events_number AFTER INSERT ON lineage_events DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.id < 0) EXECUTE FUNCTION lineage_number()""",
)
"""What numbers events on PostgreSQL as their transactions commit: part of our own tables."""
