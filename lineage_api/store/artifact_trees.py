"""All files below folders of artifact stores, within limits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from lineage_api.store.artifact_places import File
from lineage_api.store.artifacts import Artifacts

MOST_FILES = 5_000
_MOST_FOLDERS = 1_000
_MOST_LEVELS = 30
"""So deep may folders lie: links between them may lead round."""


@dataclass(slots=True)
class Tree:
    """The files below a folder."""

    root: str
    """The URI of the folder."""
    files: dict[str, File] = field(default_factory=dict)
    """By path."""
    is_reached: bool = True
    """Whether the artifact store answered; if not, the rest says nothing."""
    is_whole: bool = True
    """Whether these are all files that there are."""
    folders: list[str] = field(default_factory=lambda: [""])
    """Those that were not looked at yet."""

    def add(self, listings: Iterable[list[File] | None]) -> None:
        """Take in what is directly in its folders, each in its place."""
        looked_at, self.folders = self.folders, []
        for folder, found in zip(looked_at, listings, strict=True):
            self.is_reached &= bool(folder) or found is not None
            self.is_whole &= found is not None
            self.folders += [file.path for file in found or () if file.is_folder]
            self.files |= {file.path: file for file in found or () if not file.is_folder}
        self._cut()

    def _cut(self) -> None:
        """Leave out what is too much."""
        if len(self.files) > MOST_FILES:
            self.is_whole, self.folders = False, []
            self.files = dict(islice(self.files.items(), MOST_FILES))
        if len(self.folders) > _MOST_FOLDERS:
            self.is_whole, self.folders = False, self.folders[:_MOST_FOLDERS]


async def trees(artifacts: Artifacts, roots: Iterable[str]) -> list[Tree]:
    """All files below these folders, each of which is looked at once."""
    found = [Tree(root) for root in dict.fromkeys(roots)]
    for _ in range(_MOST_LEVELS):
        await _look_deeper(artifacts, [tree for tree in found if tree.folders])
    for tree in found:
        tree.is_whole &= not tree.folders
    return found


async def _look_deeper(artifacts: Artifacts, growing: Sequence[Tree]) -> None:
    """List the folders that were not looked at yet."""
    asked = [(tree.root, folder) for tree in growing for folder in tree.folders]
    if asked:
        roots, paths = zip(*asked, strict=True)
        listings = iter(await artifacts.listings(roots, paths, MOST_FILES + 1))
        for tree in growing:
            tree.add([next(listings) for _ in tree.folders])
