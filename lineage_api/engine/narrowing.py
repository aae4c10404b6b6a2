"""What the arguments of a field say of rows, apart from the values in it: one statement serves all values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BindParameter, ColumnElement

_BIND_BYTES = 5_000
"""What is kept of a condition for each value in it, most of it SQLAlchemy's."""


class Shape:
    """What tells a condition from others that differ in more than values."""

    __slots__ = ("_hash", "_key")

    def __init__(self, key: Any) -> None:
        self._key = key
        self._hash = hash(key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Shape) and self._hash == other._hash and self._key == other._key)


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A condition on rows, and the values that it is about."""

    condition: ColumnElement[bool] | None = None
    shape: Shape = Shape(None)  # noqa: RUF009 - it never changes
    binds: Sequence[BindParameter[Any]] = ()
    """The parameters in the condition that hold its values; equal shapes have as many, in the same order."""
    values: Sequence[Any] = ()
    """The values in them; those of a parameter that holds several, one after the other."""
    late: Mapping[str, Any] = field(default_factory=dict)
    """The values of parameters that have names, by these."""

    @property
    def size_bytes(self) -> int:
        """How much it keeps in memory, about."""
        return _BIND_BYTES * len(self.binds)

    @classmethod
    def by(cls, condition: ColumnElement[bool] | None, otherwise: Any) -> "Narrowed":
        """What a condition says; it is told from others by something else where SQLAlchemy cannot say by what."""
        if condition is None:
            return cls()
        # As SQLAlchemy's own examples of caches do; it keeps what it has compiled by the same key.
        key = condition._generate_cache_key()  # noqa: SLF001
        if key is None:
            return cls(condition, Shape(otherwise))
        binds = [bind for bind in key.bindparams if bind.unique]
        held = [list(_flat(bind.effective_value)) for bind in binds]
        values = [value for each in held for value in each]
        return cls(condition, Shape((key.key, *map(len, held))), binds, values)

    def also(self, late: Mapping[str, Any]) -> "Narrowed":
        """The same with further values of parameters that have names."""
        if not late:
            return self
        return Narrowed(self.condition, self.shape, self.binds, self.values, {**self.late, **late})


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def names_of(bind: BindParameter[Any], name: str) -> list[str]:
    """What a parameter, compiled under a name, is called in the statement: as many names as it holds values."""
    return list(_names(bind.effective_value, name)) if bind.expanding else [name]


def _names(value: Any, name: str) -> Iterator[str]:
    if not isinstance(value, list | tuple):
        yield name
        return
    for index, part in enumerate(value, start=1):
        yield from _names(part, f"{name}_{index}")
