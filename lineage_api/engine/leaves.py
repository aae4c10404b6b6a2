"""Scalars and enums, a column at a time."""

import math
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from types import NoneType
from typing import Any

from graphql import GraphQLBoolean, GraphQLEnumType, GraphQLFloat, GraphQLID, GraphQLInt, GraphQLLeafType, GraphQLString
from graphql.pyutils import Undefined, inspect

KINDS = "lineage_api.kinds"
"""Extension of a scalar type: the set of the Python types whose values are their own serialised form."""

_OWN_FORM: dict[GraphQLLeafType, frozenset[type]] = {
    GraphQLString: frozenset({str}),
    GraphQLID: frozenset({str}),
    GraphQLBoolean: frozenset({bool}),
    GraphQLInt: frozenset({int}),
    GraphQLFloat: frozenset({float}),
}


class Leaf:
    """How the values of a scalar or enum type are put into the response."""

    __slots__ = ("_is_enum", "_is_fit", "_kinds", "_type", "name")

    def __init__(self, type_: GraphQLLeafType) -> None:
        self._type = type_
        self.name: str = type_.name
        self._kinds: AbstractSet[type] = _OWN_FORM.get(type_) or type_.extensions.get(KINDS) or frozenset()
        self._is_fit = _FIT.get(type_)
        self._is_enum = isinstance(type_, GraphQLEnumType)

    def is_serialised(self, values: Sequence[Any], *, is_required: bool) -> bool:
        """Whether a column can stand in the response as it is."""
        kinds = set(map(type, values))
        has_nulls = not is_required and NoneType in kinds
        if has_nulls:
            kinds.remove(NoneType)
        if not kinds <= self._kinds:
            return False
        if self._is_fit is None or not kinds:
            return True
        return self._is_fit([value for value in values if value is not None] if has_nulls else values)

    def serialised(self, values: Sequence[Any]) -> list[Any]:
        """A column for the response; a value that has no valid form becomes the exception that says so."""
        if self._is_enum:
            try:
                names = {value: self.serialise(value) for value in set(values)}
            except TypeError:  # a value that cannot be hashed
                return [self.serialise(value) for value in values]
            return [names[value] for value in values]
        return [self.serialise(value) for value in values]

    def serialise(self, value: Any) -> Any:
        """One value for the response, or the exception that says why it has no valid form."""
        try:
            serialised = self._type.serialize(value)
        except Exception as error:  # noqa: BLE001 - serializers are anybody's code, and their failures are data
            return error
        if serialised is not None and serialised is not Undefined:
            return serialised
        call = f"{inspect(self._type)}.serialize({inspect(value)})"
        return TypeError(f"Expected `{call}` to return non-nullable value, returned: {inspect(serialised)}")


def _is_32_bit(values: Sequence[int]) -> bool:
    return min(values) >= -(2**31) and max(values) < 2**31


def _is_finite(values: Sequence[float]) -> bool:
    return all(map(math.isfinite, values))


_FIT: dict[GraphQLLeafType, Callable[[Sequence[Any]], bool]] = {GraphQLInt: _is_32_bit, GraphQLFloat: _is_finite}


@lru_cache(1024)
def is_plain(kind: Any) -> bool:
    """Whether values of this type need no attention before completion: no null, no error, nothing to await."""
    if kind in (NoneType, type(Undefined)) or issubclass(kind, Exception):
        return False
    # A generator may be a coroutine of the old kind.
    return not hasattr(kind, "__await__") and kind.__name__ not in {"coroutine", "generator"}
