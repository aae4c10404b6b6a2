"""Artifacts: files and folders in artifact stores."""

from collections.abc import Sequence
from typing import Annotated

import strawberry

from lineage_api.engine.levels import ITSELF
from lineage_api.engine.nouns import batch, noun
from lineage_api.errors import Unreadable
from lineage_api.graph.scalars import BigInt
from lineage_api.store.artifact_places import File
from lineage_api.store.artifacts import Artifacts

MAX_ENTRIES = 1000
MAX_TEXT_BYTES = 2**20

Folder = Annotated[str, strawberry.argument(description="Folder, relative to the owner's own.")]
Entries = Annotated[int, strawberry.argument(description="How many entries at most, by name, 1 to 1000.")]
MaxBytes = Annotated[int, strawberry.argument(description="How many bytes at most, 1 to 1048576.")]

Listings = list[list[File] | None]


async def listings(
    artifacts: Artifacts, roots: Sequence[str | None], path: Folder = "", first: Entries = 100
) -> Listings:
    """The entries of the same folder below each of these roots."""
    _within(first, MAX_ENTRIES, "first")
    return await artifacts.listings(roots, [path] * len(roots), first)


async def _children(artifacts: Artifacts, files: Sequence[File], first: Entries = 100) -> Listings:
    _within(first, MAX_ENTRIES, "first")
    folders = [file for file in files if file.is_folder]
    listed = iter(await artifacts.listings([f.root for f in folders], [f.path for f in folders], first))
    return [next(listed) if file.is_folder else [] for file in files]


async def _texts(artifacts: Artifacts, files: Sequence[File], max_bytes: MaxBytes = 65536) -> list[str | None]:
    _within(max_bytes, MAX_TEXT_BYTES, "maxBytes")
    return await artifacts.texts(files, max_bytes)


def _within(number: int, most: int, name: str) -> None:
    if not 1 <= number <= most:
        raise Unreadable(f"`{name}` must be between 1 and {most}, not {number}.")


@noun
class Artifact:
    """A file or folder in an artifact store."""

    path: str
    """Its path, relative to the owner's folder."""
    name: str
    """The last part of its path."""
    is_folder: bool
    """Whether it is a folder."""
    size_bytes: BigInt | None
    """Its size in bytes; null for a folder."""
    children: "list[Artifact] | None" = batch(_children, ITSELF, service=Artifacts)
    """What lies directly in it, by name; empty for a file, null when the store does not answer."""
    text: str | None = batch(_texts, ITSELF, service=Artifacts)
    """The beginning of a text file; null for a folder, a file that is not UTF-8 text, or one that cannot be read."""
