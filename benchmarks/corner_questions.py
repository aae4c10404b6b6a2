"""A question for every corner of the schema, made from the schema itself.

For every field of every object type that can be reached: the field alone, then with each value of each of its
arguments; pages also for how many there are in all. A noun that has a list of all is asked from a page of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

from benchmarks.corner_values import FOLLOWS, ONE_OF, Values

PAGING = {"first", "after"}
Given = dict[str, Any]


@dataclass(frozen=True)
class Corner:
    """A question."""

    name: str
    document: str
    variables: Given
    is_of_all: bool
    """Whether it reads a page of a list of all there is, whose last page can be asked for too."""


@dataclass(frozen=True)
class Step:
    """A field on the way to a type, with its arguments."""

    field: str
    arguments: Given
    types: Given
    is_page: bool

    @property
    def begin(self) -> str:
        """The field as it is written, up to what is selected below it."""
        given = ", ".join(f"{name}: ${self.field}_{name}" for name in self.arguments)
        return f"{self.field}{f'({given})' if given else ''}"


class Corners:
    """The questions that a schema has, filled with values."""

    def __init__(self, schema: GraphQLSchema, values: Values) -> None:
        assert schema.query_type is not None
        self._schema = schema
        self._values = values
        self._query = schema.query_type

    def questions(self, parents: int) -> Iterator[Corner]:
        """All of them; below a list, for a page of so many of its items."""
        ways: dict[str, list[Step]] = {self._query.name: []}
        waiting = [self._query]
        while waiting:
            type_ = waiting.pop(0)
            way = ways[type_.name]
            for name, field in type_.fields.items():
                yield from self._of_field(type_, name, field, way, parents)
            for name, field in sorted(type_.fields.items(), key=lambda item: not _is_page(item[1])):
                below = _item_type(field)
                if isinstance(below, GraphQLObjectType) and below.name not in ways:
                    ways[below.name] = [*way, self._step(type_, name, field, parents)]
                    waiting.append(below)

    def _step(self, type_: GraphQLObjectType, name: str, field: GraphQLField, parents: int) -> Step:
        label, given = next(self._given(type_, name, field))
        del label
        if "first" in field.args:
            given["first"] = parents
        return Step(name, given, _types(field), _is_page(field))

    def _of_field(
        self, type_: GraphQLObjectType, name: str, field: GraphQLField, way: list[Step], parents: int
    ) -> Iterator[Corner]:
        below = " " + self._selected(_item_type(field)) if not is_leaf_type(get_named_type(field.type)) else ""
        page = _is_page(field)
        for label, given in self._given(type_, name, field):
            step = Step(name, given, _types(field), is_page=page)
            title = " ".join([f"{type_.name}.{name}", *label])
            if way:
                title += f", {parents} parents" if any("first" in each.arguments for each in way) else ""
            selected = f"{{ nodes{below} pageInfo {{ hasNextPage endCursor }} }}" if page else below
            is_of_all = page and type_ is self._query and given.keys() <= {"orderBy"}
            yield _written(title, [*way, step], selected, is_of_all=is_of_all)
            if page and not any(part.startswith("orderBy") for part in label):
                yield _written(f"{title} totalCount", [*way, step], "{ totalCount }", is_of_all=False)

    def _selected(self, type_: GraphQLNamedType, prefix: str = "") -> str:
        """What is read of an object: all that needs neither arguments nor a further object."""
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        plain = [
            name
            for name, field in type_.fields.items()
            if is_leaf_type(get_named_type(field.type)) and not any(map(is_required_argument, field.args.values()))
        ]
        if isinstance(type_, GraphQLInterfaceType) and type_.name == "Node":
            # Fields of one name may be of several types.
            every = (
                f"... on {each.name} {self._selected(each, f'{each.name}_')}"
                for each in self._schema.get_possible_types(type_)
            )
            return f"{{ __typename {' '.join(every)} }}"
        names = (f"{prefix}{name}: {name}" if prefix else name for name in plain)
        return f"{{ __typename {' '.join(names)} }}"

    # Arguments

    def _given(self, type_: GraphQLNamedType, name: str, field: GraphQLField) -> Iterator[tuple[list[str], Given]]:
        """The arguments that a field is asked with, time after time, and what is special about each time."""
        place = f"{type_.name}.{name}"
        yield from self._filled(place, field.args, lambda argument: f"{place}.{argument}", ())

    def _filled(
        self,
        place: str,
        parts: dict[str, GraphQLArgument] | dict[str, GraphQLInputField],
        place_of: Any,
        inside: tuple[str, ...],
    ) -> Iterator[tuple[list[str], Given]]:
        required = {name: list(self._each(place_of(name), p, inside)) for name, p in parts.items() if _is_required(p)}
        first = {name: values[0][1] for name, values in required.items()}
        following = [
            ([f"{name} {said}"], {name: value})
            for name, part in parts.items()
            if name in FOLLOWS
            for said, value in self._each(place_of(name), part, inside)
        ] or [([], {})]
        if place not in ONE_OF:
            for said, more in following:
                yield said, {**first, **more}
        for name, values in required.items():
            for said, value in values[1:] if place not in ONE_OF else ():
                yield [f"{name} {said}"], {**first, name: value}
        for name, part in parts.items():
            if name in required or name in FOLLOWS or (name in PAGING & parts.keys() and "after" in parts):
                continue
            for said, value in self._each(place_of(name), part, inside):
                for also, more in following:
                    yield [f"{name}{said and ' ' + said}", *also], {**first, name: value, **more}

    def _each(self, place: str, part: Any, inside: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        """The values of an argument or of a part of an input, each with what is special about it."""
        if place in self._values:
            yield from self._values[place].items()
            return
        type_ = get_nullable_type(part.type)
        is_list = isinstance(type_, GraphQLList)
        named = get_named_type(type_)
        for said, value in self._each_of_type(place, named, inside):
            yield said, [value] if is_list else value

    def _each_of_type(self, place: str, type_: GraphQLNamedType, inside: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        if isinstance(type_, GraphQLEnumType):
            yield from ((name, name) for name in type_.values)
        elif type_.name == "Boolean":
            yield from (("true", True), ("false", False))
        elif isinstance(type_, GraphQLInputObjectType) and type_.name not in inside:
            among = (*inside, type_.name)
            for said, value in self._filled(type_.name, type_.fields, lambda name: f"{type_.name}.{name}", among):
                if value:
                    yield " ".join(said), value
        else:
            raise LookupError(f"Nobody has said in corner_values.py what {place} is asked with.")


def _is_required(part: Any) -> bool:
    return is_required_argument(part) if isinstance(part, GraphQLArgument) else is_required_input_field(part)


def _is_page(field: GraphQLField) -> bool:
    return get_named_type(field.type).name.endswith("Connection")


def _item_type(field: GraphQLField) -> GraphQLNamedType:
    """The type of what a field leads to, and not of the page that it is on."""
    named = get_named_type(field.type)
    return get_named_type(named.fields["nodes"].type) if _is_page(field) else named  # type: ignore[union-attr]


def _types(field: GraphQLField) -> Given:
    return {name: argument.type for name, argument in field.args.items()}


def _written(title: str, steps: list[Step], selected: str, *, is_of_all: bool) -> Corner:
    text = selected
    for number, step in enumerate(reversed(steps)):
        inner = f" {{ {text} }}" if number else text and f" {text}"
        if number and step.is_page:
            inner = f" {{ nodes{inner} }}"
        text = step.begin + inner
    variables = {f"{step.field}_{name}": value for step in steps for name, value in step.arguments.items()}
    types = [f"${step.field}_{name}: {step.types[name]}" for step in steps for name in step.arguments]
    if is_of_all:
        # So that the last page can be asked for by the same document.
        last = steps[-1].field
        types += [f"${last}_first: Int", f"${last}_after: String"]
        given = f"first: ${last}_first, after: ${last}_after"
        text = (
            text.replace(f"{last}(", f"{last}({given}, ", 1)
            if steps[-1].arguments
            else text.replace(last, f"{last}({given})", 1)
        )
        variables |= {f"{last}_first": 20}
    operation = f"query ({', '.join(types)})" if types else "query"
    return Corner(title, f"{operation} {{ {text} }}", variables, is_of_all)
