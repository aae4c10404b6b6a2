"""Fields of mutations, as they are declared."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import strawberry

from lineage_api import docstrings
from lineage_api.access.roles import Action, require

F = TypeVar("F", bound=Callable[..., Any])


def change(action: Action) -> Callable[[F], F]:
    """A field of mutations, whose docstring is its description; refused to those who may not do what it does."""

    def declared(function: F) -> F:
        @wraps(function)
        async def allowed(self: Any, info: strawberry.Info, **given: Any) -> Any:
            require(info.context.caller.role, action)
            return await function(self, info, **given)

        description = docstrings.on_one_line(function.__doc__ or "")
        return strawberry.mutation(description=description)(allowed)  # type: ignore[no-any-return]

    return declared
