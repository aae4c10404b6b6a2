"""Random data for a random schema, drawn before anything is executed.

Data that were drawn on demand would depend on the order in which an executor asks for them. Each execution is given a
graph of its own, made of the same nodes.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLResolveInfo,
    Undefined,
)
from hypothesis import strategies as st

from tests.engine.random_schemas import FIT, SELDOM, SOMETIMES, SchemaSpec, Thing, nullable


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


class Coded(Exception):
    """An error of an application, with extensions that graphql-core passes on."""

    extensions: Mapping[str, Any] = {"code": "CODED"}


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


def drawn_nodes(draw: Any, spec: SchemaSpec, used: set[str], *, is_async: bool) -> list[Node]:
    """The nodes of the graph, with the fields that are used."""
    objects = [type_ for type_ in spec.types.values() if type_.kind == "object"]
    counts = {type_.name: 1 if type_.name in ("Query", "Mutation") else 2 for type_ in objects}
    cells = _Cells(draw, spec, counts, is_async=is_async)
    nodes = []
    for type_ in objects:
        for index in range(counts[type_.name]):
            form = draw(st.sampled_from(list(FORMS)))
            claims = [None, "Nope", "Int", "Query", "I", 7] if draw(SELDOM) else [type_.name]
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
        if not self._is_async or not self._draw(SOMETIMES):
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
