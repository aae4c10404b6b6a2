"""Where the parts of the project lie, and what the two processes that make it say to each other."""

from dataclasses import dataclass
from pathlib import Path

READY = "READY"
"""The line by which the one that builds says that the store is there, and empty."""
SAMPLE = "nyc-flights-2013-sample.csv.gz"
APPLICATION_ID = 0x4C696E64
"""SQLite keeps it in the header of the database: that is how a store is known to be the demo's."""


@dataclass(frozen=True)
class Place:
    """Where the parts of the project lie, in one folder."""

    folder: Path

    @property
    def database(self) -> Path:
        """MLflow's database."""
        return self.folder / "mlflow.db"

    @property
    def uri(self) -> str:
        """The backend store URI."""
        return f"sqlite:///{self.database.as_posix()}"

    @property
    def artifacts(self) -> Path:
        """The root of the artifacts."""
        return self.folder / "artifacts"

    @property
    def data(self) -> Path:
        """The flights."""
        return self.folder / SAMPLE

    @property
    def code(self) -> Path:
        """The repository of the training code."""
        return self.folder / "code.git"
