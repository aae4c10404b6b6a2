"""How much a document asks for, before it is known to be valid: its depth, fields, aliases and so on, as executed.

What fragments repeat is multiplied and not walked again, so that the time is linear in the length of the document,
whatever it would come to. Each fragment is measured once; one that is missing, or in a ring, counts nothing, and
validation says what is wrong with it.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    ListValueNode,
    Node,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

from lineage_api.api.limits import Limits, require_within
from lineage_api.errors import TooMuch

SIZES = frozenset({"first", "maxNodes", "ids"})
"""The arguments that say how many objects a field leads to."""

_SWITCHES = frozenset({"skip", "include"})
_KEPT = "lineage_api.measured"


class Measures(NamedTuple):
    """How much a selection asks for, as executed."""

    depth: int = 0
    root_fields: int = 0
    """Those that are not below others of the selection."""
    fields: int = 0
    aliases: int = 0
    directives: int = 0


class Measured(NamedTuple):
    """How much a document asks for: the most that any of its operations does."""

    operations: int
    variables: int
    list_items: int
    """Of its longest list."""
    most: Measures
    deciding: frozenset[str]
    """The variables on which the number of objects depends."""

    def require_within(self, limits: Limits) -> None:
        """Raises TooMuch, with both numbers, for the first of them that is over its limit."""
        most = self.most
        require_within("operations", self.operations, limits.max_operations)
        require_within("variables", self.variables, limits.max_variables)
        require_within("items of a list", self.list_items, limits.max_list_items)
        require_within("depth", most.depth, limits.max_depth)
        require_within("root fields", most.root_fields, limits.max_root_fields)
        require_within("aliases", most.aliases, limits.max_aliases)
        require_within("fields", most.fields, limits.max_fields)
        require_within("directives", most.directives, limits.max_directives)


def measured(document: DocumentNode) -> Measured:
    """How much a document asks for, valid or not; worked out once, and kept by the document.

    Raises TooMuch where it is nested so deeply that it cannot be told.
    """
    known = vars(document)
    if _KEPT not in known:
        try:
            known[_KEPT] = _Measuring(document).result()
        except RecursionError:
            raise TooMuch("This is nested too deeply.") from None
    found: Measured = known[_KEPT]
    return found


class _Measuring:
    """One pass over a document."""

    def __init__(self, document: DocumentNode) -> None:
        self._document = document
        self._fragments: dict[str, FragmentDefinitionNode] = {}
        self._known: dict[str, Measures] = {}
        self._longest = 0
        self._deciding: set[str] = set()
        for each in document.definitions:
            if isinstance(each, FragmentDefinitionNode):
                self._fragments.setdefault(each.name.value, each)

    def result(self) -> Measured:
        operations = [each for each in self._document.definitions if isinstance(each, OperationDefinitionNode)]
        found = list(map(self._operation, operations))
        variables = max((len(each.variable_definitions or ()) for each in operations), default=0)
        most = Measures(*map(max, zip(*found, strict=True))) if found else Measures()
        return Measured(len(operations), variables, self._longest, most, frozenset(self._deciding))

    def _operation(self, operation: OperationDefinitionNode) -> Measures:
        directives = self._directives(operation.directives)
        for definition in operation.variable_definitions or ():
            directives += self._directives(definition.directives)
            self._look_at([definition.default_value] if definition.default_value else [])
        selected = self._selected(operation.selection_set)
        return selected._replace(directives=selected.directives + directives)

    def _selected(self, selection_set: SelectionSetNode) -> Measures:
        depth = root_fields = fields = aliases = directives = 0
        for node in selection_set.selections:
            one = self._selection(node)
            depth = max(depth, one.depth)
            root_fields += one.root_fields
            fields += one.fields
            aliases += one.aliases
            directives += one.directives + self._directives(node.directives)
        return Measures(depth, root_fields, fields, aliases, directives)

    def _selection(self, node: SelectionNode) -> Measures:
        if isinstance(node, FragmentSpreadNode):
            return self._fragment(node.name.value)
        selection_set: SelectionSetNode | None = node.selection_set  # type: ignore[attr-defined]
        below = Measures() if selection_set is None else self._selected(selection_set)
        if not isinstance(node, FieldNode):
            return below
        self._arguments(node.arguments, SIZES)
        aliases = below.aliases + (node.alias is not None)
        return Measures(below.depth + 1, 1, below.fields + 1, aliases, below.directives)

    def _fragment(self, name: str) -> Measures:
        if name not in self._known:
            self._known[name] = Measures()  # for who meets it again below itself
            if name in self._fragments:
                fragment = self._fragments[name]
                found = self._selected(fragment.selection_set)
                directives = found.directives + self._directives(fragment.directives)
                self._known[name] = found._replace(directives=directives)
        return self._known[name]

    def _directives(self, directives: Iterable[DirectiveNode]) -> int:
        count = 0
        for count, node in enumerate(directives, 1):  # noqa: B007 - how many there were
            self._arguments(node.arguments, {"if"} if node.name.value in _SWITCHES else ())
        return count

    def _arguments(self, arguments: Iterable[ArgumentNode], decisive: Iterable[str]) -> None:
        for node in arguments:
            if not isinstance(node.value, VariableNode):
                self._look_at([node.value])
            elif node.name.value in decisive:
                self._deciding.add(node.value.name.value)

    def _look_at(self, values: list[ValueNode]) -> None:
        while values:
            value = values.pop()
            if isinstance(value, ListValueNode):
                self._longest = max(self._longest, len(value.values))
            values.extend(_parts(value))


def _parts(value: Node) -> Iterator[ValueNode]:
    if isinstance(value, ListValueNode):
        yield from value.values
    elif isinstance(value, ObjectValueNode):
        yield from (field.value for field in value.fields)
