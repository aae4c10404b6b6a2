"""What an operation costs: how many objects it may return at most, with the values that its variables have.

Objects of pages count as often as the pages above them can be long, multiplied; those that a field leads to count one
for each that it leads from. The frames of pages (connections, edges, page information), what the schema says of itself
and lists without pages count nothing; what stands below such a list counts as if the list had one item.

Each selection is looked at once for each type that it can be of, however often fragments repeat it: what it costs is
a number that does not depend on where it stands, and another for each item where an argument above says how many.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_operation_ast,
    is_abstract_type,
    is_composite_type,
)

from lineage_api.api.measuring import SIZES, measured
from lineage_api.engine.levels import LEVEL, Either
from lineage_api.engine.pages import Page
from lineage_api.engine.tally import BOUNDED, FRAME, is_counted

MAX_KNOWN = 100
"""For how many different values of its variables the cost of an operation is kept."""

MAX_DIGITS = 11
"""How long a number may be that is not too great for an Int; Python refuses to read those of thousands of digits."""

_KEPT = "lineage_api.costs"
_SWITCHES = {"skip": True, "include": False}
"""The directives that leave something out, and for which value."""

Cost = tuple[int, int]
"""What a selection costs in any case, and what it costs for each item of the lists whose length is said above it."""


class Costs:
    """What operations on a schema cost."""

    def __init__(self, schema: GraphQLSchema, max_page: int) -> None:
        self._schema = schema
        self._max_page = max_page

    def requested(self, document: DocumentNode, name: str | None, variables: Mapping[str, Any] | None) -> int:
        """The cost of the operation of a name in a valid document; 0 where there is none."""
        kept: dict[str | None, _Operation] = vars(document).setdefault(_KEPT, {})
        operation = kept.get(name)
        if operation is None:
            node = get_operation_ast(document, name)
            if node is None:
                return 0
            operation = kept[name] = _Operation(self._schema, self._max_page, document, node)
        return operation.requested(variables or {})


class _Operation:
    """One operation, and what is known of its cost."""

    def __init__(
        self, schema: GraphQLSchema, max_page: int, document: DocumentNode, operation: OperationDefinitionNode
    ) -> None:
        self._schema = schema
        self._max_page = max_page
        self._node = operation
        self._fragments = {f.name.value: f for f in document.definitions if isinstance(f, FragmentDefinitionNode)}
        deciding = measured(document).deciding
        definitions = {each.variable.name.value: each for each in operation.variable_definitions or ()}
        self._defaults = {name: each.default_value for name, each in definitions.items() if name in deciding}
        self._known: dict[tuple[Any, ...], int] = {}

    def requested(self, variables: Mapping[str, Any]) -> int:
        """Its cost with these values."""
        key = tuple([_decided(variables.get(name)) for name in self._defaults])
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[key] = self._worked_out(key)
        return known

    def _worked_out(self, values: tuple[Any, ...]) -> int:
        type_ = self._schema.get_root_type(self._node.operation)
        if type_ is None:
            return 0
        decided = {
            name: _literal(default, {}) if value is None and default is not None else value
            for (name, default), value in zip(self._defaults.items(), values, strict=True)
        }
        walk = _Walk(self._schema, self._max_page, self._fragments, decided)
        return walk.selected(self._node.selection_set, type_)[0]


class _Walk:
    """One pass over an operation, with values of its variables."""

    def __init__(
        self,
        schema: GraphQLSchema,
        max_page: int,
        fragments: Mapping[str, FragmentDefinitionNode],
        decided: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._max_page = max_page
        self._fragments = fragments
        self._decided = decided
        self._known: dict[tuple[int, str], Cost] = {}

    def selected(self, selection_set: SelectionSetNode, type_: GraphQLObjectType) -> Cost:
        """What a selection costs on an object of a type."""
        key = (id(selection_set), type_.name)
        if key not in self._known:
            settled = for_each = 0
            for one, more in self._parts(selection_set, type_):
                settled += one
                for_each += more
            self._known[key] = settled, for_each
        return self._known[key]

    def _parts(self, selection_set: SelectionSetNode, type_: GraphQLObjectType) -> Iterator[Cost]:
        for node in selection_set.selections:
            if any(map(self._leaves_out, node.directives)):
                continue
            if isinstance(node, FieldNode):
                field = type_.fields.get(node.name.value)
                if field is not None and node.selection_set is not None:
                    yield self._field(node, field, node.selection_set)
            elif (found := self._fragment(node)) and self._is_for(found.type_condition, type_):
                yield self.selected(found.selection_set, type_)

    def _field(self, node: FieldNode, field: GraphQLField, selection_set: SelectionSetNode) -> Cost:
        named = get_named_type(field.type)
        if not is_composite_type(named):
            return 0, 0
        is_list, size = _is_list(field), self._size(node, field)
        is_free = is_list and BOUNDED not in field.extensions
        settled, for_each = self._object(selection_set, named, is_free=is_free)
        if size is None:
            return (0, settled) if is_list and not is_free else (settled, 0)
        return (settled * size if is_list else settled + for_each * size), 0

    def _object(self, selection_set: SelectionSetNode, named: GraphQLNamedType, *, is_free: bool) -> Cost:
        """What an object costs, the dearest of the types that it can be of; if it is free itself, what is below it."""
        types: Any = self._schema.get_possible_types(named) if is_abstract_type(named) else [named]  # type: ignore[arg-type]
        costs = [(self.selected(selection_set, each), is_counted(each) and not is_free) for each in types]
        settled = max((cost[0] + counts for cost, counts in costs), default=0)
        return settled, max((cost[1] for cost, _ in costs), default=0)

    def _fragment(self, node: Node) -> FragmentDefinitionNode | InlineFragmentNode | None:
        if isinstance(node, FragmentSpreadNode):
            return self._fragments.get(node.name.value)
        return node if isinstance(node, InlineFragmentNode) else None

    def _is_for(self, condition: Any, type_: GraphQLObjectType) -> bool:
        if condition is None or condition.name.value == type_.name:
            return True
        named = self._schema.get_type(condition.name.value)
        return is_abstract_type(named) and self._schema.is_sub_type(named, type_)  # type: ignore[arg-type]

    def _leaves_out(self, directive: DirectiveNode) -> bool:
        wanted = _SWITCHES.get(directive.name.value)
        return wanted is not None and any(self._value(each.value) is wanted for each in directive.arguments)

    def _size(self, node: FieldNode, field: GraphQLField) -> int | None:
        """How many objects an argument of a field allows; None where it has no such argument."""
        name = next((name for name in field.args if name in SIZES), None)
        if name is None:
            return None
        given = next((self._value(each.value) for each in node.arguments if each.name.value == name), None)
        size = field.args[name].default_value if given is None else given
        return self._in_range(size, field) if isinstance(size, int) else 0

    def _in_range(self, size: int, field: GraphQLField) -> int:
        """The size of a list; one that is too long is refused, whatever its cost is."""
        level = field.extensions.get(LEVEL)
        page = level.otherwise if isinstance(level, Either) else level
        most = (page.most or self._max_page) if isinstance(page, Page) else size
        return size if 0 < size <= most else 0

    def _value(self, node: Node) -> Any:
        return _literal(node, self._decided)


def _literal(node: Node, variables: Mapping[str, Any]) -> Any:
    """What the value of an argument decides: how many, or whether; None where it is left out."""
    if isinstance(node, VariableNode):
        return variables.get(node.name.value)
    if isinstance(node, IntValueNode):
        return int(node.value) if len(node.value) <= MAX_DIGITS else 0
    if isinstance(node, BooleanValueNode):
        return node.value
    return len(node.values) if isinstance(node, ListValueNode) else 1


def _decided(value: Any) -> Any:
    """The same of a value of a variable, as it was sent."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return int(value) if abs(value) < 2**31 else 0
    return len(value) if isinstance(value, list) else 1


