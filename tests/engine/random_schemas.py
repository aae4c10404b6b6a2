"""Random schemas, the data behind them, and valid documents, drawn by hypothesis so that what fails shrinks.

All is drawn before anything is executed: data that were drawn on demand would depend on the order in which an executor
asks for them. What is drawn is a Case; its `schema` can be built with another kind of field than ordinary resolvers,
and its `graph` makes the same data anew for each execution.
"""

import asyncio
import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, IntEnum
from functools import cached_property
from typing import Any

from graphql import (
    DirectiveLocation,
    DocumentNode,
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLDirective,
    GraphQLEnumType,
    GraphQLError,
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
    parse,
    parse_value,
    print_type,
    specified_directives,
    value_from_ast,
    value_from_ast_untyped,
)
from hypothesis import strategies as st

# --- types that are the same in all schemas


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


class Coded(Exception):
    """An error of an application, with extensions that graphql-core passes on."""

    extensions: Mapping[str, Any] = {"code": "CODED"}


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

UNFIT: dict[str, list[Any]] = {
    "Int": ["x", "", 2**31, -(2**31) - 1, 1.5, math.nan, [1], Decimal("2.5"), Thing()],
    "Float": ["x", "", math.inf, math.nan, [1.0], 10**400],
    "String": [["s"], {"k": 1}, math.nan, b"s"],
    "Boolean": ["yes", math.nan, [], Decimal(1)],
    "ID": [1.5, True, {}],
    "Colour": ["RED", True, 1.0, 99, [1], {}],
    "Odd": [2, 4, 13, 15, 0.5],
    "Json": [Undefined],
}
"""Values that cannot, or hardly."""

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

VALUES = {
    "Int": [1, None, 0, 2**31, "x"],
    "[Int]": [[1, None], 5, [], None, ["x"]],
    "[[Int!]]": [[[1], None], 6, [7], [[None]]],
    "String": ["s", None, "", 5],
    "Boolean": [True, False, None, 1],
    "Float": [1.5, 2, None, math.inf],
    "ID": ["i", 8, None, 1.5],
    "Colour": ["RED", "GREEN", None, "PINK"],
    "Filter": [{}, {"n": None, "words": "w", "deep": {"colour": "RED"}}, None, {"colour": None}, {"m": 1}],
    "[Filter!]": [[{}], {"n": 3}, None, [None]],
    "Pick": [{"n": 1}, None, {}, {"n": 1, "word": "w"}],
    "Odd": [3, "three", None, 2, 0.5],
    "Json": [{"a": [1]}, None, 1],
}
"""What can be sent for a variable, the simplest first and what cannot be coerced last."""


def named(type_: str) -> str:
    """The name inside of a type such as `[[Int!]]!`."""
    return type_.strip("[]!")


def nullable(type_: str) -> str:
    """A type, null allowed."""
    return type_.removesuffix("!")


# --- the schema


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


# --- the data


class Graph:
    """The data of one execution, which is also the context value of its resolvers; notes what is called."""

    def __init__(self, nodes: Sequence["Node"], *, is_async: bool) -> None:
        self.is_async = is_async
        self.calls: list[tuple[Any, ...]] = []
        self._made = {node.name: node.empty() for node in nodes}
        for node in nodes:
            node.fill(self._made[node.name], {name: self._attribute(cell) for name, cell in node.cells.items()})

    def __getitem__(self, name: str) -> Any:
        """The node of a name."""
        return self._made[name]

    def note(self, info: GraphQLResolveInfo, arguments: Mapping[str, Any]) -> None:
        """Note a call of a resolver."""
        path: Any = info.path
        place = []
        while path is not None:
            place.insert(0, (path.typename, path.key))
            path = path.prev
        self.calls.append((info.parent_type.name, info.field_name, str(info.return_type), place, repr(arguments)))

    def _attribute(self, cell: "Cell") -> Any:
        # What must be made anew, or raises, is made when the default resolver calls it.
        return (lambda _info, **_arguments: cell.make(self)) if cell.is_fresh else cell.make(self)


class Cell:
    """A value of a field, as it was drawn."""

    is_fresh = False
    """Whether each who asks is given a value of his own."""

    def make(self, graph: Graph) -> Any:
        """The value itself."""
        raise NotImplementedError


@dataclass(frozen=True)
class Plain(Cell):
    """A value that is the same for all."""

    value: Any

    def make(self, graph: Graph) -> Any:
        return self.value


@dataclass(frozen=True)
class Related(Cell):
    """A node of the graph."""

    name: str

    def make(self, graph: Graph) -> Any:
        return graph[self.name]


