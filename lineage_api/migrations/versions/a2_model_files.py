"""What the files of models say, so that versions can be found by their packages."""

import sqlalchemy as sa
from alembic import op

from lineage_api.migrations.forms import BY_BYTES, ID

revision = "a2"
down_revision = "a1"


def upgrade() -> None:
    """Makes the tables; they are filled while a server runs."""
    op.create_table(
        "lineage_model_files",
        sa.Column("id", ID, primary_key=True),
        sa.Column("location", sa.String(500), nullable=False, unique=True),
        sa.Column("read_at", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("retry_at", sa.BigInteger, nullable=False),
        **BY_BYTES,
    )
    op.create_table(
        "lineage_packages",
        sa.Column("files_id", ID, primary_key=True, autoincrement=False),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(250), nullable=False),
        sa.Column("version", sa.String(100)),
        **BY_BYTES,
    )
    op.create_index("lineage_packages_of_name", "lineage_packages", ["name", "version", "files_id"])


def downgrade() -> None:
    """Takes them out again."""
    op.drop_table("lineage_packages")
    op.drop_table("lineage_model_files")
