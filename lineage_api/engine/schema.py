"""A Strawberry schema whose declared fields are executed a level at a time."""

from collections.abc import Mapping
from typing import Any

import strawberry
from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema
from strawberry.types.arguments import convert_argument
from strawberry.types.base import StrawberryContainer, has_object_definition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType

from lineage_api.engine.levels import LEVEL, Column, Level

_STRAWBERRY = "strawberry-definition"


def columnar(schema: strawberry.Schema) -> GraphQLSchema:
    """The schema for execution: its fields know their levels, and any other executor gets resolvers for them."""
    executable: GraphQLSchema = schema._schema  # noqa: SLF001 - Strawberry has no public name for it
    for type_ in executable.type_map.values():
        if isinstance(type_, GraphQLInterfaceType):
            type_.resolve_type = _type_name
        if isinstance(type_, GraphQLObjectType) and _STRAWBERRY in type_.extensions:
            # Rows are no instances of the class that declares their type.
            type_.is_type_of = None
            for field in type_.fields.values():
                _equip(field, schema)
    return executable


def _type_name(value: Any, *_: Any) -> str | None:
    """The name of an object's type: rows know it, and so does what stands beside them in a list of several types."""
    return value.type_name  # type: ignore[no-any-return]


def _equip(field: GraphQLField, schema: strawberry.Schema) -> None:
    declared: StrawberryField = field.extensions[_STRAWBERRY]
    level: Level | None = declared.metadata.get(LEVEL)
    if level is None and declared.is_basic_field:
        level = Column(declared.python_name)
    if level is None:
        return
    if declared.arguments:
        level.convert_arguments = _converter(declared, schema)
    field.extensions[LEVEL] = level
    field.resolve = level.resolver


def _converter(declared: StrawberryField, schema: strawberry.Schema) -> Any:
    """From arguments as graphql-core has them to Python's names, input objects and enums."""
    names = {schema.config.name_converter.from_argument(argument): argument for argument in declared.arguments}
    registry, config = schema.schema_converter.scalar_registry, schema.config
    # Strawberry goes through the type of an argument at each call, which for a text costs more than the rest.
    plain = {name for name, argument in names.items() if _is_plain(argument.type)}

    def converted(values: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            names[name].python_name: value
            if name in plain or value is None
            else convert_argument(value, names[name].type, registry, config)
            for name, value in values.items()
        }

    return converted


def _is_plain(type_: Any) -> bool:
    """Whether values of an argument's type are for Python what they are for GraphQL."""
    while isinstance(type_, StrawberryContainer):
        type_ = type_.of_type
    return not isinstance(type_, StrawberryEnumDefinition | LazyType) and not has_object_definition(type_)
