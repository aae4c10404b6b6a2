"""Reading the small files beside models, and looking whether the models themselves are there.

MLflow writes these files once and keeps what is in them in no table (see `manifests`).
"""

import asyncio
import math
import posixpath
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lineage_api.store.artifact_places import File
from lineage_api.store.artifacts import Artifacts
from lineage_api.store.manifests import (
    NAMES,
    Manifest,
    declared,
    flavors_of,
    manifest_of,
    mlmodel_of,
    parts_of,
    unread,
)

_MOST_BYTES = 2**20
_MOST_KNOWN = 4096
_MOST_LISTED = 10_000
_RETRY_AFTER_S = 30
_SOON_S = 2.0
_AT_ONCE = 100
"""So many are read, and then it is seen whether there is time left."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found where a model should lie."""

    is_reached: bool
    """Whether the artifact store answered; if not, the rest says nothing."""
    missing: list[str] | None
    """Which of its files and folders are not there, or are empty, by path; None when that can't be seen."""
    manifest: Manifest | None
    """None when MLmodel can't be read."""
    unread: list[str]
    """Which files of its environment are missing or damaged; all that there could be when there is none."""


class ModelFiles:
    """What the files of models say, read once: they never change. Those that can't be read are tried again later."""

    def __init__(
        self, artifacts: Artifacts, *, most_known: int = _MOST_KNOWN, retry_after_s: float = _RETRY_AFTER_S
    ) -> None:
        self._artifacts = artifacts
        self._most_known = most_known
        self._retry_after_s = retry_after_s
        self._known: OrderedDict[str, Known] = OrderedDict()

    async def manifests(self, locations: Sequence[str | None]) -> list[Manifest | None]:
        """What the files at these places say, each in its place; None where MLmodel can't be read."""
        found = await self.known([location for location in locations if location])
        return [found[location].manifest if location else None for location in locations]

    async def known(self, locations: Sequence[str]) -> "dict[str, Known]":
        """What is known of these places, those that were not read before being read now."""
        asked = dict.fromkeys(locations)
        found = {location: known for location in asked if (known := self._recalled(location))}
        missing = [location for location in asked if location not in found]
        if missing:
            for location, known in zip(missing, await self.read(missing), strict=True):
                found[location] = known
                self._remember(location, known)
        return found

    async def known_soon(self, locations: Sequence[str]) -> "dict[str, Known]":
        """What is known of any number of places, as far as they are read in the time that one query may wait."""
        found: dict[str, Known] = {}
        until = time.monotonic() + _SOON_S
        for start in range(0, len(locations), _AT_ONCE):
            if time.monotonic() > until:
                break
            found |= await self.known(locations[start : start + _AT_ONCE])
        return found

    async def read(self, locations: Sequence[str]) -> "list[Known]":
        """What the files at these places say now, each in its place: nothing that was read before is asked."""
        contents = await self._artifacts.contents(locations, NAMES, _MOST_BYTES)
        # In a thread, since many at once would hold up the event loop.
        return await asyncio.to_thread(lambda: [self._understood(files or {}) for files in contents])

    async def examined(self, locations: Sequence[str | None]) -> list[Examined]:
        """What is at these places now, each in its place: nothing that was read before is asked, and none is kept."""
        contents = await self._artifacts.contents(locations, NAMES, _MOST_BYTES)
        mlmodels = await asyncio.to_thread(lambda: [mlmodel_of(files or {}) for files in contents])
        parts = [["MLmodel", *parts_of(flavors_of(mlmodel))] for mlmodel in mlmodels]
        wanted = [[(at, path) for path in paths] for at, paths in zip(locations, parts, strict=True)]
        there = await self._are_there([place for places in wanted for place in places])
        states = [{path: there[at, path] for at, path in places} for places in wanted]
        found = zip(contents, mlmodels, states, strict=True)
        return await asyncio.to_thread(lambda: [_examined(*each) for each in found])

    async def _are_there(self, wanted: Sequence["_Place"]) -> "dict[_Place, bool | None]":
        """Which of these are files, or folders that are not empty; None where that can't be seen."""
        around = await self._listed({_parent(place) for place in wanted})
        known = {(at, file.path): file for (at, _), files in around.items() for file in files or []}
        within = await self._listed({place for place in wanted if place in known and known[place].is_folder})

        def is_there(place: _Place) -> bool | None:
            if place not in known:
                return None if around[_parent(place)] is None else False
            if place not in within:
                return True
            files = within[place]
            return None if files is None else bool(files)

        return {place: is_there(place) for place in wanted}

    async def _listed(self, folders: "Iterable[_Place]") -> "dict[_Place, list[File] | None]":
        """What is directly in these folders; None where the store does not answer, or a path leads elsewhere."""
        asked = [*folders]
        files = await self._artifacts.listings([at for at, _ in asked], [path for _, path in asked], _MOST_LISTED)
        return dict(zip(asked, files, strict=True))

    def _recalled(self, location: str) -> "Known | None":
        """What is known of a location, unless it is time to look again."""
        known = self._known.get(location)
        if known is None or known.until < time.monotonic():
            return None
        self._known.move_to_end(location)
        return known

    def _remember(self, location: str, known: "Known") -> None:
        """Keep it, and forget what was asked for least lately."""
        self._known[location] = known
        self._known.move_to_end(location)
        while len(self._known) > self._most_known:
            self._known.popitem(last=False)

    def _understood(self, files: dict[str, bytes]) -> "Known":
        """What the files of one model say; for good only when none of them is missing yet."""
        mlmodel = mlmodel_of(files)
        flavors = flavors_of(mlmodel)
        is_complete = bool(flavors) and all(name in files for name in declared(flavors))
        until = math.inf if is_complete else time.monotonic() + self._retry_after_s
        return Known(manifest_of(mlmodel, flavors, files) if mlmodel else None, until)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a location."""

    manifest: Manifest | None
    """None when MLmodel can't be read."""
    until: float
    """When it is to be read again, by the monotonic clock."""

    @property
    def is_complete(self) -> bool:
        """Whether all that MLmodel names could be read, so that it need not be read again."""
        return self.until == math.inf


_Place = tuple[str | None, str]
"""A location, and a path below it."""


def _parent(place: _Place) -> _Place:
    """The folder that it is in."""
    return place[0], posixpath.dirname(place[1])


def _examined(files: dict[str, bytes] | None, mlmodel: dict[str, Any], states: dict[str, bool | None]) -> Examined:
    """What was found where these files are."""
    if files is None:
        return Examined(False, None, None, [])
    flavors = flavors_of(mlmodel)
    missing = [path for path, is_there in states.items() if is_there is False]
    is_seen = bool(missing) or None not in states.values()
    manifest = manifest_of(mlmodel, flavors, files) if mlmodel else None
    return Examined(True, missing if is_seen else None, manifest, unread(flavors, files))
