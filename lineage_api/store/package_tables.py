"""Our own tables of what the files of models say, so that versions can be found by it: see `model_index`.

They hold nothing that could not be read again. Times are milliseconds since 1970.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from lineage_api.store.history import ID, metadata

model_files = Table(
    "lineage_model_files",
    metadata,
    Column("id", ID, primary_key=True),
    Column("location", String(500), nullable=False, unique=True),
    Column("read_at", BigInteger),  # null until all of them could be read
    Column("failures", Integer, nullable=False, server_default="0"),  # how often they could not
    Column("retry_at", BigInteger, nullable=False),  # until then nobody else need try
)
"""The places of model files: copies of a version share one."""

packages = Table(
    "lineage_packages",
    metadata,
    Column("files_id", ID, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("name", String(250), nullable=False),  # normalised as in PEP 503
    Column("version", String(100)),  # null when there may be several
    Index("lineage_packages_of_name", "name", "version", "files_id"),
)
"""The packages that the files at a place ask for, and Python itself under `python`."""
