"""Differences between files: which are there, how long they are, and what is in those of the same length."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Protocol

from lineage_api.analysis.differences import ValueChange
from lineage_api.analysis.wording import named

MOST_BYTES = 2**20
"""So long may a file be whose contents are compared."""
_MOST_BYTES_TOGETHER = 16 * 2**20
RUN = ""
"""The folder in which a run's own files are shown; in all others are those of models."""
_LEFT_OUT = "MLmodel"
"""IDs and times always differ in it; what else it says is compared by its parts."""

_LONG = "of the same size, and too much to be read"
_UNREAD = "of the same size, and could not be read"
_UNSIZED = "of a size that the artifact store does not tell"


class File(Protocol):
    """A file in an artifact store; those that are equal are at one place."""

    @property
    def size_bytes(self) -> int | None:
        """None when the store doesn't tell."""


class Tree(Protocol):
    """The files below a folder."""

    @property
    def files(self) -> Mapping[str, File]:
        """By path."""

    @property
    def is_reached(self) -> bool:
        """Whether the artifact store answered; if not, the rest says nothing."""

    @property
    def is_whole(self) -> bool:
        """Whether these are all files that there are."""


Folders = Mapping[str, Tree | None]
"""Files by the folder in which they are shown; None where nothing says where they are."""
Place = tuple[str, str]
"""Such a folder, and a path in it."""
Digests = Mapping[Place, tuple[str | None, str | None]]
"""Those of the base's and the head's file; None of what could not be read."""


@dataclass(frozen=True, slots=True)
class FileDifferences:
    """What differs, by path, and what could not be compared, and why."""

    changes: list[ValueChange]
    unknown: list[str]


def doubtful(base: Folders, head: Folders) -> list[Place]:
    """Where only contents can tell: files of one size at two places, as many of the smallest as may be read."""
    pairs = [(place, old, new) for place, old, new in _pairs(base, head) if old and new and old != new]
    sizes = [(old.size_bytes or 0, place) for place, old, new in pairs if old and new and _are_alike(old, new)]
    smallest = sorted((size, place) for size, place in sizes if 0 < size <= MOST_BYTES)
    totals = accumulate(size for size, _ in smallest)
    return [place for total, (_, place) in zip(totals, smallest, strict=True) if total <= _MOST_BYTES_TOGETHER]


def file_differences(base: Folders, head: Folders, digests: Digests) -> FileDifferences:
    """What differs, given the digests where that is doubtful."""
    found = [(_shown(place), _compared(place, old, new, digests)) for place, old, new in _pairs(base, head)]
    unknown = [*_problems("base", base), *_problems("head", head)]
    for reason in (_LONG, _UNREAD, _UNSIZED):
        paths = sorted(path for path, what in found if what == reason)
        unknown += [f"{reason}: {named(paths)}"] if paths else []
    changes = [what for _, what in found if isinstance(what, ValueChange)]
    return FileDifferences(sorted(changes, key=lambda change: change.key), list(dict.fromkeys(unknown)))


def _pairs(base: Folders, head: Folders) -> Iterator[tuple[Place, File | None, File | None]]:
    """What is at each place on both sides, as far as that is known."""
    for folder in sorted(base.keys() | head.keys()):
        before, after = _readable("base", folder, base), _readable("head", folder, head)
        if before is None or after is None:
            continue
        for path in sorted(before.files.keys() | after.files.keys()):
            old, new = before.files.get(path), after.files.get(path)
            is_known = (old or before.is_whole) and (new or after.is_whole)
            if is_known and path.rpartition("/")[2] != _LEFT_OUT:
                yield (folder, path), old, new


@dataclass(frozen=True, slots=True)
class _NoFiles:
    """A folder that one side does not have."""

    files: Mapping[str, File] = field(default_factory=dict)
    is_reached: bool = True
    is_whole: bool = True


def _readable(whose: str, folder: str, folders: Folders) -> Tree | None:
    """The files in a folder, be there none; None where that is unknown."""
    tree = folders.get(folder, _NoFiles())
    return None if folder in folders and _problem(whose, folder, tree) else tree


def _problems(whose: str, folders: Folders) -> Iterator[str]:
    """What is not known of one side."""
    for folder, tree in folders.items():
        if problem := _problem(whose, folder, tree):
            yield problem
        elif tree and not tree.is_whole:
            yield f"not all files of the {whose} could be looked at"


def _problem(whose: str, folder: str, tree: Tree | None) -> str | None:
    """Why nothing is known of a folder; None when something is."""
    if tree is None:
        return f"nothing says where the files of the {whose} are"
    if not tree.is_reached:
        return f"the artifact store of the {whose} did not answer"
    # A run may have none, a model may not.
    return None if tree.files or folder == RUN else f"the model of the {whose} has no files"


def _compared(place: Place, base: File | None, head: File | None, digests: Digests) -> ValueChange | str | None:
    """How two files differ, or why nobody can tell; None when they don't."""
    if base is None or head is None or not _are_alike(base, head):
        return _resized(place, base, head)
    if base == head or base.size_bytes == 0:
        return None
    if place not in digests:
        return _LONG
    before, after = digests[place]
    if before is None or after is None:
        return _UNREAD
    return None if before == after else ValueChange(_shown(place), f"sha256:{before}", f"sha256:{after}")


def _are_alike(base: File, head: File) -> bool:
    """Whether two files have the same size, and may have the same contents."""
    return base.size_bytes is not None and base.size_bytes == head.size_bytes


def _resized(place: Place, base: File | None, head: File | None) -> ValueChange | str | None:
    """A file that came, went, or has another size."""
    if base == head:
        return None
    if base and head and None in {base.size_bytes, head.size_bytes}:
        return _UNSIZED
    return ValueChange(_shown(place), _size(base), _size(head))


def _size(file: File | None) -> str | None:
    """Its size in writing; None where there is no file."""
    if file is None:
        return None
    return "of unknown size" if file.size_bytes is None else str(file.size_bytes)


def _shown(place: Place) -> str:
    """The path by which people know it."""
    return "/".join(filter(None, place))
