"""Comparisons: what is read of versions and runs, so that it can be said what differs between them."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select

from lineage_api.analysis.comparison import Comparison, Side, comparison
from lineage_api.analysis.file_differences import MOST_BYTES, RUN, Digests, Place, doubtful
from lineage_api.store import convert, origins, tables
from lineage_api.store.artifact_places import File
from lineage_api.store.artifact_trees import Tree, trees
from lineage_api.store.artifacts import Artifacts
from lineage_api.store.database import Snapshot
from lineage_api.store.functions import one_of
from lineage_api.store.manifests import Manifest
from lineage_api.store.model_files import ModelFiles
from lineage_api.store.recorded_runs import DATASETS, METRICS, PARAMS, TAGS, RecordedRun, recorded_runs

MODEL = "model"
"""The folder in which the files of a version are shown."""

_KINDS = {"params": PARAMS, "metrics": METRICS, "tags": TAGS, "datasets": DATASETS, "code": TAGS}
"""What has to be read of runs for a part, beside their own rows."""
_FROM_RUNS = {*_KINDS, "artifacts", "duration"}
_FROM_MODELS = {"environment", "signature", "size"}

_v, _t, _m = tables.model_versions.c, tables.model_version_tags.c, tables.logged_models.c


class Version(NamedTuple):
    """A version, as far as it has to be known before it is compared."""

    model: str
    number: int
    run_id: str | None
    """The run behind it; None when none is named."""
    location: str | None
    """Where its files are; None when nothing says so."""

    @property
    def key(self) -> tuple[str, int]:
        """What it is known by."""
        return self.model, self.number


VERSION_COLUMNS = (_v.name, _v.version, origins.run_id, origins.artifact_uri)
"""Of which columns a Version is made."""

_Roots = Mapping[str, str | None]
"""Where files are, by the folder in which they are shown."""
_Folders = Mapping[str, Tree | None]
"""The files themselves; None where nothing says where they are."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """One of the two that are compared, with the places of all its files."""

    side: Side
    roots: _Roots


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Compares any number of pairs at once: the number of statements is that for one."""

    reader: Snapshot
    artifacts: Artifacts
    files: ModelFiles

    async def there(self, keys: Collection[tuple[str, int]]) -> dict[tuple[str, int], Version]:
        """The versions that have these keys; those that are not there are left out."""
        if not keys:
            return {}
        rows = select(*VERSION_COLUMNS).where(origins.is_model_version, *_among(keys, _v))
        found = [Version(*row) for row in await self.reader.read(rows)]
        return {version.key: version for version in found if version.key in keys}

    async def of_versions(self, pairs: Sequence[tuple[Version, Version]], parts: Collection[str]) -> list[Comparison]:
        """What differs in some parts between the versions of each pair."""
        versions = {version.key: version for pair in pairs for version in pair}
        runs = await self._runs([version.run_id for version in versions.values()], parts)
        tags = await self._tags(versions) if "tags" in parts else {}
        subjects = {}
        for key, version in versions.items():
            run = runs.get(version.run_id or "")
            side = Side(key, version.run_id, run, tags.get(key, {}), version.location)
            subjects[key] = _Subject(side, {**_own_folder(run), MODEL: version.location})
        return await self._compared([(subjects[base.key], subjects[head.key]) for base, head in pairs], parts)

    async def of_runs(self, base: str, head: str, parts: Collection[str]) -> Comparison:
        """What differs in some parts between two runs that are there."""
        run_ids = [base, head]
        runs = await self._runs(run_ids, parts)
        models = await self._logged_models(run_ids) if "artifacts" in parts else {}
        subjects = [
            _Subject(
                Side(run_id, run_id, runs.get(run_id)), {**models.get(run_id, {}), **_own_folder(runs.get(run_id))}
            )
            for run_id in run_ids
        ]
        [found] = await self._compared([(subjects[0], subjects[1])], parts)
        return found

    async def _runs(self, run_ids: Iterable[str | None], parts: Collection[str]) -> dict[str, RecordedRun]:
        """What has to be known of runs for some parts."""
        if not _FROM_RUNS & {*parts}:
            return {}
        return await recorded_runs(self.reader, [run_id for run_id in run_ids if run_id], _kinds(parts))

    async def _tags(self, keys: Collection[tuple[str, int]]) -> dict[tuple[str, int], dict[str, str]]:
        """The tags of versions themselves."""
        found: dict[tuple[str, int], dict[str, str]] = {key: {} for key in keys}
        rows = select(_t.name, _t.version, _t.key, _t.value).where(*_among(keys, _t))
        for name, version, key, value in await self.reader.read(rows):
            if (name, version) in found:
                found[name, version][key] = convert.written(value)
        return found

    async def _logged_models(self, run_ids: Collection[str]) -> dict[str, dict[str, str | None]]:
        """Where the models are that runs logged, by name; the newest of each name."""
        rows = select(_m.source_run_id, _m.name, _m.artifact_location).where(
            one_of(_m.source_run_id, sorted(run_ids)), _m.lifecycle_stage != "deleted"
        )
        found: dict[str, dict[str, str | None]] = {}
        for run_id, name, location in await self.reader.read(rows.order_by(_m.creation_timestamp_ms, _m.model_id)):
            found.setdefault(run_id, {})[name] = location
        return found

    async def _compared(self, pairs: Sequence[tuple[_Subject, _Subject]], parts: Collection[str]) -> list[Comparison]:
        """What differs in each pair; the files of all are read at the same time."""
        subjects = [subject for pair in pairs for subject in pair]
        manifests, found = await asyncio.gather(self._manifests(subjects, parts), self._trees(subjects, parts))
        folders = [(self._folders(base, head, found), self._folders(head, base, found)) for base, head in pairs]
        digests = await self._digests(folders)
        sides = [
            tuple(_filled(subject, manifests, there) for subject, there in zip(pair, both, strict=True))
            for pair, both in zip(pairs, folders, strict=True)
        ]
        return [comparison(base, head, parts, known) for (base, head), known in zip(sides, digests, strict=True)]

    async def _manifests(self, subjects: Sequence[_Subject], parts: Collection[str]) -> Mapping[str, Manifest | None]:
        """What the files of models say, by where they are."""
        wanted = _FROM_MODELS & {*parts}
        locations = [subject.side.location for subject in subjects if subject.side.location and wanted]
        return dict(zip(locations, await self.files.manifests(locations), strict=True))

    async def _trees(self, subjects: Sequence[_Subject], parts: Collection[str]) -> Mapping[str, Tree]:
        """All files, by where they are."""
        roots = [root for subject in subjects for root in subject.roots.values() if root and "artifacts" in parts]
        return {tree.root: tree for tree in await trees(self.artifacts, roots)}

    def _folders(self, subject: _Subject, other: _Subject, found: Mapping[str, Tree]) -> _Folders:
        """The files of one side, by the folder in which they are shown."""
        folders = {folder: found.get(root or "") for folder, root in subject.roots.items()}
        if run := folders.get(RUN):
            is_shared = other.roots.get(RUN) == run.root
            folders[RUN] = self._without(run, [subject.roots, other.roots] if is_shared else [subject.roots])
        return folders

    def _without(self, run: Tree, every: Sequence[_Roots]) -> Tree:
        """The files of a run without those of models that are in the same folder: these are shown as the model's."""
        models = [root for roots in every for folder, root in roots.items() if folder != RUN and root]
        inner = [path for root in models if (path := self.artifacts.path_below(run.root, root)) is not None]
        kept = {path: file for path, file in run.files.items() if not any(_is_in(path, folder) for folder in inner)}
        return replace(run, files=kept)

    async def _digests(self, pairs: Sequence[tuple[_Folders, _Folders]]) -> list[Digests]:
        """What tells the contents of files apart, for each pair, where nothing else does."""
        doubts = [
            {place: (_file(base, place), _file(head, place)) for place in doubtful(base, head)} for base, head in pairs
        ]
        files = list({file for doubt in doubts for both in doubt.values() for file in both})
        digests = dict(zip(files, await self.artifacts.digests(files, MOST_BYTES), strict=True))
        return [{place: (digests[old], digests[new]) for place, (old, new) in doubt.items()} for doubt in doubts]


