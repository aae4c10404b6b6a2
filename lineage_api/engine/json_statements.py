"""What a query asks for as one statement, by which PostgreSQL writes the JSON of the answer itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Dialect, FromClause, Select, Text, case, cast, func, literal_column, select

from lineage_api.engine.arrows import Arrow, Many, One
from lineage_api.engine.forms import LEFT, Form, bare, form_of, literal, required
from lineage_api.engine.json_pages import JsonPages
from lineage_api.engine.json_parts import LeftToRows, Part
from lineage_api.engine.json_rows import Scope, Value, in_words, list_of, object_of, only, selection_of
from lineage_api.engine.levels import Column
from lineage_api.engine.pages import Page
from lineage_api.engine.plans import FieldPlan, Selection
from lineage_api.engine.sql import Keys

MAX_BYTES = 10 * 2**20
"""How much JSON one statement may give."""

_WHOLE, _PLACE = "json", "place"


class JsonStatement(JsonPages):
    """Writes one statement.

    What would cost more than by rows is left to them, unless it is `forced`: a relation that no index leads to, which
    would be searched for once for each parent, and a page below a row that several parents share.
    """

    def __init__(self, dialect: Dialect, parts: Mapping[FieldPlan, Part], *, forced: bool) -> None:
        super().__init__(parts)
        self._dialect = dialect
        self._forced = forced

    def of_operation(self, selection: Selection) -> Select[Any]:
        """The data of an operation: a row with one column."""
        return _of_bounded_length(select(cast(self.object(selection, Scope()), Text).label(_WHOLE)))

    def of_field(self, plan: FieldPlan, parents: int) -> Select[Any]:
        """What so many parents have in a field: a row with one column for each of their keys, in the keys' order."""
        part, scope = self.parts[plan], Scope(is_single=parents == 1)
        if not part.level.to:
            return _of_bounded_length(select(cast(self._relation(plan, part, scope, ()), Text).label(_WHOLE)))
        keys = Keys.of(part.level.to, self._dialect)
        name, source = self.derived("k", select(keys.place.label("place"), *keys.columns))
        place, *columns = in_words(name, source)
        value = cast(self._relation(plan, part, scope, columns), Text).label(_WHOLE)
        return _of_bounded_length(select(value, place.label(_PLACE)).select_from(source))

    def object(self, selection: Selection, scope: Scope, source: FromClause | None = None) -> Value:
        return object_of(*self._row(selection, scope, source))

    def objects(self, selection: Selection, scope: Scope, source: FromClause) -> Value:
        name, row = self._row(selection, scope, source)
        return list_of(select(literal_column(name)).select_from(row))

    def _row(self, selection: Selection, scope: Scope, source: FromClause | None) -> tuple[str, FromClause]:
        return self.made([(plan.key, self._field(plan, scope)) for plan in selection.fields], source)

    def _field(self, plan: FieldPlan, scope: Scope) -> Value:
        part = self.parts.get(plan)
        match plan.level if part is None else part.level:
            case Column() as column:
                return _column(plan, column, scope)
            case Arrow() as arrow if part is not None:
                return self._relation(plan, part, scope, _keys(plan, arrow, scope))
        if plan.name == "__typename":
            return literal(plan.parent_type.name)
        raise LeftToRows(f"{plan.label} is worked out in Python.")

    def _relation(self, plan: FieldPlan, part: Part, scope: Scope, keys: Sequence[Value]) -> Value:
        if not (scope.is_single or part.level.has_index or self._forced):
            raise LeftToRows(f"No index leads from several parents to {plan.label}.")
        match part.level:
            case Page():
                if scope.is_shared and not self._forced:
                    raise LeftToRows(f"Several parents may share what {plan.label} is a page of.")
                return self.page(plan, part, scope, keys)
            case One():
                return self._one(plan, part, scope, keys)
            case Many():
                return self._many(plan, part, scope, keys)
        raise LeftToRows(f"{plan.label} is a relation of its own kind.")

    def _many(self, plan: FieldPlan, part: Part, scope: Scope, keys: Sequence[Value]) -> Value:
        arrow: Many = part.level
        rows = self._read(plan, part, keys).order_by(*part.order.clauses())
        source, below = self.below(arrow, rows, scope)
        if arrow.value is not None:
            return list_of(select(_value(plan, arrow, below)).select_from(source))
        return self.objects(selection_of(plan), below, source)

    def _one(self, plan: FieldPlan, part: Part, scope: Scope, keys: Sequence[Value]) -> Value:
        arrow: One = part.level
        most = literal(2 if arrow.ambiguous else 1)
        rows = self._read(plan, part, keys).order_by(*part.order.clauses()).limit(most)
        source, below = self.below(arrow, rows, scope)
        if arrow.value is not None:
            return _or_default(plan, arrow, select(_value(plan, arrow, below)).select_from(source).scalar_subquery())
        if arrow.ambiguous:
            found = self.object(selection_of(plan), below).label("found")
            value = only(select(found).select_from(source))
        else:
            value = self.object(selection_of(plan), below, source)
        return required(value) if plan.shape.is_required else value

    def _read(self, plan: FieldPlan, part: Part, keys: Sequence[Value]) -> Select[Any]:
        """The columns of a relation's rows that are needed below it."""
        arrow: Many = part.level
        names = [arrow.value.name] if arrow.value is not None else arrow.names(selection_of(plan).columns)
        return self.rows(part, keys, list(map(arrow.rows.column, names)))


