"""Orders: what rows are sorted by, which rows come after a given one, and the cursors that name it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sqlalchemy import Column, ColumnElement, Integer, Table, and_, bindparam, or_, tuple_

from lineage_api.engine import cursors

_TERM_BYTES = 5_000
"""What is kept of a part of an order, most of it SQLAlchemy's."""


@dataclass(frozen=True)
class By:
    """A part of an order."""

    expression: ColumnElement[Any]
    is_descending: bool = False
    can_be_null: bool = False
    """Nulls come last, whatever the direction."""

    def clause(self, expression: ColumnElement[Any] | None = None) -> ColumnElement[Any]:
        """For ORDER BY."""
        column = self.expression if expression is None else expression
        directed = column.desc() if self.is_descending else column.asc()
        return directed.nulls_last() if self.can_be_null else directed

    def follows(self, value: ColumnElement[Any]) -> ColumnElement[bool]:
        """That a row comes after those that have this value here."""
        beyond = self.expression < value if self.is_descending else self.expression > value
        return or_(beyond, self.expression.is_(None)) if self.can_be_null else beyond

    def is_fit(self, value: Any) -> bool:
        """Whether a value can stand here in the sort key of a row."""
        if value is None:
            return self.can_be_null
        kind = self.expression.type
        bits = 32 if type(kind) is Integer else 64
        return cursors.is_fit(value, kind.python_type, bits)


@dataclass(frozen=True)
class Order:
    """What rows are sorted by; the last part tells all rows apart."""

    terms: tuple[By, ...]

    @cached_property
    def mark(self) -> int:
        """What tells cursors of this order from those of another."""
        clauses = (term.clause().compile(compile_kwargs={"literal_binds": True}) for term in self.terms)
        return cursors.fingerprint("\n".join(map(str, clauses)))

    @cached_property
    def names(self) -> list[str]:
        """What the parts of a row's sort key are called in a statement."""
        return [f"order_{i}" for i in range(len(self.terms))]

    @property
    def size_bytes(self) -> int:
        """How much it keeps in memory, about."""
        return _TERM_BYTES * len(self.terms)

    def is_key_of(self, table: Table) -> bool:
        """Whether it is the order of a table's only key."""
        keys = list(table.primary_key)
        return len(keys) == len(self.terms) == 1 and self.terms[0].expression is keys[0]

    def columns(self) -> list[ColumnElement[Any]]:
        """The sort key of a row."""
        return [term.expression.label(name) for term, name in zip(self.terms, self.names, strict=True)]

    def clauses(self, expressions: Sequence[ColumnElement[Any]] | None = None) -> list[ColumnElement[Any]]:
        """For ORDER BY, by the terms' own expressions or by what stands for them."""
        standing: Sequence[Any] = expressions if expressions is not None else [None] * len(self.terms)
        return [term.clause(expression) for term, expression in zip(self.terms, standing, strict=True)]

    def key(self, cursor: str) -> list[Any]:
        """The sort key of the row that a cursor names; refused when it is none of this order."""
        key = cursors.decoded(cursor, self.mark)
        if len(key) != len(self.terms) or not all(map(By.is_fit, self.terms, key)):
            raise cursors.refusal()
        return key

    def values(self, key: Sequence[Any]) -> Mapping[str, Any]:
        """The parameters of `follows` for the row with this sort key."""
        return {f"after_{i}_": value for i, value in enumerate(key)}

    @cached_property
    def is_stored(self) -> bool:
        """Whether it is columns alone, and nothing that has to be worked out for each row."""
        return all(isinstance(term.expression, Column) for term in self.terms)

    def of(self, expressions: Sequence[ColumnElement[Any]]) -> "Order":
        """The same order by what stands for its terms."""
        return Order(tuple(replace(term, expression=e) for term, e in zip(self.terms, expressions, strict=True)))

    def follows(self, missing: Sequence[bool], prefix: str = "") -> ColumnElement[bool]:
        """That a row comes after the one whose sort key is bound; `missing` says which parts of that are null."""
        terms = self.terms
        binds = [bindparam(f"{prefix}after_{i}_", None, type_=term.expression.type) for i, term in enumerate(terms)]
        directions = {term.is_descending for term in terms}
        if len(directions) == 1 and not any(term.can_be_null for term in terms):
            # As one comparison of rows, which an index can follow.
            left, right = tuple_(*(term.expression for term in terms)), tuple_(*binds)
            return left < right if directions == {True} else left > right
        cases = []
        for depth, term in enumerate(terms):
            equal = [_equals(terms[i], binds[i], is_missing=missing[i]) for i in range(depth)]
            if not missing[depth]:  # nothing comes after null but what is null too
                cases.append(and_(*equal, term.follows(binds[depth])))
        return or_(*cases)


def _equals(term: By, bind: ColumnElement[Any], *, is_missing: bool) -> ColumnElement[bool]:
    return term.expression.is_(None) if is_missing else term.expression == bind
