"""How a field is resolved for a whole level at once: the three kinds are columns, arrows and batch functions."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from graphql import GraphQLResolveInfo

from lineage_api.engine.steps import Steps, drive
from lineage_api.engine.tables import Row, Table, as_objects

if TYPE_CHECKING:
    from collections.abc import Awaitable

ITSELF = "itself"
"""The name of a parent itself, among its columns, where parents are objects."""

LEVEL = "lineage_api.level"
"""Extension of a GraphQL field: the Level that resolves it."""


class Lookahead(Protocol):
    """What a query selects below a field."""

    def columns(self, type_name: str | None = None) -> frozenset[str] | None:
        """The columns that the selected fields need (of that type, where there are several); None for all."""

    def below(self, field: str) -> "Lookahead":
        """What it selects below a field of that name."""

    def selects(self, field: str) -> bool:
        """Whether it selects a field of that name."""


class Everything:
    """The lookahead of those who resolve objects one by one: whatever may be asked for later."""

    def columns(self, type_name: str | None = None) -> None:  # noqa: ARG002
        return None

    def below(self, field: str) -> "Everything":  # noqa: ARG002
        return self

    def selects(self, field: str) -> bool:  # noqa: ARG002
        return True


class Call:
    """A field that is to be resolved: for which parents, with which arguments, and what is selected below it."""

    __slots__ = ("arguments", "below", "context", "memo", "parents")

    def __init__(
        self,
        parents: Table | Sequence[Any],
        arguments: Mapping[str, Any],
        context: Any,
        below: Lookahead,
        memo: dict[Any, Any],
    ) -> None:
        self.parents = parents
        self.arguments = arguments
        self.context = context
        self.below = below
        self.memo = memo
        """Kept with the plan: what a level works out once for all calls that differ in values only."""

    def column(self, name: str) -> Any:
        """A column of the parents."""
        if isinstance(self.parents, Table):
            return self.parents.column(name)
        if name == ITSELF:
            return self.parents
        return [getattr(parent, name) for parent in self.parents]


class Level(ABC):
    """Resolves a field: gives the values of all parents, each in its place.

    The values are a sequence, or tables (see `tables`); or an awaitable or steps that give them.
    """

    needs: tuple[str, ...] = ()
    """The columns of the parents that it uses."""

    needs_with: Mapping[str, tuple[str, ...]] = {}
    """The further columns that it uses where a query names an argument, by the argument's name in GraphQL."""

    convert_arguments: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    """From arguments as GraphQL knows them to those of this level."""

    def arguments(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments of this level."""
        return values if self.convert_arguments is None else self.convert_arguments(values)

    @abstractmethod
    def resolve(self, call: Call) -> Any:
        """The values of the field, or an awaitable or steps that give them."""

    def resolver(self, source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        """The same for one object, as any GraphQL executor calls it."""
        parents = source.as_table() if isinstance(source, Row) else [source]
        values = self.resolve(Call(parents, self.arguments(arguments), info.context, Everything(), self._memo(info)))
        steps = settled(values)
        try:
            wanted = next(steps)
        except StopIteration as end:
            return as_objects(end.value)[0]
        return self._later(steps, wanted)

    def _memo(self, info: GraphQLResolveInfo) -> dict[Any, Any]:
        """What is kept for all objects that are resolved one by one: for them there is no plan."""
        reader = getattr(info.context, "reader", None)
        memos: dict[Any, dict[Any, Any]] = self.__dict__.setdefault("_memos", {})
        return memos.setdefault(getattr(reader, "dialect", None), {})

    @staticmethod
    async def _later(steps: Steps[Any], wanted: "list[Awaitable[Any]]") -> Any:
        return as_objects(await drive(steps, wanted))[0]


def outcome(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns, or the exception that it raises."""
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001 - it is anybody's code, and its failure belongs to one value
        return error


def settled(values: Any) -> Steps[Any]:
    """What a level gave, whether at once, as steps or as an awaitable."""
    if hasattr(values, "send") and not hasattr(values, "__await__"):
        values = yield from values
    elif hasattr(values, "__await__"):
        [values] = yield [values]
        if isinstance(values, BaseException):
            raise values
    return values


class Column(Level):
    """The values of one or more columns of the parents: as they are, converted one by one, or a column at a time.

    `named_by` is the column that says what each value is of, such as the key of a tag (see `redaction`).
    """

    def __init__(
        self,
        *names: str,
        named_by: str | None = None,
        convert: Callable[..., Any] | None = None,
        convert_all: Callable[..., Sequence[Any]] | None = None,
        form: Callable[..., Any] | None = None,
    ) -> None:
        self.columns = names
        """Those that the values are made of."""
        self.named_by = named_by
        self.needs = names if named_by is None else (*names, named_by)
        self.convert = convert
        self.convert_all = convert_all
        self.form = form
        """What the conversion makes, in SQL (see `forms`), where it is not the conversion's own form."""

    @property
    def is_bare(self) -> bool:
        """Whether the values are a column as it is."""
        return self.convert is None and self.convert_all is None

    def resolve(self, call: Call) -> Any:
        columns = [call.column(name) for name in self.columns]
        if self.convert_all is not None:
            return self.convert_all(*columns)
        if self.convert is None:
            return columns[0]
        try:
            return list(map(self.convert, *columns))
        except Exception:  # noqa: BLE001 - it is told below, for the values that it is about
            return [outcome(self.convert, *values) for values in zip(*columns, strict=True)]


class Batch(Level):
    """A function of columns of the parents: one call for all of them.

    It is given the columns, then the field's arguments by name; before them the context's service of a class, where
    it uses one.
    """

    def __init__(self, function: Callable[..., Any], *names: str, service: type | None = None) -> None:
        self.function = function
        self.needs = names
        self.service = service

    def resolve(self, call: Call) -> Any:
        services = [] if self.service is None else [call.context.service(self.service)]
        return self.function(*services, *map(call.column, self.needs), **call.arguments)


class Either(Level):
    """One level where an argument is given; another, which may need other columns, where it is left out or null."""

    def __init__(self, argument: str, given: Level, otherwise: Level) -> None:
        self.argument = argument
        self.given = given
        self.otherwise = otherwise
        self.needs = otherwise.needs
        self.needs_with = {argument: given.needs}

    def chosen(self, arguments: Mapping[str, Any]) -> Level:
        """The level for some arguments."""
        return self.otherwise if arguments.get(self.argument) is None else self.given

    def resolve(self, call: Call) -> Any:
        level = self.chosen(call.arguments)
        if level is self.otherwise:
            return level.resolve(call)
        memo = call.memo.setdefault(self.argument, {})
        return level.resolve(Call(call.parents, call.arguments, call.context, call.below, memo))