def _of_bounded_length(rows: Any) -> Select[Any]:
    """JSON, in the order of its places where it has any; where it is too long in all, marks that leave it to rows.

    Those are counted as they come; and the database sends nothing that would not be sent on.
    """
    # An offset keeps the database from writing the JSON twice, for its length too.
    found = rows.offset(literal_column("0")).subquery("whole")
    length = func.sum(func.octet_length(found.c[_WHOLE])).over()
    marked = case((length > literal(MAX_BYTES), LEFT), else_=found.c[_WHOLE])
    return select(marked).select_from(found).order_by(*(column for column in found.c if column.name == _PLACE))


def _column(plan: FieldPlan, column: Column, scope: Scope) -> Value:
    form = column.form or form_of(column.convert or column.convert_all)
    is_certain = scope.certain.issuperset(column.columns)
    return _leaf(plan, form, scope.values(column.columns), is_bare=column.is_bare, is_certain=is_certain)


def _value(plan: FieldPlan, arrow: Many, scope: Scope) -> Value:
    """The value that a row of an arrow stands for."""
    assert arrow.value is not None
    is_bare, name = arrow.convert is None, str(arrow.value.name)
    is_certain = name in scope.certain
    return _leaf(plan, form_of(arrow.convert), scope.values([name]), is_bare=is_bare, is_certain=is_certain)


def _leaf(plan: FieldPlan, form: Form | None, columns: Sequence[Value], *, is_bare: bool, is_certain: bool) -> Value:
    shape = plan.shape.item or plan.shape
    if shape.leaf is None:
        raise LeftToRows(f"{plan.label} is no scalar.")
    value = bare(shape.leaf.name, columns[0]) if is_bare else form and form(*columns)
    if value is None:
        raise LeftToRows(f"{plan.label} is converted in Python.")
    return required(value) if shape.is_required and not (is_bare and is_certain) else value


def _or_default(plan: FieldPlan, arrow: One, value: Value) -> Value:
    """The value of a row, or what stands for it where there is none."""
    if arrow.default is None:
        return required(value) if plan.shape.is_required else value
    if plan.shape.leaf is None or not plan.shape.is_required:
        raise LeftToRows(f"Where {plan.label} is null, it may be its default.")
    return func.coalesce(value, literal(plan.shape.leaf.serialise(arrow.default)))


def _keys(plan: FieldPlan, arrow: Arrow, scope: Scope) -> Sequence[Value]:
    """What the rows of an arrow have in its columns `to`."""
    values = scope.values(arrow.needs)
    if arrow.key is None:
        return values
    form = form_of(arrow.key)
    if form is None:
        raise LeftToRows(f"The key of {plan.label} is made in Python.")
    return form(*values)  # type: ignore[no-any-return]
