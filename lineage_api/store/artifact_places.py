"""Places in artifact stores: what lies in a folder of one, and how its files begin.

Files on this machine are read where they are, all others through MLflow's artifact repositories.
"""

import os
import posixpath
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol
from urllib.parse import unquote
from urllib.request import url2pathname

HERE = "this machine"
REGISTRY = "mlflow.store.artifact.artifact_repository_registry"
"""What knows the artifact repositories; importing it takes seconds."""
_REFUSED_SCHEMES = {"runs", "models", "http", "https", "ftp", "mlflow-artifacts"}
"""`runs:` and `models:` are names, for which MLflow would ask whichever server is its default. The others would have
us call any address that a client wrote into a location."""
_OWN_FOLDER = re.compile("/(?:m-)?[0-9a-f]{32}/artifacts(?:/|$)")
"""The artifact folder of a run or logged model, as MLflow lays it out."""
_BEING_UPLOADED = ".artifact.uploading."
"""How the names of files begin that MLflow is still writing."""
_MOST_DOWNLOADED_BYTES = 16 * 2**20
_MOST_DECODINGS = 4


@dataclass(frozen=True, slots=True)
class File:
    """A file or folder in an artifact store."""

    root: str
    """The URI of the folder that belongs to the run or model."""
    path: str
    """Where it is below the root, with `/` between folders."""
    is_folder: bool
    size_bytes: int | None

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


def place_of(root: str, uri: str, repository: Callable[[str], Any]) -> "Place | None":
    """The place at a URI, under the name that its files have; None for what is refused."""
    if "\0" in uri or ".." in unquote(uri).split("/"):
        return None
    kind = scheme(uri)
    if kind in {"", "file"}:
        return _Folder(root, url2pathname(re.sub("^file:(//(localhost)?(?=/))?", "", uri)))
    if kind in _REFUSED_SCHEMES:
        return None
    return _Elsewhere(root, uri, _system(uri), repository)


class Place(Protocol):
    """What a root names."""

    @property
    def system(self) -> str:
        """Which system keeps it."""

    @property
    def address(self) -> str:
        """Where it is there, without a slash at the end."""

    def listing(self, path: str, first: int) -> list[File] | None:
        """What is directly in a folder, by path; None when the path leads out of the root."""

    def beginning(self, path: str, size_bytes: int | None, most_bytes: int) -> bytes | None:
        """The first bytes of a file; None when there is none that may be read."""


@dataclass(frozen=True, slots=True)
class _Folder:
    """A root on this machine."""

    root: str
    folder: str
    system: str = HERE

    @property
    def address(self) -> str:
        return Path(self.folder).absolute().as_posix()

    def listing(self, path: str, first: int) -> list[File] | None:
        if (folder := self._inside(path)) is None:
            return None
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return []
        files = (self._file(entry, path) for entry in entries if not entry.name.startswith(_BEING_UPLOADED))
        return list(islice((file for file in files if file), first))

    def beginning(self, path: str, size_bytes: int | None, most_bytes: int) -> bytes | None:  # noqa: ARG002
        if (file := self._inside(path)) is None:
            return None
        try:
            # Opening a pipe would wait for somebody to write into it.
            descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except (FileNotFoundError, NotADirectoryError):
            return None
        with os.fdopen(descriptor, "rb") as opened:
            return opened.read(most_bytes) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None

    def _file(self, entry: os.DirEntry[str], path: str) -> File | None:
        """An entry of a folder; None for a link that leads out of the root, nowhere, or round."""
        below = posixpath.join(path, entry.name)
        if entry.is_symlink() and self._inside(below) is None:
            return None
        try:
            is_folder = entry.is_dir()
            return File(self.root, below, is_folder, None if is_folder else entry.stat().st_size)
        except OSError:
            return None

    def _inside(self, path: str) -> str | None:
        """The real path of what is below the root; None when a link leads out of it."""
        root = os.path.realpath(self.folder)
        real = os.path.realpath(posixpath.join(root, path))
        return real if real == root or real.startswith(root + os.sep) else None


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """A root in a store that one of MLflow's artifact repositories reads."""

    root: str
    uri: str
    system: str
    repository: Callable[[str], Any]

    @property
    def address(self) -> str:
        return self.uri.rstrip("/")

    def listing(self, path: str, first: int) -> list[File] | None:
        infos = self.repository(self.uri).list_artifacts(path or None)
        # Asked about a file, some repositories list the file itself.
        files = [File(self.root, i.path, i.is_dir, i.file_size) for i in infos if posixpath.dirname(i.path) == path]
        return sorted(files, key=lambda file: file.path)[:first]

    def beginning(self, path: str, size_bytes: int | None, most_bytes: int) -> bytes | None:
        if size_bytes is not None and size_bytes > _MOST_DOWNLOADED_BYTES:
            return None
        with TemporaryDirectory(prefix="lineage-api-", ignore_cleanup_errors=True) as folder:
            file = Path(folder, "file")
            # Its public brother asks for a listing first, and works in threads that know no time limit.
            self.repository(self.uri)._download_file(path, str(file))  # noqa: SLF001
            with file.open("rb") as opened:
                return opened.read(most_bytes)


def repository(uri: str) -> Any:
    """MLflow's artifact repository for a location."""
    return import_module(REGISTRY).get_artifact_repository(uri)


def scheme(uri: str) -> str:
    """How a URI begins; empty for a path, be it on a Windows drive."""
    found = re.match("([a-z][a-z0-9+.-]+):", uri.lower())
    return found[1] if found else ""


def is_foreign(uri: str) -> bool:
    """Whether a place on this machine is in no artifact folder: for a version, MLflow takes any, such as `/etc`."""
    return scheme(uri) in {"", "file"} and not _OWN_FOLDER.search(unquote(uri))


def _system(uri: str) -> str:
    """Which system a location is on: its scheme, and its host or bucket, without who signs in there."""
    host = re.match("[^:]*:(//[^/?#]*)?", uri)
    address = (host[1] or "//")[2:] if host else ""
    return f"{scheme(uri)}://{address.rpartition('@')[2]}"


def cleaned(path: str) -> str | None:
    """A path below a root, without what says nothing; None when it could lead out, be it encoded."""
    decoded = path
    for _ in range(_MOST_DECODINGS):
        decoded = unquote(decoded)
    if decoded != unquote(decoded) or decoded.startswith("/") or {"\\", "\0"} & set(decoded):
        return None
    if ".." in decoded.split("/"):
        return None
    return "/".join(part for part in path.split("/") if part not in {"", "."})
