"""What the tables of several migrations have in common."""

from typing import Any

import sqlalchemy as sa

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""An integer of 64 bits, which SQLite counts up only under this name."""

BY_BYTES: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
"""Names and values are compared as they are, and with those of MLflow's tables in whatever collation they are."""
