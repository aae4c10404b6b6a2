"""${message}."""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Makes it."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Takes it out again."""
    ${downgrades if downgrades else "pass"}
