"""What the triggers do, as SQL that the databases share."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, text

from lineage_api.store.triggers import TRIGGERS, Further, Record, Trigger

LIVE = "(SELECT MAX(m.id) FROM lineage_models m WHERE m.name = {row}.name AND m.deleted_at IS NULL)"
"""The identity of the model that a row belongs to."""
DELETION = (
    "(SELECT MAX(e.id) FROM lineage_events e WHERE e.model_id = {live} AND e.slot = 'stage/' || {version}"
    " AND e.kind = 'VERSION_DELETED' AND e.ended_at IS NULL{is_last})"
)
"""The event with which the version that a row belongs to was deleted."""


class Form(ABC):
    """How a database is told of triggers."""

    true = "1"
    now: str
    """The moment that an event gets as it is written, in milliseconds."""
    bodies: str
    """A statement that gives the names and bodies of triggers."""
    is_last = ""
    """A condition that an event `e` with no end is the last of its slot, where it need not be."""
    ends_events = True
    """Whether the triggers themselves end the event that one follows in its slot."""
    is_transactional = True
    """Whether triggers are made and removed as part of a transaction."""
    leftovers: Sequence[str] = ()
    """Statements that remove what our tables leave behind when they are dropped."""

    def install(self, connection: Connection) -> None:
        """Makes the triggers that are missing or of another release."""
        present = self.present(connection)
        for trigger in TRIGGERS:
            if trigger.name not in present:
                for statement in self.creation(trigger):
                    run(connection, statement)

    def present(self, connection: Connection) -> set[str]:
        """The names of the triggers that are there as they should be."""
        bodies: dict[str, str | None] = dict(connection.execute(text(self.bodies)).all())
        return {trigger.name for trigger in TRIGGERS if self.mark(trigger) in (bodies.get(trigger.name) or "")}

    def remove(self, connection: Connection) -> None:
        """Removes all triggers of ours, those of other releases too."""
        for name, _ in connection.execute(text(self.bodies)).all():
            if name.startswith("lineage_"):
                run(connection, f"DROP TRIGGER IF EXISTS {name}")

    def mark(self, trigger: Trigger) -> str:
        """A comment that tells a trigger from that of another release."""
        said = "\n".join([trigger.event, self.when(trigger), self.body(trigger)])
        return f"/* {hashlib.sha256(said.encode()).hexdigest()[:16]} */"

    @abstractmethod
    def creation(self, trigger: Trigger) -> Sequence[str]:
        """The statements that make a trigger, in place of one of another release."""

    def when(self, trigger: Trigger) -> str:
        """When a trigger is to do anything: in the one workspace that is served."""
        row = "OLD" if trigger.event == "DELETE" else "NEW"
        return self.said(f"{row}.workspace = 'default' AND ({self.condition(trigger.when)})")

    def body(self, trigger: Trigger) -> str:
        """The statements of a trigger."""
        statements = [statement for step in trigger.steps for statement in self.step(step)]
        return ";\n".join(self.said(statement) for statement in statements) + ";"

    def step(self, step: Record | Further) -> Iterator[str]:
        """The statements of a step."""
        if isinstance(step, Record):
            yield from self.recorded(step)
        else:
            yield from self.further(step)

    def said(self, expression: str) -> str:
        """An expression in the words of the database."""
        words = re.sub("<deletion of (OLD|NEW)>", lambda found: self.deletion(found[1]), expression)
        return re.sub("<text of ([^>]+)>", lambda found: self.text(found[1]), words)

    def text(self, number: str) -> str:
        """A number as text."""
        return f"CAST({number} AS TEXT)"

    def condition(self, condition: str) -> str:
        """A condition under which something is recorded: texts that differ in any way are not the same."""
        return condition

    def live(self, row: str) -> str:
        """The identity of the model that a row belongs to."""
        return LIVE.format(row=row)

    def deletion(self, row: str) -> str:
        """The event with which the version that a row belongs to was deleted."""
        return DELETION.format(live=self.live(row), version=self.text(f"{row}.version"), is_last=self.is_last)

    @property
    def clock(self) -> str:
        """The moment for what is no event."""
        return self.now

    # What is written

    def recorded(self, record: Record) -> Iterator[str]:
        """The statements that write an event, and end the one before it in its slot."""
        when = self.condition(record.when)
        yield from self.ended(f"model_id = {self.live(record.row)} AND slot = {record.slot} AND ({when})")
        columns = {
            "occurred_at": self.now,
            "ended_at": f"CASE WHEN {self.condition(record.ends)} THEN {self.now} END",
            "slot": record.slot,
            "kind": f"'{record.kind}'",
            "origin": "'EXTERNAL'",
            "model_id": "m.id",
            "model_name": f"{record.row}.name",
            **record.columns,
        }
        yield insertion(columns, "lineage_models m", f"m.id = {self.live(record.row)} AND ({when})")

    def ended(self, condition: str) -> Iterator[str]:
        """The statements that end events."""
        if self.ends_events:
            yield f"UPDATE lineage_events SET ended_at = {self.now} WHERE {condition} AND ended_at IS NULL"

    def further(self, step: Further) -> Iterator[str]:
        """The statements of a further step."""
        live, when = self.live(step.row), self.condition(step.when)
        match step.name:
            case "begin_model":
                yield "INSERT INTO lineage_models (name, created_at) VALUES (NEW.name, NEW.creation_time)"
            case "rename_model":
                yield f"UPDATE lineage_models SET name = NEW.name WHERE id = {live} AND ({when})"
            case "mark_prompt":
                yield f"UPDATE lineage_models SET is_prompt = {self.true} WHERE id = {live} AND ({when})"
            case "end_aliases":
                yield from self._left("ALIAS_REMOVED", "alias/%", {"alias": "e.alias", "previous_version": "e.version"})
            case "end_versions":
                is_there = " AND e.to_stage <> 'Deleted_Internal'"
                yield from self._left("VERSION_DELETED", "stage/%", {"from_stage": "e.to_stage"}, is_there)
            case "end_version":
                yield (
                    f"UPDATE lineage_events SET ended_at = {self.clock} WHERE model_id = {live} AND ended_at IS NULL"
                    " AND (slot = 'stage/' || <text of OLD.version> AND kind = 'VERSION_DELETED'"
                    " OR slot = 'description/' || <text of OLD.version>)"
                )
            case "end_model":
                yield from self.ended(f"model_id = {live} AND ({when})")
                yield f"UPDATE lineage_models SET deleted_at = {self.clock} WHERE id = {live} AND ({when})"

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
        of = f"e.model_id = {self.live('OLD')} AND e.slot LIKE '{slot}' AND e.ended_at IS NULL{more}{self.is_last}"
        yield insertion(columns, "lineage_events e", of)
        yield from self.ended(f"model_id = {self.live('OLD')} AND slot LIKE '{slot}'")


def insertion(columns: Mapping[str, str], source: str, condition: str) -> str:
    """A statement that inserts an event for each row of a source."""
    names, values = ", ".join(f'"{name}"' for name in columns), ", ".join(columns.values())
    return f"INSERT INTO lineage_events ({names}) SELECT {values} FROM {source} WHERE {condition}"


def run(connection: Connection, statement: str) -> None:
    """Runs a statement as it stands: a percent sign in it is one."""
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
