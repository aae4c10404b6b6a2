"""Random schemas, drawn by hypothesis so that what fails shrinks.

Some leaf and input types are the same in all of them; objects, interfaces, unions and their fields are drawn. What is
drawn is a SchemaSpec, of which a schema can be built with other kinds of fields than ordinary resolvers, for engines
that have them: see `FieldFactory`, `ordinary` and `read`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

from graphql import (
    DirectiveLocation,
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLDirective,
    GraphQLEnumType,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    Undefined,
    default_field_resolver,
    parse_value,
    specified_directives,
    value_from_ast,
    value_from_ast_untyped,
)
from hypothesis import strategies as st

RARELY = st.sampled_from([False] * 9 + [True])
SELDOM = st.sampled_from([False] * 19 + [True])
SOMETIMES = st.sampled_from([False, False, False, True])


class Shade(Enum):
    BLUE = "blue"


class Low(IntEnum):
    ONE = 1


class Name(str):
    __slots__ = ()


class Thing:
    """An object with attributes."""

    def __init__(self, name: str = "thing") -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"


def odd(value: Any) -> Any:
    """Serialises odd numbers and words; what else it is given fails in each of the ways that there are."""
    if value in (13, 15):
        return None if value == 13 else Undefined
    if not isinstance(value, int | str):
        raise TypeError("neither a number nor a word")
    if isinstance(value, int) and value % 2 == 0:
        raise ValueError(f"{value!r} is even")
    return value


COLOUR = GraphQLEnumType("Colour", {"RED": 1, "GREEN": "g", "BLUE": Shade.BLUE})
ODD = GraphQLScalarType("Odd", serialize=odd, parse_value=odd)
JSON = GraphQLScalarType("Json")
FILTER = GraphQLInputObjectType(
    "Filter",
    lambda: {
        "n": GraphQLInputField(GraphQLInt, default_value=7),
        "words": GraphQLInputField(GraphQLList(GraphQLNonNull(GraphQLString))),
        "deep": GraphQLInputField(FILTER),
        "colour": GraphQLInputField(GraphQLNonNull(COLOUR), default_value=Shade.BLUE),
    },
)
PICK = GraphQLInputObjectType(
    "Pick", {"n": GraphQLInputField(GraphQLInt), "word": GraphQLInputField(GraphQLString)}, is_one_of=True
)
NOTE = GraphQLDirective(
    "note",
    [DirectiveLocation.FIELD, DirectiveLocation.FRAGMENT_SPREAD, DirectiveLocation.INLINE_FRAGMENT],
    {"numbers": GraphQLArgument(GraphQLList(GraphQLInt)), "filter": GraphQLArgument(FILTER)},
)
"""A directive that means nothing."""

LEAF_TYPES = (GraphQLInt, GraphQLString, GraphQLBoolean, GraphQLFloat, GraphQLID, COLOUR, ODD, JSON)
COMMON = {type_.name: type_ for type_ in (*LEAF_TYPES, FILTER, PICK)}

FIT: dict[str, list[Any]] = {
    "Int": [1, 0, -5, 2**31 - 1, True, 2.0, "7", Low.ONE],
    "Float": [1.5, 0.0, -2, True, "3.25", 10**20],
    "String": ["s", "", "ü", 5, True, 1.5, Name("sub"), Thing()],
    "Boolean": [True, False, 1, 0, 2.0],
    "ID": ["i", 7, "7", 3.0, Low.ONE],
    "Colour": [1, "g", Shade.BLUE],
    "Odd": [1, 3, "word"],
    "Json": ["s", {"k": [1, None]}, [1, {}], 1.5],
}
"""Values that can be serialised, the simplest first."""

WRAPPERS = ["{}", "[{}]", "{}!", "[{}!]", "[{}]!", "[{}!]!", "[[{}]]", "[[{}!]]", "[[{}]!]", "[[{}!]!]!", "[[[{}]!]]"]

LITERALS = {
    "Int": ["1", "-2", "null"],
    "Int!": ["3", "0"],
    "[Int]": ["[1, null]", "5", "[]", "null", "[1, <Int>]"],
    "[[Int!]]": ["[[1], [2, 3]]", "6", "[7, [8]]", "[[<Int!>]]"],
    "String": ['"s"', '"é\\n"', '"""block"""', "null"],
    "Boolean!": ["true", "false"],
    "Float": ["1.5", "2", "1e3"],
    "ID": ['"i"', "8"],
    "Colour": ["RED", "BLUE", "null"],
    "Colour!": ["GREEN"],
    "Filter": ["{}", '{n: null, words: "w", deep: {words: ["a", "b"]}}', "{n: <Int>, colour: <Colour!>}", "null"],
    "[Filter!]": ["[{}, {colour: RED}]", "{}", "[<Filter!>]"],
    "Filter!": ["{n: 1}"],
    "Pick": ["{n: 1}", '{word: "w"}', "{n: <Int!>}"],
    "Odd": ["3", '"three"', "null"],
    "Json": ['"s"', "1.5", "{a: [1, null, E]}", "[]"],
}
"""What can be written for an argument of a type; `<Int>` stands for a variable that may stand there."""


def named(type_: str) -> str:
    """The name inside of a type such as `[[Int!]]!`."""
    return type_.strip("[]!")


def nullable(type_: str) -> str:
    """A type, null allowed."""
    return type_.removesuffix("!")


@dataclass(frozen=True)
class Argument:
    name: str
    type: str
    default: str | None

    @property
    def is_needed(self) -> bool:
        return self.type.endswith("!") and self.default is None


@dataclass(frozen=True)
class FieldSpec:
    """A field as it was drawn."""

    owner: str
    name: str
    type: str
    arguments: tuple[Argument, ...] = ()
    has_resolver: bool = False
    """Whether it has a resolver of its own, which is noted when it is called; else the default resolver reads it."""
    is_echo: bool = False
    """Whether it gives its arguments back as text."""
    is_async: bool = False
    """Whether that resolver is a coroutine function, where the case is asynchronous."""


@dataclass(frozen=True)
class TypeSpec:
    """An object type, an interface, or a union (which has no fields)."""

    name: str
    kind: str
    fields: dict[str, FieldSpec]
    interfaces: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    """The object types that it may be; an object type's own name."""
    is_proven: bool = False
    """Whether an object type has `is_type_of`, an abstract one `resolve_type`."""
    is_async: bool = False
    """Whether that function is asynchronous, where the case is."""


