"""Which parts of a query PostgreSQL answers in JSON, and the statements that are kept for them.

The rule: an operation, or one of its relations, is answered so where all that is selected below is columns that can be
said in SQL and relations; where an index leads along each relation from several parents; and where no page lies below
a row that several parents share. All else is read as rows, and so is what comes out of the ordinary, such as a null
where none is allowed: rows tell what is wrong with it.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Select

from lineage_api.engine.arrows import Arrow
from lineage_api.engine.json_parts import LeftToRows, Part
from lineage_api.engine.json_rows import selection_of
from lineage_api.engine.json_statements import JsonStatement
from lineage_api.engine.kept import keep
from lineage_api.engine.levels import Column, Either
from lineage_api.engine.plans import FieldPlan, Selection
from lineage_api.engine.sql import JsonReader, Statement

MAX_FIELDS = 1_000
"""How many fields one statement may answer; fragments in fragments multiply them."""

_log = logging.getLogger(__name__)

Selecting = Callable[[JsonStatement], Select[Any]]
"""What makes a statement of a writer."""


class JsonPlan:
    """The statements that answer some fields of a plan, which differ in their arguments alone."""

    def __init__(self, fields: Sequence[FieldPlan]) -> None:
        relations: list[FieldPlan] = []
        self._refusal: LeftToRows | None = None
        try:
            relations = list(dict.fromkeys(_relations(fields)))
        except LeftToRows as why:
            self._refusal = _told(why)
        self._prefixes = {plan: f"f{index}_" for index, plan in enumerate(relations)}
        self._statements: dict[Any, Statement | None] = {}
        self._parts: Mapping[FieldPlan, Part] = {}
        """Those that are the same at each execution."""
        self._constant: Bound | None = None
        """All of them, where all are."""

    def bound(self, context: Any, variables: dict[str, Any]) -> "Bound | None":
        """The plan with the arguments of an operation; None where rows answer, whatever the statement were."""
        if self._refusal is not None:
            return None
        try:
            return self._bound(context, variables)
        except LeftToRows as why:
            _told(why)
            return None
        except Exception:  # noqa: BLE001 - arguments are refused by anybody's code, and rows say where
            return None

    def _bound(self, context: Any, variables: dict[str, Any]) -> "Bound":
        if self._constant is not None:
            return self._constant
        parts = {
            plan: self._parts.get(plan) or Part.of(plan, p, context, variables) for plan, p in self._prefixes.items()
        }
        if not self._parts:
            self._parts = {plan: part for plan, part in parts.items() if plan.constant_arguments is not None}
        bound = Bound(parts)
        if len(self._parts) == len(parts):
            self._constant = bound
        return bound

    def statement(self, kind: Any, bound: "Bound", reader: JsonReader, select: Selecting) -> Statement | None:
        """The statement of a kind for bound arguments; None where rows answer."""
        key = (kind, reader.backend, *bound.shape)
        if key in self._statements:
            return self._statements[key]
        made = self._made(bound, reader, select)
        keep(self._statements, key, made, made.size_bytes if made else 0)
        return made

    def _made(self, bound: "Bound", reader: JsonReader, select: Selecting) -> Statement | None:
        forced = reader.backend == "json"
        try:
            writer = JsonStatement(reader.dialect, bound.parts, forced=forced)
            return Statement.of(select(writer), reader.dialect, bound.binds)
        except LeftToRows as why:
            _told(why)
        except Exception as error:  # noqa: BLE001 - arguments are refused by anybody's code, and rows say where
            _told(LeftToRows(f"An argument is refused: {error}"))
        return None


def _told(why: LeftToRows) -> LeftToRows:
    _log.debug("Answered by rows: %s", why)
    return why.with_traceback(None)  # it is kept, and with a traceback all that was at hand would be


class Bound:
    """The relations of a plan with the arguments of an operation."""

    def __init__(self, parts: Mapping[FieldPlan, Part]) -> None:
        self.parts = parts
        self.shape = tuple(part.shape for part in parts.values())

    @property
    def binds(self) -> list[BindParameter[Any]]:
        """The parameters that hold the values of what narrows rows."""
        return [bind for part in self.parts.values() for bind in part.narrowed.binds]

    def values(self, statement: Statement) -> dict[str, Any]:
        """The values of all parameters of its statement."""
        parts = self.parts.values()
        values = statement.filled([value for part in parts for value in part.narrowed.values])
        for part in parts:
            values.update(part.named)
        return values


def _relations(fields: Sequence[FieldPlan]) -> Iterator[FieldPlan]:
    """All relations in some fields and below; refuses what no statement tells, whatever the arguments."""
    waiting, seen = list(reversed(fields)), 0
    while waiting:
        plan = waiting.pop()
        seen += 1
        if seen > MAX_FIELDS:
            raise LeftToRows("There are too many fields for one statement.")
        if isinstance(plan.level, Arrow | Either):
            yield plan
        elif not isinstance(plan.level, Column) and plan.name != "__typename":
            raise LeftToRows(f"{plan.label} is worked out in Python.")
        if (plan.shape.item or plan.shape).leaf is None:
            waiting.extend(reversed(selection_of(plan).fields))


def plan_of(part: FieldPlan | Selection, fields: Sequence[FieldPlan]) -> JsonPlan:
    """The JSON plan of a field or a selection, kept with the plan that it is a part of."""
    kept = part.plan.kept
    if part not in kept:
        kept[part] = JsonPlan(fields)
    return kept[part]  # type: ignore[no-any-return]
