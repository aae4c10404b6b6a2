"""Answers, or parts of them, that PostgreSQL writes as JSON, and that are passed on as they are."""

from typing import Any

import orjson

from lineage_api.engine.arrows import Arrow
from lineage_api.engine.forms import MARK
from lineage_api.engine.json_plans import plan_of
from lineage_api.engine.levels import Call, Either
from lineage_api.engine.plans import FieldPlan, Selection
from lineage_api.engine.sql import JsonReader, key_values
from lineage_api.engine.steps import Steps, awaited

_MARK = MARK.encode()


class JsonAnswers:
    """What the database of one operation answers by itself. All else, and what holds a mark, rows answer."""

    def __init__(self, reader: JsonReader, context: Any, variables: dict[str, Any]) -> None:
        self._reader = reader
        self._context = context
        self._variables = variables

    @classmethod
    def of(cls, context: Any, variables: dict[str, Any]) -> "JsonAnswers | None":
        """The answers for an operation with this context; None where its database writes no JSON."""
        reader: Any = getattr(context, "reader", None)
        return None if getattr(reader, "backend", "rows") == "rows" else cls(reader, context, variables)

    async def data(self, selection: Selection) -> bytes | None:
        """The data of a whole query; nothing where it holds a mark, None where it is not for the database."""
        plan = plan_of(selection, selection.fields)
        bound = plan.bound(self._context, self._variables)
        if bound is None:
            return None
        statement = plan.statement("data", bound, self._reader, lambda writer: writer.of_operation(selection))
        if statement is None:
            return None
        [data] = await self._reader.fetch_json(statement, bound.values(statement), is_all=True)
        return data if data is not None and _MARK not in data else b""

    def related(self, field: FieldPlan, parents: Any) -> Steps[Any]:
        """What parents have in a field that leads to objects; None where rows answer."""
        is_relation = isinstance(field.level, Arrow | Either) and (field.shape.item or field.shape).leaf is None
        if not is_relation:
            return None
        plan = plan_of(field, [field])
        bound = plan.bound(self._context, self._variables)
        if bound is None:
            return None
        arrow = bound.parts[field].level
        if not isinstance(arrow, Arrow):
            return None
        # A key that is null meets no row, so that what it leads to is empty.
        call = Call(parents, {}, self._context, field.below, field.memo)
        nothing = None if len(arrow.to) == 1 else (None,) * len(arrow.to)
        keys = [nothing if key is None else key for key in arrow.keys(call)] if arrow.to else [()] * len(parents)
        wanted = list(dict.fromkeys(keys))
        kind = ("related", len(wanted) == 1)
        statement = plan.statement(kind, bound, self._reader, lambda writer: writer.of_field(field, len(wanted)))
        if statement is None:
            return None
        values = {**bound.values(statement), **key_values(wanted, len(arrow.to), self._reader.dialect)}
        found = yield from awaited(self._reader.fetch_json(statement, values))
        if any(each is not None and _MARK in each for each in found):
            return None
        fragments = {key: each and orjson.Fragment(each) for key, each in zip(wanted, found, strict=True)}
        return [fragments[key] for key in keys]
