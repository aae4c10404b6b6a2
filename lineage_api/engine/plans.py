"""What an operation asks for, worked out once: its fields by type, their shapes, arguments and levels.

A plan depends on the schema, the document, the operation, the values of the Boolean variables in its directives and
what its texts are shown through, and on nothing else; all that is worked out later, such as statements, is kept in the
memos of its fields.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from graphql import (
    ArgumentNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    Node,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    get_argument_values,
    is_leaf_type,
    is_object_type,
    visit,
)
from graphql.execution.collect_fields import collect_fields, collect_sub_fields
from graphql.execution.execute import get_field_def

from lineage_api.engine.leaves import Leaf
from lineage_api.engine.levels import LEVEL, Level
from lineage_api.engine.tally import is_bounded, is_counted, weight

MAX_PLANS = 20
"""How many plans are kept of an operation; those that were used least recently go first."""

_KEPT = "lineage_api.plans"


class Planned(Protocol):
    """An operation that is to be planned, such as an execution context."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    variable_values: dict[str, Any]


@dataclass(slots=True)
class Shape:
    """What a field, or an item of its lists, is made of: just one of the four."""

    is_required: bool
    leaf: Leaf | None = None
    item: "Shape | None" = None
    object_type: GraphQLObjectType | None = None
    abstract_type: Any = None


