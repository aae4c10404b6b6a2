"""Nouns: GraphQL types whose fields are declared as columns, arrows and batch functions.

The docstring of a noun is its description in the schema, the string under an attribute that of the field.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

import strawberry
from sqlalchemy import ColumnElement, Select
from strawberry.types.field import StrawberryField

from lineage_api import docstrings
from lineage_api.engine.arrows import Many, One, Ordering
from lineage_api.engine.levels import LEVEL, Batch, Column, Either, Level
from lineage_api.engine.listed import Listed
from lineage_api.engine.pages import Page
from lineage_api.engine.sql import Late, Rows, name_of

T = TypeVar("T")


class Declared:
    """A field as its noun declares it; the annotation beside it says of what kind it is."""

    def level(self, annotation: str) -> Level | None:
        """How the field is resolved; `annotation` is what stands in the source."""
        raise NotImplementedError

    def parameters(self, level: Level | None) -> Sequence[inspect.Parameter]:  # noqa: ARG002
        """The arguments of the field."""
        return ()


class _Column(Declared):
    def __init__(self, columns: Sequence[ColumnElement[Any]], **conversion: Any) -> None:
        self._level = Column(*map(name_of, columns), **conversion)

    def level(self, annotation: str) -> Level:  # noqa: ARG002
        return self._level


class _Arrow(Declared):
    def __init__(self, rows: Rows, page: type[Page], options: dict[str, Any]) -> None:
        self._rows = rows
        self._page = page
        self._options = options

    def level(self, annotation: str) -> Level:
        if annotation.startswith("Connection["):
            return self._page(self._rows, **self._options)
        return (Many if annotation.startswith("list[") else One)(self._rows, **self._options)

    def parameters(self, level: Any) -> Sequence[inspect.Parameter]:
        return list(level.parameters().values())


class _Batch(Declared):
    def __init__(
        self, function: Callable[..., Any], columns: Sequence[ColumnElement[Any] | str], service: type | None
    ) -> None:
        names = [column if isinstance(column, str) else name_of(column) for column in columns]
        self._function = function
        self._skip = len(names) + (service is not None)
        self._level = Batch(function, *names, service=service)

    def level(self, annotation: str) -> Level:  # noqa: ARG002
        return self._level

    def parameters(self, level: Any) -> Sequence[inspect.Parameter]:  # noqa: ARG002
        parameters = list(inspect.signature(self._function).parameters.values())[self._skip :]
        hints = get_type_hints(self._function, include_extras=True)
        return [parameter.replace(annotation=hints[parameter.name]) for parameter in parameters]


class _Own(Declared):
    def __init__(self, level: Level | None, signature: Callable[..., Any] | None) -> None:
        self._level = level
        self._signature = signature

    def level(self, annotation: str) -> Level | None:  # noqa: ARG002
        return self._level

    def parameters(self, level: Any) -> Sequence[inspect.Parameter]:  # noqa: ARG002
        if self._signature is None:
            return ()
        hints = get_type_hints(self._signature, include_extras=True)
        return [p.replace(annotation=hints[p.name]) for p in inspect.signature(self._signature).parameters.values()]


class _Either(Declared):
    def __init__(self, argument: str, given: Declared, otherwise: Declared) -> None:
        self._argument = argument
        self._given = given
        self._otherwise = otherwise

    def level(self, annotation: str) -> Level:
        given, otherwise = self._given.level(annotation), self._otherwise.level(annotation)
        assert given is not None
        assert otherwise is not None
        return Either(self._argument, given, otherwise)

    def parameters(self, level: Any) -> Sequence[inspect.Parameter]:
        return self._given.parameters(level.given)


def column(
    *columns: ColumnElement[Any],
    convert: Callable[..., Any] | None = None,
    convert_all: Callable[..., Sequence[Any]] | None = None,
    named_by: ColumnElement[Any] | None = None,
) -> Any:
    """A field that is a column of the noun's rows, or made of several: value by value, or a column at a time.

    Where its values are of something that another column names, that one is `named_by`.
    """
    name = None if named_by is None else name_of(named_by)
    return _Column(columns, convert=convert, convert_all=convert_all, named_by=name)


def arrow(
    rows: Rows,
    *,
    of: ColumnElement[Any] | Sequence[ColumnElement[Any]] = (),
    to: ColumnElement[Any] | Sequence[ColumnElement[Any]] = (),
    order: Ordering = (),
    narrow: Callable[..., Select[Any]] | None = None,
    page: type[Page] = Page,
    **options: Any,
) -> Any:
    """A field that leads to other rows: those whose columns `to` have the values of the parent's columns `of`.

    The annotation says whether it is one, a list, or a page (a Connection), of which there may be a class of its own.
    For further options see `Arrow`, `One` and `Page`.
    """
    return _Arrow(rows, page, {"of": _several(of), "to": _several(to), "order": order, "narrow": narrow, **options})


def listed(rows: Rows, *, of: ColumnElement[Any], to: ColumnElement[Any] | Sequence[ColumnElement[Any]]) -> Any:
    """A field that leads to rows whose keys stand in a column of the parents, as lists."""
    return _Own(Listed(rows, name_of(of), _several(to)), None)


def batch(function: Callable[..., Any], *columns: ColumnElement[Any] | str, service: type | None = None) -> Any:
    """A field that a function works out for all parents at once, from columns of theirs (or attributes, by name).

    With a service, the function is first given the context's object of that class. The parameters that remain are
    the field's arguments.
    """
    return _Batch(function, columns, service)


def either(argument: str, given: Any, otherwise: Any) -> Any:
    """A field that is declared in two ways: for where an argument is given, with all arguments, and for otherwise."""
    return _Either(argument, given, otherwise)


def resolved(level: Level | None, signature: Callable[..., Any] | None = None) -> Any:
    """A field with a level of its own, and arguments as in a signature; without a level, that of an interface."""
    return _Own(level, signature)


def noun(cls: type[T]) -> type[T]:
    """An object type, from the declarations in a class."""
    return strawberry.type(_with_fields(cls), description=docstrings.on_one_line(cls.__doc__ or ""))


def interface(cls: type[T]) -> type[T]:
    """An interface type, from the declarations in a class."""
    return strawberry.interface(_with_fields(cls), description=docstrings.on_one_line(cls.__doc__ or ""))


@dataclass_transform(kw_only_default=True)
def given(cls: type[T]) -> type[T]:
    """An input type: its fields' docstrings are their descriptions, and None means that nothing was given."""
    descriptions = docstrings.of_attributes(cls)
    for name in cls.__annotations__:
        default = cls.__dict__.get(name, strawberry.UNSET)
        is_missing = default is None or default is strawberry.UNSET
        options: dict[str, Any] = {"description": descriptions.get(name)}
        if name.endswith("_"):  # a word that Python keeps for itself
            options["name"] = name[:-1]
        if not is_missing or name in cls.__dict__:
            options["default"] = strawberry.UNSET if is_missing else default
        setattr(cls, name, strawberry.field(**options))
    return strawberry.input(cls, description=docstrings.on_one_line(cls.__doc__ or ""))


