"""Fields of mutations, as they are declared."""

from collections.abc import Callable
from typing import Any, TypeVar

import strawberry

from lineage_api import docstrings

F = TypeVar("F", bound=Callable[..., Any])


def change(function: F) -> F:
    """A field of mutations, whose docstring is its description."""
    description = docstrings.on_one_line(function.__doc__ or "")
    return strawberry.mutation(description=description)(function)  # type: ignore[no-any-return]