class FieldPlan:
    """A field of the response: all nodes of one key in a selection."""

    def __init__(
        self, plan: "Plan", parent_type: GraphQLObjectType, key: str, nodes: list[FieldNode], field: GraphQLField
    ) -> None:
        self.plan = plan
        self.parent_type = parent_type
        self.key = key
        self.nodes = nodes
        self.name = nodes[0].name.value
        self.field = field
        self.level: Level | None = field.extensions.get(LEVEL)
        self.shape = plan.shape(field.type)
        self.is_bounded = is_bounded(field)
        """Whether an argument bounds its list, where it has one; see `tally`."""
        self.weight = weight(parent_type)
        """As how many rows each item of its list counts; see `tally`."""
        self.memo: dict[Any, Any] = {}
        """What the level works out once; see `Call.memo`."""

    @cached_property
    def constant_arguments(self) -> Mapping[str, Any] | None:
        """The arguments of its level, where they are the same at each execution."""
        if any(has_variables(argument) for argument in self.nodes[0].arguments):
            return None
        return self._arguments({})

    def arguments(self, variables: dict[str, Any]) -> Mapping[str, Any]:
        """The arguments of its level."""
        constant = self.constant_arguments
        return self._arguments(variables) if constant is None else constant

    def _arguments(self, variables: dict[str, Any]) -> Mapping[str, Any]:
        values = self.values(variables)
        return values if self.level is None else self.level.arguments(values)

    def values(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The arguments as an ordinary resolver takes them, made anew at each call: it may change them."""
        return get_argument_values(self.field, self.nodes[0], variables) if self.field.args else {}

    @property
    def needs(self) -> Iterator[str]:
        """The columns of its parents that its level needs."""
        if self.level is not None:
            yield from self.level.needs
            for argument in self.nodes[0].arguments:
                yield from self.level.needs_with.get(argument.name.value, ())

    @property
    def label(self) -> str:
        """Its name in the schema."""
        return f"{self.parent_type.name}.{self.name}"

    @cached_property
    def below(self) -> "Below":
        """What is selected below it."""
        return Below(self.plan, self.shape, [self.nodes])


class Selection:
    """The fields that are selected on an object type."""

    def __init__(self, plan: "Plan", type_: GraphQLObjectType, fields: list[FieldPlan]) -> None:
        self.plan = plan
        self.type = type_
        self.fields = fields
        self.names = [field.key for field in fields]
        self.is_counted = is_counted(type_)
        """Whether objects with it count; see `tally`."""

    @cached_property
    def columns(self) -> frozenset[str]:
        """The columns of its parents that its levels need."""
        return frozenset(name for field in self.fields for name in field.needs)


class Below:
    """A Lookahead over plans."""

    def __init__(self, plan: "Plan", shape: Shape, nodes: list[list[FieldNode]]) -> None:
        self._plan = plan
        self._type: Any = _innermost(shape)
        self._nodes = nodes
        self._columns: dict[str | None, frozenset[str]] = {}
        self._below: dict[str, Below] = {}

    def _selections(self, type_name: str | None = None) -> Iterator[Selection]:
        type_: Any = self._type if type_name is None else self._plan.schema.get_type(type_name)
        return (self._plan.selection(type_, nodes) for nodes in self._nodes if is_object_type(type_))

    def columns(self, type_name: str | None = None) -> frozenset[str]:
        if type_name not in self._columns:
            parts = (selection.columns for selection in self._selections(type_name))
            self._columns[type_name] = frozenset().union(*parts)
        return self._columns[type_name]

    def below(self, field: str) -> "Below":
        if field not in self._below:
            fields = [plan for plan in self._fields() if plan.name == field]
            shape = fields[0].shape if fields else Shape(is_required=False)
            self._below[field] = Below(self._plan, shape, [plan.nodes for plan in fields])
        return self._below[field]

    def selects(self, field: str) -> bool:
        return any(plan.name == field for plan in self._fields())

    def _fields(self) -> Iterator[FieldPlan]:
        return (field for selection in self._selections() for field in selection.fields)


class Plan:
    """An operation, with the selection of each object type that it comes to."""

    def __init__(self, execution: "Planned", booleans: dict[str, Any]) -> None:
        self.schema = execution.schema
        self.operation = execution.operation
        self.fragments = execution.fragments
        self._booleans = booleans
        self.kept: dict[Any, Any] = {}
        """What is worked out once for its fields and selections, by those who work it out."""
        self._selections: dict[tuple[Any, ...], Selection] = {}
        self._leaves: dict[Any, Leaf] = {}

    def root(self, type_: GraphQLObjectType) -> Selection:
        """The selection of the operation itself."""
        key = (type_,)
        if key not in self._selections:
            selected = self.operation.selection_set
            fields = collect_fields(self.schema, self.fragments, self._booleans, type_, selected)
            self._selections[key] = self._selection(type_, fields)
        return self._selections[key]

    def selection(self, type_: GraphQLObjectType, nodes: list[FieldNode]) -> Selection:
        """What fields with these nodes select on an object type."""
        key = (type_, *map(id, nodes))
        if key not in self._selections:
            fields = collect_sub_fields(self.schema, self.fragments, self._booleans, type_, nodes)
            self._selections[key] = self._selection(type_, fields)
        return self._selections[key]

    def _selection(self, type_: GraphQLObjectType, fields: dict[str, list[FieldNode]]) -> Selection:
        # A field that the type lacks is left out, as graphql-core does with documents that were not validated.
        known = ((key, nodes, get_field_def(self.schema, type_, nodes[0])) for key, nodes in fields.items())
        return Selection(
            self, type_, [FieldPlan(self, type_, key, nodes, field) for key, nodes, field in known if field]
        )

    def shape(self, type_: Any, *, is_required: bool = False) -> Shape:
        """The shape of an output type."""
        if isinstance(type_, GraphQLNonNull):
            return self.shape(type_.of_type, is_required=True)
        if isinstance(type_, GraphQLList):
            return Shape(is_required, item=self.shape(type_.of_type))
        if is_leaf_type(type_):
            return Shape(is_required, leaf=self._leaves.setdefault(type_, Leaf(type_)))
        if is_object_type(type_):
            return Shape(is_required, object_type=type_)
        return Shape(is_required, abstract_type=type_)


class Plans:
    """The plans of an operation: they differ by what its directives leave out, and by who may see what."""

    def __init__(self) -> None:
        self._plans: OrderedDict[tuple[Any, ...], Plan] = OrderedDict()
        self._switches: list[str] | None = None

    def __reduce__(self) -> tuple[type["Plans"], tuple[()]]:
        """A document is copied and pickled without its plans, which know nodes by their identity."""
        return Plans, ()

    def of(self, execution: "Planned") -> Plan:
        """The plan of an operation."""
        if self._switches is None:
            nodes = [execution.operation, *execution.fragments.values()]
            self._switches = sorted({name for node in nodes for name in variables_in_directives(node)})
        variables = execution.variable_values
        booleans = {name: variables[name] for name in self._switches if name in variables}
        # Those to whom not all is shown are asked for in other words, which plans keep.
        redact = getattr(getattr(execution, "context_value", None), "redact", None)
        # Plans keep what their keys name, so that nothing else can have the same identity.
        key = (id(execution.schema), *map(id, execution.fragments.values()), *booleans.items(), redact)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = Plan(execution, booleans)
            if len(self._plans) > MAX_PLANS:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(key)
        return plan


def plan_of(execution: Planned) -> Plan:
    """The plan of the operation that is executed."""
    # Kept by the operation itself, and with it as long as somebody keeps its document.
    plans: Plans = vars(execution.operation).setdefault(_KEPT, Plans())
    return plans.of(execution)


def has_variables(node: ArgumentNode | DirectiveNode) -> bool:
    """Whether the values in a node depend on variables."""
    return bool(_variables(node))


def _variables(node: Node) -> set[str]:
    found: set[str] = set()

    class Names(Visitor):
        def enter_variable(self, variable: VariableNode, *_: Any) -> None:
            found.add(variable.name.value)

    visit(node, Names())
    return found


def variables_in_directives(node: Node) -> set[str]:
    """The variables by which `@skip` and `@include` below a node decide."""
    found: set[str] = set()

    class Names(Visitor):
        def enter_directive(self, directive: DirectiveNode, *_: Any) -> None:
            if directive.name.value in {"skip", "include"}:
                found.update(_variables(directive))

    visit(node, Names())
    return found


def _innermost(shape: Shape) -> Any:
    while shape.item is not None:
        shape = shape.item
    return shape.object_type or shape.abstract_type