def _with_fields(cls: type[T]) -> type[T]:
    descriptions = docstrings.of_attributes(cls)
    for name, annotation in cls.__annotations__.items():
        declared = cls.__dict__.get(name)
        setattr(cls, name, _field(cls, declared, annotation, descriptions.get(name)))
    return cls


def _field(cls: type, declared: Declared | None, annotation: Any, description: str | None) -> StrawberryField:
    if declared is None:
        return strawberry.field(description=description)  # type: ignore[no-any-return]
    level = declared.level(_as_written(annotation))
    parameters = declared.parameters(level)
    metadata = {LEVEL: level}
    if not parameters:
        return strawberry.field(description=description, metadata=metadata)  # type: ignore[no-any-return]
    resolver = _signed(cls, annotation, parameters)
    return strawberry.field(resolver=resolver, description=description, metadata=metadata)  # type: ignore[no-any-return]


def _as_written(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    origin = get_origin(annotation)
    if origin is list:
        return "list["
    return "Connection[" if getattr(origin, "__name__", "") == "Connection" else ""


def _signed(cls: type, annotation: Any, parameters: Sequence[inspect.Parameter]) -> Callable[..., Any]:
    """A function with this signature, from which the schema takes the arguments; it is never called."""

    def resolver(**_: Any) -> Any:
        raise NotImplementedError

    keyword = inspect.Parameter.KEYWORD_ONLY
    signature = [
        p.replace(kind=keyword, default=_default(p.default), annotation=_public(p.annotation)) for p in parameters
    ]
    resolver.__signature__ = inspect.Signature(signature, return_annotation=annotation)  # type: ignore[attr-defined]
    resolver.__annotations__ = {p.name: p.annotation for p in signature} | {"return": annotation}
    resolver.__module__ = cls.__module__
    return resolver


def _default(default: Any) -> Any:
    """None as a default means that the argument may be left out; GraphQL would print it as `= null`."""
    return strawberry.UNSET if default is None else default


def _public(annotation: Any) -> Any:
    """An annotation as Strawberry reads it: without the engine's own marks, and the others outermost."""
    metadata = getattr(annotation, "__metadata__", None)
    if metadata is not None:
        return _marked(_public(get_args(annotation)[0]), [mark for mark in metadata if not isinstance(mark, Late)])
    if type(None) not in get_args(annotation):
        return annotation
    [inner] = [_public(part) for part in get_args(annotation) if part is not type(None)]
    return _marked(_bare(inner) | None, getattr(inner, "__metadata__", ()))


def _marked(annotation: Any, marks: Sequence[Any]) -> Any:
    return Annotated[annotation, *marks] if marks else annotation


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def _several(columns: Any) -> Sequence[ColumnElement[Any]]:
    return columns if isinstance(columns, list | tuple) else [columns]


@noun
class PageInfo:
    """Where a page stands among all pages."""

    has_next_page: bool = resolved(Column("hasNextPage"))
    """Whether there is a page after this one."""
    has_previous_page: bool = resolved(Column("hasPreviousPage"))
    """Whether there is a page before this one."""
    start_cursor: str | None = resolved(Column("startCursor"))
    """The cursor of the first item; null on an empty page."""
    end_cursor: str | None = resolved(Column("endCursor"))
    """The cursor of the last item; null on an empty page."""


@noun
class Edge(Generic[T]):
    """An item of a page, with its cursor."""

    cursor: str = resolved(Column("cursor"))
    """Where it stands in its list: what `after` takes."""
    node: T = resolved(Column("node"))
    """The item."""


@noun
class Connection(Generic[T]):
    """A page of a list."""

    edges: list[Edge[T]] = resolved(Column("edges"))
    """The items with their cursors."""
    nodes: list[T] = resolved(Column("nodes"))
    """The items."""
    page_info: PageInfo = resolved(Column("pageInfo"))
    """Where the page stands among all pages."""
    total_count: int = resolved(Column("totalCount"))
    """How many items there are in all pages; counted only when asked for."""
