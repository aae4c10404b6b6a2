"""What runs and models keep in artifact stores: folders listed, files read, within a time limit.

An artifact store is a system outside our database: it may be slow, gone, or closed to us. So every answer may be
None, and a store that hangs costs one query the time limit and is then left alone for a while. Files on this machine
are read where they are, all others through MLflow's artifact repositories.
"""

import asyncio
import codecs
import os
import posixpath
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol
from urllib.parse import unquote
from urllib.request import url2pathname

from lineage_api.store.waiting import Patience, Question

_HERE = "this machine"
_REFUSED_SCHEMES = {"runs", "models", "http", "https", "ftp", "mlflow-artifacts"}
"""`runs:` and `models:` are names, for which MLflow would ask whichever server is its default. The others would have
us call any address that a client wrote into a location."""
_REGISTRY = "mlflow.store.artifact.artifact_repository_registry"
_BEING_UPLOADED = ".artifact.uploading."
"""How the names of files begin that MLflow is still writing."""
_LEFT_ALONE_S = 10
_MOST_DOWNLOADED_BYTES = 16 * 2**20
_MOST_REPOSITORIES = 256
_MOST_LISTED = 10_000
_MOST_DECODINGS = 4
_FILES_A_THREAD = 50
"""So many files on this machine are read faster by one thread than by two."""


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


class Artifacts:
    """The artifact stores that MLflow supports, read by a few threads; nothing is opened before it is asked for."""

    def __init__(self, artifacts_destination: str | None = None, time_limit_s: float = 2.0, threads: int = 8) -> None:
        """Locations at `mlflow-artifacts:` are below `artifacts_destination`, and unknown without it.

        The time limit is for one call, however much it asks for. So many threads read files on this machine, and as
        many those elsewhere.
        """
        self._destination = artifacts_destination
        self._time_limit_s = time_limit_s
        self._here = Patience(threads, questions_a_thread=_FILES_A_THREAD)
        self._elsewhere = Patience(threads, left_alone_s=_LEFT_ALONE_S)
        self._repository = lru_cache(_MOST_REPOSITORIES)(_repository)

    def close(self) -> None:
        """End the threads, forget the repositories; work that hangs is abandoned."""
        self._here.close()
        self._elsewhere.close()
        self._repository.cache_clear()

    async def listings(self, roots: Sequence[str | None], paths: Sequence[str], first: int) -> list[list[File] | None]:
        """What is directly in these folders, by path, at most so many of each; None where a store does not answer.

        A folder that is not there is empty: a run without artifacts has none.
        """
        wanted = zip(roots, paths, strict=True)
        questions = [
            self._question(root, path, lambda place, path: place.listing(path, first)) for root, path in wanted
        ]
        return await self._answers(questions)

    async def texts(self, files: Sequence[File], max_bytes: int) -> list[str | None]:
        """How these files begin; None for a folder, for what is no text in UTF-8, for what can't be read."""

        def beginning(file: File, place: "_Place", path: str) -> bytes | None:
            return None if file.is_folder else place.beginning(path, file.size_bytes, max_bytes + 1)

        questions = [self._question(file.root, file.path, partial(beginning, file)) for file in files]
        return [None if data is None else _text(data, max_bytes) for data in await self._answers(questions)]

    async def contents(
        self, roots: Sequence[str | None], names: Sequence[str], max_bytes: int
    ) -> list[dict[str, bytes] | None]:
        """What stands in the files of these names that are directly in these folders, but for those that are longer.

        None where a store does not answer.
        """

        def contents(place: "_Place", path: str) -> dict[str, bytes]:
            listed = place.listing(path, _MOST_LISTED) or []
            files = [f for f in listed if f.name in names and not f.is_folder and (f.size_bytes or 0) <= max_bytes]
            read = [(file.name, place.beginning(file.path, file.size_bytes, max_bytes + 1)) for file in files]
            return {name: data for name, data in read if data is not None and len(data) <= max_bytes}

        return await self._answers([self._question(root, "", contents) for root in roots])

    async def _answers(self, questions: Sequence[Question | None]) -> list[Any]:
        """What is answered here and elsewhere, each in its place."""
        here = [q if q and q.system == _HERE else None for q in questions]
        elsewhere = [q if q and q.system != _HERE else None for q in questions]
        if any(elsewhere):
            # The seconds that it takes to import MLflow are not the store's fault.
            await asyncio.to_thread(import_module, _REGISTRY)
        both = await asyncio.gather(
            self._here.answers(here, self._time_limit_s), self._elsewhere.answers(elsewhere, self._time_limit_s)
        )
        return [ours if ours is not None else theirs for ours, theirs in zip(*both, strict=True)]

    def _question(self, root: str | None, path: str, ask: Callable[["_Place", str], Any]) -> Question | None:
        """What is asked of the place that a root names, about a path below it; None when it leads elsewhere."""
        cleaned, place = _cleaned(path), self._place(root)
        if cleaned is None or place is None:
            return None
        return Question(place.system, partial(ask, place, cleaned))

    def _place(self, root: str | None) -> "_Place | None":
        """What a root names; None for what is refused or unknown."""
        uri = self._served_from(root) if root else None
        if not root or not uri or "\0" in uri or ".." in unquote(uri).split("/"):
            return None
        scheme = _scheme(uri)
        if scheme in {"", "file"}:
            return _Folder(root, url2pathname(re.sub("^file:(//(localhost)?(?=/))?", "", uri)))
        if scheme in _REFUSED_SCHEMES:
            return None
        return _Elsewhere(root, uri, _system(uri), self._repository)

    def _served_from(self, root: str) -> str | None:
        """The location that MLflow's server would read for this one."""
        if _scheme(root) != "mlflow-artifacts":
            return root
        path = _cleaned(re.sub("^[^:]*:(//[^/]*)?/*", "", root))
        return f"{self._destination.rstrip('/')}/{path}" if self._destination and path is not None else None


