"""What each role may do."""

import pytest

from lineage_api.access.roles import Action, Role, may, needed, require, role_named
from lineage_api.errors import Forbidden

EDITORS = {Action.KNOW_SECRETS, Action.REGISTER, Action.DESCRIBE, Action.TAG, Action.MOVE}


@pytest.mark.parametrize("action", Action)
def test_each_action_takes_a_role(action):
    """Who reads may read, who edits some more, and who manages everything."""
    allowed = {role for role in Role if may(role, action)}

    readers = {Role.READER} if action is Action.READ else set()
    editors = {Role.EDITOR} if action in EDITORS | {Action.READ} else set()
    assert allowed == {Role.MANAGER, *readers, *editors}


@pytest.mark.parametrize(
    ("moves", "role"),
    [
        ([("None", "Staging")], Role.EDITOR),
        ([("Staging", "Archived"), ("None", "Staging")], Role.EDITOR),
        ([("Production", "Production")], Role.EDITOR),
        ([("None", "Production")], Role.MANAGER),
        ([("Production", "None")], Role.MANAGER),
        ([("Production", "Production"), ("Production", "Archived")], Role.MANAGER),
        ([("None", "Staging"), ("Staging", "Production")], Role.MANAGER),
    ],
)
def test_moves(moves, role):
    """It is managers that let versions into Production, and out of it; also those that only make room."""
    assert needed(Action.MOVE, moves) is role


def test_a_refusal_names_the_role():
    """So that who is refused knows whom to ask for what."""
    with pytest.raises(Forbidden, match=r"^This takes the role MANAGER; yours is EDITOR\.$"):
        require(Role.EDITOR, Action.DELETE)
    require(Role.MANAGER, Action.DELETE)


def test_names_of_roles():
    """In whatever case; and nothing else is one."""
    assert [role_named(text) for text in ("reader", " Editor ", "MANAGER")] == list(Role)
    assert [role_named(text) for text in ("", "admin", "reader,manager", "1")] == [None] * 4