@dataclass(frozen=True)
class Raised(Cell):
    """An error that is raised where the value is asked for."""

    error: str
    is_fresh = True

    def make(self, graph: Graph) -> Any:
        error = ERRORS[self.error]()
        raise error


@dataclass(frozen=True)
class Returned(Cell):
    """An error that stands in the place of a value."""

    error: str

    def make(self, graph: Graph) -> Any:
        return ERRORS[self.error]()


@dataclass(frozen=True)
class Several(Cell):
    """A list, or what serves for one."""

    kind: str
    cells: tuple[Cell, ...]

    @property
    def is_fresh(self) -> bool:  # type: ignore[override]
        return self.kind in ("generator", "async generator") or any(cell.is_fresh for cell in self.cells)

    def make(self, graph: Graph) -> Any:
        values = [cell.make(graph) for cell in self.cells]
        if self.kind == "async generator" and not graph.is_async:
            return values
        return KINDS_OF_LISTS[self.kind](values)


@dataclass(frozen=True)
class Later(Cell):
    """A value that must be awaited, where the graph is asynchronous."""

    cell: Cell
    kind: str
    is_fresh = True

    def make(self, graph: Graph) -> Any:
        if not graph.is_async:
            return self.cell.make(graph)
        turned = self._turned(graph)
        return turned if self.kind == "coroutine" else Promise(turned)

    async def _turned(self, graph: Graph) -> Any:
        await asyncio.sleep(0)
        return self.cell.make(graph)


class Promise:
    """Awaitable, and no coroutine."""

    def __init__(self, coroutine: Any) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Any:
        return self._coroutine.__await__()


async def _one_by_one(values: list[Any]) -> Any:
    for value in values:
        yield value


KINDS_OF_LISTS: dict[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "deque": deque,
    "generator": lambda values: (value for value in values),
    "async generator": _one_by_one,
}

ERRORS: dict[str, Callable[[], Exception]] = {
    "value": lambda: ValueError("wrong"),
    "graphql": lambda: GraphQLError("located", extensions={"code": "X"}),
    "coded": lambda: Coded("coded"),
    "empty": KeyError,
    "attribute": lambda: AttributeError("absent"),
    "assertion": lambda: AssertionError("never"),
    "recursion": lambda: RecursionError("too deep"),
    "stop": lambda: StopIteration("stopped"),
}
SYNCHRONOUS = ("attribute", "stop")
"""Errors that are another thing when a coroutine raises them: a property has no attribute, a coroutine cannot stop."""


@dataclass(frozen=True)
class Node:
    """An object of the graph, as it was drawn."""

    name: str
    type: str
    form: str
    claim: Any
    """What it says its type is; None where it does not say."""
    cells: dict[str, Cell]

    def empty(self) -> Any:
        return FORMS[self.form](self.name)

    def fill(self, made: Any, attributes: Mapping[str, Any]) -> None:
        own = {"kind": self.type, "claim": self.claim, **attributes}
        if isinstance(made, dict):
            made.update(own, __typename=self.claim)
        elif isinstance(made, Record):
            made.values_.update(own, __typename=self.claim)
        else:
            vars(made).update(own)
            vars(made)[f"_{type(made).__name__}__typename"] = self.claim


