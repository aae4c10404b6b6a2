"""Random valid documents for a random schema, and values for their variables."""

import math
import re
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from tests.engine.random_schemas import (
    FIT,
    LITERALS,
    RARELY,
    SOMETIMES,
    Argument,
    FieldSpec,
    SchemaSpec,
    named,
    nullable,
)

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
            if type_.endswith("!") or not self._draw(SOMETIMES):
                some = fit if self._draw(RARELY) else fit[:2]
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
            alias = "kind: " if self._draw(RARELY) else ""
            return f"{alias}__typename{self._directives()}"
        return self._field(parent, self._draw(st.sampled_from(fields)), depth)

    def _field(self, parent: str, part: FieldSpec, depth: int) -> str:
        is_leaf = named(part.type) in FIT
        if is_leaf and not part.arguments and self._spec.types[parent].kind == "object" and self._draw(RARELY):
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
        candidates = (part.name if not n else f"{part.name}_{n}" for n in range(self._draw(RARELY), 100))
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
