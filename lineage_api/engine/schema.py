"""A Strawberry schema whose declared fields are executed a level at a time."""

from collections.abc import Mapping
from typing import Any

import strawberry
from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from lineage_api.engine.levels import LEVEL, Column, Level
from lineage_api.engine.tables import Row

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


def _type_name(value: Row, *_: Any) -> str | None:
    return value.type_name


def _equip(field: GraphQLField, schema: strawberry.Schema) -> None:
    declared: StrawberryField = field.extensions[_STRAWBERRY]
    level: Level | None = declared.metadata.get(LEVEL)
    if level is None and declared.is_basic_field:
        level = Column(declared.python_name)
    if level is None:
        return
    if declared.arguments:
        level.arguments = _converter(declared, schema)  # type: ignore[method-assign]
    field.extensions[LEVEL] = level
    field.resolve = level.resolver


def _converter(declared: StrawberryField, schema: strawberry.Schema) -> Any:
    """From arguments as graphql-core has them to Python's names, input objects and enums."""

    def converted(values: Mapping[str, Any]) -> Mapping[str, Any]:
        arguments = convert_arguments(
            dict(values),
            declared.arguments,
            scalar_registry=schema.schema_converter.scalar_registry,
            config=schema.config,
        )
        return {name: value for name, value in arguments.items() if value is not strawberry.UNSET}

    return converted
