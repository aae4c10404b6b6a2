"""Who asks, as they see themselves."""

from enum import Enum

import strawberry

from lineage_api.engine.levels import Call, Column, Level
from lineage_api.engine.nouns import noun, resolved
from lineage_api.engine.tables import Table


@strawberry.enum(description="What somebody may do; each role may do all that those before it may.")
class Role(Enum):
    READER = strawberry.enum_value("READER", description="Read.")
    EDITOR = strawberry.enum_value(
        "EDITOR", description="Register, describe, tag, and move versions where none enters or leaves PRODUCTION."
    )
    MANAGER = strawberry.enum_value(
        "MANAGER",
        description="Also into and out of PRODUCTION, aliases, roll back, rename, copy, delete, restore, and webhooks.",
    )


class Asking(Level):
    """Who asks."""

    def resolve(self, call: Call) -> Table:
        caller = call.context.caller
        return Table({"name": [caller.name], "role": [Role(caller.role.name)]}, 1)


@noun
class Viewer:
    """Who asks."""

    name: str | None = resolved(Column("name"))
    """Their name, under which what they change is recorded; null when nobody has to say who they are."""
    role: Role = resolved(Column("role"))
    """What they may do."""
