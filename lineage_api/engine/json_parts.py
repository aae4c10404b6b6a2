"""Relations with their arguments, as parts of a statement by which PostgreSQL writes JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lineage_api.engine.arrows import EVERY_ROW, Arrow
from lineage_api.engine.levels import Call, Either
from lineage_api.engine.narrowing import Narrowed
from lineage_api.engine.orders import Order
from lineage_api.engine.pages import Page
from lineage_api.engine.plans import FieldPlan


class LeftToRows(Exception):
    """Why something is not told by one statement."""


@dataclass(frozen=True, slots=True)
class Part:
    """A relation with its arguments: what they make of the statement, and what is bound to it."""

    level: Any
    """How the field is resolved with them."""
    prefix: str = ""
    """What the names of its parameters begin with."""
    shape: Any = None
    """What tells its part of the statement from others."""
    narrowed: Narrowed = EVERY_ROW
    order: Order = Order(())  # noqa: RUF009 - it never changes
    first: int = 0
    """How many rows a page has."""
    after: list[Any] | None = None
    """The sort key of the row that a page comes after."""
    named: Mapping[str, Any] = field(default_factory=dict)
    """The values of parameters that have names."""

    @classmethod
    def of(cls, plan: FieldPlan, prefix: str, context: Any, variables: dict[str, Any]) -> "Part":
        """A relation of a plan; its parameters have a prefix."""
        call = Call((), plan.arguments(variables), context, plan.below, plan.memo)
        level = plan.level.chosen(call.arguments) if isinstance(plan.level, Either) else plan.level
        if not isinstance(level, Arrow):
            return cls(level)
        if not level.is_sql(call.arguments):
            raise LeftToRows(f"{plan.label} is worked out from several statements.")
        narrowed = level.narrowed(call.arguments, call.memo, prefix)
        if not isinstance(level, Page):
            order = level.sorting(call)
            return cls(level, prefix, (narrowed.shape, order.mark), narrowed, order, named=narrowed.late)
        first, order, after = level.asked(call)
        missing = None if after is None else tuple(value is None for value in after)
        named = {prefix + name: value for name, value in order.values(after or ()).items()}
        shape = (narrowed.shape, order.mark, first, missing)
        return cls(level, prefix, shape, narrowed, order, first, after, {**narrowed.late, **named})