FieldFactory = Callable[[FieldSpec, Any, dict[str, GraphQLArgument]], GraphQLField]
"""Makes a field of what was drawn, its GraphQL type and its arguments."""


def ordinary(spec: FieldSpec, type_: Any, arguments: dict[str, GraphQLArgument]) -> GraphQLField:
    """A field as any schema has it: with a resolver of its own, or read from an attribute or a key."""
    if not spec.has_resolver:
        return GraphQLField(type_, arguments)

    def resolve(source: Any, info: GraphQLResolveInfo, **values: Any) -> Any:
        if spec.is_async and info.context.is_async:
            return resolve_later(source, info, **values)
        info.context.note(info, values)
        return repr(values) if spec.is_echo else default_field_resolver(source, info)

    async def resolve_later(source: Any, info: GraphQLResolveInfo, **values: Any) -> Any:
        info.context.note(info, values)
        await asyncio.sleep(0)
        value = repr(values) if spec.is_echo else default_field_resolver(source, info)
        return await value if hasattr(value, "__await__") else value

    return GraphQLField(type_, arguments, resolve=resolve)


def read(source: Any, name: str) -> Any:
    """What the default resolver gives for a field without arguments, or raises: for other kinds of fields."""
    value = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
    return value(None) if callable(value) else value


class SchemaSpec:
    """A schema as it was drawn."""

    def __init__(self, types: Sequence[TypeSpec]) -> None:
        self.types = {type_.name: type_ for type_ in types}

    def overlapping(self, name: str) -> list[str]:
        """The types that a fragment may be on where the type of this name is."""
        members = set(self.types[name].members)
        return [other.name for other in self.types.values() if members & set(other.members)]

    def build(self, make: FieldFactory = ordinary) -> GraphQLSchema:
        """The schema, its fields made by a factory."""
        types: dict[str, Any] = dict(COMMON)

        def wrapped(type_: str) -> Any:
            if type_.endswith("!"):
                return GraphQLNonNull(wrapped(type_[:-1]))
            return GraphQLList(wrapped(type_[1:-1])) if type_.startswith("[") else types[type_]

        def argument(spec: Argument) -> GraphQLArgument:
            type_ = wrapped(spec.type)
            if spec.default is None:
                return GraphQLArgument(type_)
            node = parse_value(spec.default)
            # graphql-core coerces defaults that are objects once more, so they are given as clients send them.
            is_object = spec.type in ("Filter", "Pick")
            return GraphQLArgument(type_, value_from_ast_untyped(node) if is_object else value_from_ast(node, type_))

        def fields(spec: TypeSpec) -> dict[str, GraphQLField]:
            return {
                name: make(part, wrapped(part.type), {each.name: argument(each) for each in part.arguments})
                for name, part in spec.fields.items()
            }

        for spec in self.types.values():
            types[spec.name] = _type(spec, types, fields)
        directives = [*specified_directives, NOTE]
        return GraphQLSchema(types["Query"], types["Mutation"], types=list(types.values()), directives=directives)