class _Place(Protocol):
    """What a root names."""

    @property
    def system(self) -> str:
        """Which system keeps it."""

    def listing(self, path: str, first: int) -> list[File] | None:
        """What is directly in a folder, by path; None when the path leads out of the root."""

    def beginning(self, path: str, size_bytes: int | None, most_bytes: int) -> bytes | None:
        """The first bytes of a file; None when there is none that may be read."""


@dataclass(frozen=True, slots=True)
class _Folder:
    """A root on this machine."""

    root: str
    folder: str
    system: str = _HERE

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


def _repository(uri: str) -> Any:
    """MLflow's artifact repository for a location."""
    return import_module(_REGISTRY).get_artifact_repository(uri)


def _scheme(uri: str) -> str:
    """How a URI begins; empty for a path, be it on a Windows drive."""
    scheme = re.match("([a-z][a-z0-9+.-]+):", uri.lower())
    return scheme[1] if scheme else ""


def _system(uri: str) -> str:
    """Which system a location is on: its scheme, and its host or bucket, without who signs in there."""
    host = re.match("[^:]*:(//[^/?#]*)?", uri)
    address = (host[1] or "//")[2:] if host else ""
    return f"{_scheme(uri)}://{address.rpartition('@')[2]}"


def _cleaned(path: str) -> str | None:
    """A path below a root, without what says nothing; None when it could lead out, be it encoded."""
    decoded = path
    for _ in range(_MOST_DECODINGS):
        decoded = unquote(decoded)
    if decoded != unquote(decoded) or decoded.startswith("/") or {"\\", "\0"} & set(decoded):
        return None
    if ".." in decoded.split("/"):
        return None
    return "/".join(part for part in path.split("/") if part not in {"", "."})


def _text(data: bytes, max_bytes: int) -> str | None:
    """The text that begins so, cut between two characters; None when it is none."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        return decoder.decode(data[:max_bytes], final=len(data) <= max_bytes)
    except UnicodeDecodeError:
        return None
