"""What runs and models keep in artifact stores: folders listed, files read, within a time limit.

An artifact store is a system outside our database: it may be slow, gone, or closed to us. So every answer may be
None, and a store that hangs costs one query the time limit and is then left alone for a while. Files on this machine
are read where they are, all others through MLflow's artifact repositories.
"""

import asyncio
import codecs
import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from hashlib import sha256
from importlib import import_module
from typing import Any

from lineage_api.store.allowance import waiting
from lineage_api.store.artifact_places import (
    HERE,
    REGISTRY,
    File,
    Place,
    cleaned,
    is_foreign,
    place_of,
    repository,
    scheme,
)
from lineage_api.store.imports import importing
from lineage_api.store.waiting import Patience, Question

_LEFT_ALONE_S = 10
_SHORTEST_S = 0.1
"""So long files on this machine may take to read, also when other systems have used up an operation's time."""
_MOST_REPOSITORIES = 256
_MOST_LISTED = 10_000
_FILES_A_THREAD = 50
"""So many files on this machine are read faster by one thread than by two."""


class Artifacts:
    """The artifact stores that MLflow supports, read by a few threads; nothing is opened before it is asked for."""

    def __init__(
        self,
        artifacts_destination: str | None = None,
        time_limit_s: float = 2.0,
        threads: int = 8,
        *,
        only_own: bool = True,
    ) -> None:
        """Locations at `mlflow-artifacts:` are below `artifacts_destination`, and unknown without it.

        On this machine only artifact folders of runs and logged models are read, unless not `only_own` ones are.

        The time limit is for one call, however much it asks for, and for all calls of one operation together. So many
        threads read files on this machine, and as many those elsewhere.
        """
        self._destination = artifacts_destination
        self._time_limit_s = time_limit_s
        self._only_own = only_own
        self._here = Patience(threads, questions_a_thread=_FILES_A_THREAD)
        self._elsewhere = Patience(threads, left_alone_s=_LEFT_ALONE_S)
        self._repository = lru_cache(_MOST_REPOSITORIES)(repository)

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

        def beginning(file: File, place: Place, path: str) -> bytes | None:
            return None if file.is_folder else place.beginning(path, file.size_bytes, max_bytes + 1)

        questions = [self._question(file.root, file.path, partial(beginning, file)) for file in files]
        return [None if data is None else _text(data, max_bytes) for data in await self._answers(questions)]

    async def contents(
        self, roots: Sequence[str | None], names: Sequence[str], max_bytes: int
    ) -> list[dict[str, bytes] | None]:
        """What stands in the files of these names that are directly in these folders, but for those that are longer.

        None where a store does not answer.
        """

        def contents(place: Place, path: str) -> dict[str, bytes]:
            listed = place.listing(path, _MOST_LISTED) or []
            files = [f for f in listed if f.name in names and not f.is_folder and (f.size_bytes or 0) <= max_bytes]
            read = [(file.name, place.beginning(file.path, file.size_bytes, max_bytes + 1)) for file in files]
            return {name: data for name, data in read if data is not None and len(data) <= max_bytes}

        return await self._answers([self._question(root, "", contents) for root in roots])

    async def digests(self, files: Sequence[File], max_bytes: int) -> list[str | None]:
        """The SHA-256 of what is in these files; None for those that are longer, or can't be read."""

        def digest(file: File, place: Place, path: str) -> str | None:
            data = place.beginning(path, file.size_bytes, max_bytes + 1)
            return None if data is None or len(data) > max_bytes else sha256(data).hexdigest()

        return await self._answers([self._question(file.root, file.path, partial(digest, file)) for file in files])

    def path_below(self, folder: str, root: str) -> str | None:
        """By which path a root is reached from a folder that holds it; None when it lies elsewhere."""
        above, below = self._place(folder), self._place(root)
        if above is None or below is None or not f"{below.address}/".startswith(f"{above.address}/"):
            return None
        return below.address[len(above.address) + 1 :]

    async def _answers(self, questions: Sequence[Question | None]) -> list[Any]:
        """What is answered here and elsewhere, each in its place."""
        here = [q if q and q.system == HERE else None for q in questions]
        elsewhere = [q if q and q.system != HERE else None for q in questions]
        if any(elsewhere):
            # The seconds that it takes to import MLflow are not the store's fault.
            await asyncio.to_thread(_load)
        with waiting(self._time_limit_s) as left_s:
            both = await asyncio.gather(
                self._here.answers(here, max(left_s, min(self._time_limit_s, _SHORTEST_S))),
                self._elsewhere.answers(elsewhere, left_s, is_fair=left_s > self._time_limit_s / 2),
            )
        return [ours if ours is not None else theirs for ours, theirs in zip(*both, strict=True)]

    def _question(self, root: str | None, path: str, ask: Callable[[Place, str], Any]) -> Question | None:
        """What is asked of the place that a root names, about a path below it; None when it leads elsewhere."""
        inner, place = cleaned(path), self._place(root)
        if inner is None or place is None:
            return None
        return Question(place.system, partial(ask, place, inner))

    def _place(self, root: str | None) -> Place | None:
        """What a root names; None for what is refused or unknown."""
        uri = self._served_from(root) if root else None
        if not root or not uri or (self._only_own and is_foreign(uri)):
            return None
        return place_of(root, uri, self._repository)

    def _served_from(self, root: str) -> str | None:
        """The location that MLflow's server would read for this one."""
        if scheme(root) != "mlflow-artifacts":
            return root
        path = cleaned(re.sub("^[^:]*:(//[^/]*)?/*", "", root))
        return f"{self._destination.rstrip('/')}/{path}" if self._destination and path is not None else None


def _load() -> None:
    with importing():
        import_module(REGISTRY)


def _text(data: bytes, max_bytes: int) -> str | None:
    """The text that begins so, cut between two characters; None when it is none."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        return decoder.decode(data[:max_bytes], final=len(data) <= max_bytes)
    except UnicodeDecodeError:
        return None