class Record(Mapping[str, Any]):
    """A mapping that is no dict."""

    def __init__(self, name: str) -> None:
        self.values_: dict[str, Any] = {"name": name}

    def __getitem__(self, key: str) -> Any:
        return self.values_[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<Record {self.values_['name']}>"


class Lazy(Thing):
    """An object whose attributes are worked out, and fail, when they are read."""

    def __getattribute__(self, name: str) -> Any:
        value = object.__getattribute__(self, name)
        return value(None) if callable(value) and name.isalnum() and len(name) <= 2 else value


FORMS: dict[str, Callable[[str], Any]] = {
    "object": Thing,
    "dict": lambda name: {"name": name},  # names first: rings of dicts are compared when they are put into a message
    "mapping": Record,
    "lazy": Lazy,
}


# --- what is drawn


@dataclass
class Case:
    """A schema, data, and a document with the variables to execute it with."""

    spec: SchemaSpec
    nodes: list[Node]
    document: str
    operations: list[str]
    variables: list[dict[str, Any]]
    has_middleware: bool
    kinds: dict[str, str] = field(default_factory=dict)

    @cached_property
    def schema(self) -> GraphQLSchema:
        return self.spec.build()

    @cached_property
    def parsed(self) -> DocumentNode:
        return parse(self.document)

    @property
    def runs(self) -> list[tuple[str, dict[str, Any]]]:
        """The executions that it asks for; the first twice, for what is kept from one to the next."""
        runs = [(name, values) for name in self.operations for values in self.variables]
        return [*runs, runs[0]]

    def graph(self, *, is_async: bool = False) -> Graph:
        """The data, made anew."""
        return Graph(self.nodes, is_async=is_async)

    def root(self, graph: Graph, operation: str) -> Any:
        """The root value of an operation."""
        return graph["Mutation0" if self.kinds[operation] == "mutation" else "Query0"]

    def _repr_pretty_(self, printer: Any, _is_cycle: bool) -> None:
        printer.text("\n" + repr(self))

    def __repr__(self) -> str:
        functions = [
            f"{type_.name}: {'is_type_of' if type_.kind == 'object' else 'resolve_type'}{' (async)' * type_.is_async}"
            for type_ in self.spec.types.values()
            if type_.is_proven
        ]
        functions += [
            f"{part.owner}.{part.name}: {'echo' if part.is_echo else 'resolver'}{' (async)' * part.is_async}"
            for type_ in self.spec.types.values()
            for part in type_.fields.values()
            if part.has_resolver and type_.kind == "object"
        ]
        types = [print_type(self.schema.type_map[name]) for name in self.spec.types]
        parts = [*types, *functions, *map(repr, self.nodes), self.document]
        parts += [f"operations: {self.operations}", f"variables: {self.variables}"]
        return "\n".join([*parts, "with middleware"] if self.has_middleware else parts)


@st.composite
def cases(draw: Any, *, operation: str = "query", is_async: bool = False) -> Case:
    """Cases of one kind of operation, `query` or `mutation`; asynchronous ones have awaitable values in all places."""
    spec = _schema(draw, is_async=is_async)
    writer = Writer(draw, spec)
    names = ["One", "Two"][: draw(st.sampled_from([1, 1, 2]))]
    bodies = {name: writer.operation(operation) for name in names}
    document = writer.document(operation, bodies)
    nodes = _nodes(draw, spec, set(re.findall(r"\w+", document)), is_async=is_async)
    variables = [writer.values() for _ in range(draw(st.sampled_from([1, 2])))]
    has_middleware = draw(_rarely)
    return Case(spec, nodes, document, names, variables, has_middleware, dict.fromkeys(names, operation))


_rarely = st.sampled_from([False] * 9 + [True])
_sometimes = st.sampled_from([False, False, False, True])


def _schema(draw: Any, *, is_async: bool) -> SchemaSpec:
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
        has_resolver = is_echo or owner == "Mutation" or draw(_sometimes)
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
        proofs = draw(_sometimes), is_async and draw(st.booleans())
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
    output = part.type if part.type.endswith("!") or not draw(_rarely) else part.type + "!"
    has_resolver = part.is_echo or draw(_sometimes)
    return FieldSpec(owner, part.name, output, part.arguments, has_resolver, part.is_echo, part.is_async)


def _nodes(draw: Any, spec: SchemaSpec, used: set[str], *, is_async: bool) -> list[Node]:
    """The nodes of the graph, with the fields that are used."""
    objects = [type_ for type_ in spec.types.values() if type_.kind == "object"]
    counts = {type_.name: 1 if type_.name in ("Query", "Mutation") else 2 for type_ in objects}
    cells = _Cells(draw, spec, counts, is_async=is_async)
    nodes = []
    for type_ in objects:
        for index in range(counts[type_.name]):
            form = draw(st.sampled_from(list(FORMS)))
            claims = [None, "Nope", "Int", "Query", "I", 7] if draw(_one_of_twenty) else [type_.name]
            claim = draw(st.sampled_from(claims))
            values = {name: cells.draw(part.type) for name, part in type_.fields.items() if name in used}
            nodes.append(Node(f"{type_.name}{index}", type_.name, form, claim, values))
    return nodes


class _Cells:
    def __init__(self, draw: Any, spec: SchemaSpec, counts: Mapping[str, int], *, is_async: bool) -> None:
        self._draw = draw
        self._spec = spec
        self._counts = counts
        self._is_async = is_async
        fit = draw(st.sampled_from([100, 36, 16, 8]))
        self._kinds = ["fit"] * fit + ["none", "undefined", "error", "unfit", "raised"]
        self._errors = [name for name in ERRORS if not (is_async and name in SYNCHRONOUS)]
        self._lists = [name for name in KINDS_OF_LISTS if is_async or name != "async generator"]

    def draw(self, type_: str) -> Cell:
        """A value for a field of a type."""
        return self._later(self._value(type_, may_raise=True))

    def _later(self, cell: Cell) -> Cell:
        if not self._is_async or not self._draw(_sometimes):
            return cell
        return Later(cell, self._draw(st.sampled_from(["coroutine", "promise"])))

    def _value(self, type_: str, *, may_raise: bool = False) -> Cell:
        kind = self._draw(st.sampled_from(self._kinds))
        if kind == "raised" and may_raise:
            return Raised(self._draw(st.sampled_from(self._errors)))
        if kind in ("error", "raised"):
            return Returned(self._draw(st.sampled_from(self._errors)))
        if kind in ("none", "undefined"):
            return Plain(None if kind == "none" else Undefined)
        inner = nullable(type_)
        if inner.startswith("["):
            if kind == "unfit":
                return Plain(self._draw(st.sampled_from([7, "text", {}, {"k": 1}, Thing()])))
            size = self._draw(st.sampled_from([1, 2, 0, 3]))
            container = self._draw(st.sampled_from(["list"] * 6 + self._lists))
            return Several(container, tuple(self._later(self._value(inner[1:-1])) for _ in range(size)))
        if inner in FIT:
            return Plain(self._draw(st.sampled_from((FIT if kind == "fit" else UNFIT)[inner])))
        members = self._spec.types[inner].members or ("Query",)
        if kind == "unfit":
            if self._draw(st.booleans()):
                return Plain(self._draw(st.sampled_from([7, 13, "text", [], {}, Thing()])))
            # A coroutine in the field of another type would not be awaited there, but told of in a message.
            members = members if self._is_async else ("Query", "A")
        name = self._draw(st.sampled_from(members))
        return Related(f"{name}{self._draw(st.integers(0, self._counts[name] - 1))}")


_one_of_twenty = st.sampled_from([False] * 19 + [True])


class Writer:
    """Writes valid documents.

    A key of the response stands for the same field with the same arguments and type wherever it occurs, so fields
    that meet can always be merged, and a fragment can be spread wherever its type may be.
    """

    def __init__(self, draw: Any, spec: SchemaSpec) -> None:
        self._draw = draw
        self._spec = spec
        self._keys: dict[str, tuple[str, ...]] = {}
        self._variables: dict[tuple[str, str | None], str] = {}
        self._fragments: dict[str, tuple[str, str]] = {}
        self._left = 24

    def operation(self, kind: str) -> str:
        """The selection of an operation."""
        self._left = 24
        return self._selections(kind.capitalize(), 4)

    def document(self, kind: str, bodies: Mapping[str, str]) -> str:
        """The operations and the fragments that they use."""
        parts, used = [], set()
        for name, body in bodies.items():
            spread = self._spread(body)
            used |= spread
            wanted = set(re.findall(r"\$\w+", body + "".join(self._fragments[each][1] for each in spread)))
            definitions = [
                f"{variable}: {type_}" + (f" = {default}" if default else "")
                for (type_, default), variable in self._variables.items()
                if variable in wanted
            ]
            parts.append(f"{kind} {name}{'(' + ', '.join(definitions) + ')' if definitions else ''} {body}")
        parts += [f"fragment {name} on {self._fragments[name][0]} {self._fragments[name][1]}" for name in sorted(used)]
        return "\n".join(parts)

    def _spread(self, body: str) -> set[str]:
        found = set(re.findall(r"\.\.\.(\w+)", body))
        return found.union(*(self._spread(self._fragments[name][1]) for name in found))

    def values(self) -> dict[str, Any]:
        """Values for the variables, of which some are left out and some cannot be coerced."""
        values = {}
        for (type_, _), variable in self._variables.items():
            fit = [value for value in VALUES[nullable(type_)] if value is not None or not type_.endswith("!")]
            if type_.endswith("!") or not self._draw(_sometimes):
                some = fit if self._draw(_rarely) else fit[:2]
                values[variable[1:]] = self._draw(st.sampled_from(some))
        return values

    def _selections(self, parent: str, depth: int) -> str:
        parts = [self._selection(parent, depth) for _ in range(self._draw(st.sampled_from([1, 2, 3, 4])))]
        return "{ " + " ".join(parts) + " }"

    def _selection(self, parent: str, depth: int) -> str:
        self._left -= 1
        if self._left < 0:
            return "__typename"
        kind = self._draw(st.sampled_from(["field"] * 10 + ["inline"] * 2 + ["spread"] * 2 + ["typename", "meta"]))
        if kind == "inline" and depth:
            on = self._draw(st.sampled_from([None, *self._spec.overlapping(parent)]))
            condition = "..." if on is None else f"... on {on}"
            return f"{condition}{self._directives()} {self._selections(on or parent, depth - 1)}"
        if kind == "spread" and depth and self._spec.overlapping(parent):
            return f"...{self._fragment(parent, depth)}{self._directives()}"
        if kind == "meta" and parent == "Query":
            text = "name fields { name type { kind ofType { name } } } possibleTypes { name }"
            return f'type: __type(name: "I") {{ {text} }} __schema {{ queryType {{ name }} }}'
        fields = [part for part in self._spec.types[parent].fields.values() if depth or named(part.type) in FIT]
        if not fields or kind == "typename":
            alias = "kind: " if self._draw(_rarely) else ""
            return f"{alias}__typename{self._directives()}"
        return self._field(parent, self._draw(st.sampled_from(fields)), depth)

    def _field(self, parent: str, part: FieldSpec, depth: int) -> str:
        is_leaf = named(part.type) in FIT
        if is_leaf and not part.arguments and self._spec.types[parent].kind == "object" and self._draw(_rarely):
            # On disjoint types, fields of one key may differ if their values have the same form.
            key = f"{parent}: any_" + re.sub(r"[^a-zA-Z]", "_", part.type)
            return f"{self._key(part, '', key)}{self._directives()}"
        given = [
            f"{each.name}: {self._literal(each)}"
            for each in part.arguments
            if each.is_needed or self._draw(st.booleans())
        ]
        arguments = f"({', '.join(given)})" if given else ""
        head = f"{self._key(part, arguments)}{arguments}{self._directives()}"
        return head if is_leaf else f"{head} {self._selections(named(part.type), depth - 1)}"

    def _key(self, part: FieldSpec, arguments: str, key: str = "") -> str:
        """The name of a field, with an alias where its key must or may be another."""
        signature = (part.name, arguments, part.type)
        if key:
            signature = self._keys.setdefault(key, signature)
            return f"{key.split(': ')[1]}: {signature[0]}" if signature[2] == part.type else part.name
        candidates = (part.name if not n else f"{part.name}_{n}" for n in range(self._draw(_rarely), 100))
        key = next(each for each in candidates if self._keys.get(each, signature) == signature)
        self._keys[key] = signature
        return part.name if key == part.name else f"{key}: {part.name}"

    def _fragment(self, parent: str, depth: int) -> str:
        overlapping = self._spec.overlapping(parent)
        known = [name for name, (on, _) in self._fragments.items() if on in overlapping]
        chosen = self._draw(st.sampled_from([None, *known]))
        if chosen is not None:
            return str(chosen)
        on = self._draw(st.sampled_from(overlapping))
        body = self._selections(on, depth - 1)
        name = f"F{len(self._fragments)}"
        self._fragments[name] = (on, body)
        return name

    def _directives(self) -> str:
        chosen = self._draw(
            st.sampled_from([()] * 16 + [("include",), ("skip",), ("include", "skip")] * 2 + [("note",)])
        )
        if chosen == ("note",):
            name, type_ = self._draw(st.sampled_from([("numbers", "[Int]"), ("filter", "Filter")]))
            return f" @note({name}: {self._literal(Argument(name, type_, None))})"
        return "".join(f" @{name}(if: {self._literal(Argument('if', 'Boolean!', None))})" for name in chosen)

    def _literal(self, argument: Argument) -> str:
        if self._draw(st.booleans()):
            text = self._draw(st.sampled_from(LITERALS[argument.type]))
            # The one field of a @oneOf object takes only variables that are never null.
            exact = argument.type == "Pick"
            return re.sub(r"<(.*?)>", lambda found: self._variable(found[1], False, exact), str(text))
        return self._variable(argument.type, has_default=argument.default is not None)

    def _variable(self, type_: str, has_default: bool, is_exact: bool = False) -> str:
        """A variable that may stand where an argument or input field of a type does."""
        defaults = [each for each in LITERALS.get(type_, []) if "<" not in each and each != "null"]
        inner = nullable(type_)
        choices = [(type_, None), *((inner, default) for default in defaults)]
        if inner != type_ and has_default:
            choices.append((inner, None))
        if inner == type_ and inner in VALUES:
            choices += [(inner + "!", None), *((inner + "!", default) for default in defaults[:1])]
        chosen = choices[0] if is_exact else self._draw(st.sampled_from(choices))
        return self._variables.setdefault(chosen, f"$v{len(self._variables)}")
