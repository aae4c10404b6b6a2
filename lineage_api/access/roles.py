"""What each role may do: one place decides, whichever door somebody comes in by."""

from collections.abc import Iterable, Mapping
from enum import Enum, IntEnum, auto

from lineage_api.errors import Forbidden

PRODUCTION = "Production"
"""The stage that not everybody may touch, as MLflow writes it."""

Move = tuple[str, str]
"""The stages that a version leaves and enters, as MLflow writes them."""


class Role(IntEnum):
    """What somebody may do: each role may do all that those before it may."""

    READER = auto()
    EDITOR = auto()
    MANAGER = auto()


class Action(Enum):
    """A kind of thing that can be done."""

    READ = auto()
    KNOW_SECRETS = auto()
    REGISTER = auto()
    DESCRIBE = auto()
    TAG = auto()
    MOVE = auto()
    RENAME = auto()
    SET_ALIAS = auto()
    ROLL_BACK = auto()
    COPY = auto()
    DELETE = auto()
    RESTORE = auto()
    LOOK_AFTER_WEBHOOKS = auto()


_NEEDED: Mapping[Action, Role] = {
    Action.READ: Role.READER,
    Action.KNOW_SECRETS: Role.EDITOR,
    Action.REGISTER: Role.EDITOR,
    Action.DESCRIBE: Role.EDITOR,
    Action.TAG: Role.EDITOR,
    Action.MOVE: Role.EDITOR,
}


def needed(action: Action, moves: Iterable[Move] = ()) -> Role:
    """The role that an action takes; of MOVE, by all the versions that move, also those that make room."""
    if any((PRODUCTION in move) and move[0] != move[1] for move in moves):
        return Role.MANAGER
    return _NEEDED.get(action, Role.MANAGER)


def may(role: Role, action: Action, moves: Iterable[Move] = ()) -> bool:
    """Whether who has a role may do something."""
    return role >= needed(action, moves)


def require(role: Role, action: Action, moves: Iterable[Move] = ()) -> None:
    """Refuses, with Forbidden, what who has a role may not do."""
    takes = needed(action, moves)
    if role < takes:
        raise Forbidden(f"This takes the role {takes.name}; yours is {role.name}.")


def role_named(text: str) -> Role | None:
    """The role of a name, in whatever case; None when there is none."""
    return Role.__members__.get(text.strip().upper())
