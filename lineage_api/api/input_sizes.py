"""How much is in the arguments of an operation: filters, their conditions and the like, each of which becomes SQL.

Those in variables count as often as the document uses the variable; what fragments repeat is multiplied and not
walked again. An expression in MLflow's search syntax counts as much as the conditions that it is made of.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    ListValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)

from lineage_api.api.limits import Limits, require_within

EXPRESSIONS = frozenset({"matching"})
"""The fields that hold an expression."""
EXPRESSION_PART = 10
"""How many characters of an expression count as an object: about as many as a short condition has."""

_LITERALS = ""
"""Stands among the names of variables for what a document itself holds."""
_KEPT = "lineage_api.input_sizes"


class Inputs:
    """What the arguments of an operation hold, with the values of its variables."""

    def __init__(self) -> None:
        self.objects = 0
        self.depth = 0
        """How deep objects stand in each other."""
        self.list_items = 0
        """Of the longest list in a variable."""
        self.has_expressions = False
        """Whether any is in MLflow's search syntax."""

    @classmethod
    def of(cls, document: DocumentNode, variables: Mapping[str, Any]) -> "Inputs":
        """Those of the operation of a document that has most of them."""
        found, sizes = cls(), _sizes(document)
        found.depth, found.has_expressions = sizes.depth, sizes.has_expressions
        for name, value in variables.items():
            if isinstance(value, list | dict):
                found._look_into(value, sizes.uses[name])
            elif isinstance(value, str) and name in sizes.expressions:
                found.objects += sizes.uses[name] * _objects_in(value)
        found.objects += sizes.uses[_LITERALS]
        return found

    def _look_into(self, value: Any, uses: int) -> None:
        waiting = [(value, 0)]
        while waiting:
            part, depth = waiting.pop()
            if isinstance(part, list):
                self.list_items = max(self.list_items, len(part))
                waiting.extend((inner, depth) for inner in part if isinstance(inner, list | dict))
                continue
            self.objects += uses
            self.depth = max(self.depth, depth + 1)
            for name, inner in part.items():
                if isinstance(inner, list | dict):
                    waiting.append((inner, depth + 1))
                elif name in EXPRESSIONS and isinstance(inner, str):
                    self.objects += uses * _objects_in(inner)
                    self.has_expressions = True

    def require_within(self, limits: Limits) -> None:
        """Raises TooMuch, with both numbers, for the first of them that is over its limit."""
        require_within("items of a list", self.list_items, limits.max_list_items)
        require_within("depth of an input", self.depth, limits.max_input_depth)
        require_within("input objects", self.objects, limits.max_input_objects)


def _objects_in(expression: str) -> int:
    """As how many objects an expression counts."""
    return len(expression) // EXPRESSION_PART


class _Sizes:
    """What the arguments in a document hold: the most that any of its operations does."""

    def __init__(self, document: DocumentNode) -> None:
        self.uses: Counter[str] = Counter()
        """How often each variable is used; and how many objects stand in the document itself."""
        self.depth = 0
        self.expressions: set[str] = set()
        """The variables that are expressions."""
        self.has_expressions = False
        definitions = document.definitions
        self._fragments = {each.name.value: each for each in definitions if isinstance(each, FragmentDefinitionNode)}
        self._known: dict[str, Counter[str]] = {}
        for each in definitions:
            if isinstance(each, OperationDefinitionNode):
                self.uses |= self._selected(each.selection_set) + self._defaults(each)

    def _defaults(self, operation: OperationDefinitionNode) -> Counter[str]:
        found: Counter[str] = Counter()
        for each in operation.variable_definitions or ():
            if each.default_value is not None:
                found += self._value(each.default_value)
        return found

    def _selected(self, selection_set: SelectionSetNode | None) -> Counter[str]:
        found: Counter[str] = Counter()
        for node in selection_set.selections if selection_set else ():
            if isinstance(node, FragmentSpreadNode):
                found += self._fragment(node.name.value)
                continue
            if isinstance(node, FieldNode):
                for argument in node.arguments:
                    found += self._value(argument.value, argument)
            found += self._selected(node.selection_set)  # type: ignore[attr-defined]
        return found

    def _fragment(self, name: str) -> Counter[str]:
        if name not in self._known:
            self._known[name] = Counter()  # for who meets it again below itself
            if name in self._fragments:
                self._known[name] = self._selected(self._fragments[name].selection_set)
        return self._known[name]

    def _value(self, value: ValueNode, of: ArgumentNode | ObjectFieldNode | None = None) -> Counter[str]:
        found: Counter[str] = Counter()
        waiting: list[tuple[Any, Any, int]] = [(value, of, 0)]
        while waiting:
            part, of, depth = waiting.pop()
            is_expression = of is not None and of.name.value in EXPRESSIONS
            self.has_expressions |= is_expression
            if isinstance(part, VariableNode):
                found[part.name.value] += 1
                self.expressions |= {part.name.value} if is_expression else set()
            elif isinstance(part, StringValueNode) and is_expression:
                found[_LITERALS] += _objects_in(part.value)
            elif isinstance(part, ObjectValueNode):
                found[_LITERALS] += 1
                self.depth = max(self.depth, depth + 1)
            waiting.extend(_parts(part, depth))
        return found


def _parts(value: ValueNode, depth: int) -> Iterator[tuple[ValueNode, ObjectFieldNode | None, int]]:
    if isinstance(value, ListValueNode):
        yield from ((each, None, depth) for each in value.values)
    elif isinstance(value, ObjectValueNode):
        yield from ((field.value, field, depth + 1) for field in value.fields)


def _sizes(document: DocumentNode) -> _Sizes:
    """The sizes of a document's arguments, worked out once, and kept by the document."""
    known = vars(document)
    if _KEPT not in known:
        known[_KEPT] = _Sizes(document)
    found: _Sizes = known[_KEPT]
    return found