def _type(spec: TypeSpec, types: dict[str, Any], fields: Callable[[TypeSpec], dict[str, GraphQLField]]) -> Any:
    prove = _proof(spec) if spec.is_proven else None
    if spec.kind == "union":
        return GraphQLUnionType(spec.name, lambda: [types[name] for name in spec.members], resolve_type=prove)
    interfaces: Any = lambda: [types[name] for name in spec.interfaces]  # noqa: E731
    if spec.kind == "interface":
        return GraphQLInterfaceType(spec.name, lambda: fields(spec), interfaces, resolve_type=prove)
    return GraphQLObjectType(spec.name, lambda: fields(spec), interfaces, is_type_of=prove)


def _proof(spec: TypeSpec) -> Callable[..., Any]:
    """What is asked for the type of a value: its claim, or whether it is of this type."""

    def prove(value: Any, info: GraphQLResolveInfo, *_: Any) -> Any:
        if value == 13:
            raise ValueError("13 has no type")
        kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
        claim = value.get("claim") if isinstance(value, Mapping) else getattr(value, "claim", None)
        answer = kind == spec.name if spec.kind == "object" else claim
        return _later(answer) if spec.is_async and info.context.is_async else answer

    return prove


async def _later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


def drawn_schema(draw: Any, *, is_async: bool) -> SchemaSpec:
    names = ["A", "B", "C"][: draw(st.integers(1, 3))]
    interfaces = draw(st.sampled_from([(), ("I",), ("I", "J")]))
    union = draw(st.sampled_from([(), ("U",)]))
    composites = [*names, *interfaces, *union, "Query"]

    def type_(bases: Sequence[str]) -> str:
        return str(draw(st.sampled_from(WRAPPERS))).format(draw(st.sampled_from(bases)))

    def one(owner: str, name: str) -> FieldSpec:
        arguments = tuple(_argument(draw, each) for each in ("x", "y")[: draw(st.sampled_from([0, 0, 0, 1, 2]))])
        is_echo = bool(arguments) and draw(st.booleans())
        bases = composites if draw(st.booleans()) else [type_.name for type_ in LEAF_TYPES]
        output = "String" if is_echo else type_(bases)
        has_resolver = is_echo or owner == "Mutation" or draw(SOMETIMES)
        return FieldSpec(owner, name, output, arguments, has_resolver, is_echo, is_async and draw(st.booleans()))

    def several(owner: str, pool: str, fewest: int) -> dict[str, FieldSpec]:
        return {name: one(owner, name) for name in pool[: draw(st.integers(fewest, len(pool)))]}

    shared = {name: several(name, pool, 1) for name, pool in zip(interfaces, ("pq", "rs"), strict=False)}
    if "J" in shared:
        shared["J"] |= shared["I"]
    kinds = [("Query", "abcde", 2), *((name, "abc", 1) for name in names), ("Mutation", "mno", 2)]
    objects = []
    for name, pool, fewest in kinds:
        faces = () if name == "Mutation" else interfaces[: draw(st.integers(0, len(interfaces)))]
        fields = several(name, pool, fewest)
        for face in faces:
            fields |= {key: _covariant(draw, name, part) for key, part in shared[face].items()}
        proofs = draw(SOMETIMES), is_async and draw(st.booleans())
        objects.append(TypeSpec(name, "object", fields, faces, (name,), *proofs))
    abstract = []
    for name in interfaces:
        members = tuple(each.name for each in objects if name in each.interfaces)
        proofs = draw(st.booleans()), is_async and draw(st.booleans())
        faces = ("I",) if name == "J" else ()
        abstract.append(TypeSpec(name, "interface", shared[name], faces, members, *proofs))
    for name in union:
        members = tuple(names[: draw(st.integers(1, len(names)))])
        proofs = draw(st.booleans()), is_async and draw(st.booleans())
        abstract.append(TypeSpec(name, "union", {}, (), members, *proofs))
    return SchemaSpec([*objects, *abstract])


def _argument(draw: Any, name: str) -> Argument:
    type_ = draw(st.sampled_from(list(LITERALS)))
    # Variables cannot be defaults, nor can introspection print lists and objects that are JSON.
    fixed = [each for each in LITERALS[type_] if "<" not in each and not (type_ == "Json" and each[0] in "[{")]
    return Argument(name, type_, draw(st.sampled_from([None, *fixed])))


def _covariant(draw: Any, owner: str, part: FieldSpec) -> FieldSpec:
    """A field of an interface as an object type has it."""
    output = part.type if part.type.endswith("!") or not draw(RARELY) else part.type + "!"
    has_resolver = part.is_echo or draw(SOMETIMES)
    return FieldSpec(owner, part.name, output, part.arguments, has_resolver, part.is_echo, part.is_async)
