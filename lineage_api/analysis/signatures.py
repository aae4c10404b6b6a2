"""Signatures of models: whether callers of one can call another unchanged."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

_COLUMNS_WIDEN = {"integer": {"long", "double"}, "float": {"double"}}
"""What MLflow makes a wider type of; not a double of a long, which it may not hold. It also lets bytes pass for text,
but as they are, so that is not counted."""
_PARAMS_WIDEN = {"integer": {"long", "float", "double"}, "long": {"float", "double"}, "float": {"double"}}
"""The same for parameters, with which it is less strict."""
_ANYTHING = "Any"


class Field(Protocol):
    """A column, tensor or parameter of a signature."""

    @property
    def name(self) -> str | None:
        """None when it is known by its place."""

    @property
    def type(self) -> str:
        """As MLflow writes it: `double`, `Array(string)`; of a tensor its dtype."""

    @property
    def is_required(self) -> bool:
        """Whether it can't be left out."""

    @property
    def shape(self) -> Sequence[int] | None:
        """Of a tensor, or of a parameter that is a list; -1 is any length."""


class Signature(Protocol):
    """What a model takes and gives."""

    @property
    def inputs(self) -> Sequence[Field]:
        """What it is asked about."""

    @property
    def outputs(self) -> Sequence[Field]:
        """What it answers."""

    @property
    def params(self) -> Sequence[Field]:
        """What can be set for one call."""


@dataclass(frozen=True, slots=True)
class Break:
    """Something that callers of one signature depend on, and another does not hold."""

    column: str
    """Where it is, such as `inputs.PU_DO`; those without a name are counted from 0, as in `outputs.0`."""
    what: str
    """What happened to it, such as `is required and new`."""

    def __str__(self) -> str:
        return f"{self.column} {self.what}"


def columns(signature: Signature) -> dict[str, str]:
    """The type of each column, tensor and parameter, by what it is called; it says so when one can be left out."""
    sides = {"inputs": signature.inputs, "outputs": signature.outputs, "params": signature.params}
    fields = {column: field for side in sides for column, field in _by_column(side, sides[side]).items()}
    return {column: _shown(field) + ("" if field.is_required else " (optional)") for column, field in fields.items()}


def verdict(base: Signature | None, head: Signature | None) -> list[Break] | None:
    """What breaks for callers of the base who call the head; None when a signature is unknown.

    What a caller sends has to be accepted as MLflow accepts it, and what a caller gets has to be what it was, or
    narrower. What callers send and the head lacks breaks too: MLflow would ignore it in silence.
    """
    if base is None or head is None:
        return None
    values, params = partial(_fits, _COLUMNS_WIDEN), partial(_fits, _PARAMS_WIDEN)
    return [
        *_taken("inputs", base.inputs, head.inputs, values),
        *_given("outputs", base.outputs, head.outputs, values),
        *_taken("params", base.params, head.params, params),
    ]


_Fits = Callable[[Field, Field], bool]


def _taken(side: str, base: Sequence[Field], head: Sequence[Field], fits: _Fits) -> Iterator[Break]:
    """What breaks where callers send something."""
    before, after = _by_column(side, base), _by_column(side, head)
    yield from _gone(before, after)
    for column, declared in after.items():
        sent = before.get(column)
        if sent is None and declared.is_required:
            yield Break(column, "is required and new")
        if sent and not fits(sent, declared):
            yield _changed(column, sent, declared)
        if sent and declared.is_required and not sent.is_required:
            yield Break(column, "was optional and is required")


def _given(side: str, base: Sequence[Field], head: Sequence[Field], fits: _Fits) -> Iterator[Break]:
    """What breaks where callers get something."""
    before, after = _by_column(side, base), _by_column(side, head)
    yield from _gone(before, after)
    for column, expected in before.items():
        got = after.get(column)
        if got and not fits(got, expected):
            yield _changed(column, expected, got)
        if got and expected.is_required and not got.is_required:
            yield Break(column, "was required and is optional")


def _by_column(side: str, fields: Sequence[Field]) -> dict[str, Field]:
    """The fields by what they are called, such as `inputs.PU_DO`."""
    return {f"{side}.{place if field.name is None else field.name}": field for place, field in enumerate(fields)}


def _gone(before: dict[str, Field], after: dict[str, Field]) -> Iterator[Break]:
    """What is there no more."""
    return (Break(column, "is gone") for column in before if column not in after)


def _changed(column: str, base: Field, head: Field) -> Break:
    """A type, or a shape, that is another."""
    return Break(column, f"was {_shown(base)} and is {_shown(head)}")


def _shown(field: Field) -> str:
    """Its type, with its shape when it has one, such as `float64 [-1, 3]`."""
    return field.type if field.shape is None else f"{field.type} {[*field.shape]}"


def _fits(widen: dict[str, set[str]], value: Field, declared: Field) -> bool:
    """Whether each value of one field is one of the other."""
    if value.shape is None and declared.shape is None:
        is_wider = declared.type == _ANYTHING or declared.type in widen.get(value.type, ())
        return is_wider or value.type == declared.type
    if value.shape is None or declared.shape is None or value.type != declared.type:
        return False
    if len(value.shape) != len(declared.shape):
        return False
    return all(wanted in {-1, length} for length, wanted in zip(value.shape, declared.shape, strict=True))