def bounded(schema: GraphQLSchema) -> GraphQLSchema:
    """The schema, with marks on what an argument bounds and on what is but the frame of a page; see `engine.tally`."""
    for type_ in schema.type_map.values():
        if not isinstance(type_, GraphQLObjectType) or type_.name.startswith("__"):
            continue
        if "pageInfo" in type_.fields:
            frames = [type_, *(get_named_type(type_.fields[name].type) for name in ("pageInfo", "edges"))]
            for frame in frames:
                frame.extensions[FRAME] = True
        for field in type_.fields.values():
            for name in SIZES & set(field.args):
                _mark(field, name)
    return schema


def _mark(field: GraphQLField, size: str) -> None:
    """Marks the lists that an argument bounds: the field's own, or those of what it leads to."""
    if _is_list(field):
        field.extensions[BOUNDED] = True
        return
    # As many links as there are may lead between the nodes of a graph.
    inner: dict[str, GraphQLField] = getattr(get_named_type(field.type), "fields", {})
    for each in [inner["nodes"]] if size == "maxNodes" else filter(_is_list, inner.values()):
        each.extensions[BOUNDED] = True


def _is_list(field: GraphQLField) -> bool:
    type_ = field.type
    return isinstance(type_.of_type if isinstance(type_, GraphQLNonNull) else type_, GraphQLList)
