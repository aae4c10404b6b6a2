"""Valid operations on any schema, drawn by hypothesis so that what fails shrinks.

What is given for arguments comes from a pool: JSON values by the name of an argument or input field, such as
`Query.run.runId`, `run.runId` or `runId`, or by that of a scalar; what has no entry is made from its type. Documents
are valid; now and then a value that is sent for a variable is not.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)
from hypothesis import strategies as st

Pool = Mapping[str, Sequence[Any]]
Input = GraphQLArgument | GraphQLInputField

PLAIN: Pool = {
    "Boolean": [True, False],
    "Float": [1.5, 0, -2],
    "ID": ["a", 1],
    "Int": [1, 2, 0, -1],
    "String": ["a", "", 'é\n"'],
}
"""Values of the scalars that every schema has."""

MAX_INPUT_DEPTH = 2


class Operation(NamedTuple):
    """What a client sends."""

    document: str
    name: str | None
    variables: dict[str, Any]


def operations(schema: GraphQLSchema, pool: Pool, *, depth: int = 5, size: int = 25) -> st.SearchStrategy[Operation]:
    """Operations on a schema, of at most so many levels and about so many selections."""
    return st.composite(lambda draw: _Writer(draw, schema, pool, size).operation(depth))()


class _Body(NamedTuple):
    """What is written of an operation, without its variables."""

    kind: str
    name: str
    text: str


class _Writer:
    """Writes a document and what is sent with it."""

    def __init__(self, draw: Callable[..., Any], schema: GraphQLSchema, pool: Pool, size: int) -> None:
        self._draw = draw
        self._schema = schema
        self._pool = {**PLAIN, **pool}
        self._left = size
        # In the whole document a key stands for one field with the same arguments, so that selections can be merged.
        self._keys: dict[str, tuple[str, str]] = {}
        self._declared: dict[str, str] = {}
        self._sent: dict[str, Any] = {}
        self._fragments: dict[str, tuple[Any, str]] = {}

    def operation(self, depth: int) -> Operation:
        roots = {"query": self._schema.query_type, "mutation": self._schema.mutation_type}
        bodies = []
        for number in range(self._choice([1, 1, 1, 2])):
            kind = self._choice([kind for kind, type_ in roots.items() if type_])
            bodies.append(_Body(kind, f"O{number}", self._selections(roots[kind], depth)))
        fragments = [f"fragment {name} on {on} {text}" for name, (on, text) in self._fragments.items()]
        document = "\n".join([*map(self._with_variables, bodies), *fragments])
        chosen = self._choice(bodies)
        sent = {name: self._sent[name] for name in self._used(chosen.text) if self._sent[name] is not Undefined}
        has_name = len(bodies) > 1 or self._choice([False, True])
        return Operation(document, chosen.name if has_name else None, sent)

    def _with_variables(self, body: _Body) -> str:
        declared = ", ".join(f"${name}: {self._declared[name]}" for name in self._used(body.text))
        return f"{body.kind} {body.name}{f'({declared})' if declared else ''} {body.text}"

    def _used(self, text: str) -> list[str]:
        """The variables in a text and in the fragments that it spreads, directly or not."""
        texts = {"": text}
        waiting = [text]
        while waiting:
            spread = [name for name in re.findall(r"\.\.\.(F\d+)", waiting.pop()) if name not in texts]
            texts |= {name: self._fragments[name][1] for name in spread}
            waiting += [texts[name] for name in spread]
        found = {name for each in texts.values() for name in re.findall(r"\$(v\d+)", each)}
        return [name for name in self._declared if name in found]

    def _choice(self, options: Sequence[Any]) -> Any:
        """One of these; the first is the simplest."""
        return self._draw(st.sampled_from(options))

    def _is_so(self, *, once_in: int) -> bool:
        return self._choice(range(once_in)) == once_in - 1

    # --- selections

    def _selections(self, type_: Any, depth: int) -> str:
        return "{ " + " ".join(self._selection(type_, depth) for _ in range(self._choice([1, 2, 3, 4]))) + " }"

    def _selection(self, type_: Any, depth: int) -> str:
        self._left -= 1
        if self._left < 0:
            depth = 0
        fragments = ["inline", "fragment"] * (4 if is_abstract_type(type_) else 1)
        kind = self._choice(["field"] * 8 + ["typename"] + (fragments if depth else []))
        match kind:
            case "field":
                return self._field(type_, depth)
            case "typename":
                return str(self._choice(["__typename", "type_name: __typename"]))
            case "inline":
                on = self._choice([None, *self._overlapping(type_)])
                head = f"... on {on}" if on else "..."
                return f"{head}{self._directives()} {self._selections(on or type_, depth - 1)}"
            case _:
                return f"...{self._fragment(type_, depth - 1)}{self._directives()}"

    def _fragment(self, type_: Any, depth: int) -> str:
        """The name of a fragment, new or known."""
        overlapping = self._overlapping(type_)
        known = [name for name, (on, _) in self._fragments.items() if on in overlapping]
        if known and self._is_so(once_in=2):
            return str(self._choice(known))
        on = self._choice(overlapping)
        text = self._selections(on, depth)
        name = f"F{len(self._fragments)}"
        self._fragments[name] = (on, text)
        return name

    def _overlapping(self, type_: Any) -> list[Any]:
        """The types on which a fragment may stand here."""
        possible = set(self._possible(type_))
        types = [each for name, each in self._schema.type_map.items() if not name.startswith("__")]
        return [each for each in types if possible & set(self._possible(each))]

    def _possible(self, type_: Any) -> Sequence[GraphQLObjectType]:
        if isinstance(type_, GraphQLObjectType):
            return [type_]
        return self._schema.get_possible_types(type_) if is_abstract_type(type_) else []

    def _field(self, type_: Any, depth: int) -> str:
        fields: Mapping[str, GraphQLField] = getattr(type_, "fields", {})
        leaves = [name for name, field in fields.items() if is_leaf_type(get_named_type(field.type))]
        others = [name for name in fields if name not in leaves] if depth else []
        if not leaves and not others:
            return "__typename"
        name = self._choice(others if others and (not leaves or self._is_so(once_in=2)) else leaves)
        text = self._with_arguments(type_, name, fields[name]) + self._directives()
        below = get_named_type(fields[name].type)
        return text if name in leaves else f"{text} {self._selections(below, depth - 1)}"

    def _with_arguments(self, parent: Any, name: str, field: GraphQLField) -> str:
        """A field with arguments, under a key that stands for nothing else; now and then one that is there."""
        takes = {key: f"{argument.type} {argument.default_value!r}" for key, argument in field.args.items()}
        signature = f"{name} {takes}: {field.type}"
        known = [key for key, (other, _) in self._keys.items() if other == signature]
        if known and self._is_so(once_in=3):
            key = self._choice(known)
            return _aliased(key, name) + self._keys[key][1]
        arguments = self._arguments(parent, name, field)
        candidates = [name, *(f"{name}_{number}" for number in range(len(self._keys) + 2))]
        if self._is_so(once_in=10):
            del candidates[0]
        meaning = (signature, arguments)
        key = next(each for each in candidates if self._keys.get(each, meaning) == meaning)
        self._keys[key] = meaning
        return _aliased(key, name) + arguments

    def _arguments(self, parent: Any, name: str, field: GraphQLField) -> str:
        given = [
            f"{key}: {self._given(argument, [f'{parent}.{name}.{key}', f'{name}.{key}', key])}"
            for key, argument in field.args.items()
            if is_required_argument(argument) or self._is_so(once_in=3)
        ]
        return f"({', '.join(given)})" if given else ""

    def _directives(self) -> str:
        chosen = self._choice([[]] * 10 + [["include"], ["skip"], ["include", "skip"]])
        return "".join(f" @{name}(if: {self._condition()})" for name in chosen)

    def _condition(self) -> str:
        """A Boolean; never null, for which executors may blame the field above or one further up."""
        value = self._choice(["true", "false", True, False])
        if isinstance(value, str):
            return value
        name = f"v{len(self._declared)}"
        self._declared[name], self._sent[name] = "Boolean!", value
        return f"${name}"

    # --- arguments

    def _given(self, where: Input, names: Sequence[str]) -> str:
        """What is written for an argument or input field: a literal, or a variable."""
        if self._is_so(once_in=3):
            return self._variable(where, names)
        return self._literal(where.type, self._value(where.type, names))

    def _variable(self, where: Input, names: Sequence[str]) -> str:
        """A new variable that may stand here, with or without a default, sent or not."""
        inner = nullable(where.type)
        default = self._some(inner, names) if self._is_so(once_in=3) else Undefined
        may_be_null = inner is where.type or where.default_value is not Undefined or default is not Undefined
        type_ = self._choice([GraphQLNonNull(inner), *([inner] if may_be_null else [])])
        may_lack = type_ is inner or default is not Undefined
        is_sent = not may_lack or not self._is_so(once_in=4)
        name = f"v{len(self._declared)}"
        written = "" if default is Undefined else f" = {self._literal(type_, default, is_constant=True)}"
        self._declared[name] = f"{type_}{written}"
        self._sent[name] = self._value(type_, names, is_sent=True) if is_sent else Undefined
        return f"${name}"

    def _literal(self, type_: Any, value: Any, *, is_constant: bool = False) -> str:
        """A value as it is written in a document, now and then a part of it as a variable."""
        if isinstance(type_, GraphQLNonNull):
            return self._literal(type_.of_type, value, is_constant=is_constant)
        if value is None:
            return "null"
        if isinstance(type_, GraphQLList):
            parts = value if isinstance(value, list) else [value]
            written = [self._literal(type_.of_type, part, is_constant=is_constant) for part in parts]
            return f"[{', '.join(written)}]" if isinstance(value, list) else written[0]
        if isinstance(type_, GraphQLInputObjectType):
            fields = [f"{name}: {self._part(type_, name, part, is_constant)}" for name, part in value.items()]
            return f"{{{', '.join(fields)}}}"
        return str(value) if isinstance(type_, GraphQLEnumType) else _written(value)

    def _part(self, type_: GraphQLInputObjectType, name: str, value: Any, is_constant: bool) -> str:
        # The one field of a @oneOf object takes only variables that are never null: none, for simplicity.
        if is_constant or type_.is_one_of or not self._is_so(once_in=10):
            return self._literal(type_.fields[name].type, value, is_constant=is_constant)
        return self._variable(type_.fields[name], [f"{type_}.{name}", name])

    def _value(self, type_: Any, names: Sequence[str], depth: int = 0, *, is_sent: bool = False) -> Any:
        """A JSON value of a type; one that is sent may be wrong."""
        if is_sent and self._is_so(once_in=60):
            return {"no": "such"}
        if isinstance(type_, GraphQLNonNull):
            return self._some(type_.of_type, names, depth, is_sent=is_sent)
        return None if self._is_so(once_in=8) else self._some(type_, names, depth, is_sent=is_sent)

    def _some(self, type_: Any, names: Sequence[str], depth: int = 0, *, is_sent: bool = False) -> Any:
        """The same, and not null."""
        known = next((self._pool[name] for name in names if name in self._pool), None)
        if known is not None:
            return self._choice(known)
        if isinstance(type_, GraphQLList):
            # A list may be given as its only item.
            is_one = not isinstance(nullable(type_.of_type), GraphQLList) and self._is_so(once_in=8)
            if is_one:
                return self._some(nullable(type_.of_type), names, depth, is_sent=is_sent)
            return [self._value(type_.of_type, names, depth, is_sent=is_sent) for _ in range(self._choice([1, 2, 0]))]
        if isinstance(type_, GraphQLEnumType):
            return self._choice(list(type_.values))
        if isinstance(type_, GraphQLInputObjectType):
            return self._object(type_, depth, is_sent=is_sent)
        return self._choice(self._pool[type_.name])

    def _object(self, type_: GraphQLInputObjectType, depth: int, *, is_sent: bool) -> dict[str, Any]:
        """An input object with all fields that are required, and at most three of the others."""
        needed = [name for name, field in type_.fields.items() if is_required_input_field(field)]
        rest = [name for name in type_.fields if name not in needed and self._may_go(type_.fields[name].type, depth)]
        count = 1 if type_.is_one_of else self._choice([1, 2, 3, 0])
        found = {}
        for name in dict.fromkeys([*needed, *(self._choice(rest) for _ in range(count) if rest)]):
            at = type_.fields[name].type
            exact = GraphQLNonNull(at) if type_.is_one_of else at
            found[name] = self._value(exact, [f"{type_}.{name}", name], depth + 1, is_sent=is_sent)
        return found

    def _may_go(self, type_: Any, depth: int) -> bool:
        return depth < MAX_INPUT_DEPTH or not isinstance(get_named_type(type_), GraphQLInputObjectType)


def nullable(type_: Any) -> Any:
    """A type, null allowed."""
    return type_.of_type if isinstance(type_, GraphQLNonNull) else type_


def _aliased(key: str, name: str) -> str:
    return name if key == name else f"{key}: {name}"


def _written(value: Any) -> str:
    """A scalar's value in GraphQL, which writes it as JSON does, but for the keys of objects."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_written(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value)
