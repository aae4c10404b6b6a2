"""What a run was trained with: code and data, as far as anybody has to know of them here."""

from typing import Protocol


class Code(Protocol):
    """The code that a run ran; None is what was not recorded."""

    @property
    def entry_point(self) -> str | None:
        """The file, notebook or module that was started."""

    @property
    def repo_url(self) -> str | None:
        """The repository."""

    @property
    def commit(self) -> str | None:
        """The commit."""

    @property
    def branch(self) -> str | None:
        """The branch."""

    @property
    def is_dirty(self) -> bool | None:
        """Whether there were changes that were not committed."""

    def __bool__(self) -> bool:
        """Whether anything at all was recorded."""


class Dataset(Protocol):
    """A dataset that a run read."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def digest(self) -> str:
        """What tells one state of it from another."""

    @property
    def context(self) -> str | None:
        """The part that it played; None when that was not said."""
