"""Which database a store is read from, and how."""

from lineage_api.errors import Unsuitable
from lineage_api.store.database import Database, Observer
from lineage_api.store.postgresql import PostgreSQL
from lineage_api.store.sqlite import SQLite

BACKENDS = ("rows", "json", "best")
"""How a database may be read."""


def database_of(
    uri: str, observe: Observer | None = None, backend: str = "best", *, time_limit_s: float = 10.0
) -> Database:
    """The database at a URI that `opening.prepared` has let pass, and how it is to be read (see PostgreSQL).

    Raises Unsuitable where it cannot be read so.
    """
    if backend not in BACKENDS:
        raise Unsuitable(f"the backend must be one of {', '.join(BACKENDS)}, not {backend}")
    if backend == "json" and uri.startswith("sqlite"):
        raise Unsuitable("SQLite is read as rows: its JSON cuts off the digits of numbers; leave the backend out")
    return SQLite(uri, observe) if uri.startswith("sqlite") else PostgreSQL(uri, observe, backend, time_limit_s)
