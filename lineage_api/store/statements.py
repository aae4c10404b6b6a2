"""Statements of ours, compiled in a database's own words."""

from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import Dialect, Select, SelectBase


class Statement(Protocol):
    """A compiled statement."""

    @property
    def text(self) -> str:
        """The SQL."""

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Its parameters, in the form that the driver takes."""


class Plain:
    """A statement without parameters."""

    def __init__(self, text: str) -> None:
        self.text = text

    def parameters(self, values: Mapping[str, Any]) -> tuple[()]:  # noqa: ARG002
        return ()


class Compiled:
    """A statement with the values of its parameters, but for those that are named when it is run."""

    def __init__(self, query: SelectBase, dialect: Dialect) -> None:
        compiled = query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self.text = str(compiled)
        self._values = compiled.params
        self._positions = compiled.positiontup if compiled.positional else None

    def parameters(self, values: Mapping[str, Any]) -> Any:
        merged = {**self._values, **values} if values else self._values
        return merged if self._positions is None else tuple(merged[name] for name in self._positions)


class Prepared:
    """A query that is asked again and again, with values by name: compiled once for each kind of database."""

    def __init__(self, query: Select[Any]) -> None:
        self._query = query
        self._compiled: dict[Dialect, Compiled] = {}

    def compiled(self, dialect: Dialect) -> Compiled:
        """The statement in the words of a database; there are few of these, and they last."""
        if dialect not in self._compiled:
            self._compiled[dialect] = Compiled(self._query, dialect)
        return self._compiled[dialect]
