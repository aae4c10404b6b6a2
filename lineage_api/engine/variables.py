"""Values of variables that are what they are declared to be: most are, and seeing it costs less than coercing them."""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLID,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    type_from_ast,
)

Fit = Callable[[Any], bool]

_FIT: dict[Any, Fit] = {
    GraphQLString: lambda value: type(value) is str,
    GraphQLID: lambda value: type(value) is str,
    GraphQLBoolean: lambda value: type(value) is bool,
    GraphQLInt: lambda value: type(value) is int and -(2**31) <= value < 2**31,
}


class PlainVariables:
    """The variables of an operation, where each is a scalar of GraphQL's own or a list of such."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        definitions = operation.variable_definitions or ()
        fits = {each.variable.name.value: _fit(type_from_ast(schema, each.type)) for each in definitions}
        self._is_known = all(fits.values())
        self._fits: Mapping[str, Fit] = {name: fit for name, fit in fits.items() if fit}

    def values(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """The values, if they are just what GraphQL would make of them; None where it has to say."""
        if not self._is_known:
            return None
        values = {}
        for name, fit in self._fits.items():
            value = given.get(name)
            if value is None or not fit(value):
                return None
            values[name] = value
        return values


def _fit(type_: Any) -> Fit | None:
    """Whether a value of a type is its own coerced form; None where only GraphQL can tell."""
    if isinstance(type_, GraphQLNonNull):
        return _fit(type_.of_type)
    if isinstance(type_, GraphQLList):
        fit = _fit(type_.of_type)
        return fit and (lambda value: type(value) is list and all(map(fit, value)))
    return _FIT.get(type_)