def _among(keys: Collection[tuple[str, int]], columns: Any) -> list[ColumnElement[bool]]:
    """What narrows rows to those of some versions, and to a few more: for pairs, SQLite would look at all rows."""
    names, numbers = sorted({name for name, _ in keys}), sorted({number for _, number in keys})
    return [columns.workspace == origins.WORKSPACE, one_of(columns.name, names), columns.version.in_(numbers)]


def _filled(subject: _Subject, manifests: Mapping[str, Manifest | None], folders: _Folders) -> Side:
    """A side with what was read of its files."""
    manifest = manifests.get(subject.side.location or "")
    return replace(subject.side, manifest=manifest, folders=folders)


def _file(folders: _Folders, place: Place) -> File:
    """The file at a place that is known to hold one."""
    folder, path = place
    tree = folders[folder]
    assert tree is not None
    return tree.files[path]


def _kinds(parts: Collection[str]) -> set[str]:
    """Which kinds of things have to be read of runs."""
    return {_KINDS[part] for part in parts if part in _KINDS}


def _own_folder(run: RecordedRun | None) -> _Roots:
    return {} if run is None else {RUN: run.artifact_uri}


def _is_in(path: str, folder: str) -> bool:
    """Whether a path is that of a folder, or below it."""
    return not folder or f"{path}/".startswith(f"{folder}/")
