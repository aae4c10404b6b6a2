"""Comparison: what differs between two versions or two runs, and what of that nobody can tell."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lineage_api.analysis import manifest_differences, run_differences
from lineage_api.analysis.differences import Found, ValueChange, differing
from lineage_api.analysis.file_differences import RUN, Digests, Folders, file_differences
from lineage_api.analysis.manifest_differences import Manifest
from lineage_api.analysis.run_differences import CodeChange, Run
from lineage_api.analysis.signatures import verdict

_OWN_TAGS = "mlflow."
"""How the keys begin that MLflow keeps for itself."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared, as far as it was asked for."""

    key: Any
    """What tells it from others."""
    run_id: str | None
    """The run behind it; None when none is named."""
    run: Run | None = None
    """None when it is gone."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Its own, beside those of the run."""
    location: str | None = None
    """Where the model's files are; None when nothing says so."""
    manifest: Manifest | None = None
    """None when MLmodel could not be read."""
    folders: Folders = field(default_factory=dict)
    """The files of the run and of models."""

    @property
    def origin(self) -> Any:
        """What it came of: those that have the same came about together."""
        return self.run_id or self.location or self.key


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs; empty, or None, are also those parts that were not asked for."""

    base_key: Any
    head_key: Any
    params: list[ValueChange] = field(default_factory=list)
    metrics: list[ValueChange] = field(default_factory=list)
    tags: list[ValueChange] = field(default_factory=list)
    environment: list[ValueChange] = field(default_factory=list)
    signature: list[ValueChange] = field(default_factory=list)
    datasets: list[ValueChange] = field(default_factory=list)
    artifacts: list[ValueChange] = field(default_factory=list)
    code: CodeChange | None = None
    size: ValueChange | None = None
    duration: ValueChange | None = None
    is_signature_compatible: bool | None = None
    """Whether callers of the base can call the head unchanged; None when a signature is unknown."""
    unknown: list[str] = field(default_factory=list)
    """What could not be compared, and why."""

    @property
    def is_identical(self) -> bool:
        """Whether nothing differs and nothing is unknown."""
        return not self.unknown and not any(getattr(self, part) for part in _PARTS)


def comparison(base: Side, head: Side, parts: Collection[str], digests: Digests) -> Comparison:
    """What differs in some parts; the digests are those of files that are doubtful."""
    finders: Mapping[str, _Find] = {**_PARTS, "artifacts": partial(_artifacts, digests)}
    found = {part: find(base, head) for part, find in finders.items() if part in parts}
    return Comparison(
        base.key,
        head.key,
        **{part: there.differences for part, there in found.items() if there.differences is not None},
        is_signature_compatible=_is_compatible(base.manifest, head.manifest) if "signature" in parts else None,
        unknown=[f"{part}: {reason}" for part, there in found.items() for reason in there.unknown],
    )


def _is_compatible(base: Manifest | None, head: Manifest | None) -> bool | None:
    breaks = verdict(base.signature if base else None, head.signature if head else None)
    return None if breaks is None else not breaks


def _runless(base: Side, head: Side) -> list[str]:
    """Which of them lacks what comes from a run."""
    sides = [("base", base), ("head", head)]
    return [
        f"the {whose} has no run" if side.run_id is None else f"the {whose}'s run is gone"
        for whose, side in sides
        if side.run is None
    ]


def _unread(base: Side, head: Side) -> list[str]:
    """Of which of them the files of the model say nothing."""
    sides = [("base", base), ("head", head)]
    return [
        f"nothing says where the files of the {whose} are"
        if side.location is None
        else f"MLmodel of the {whose} could not be read"
        for whose, side in sides
        if side.manifest is None
    ]


_Find = Callable[[Side, Side], Found]


def _of_runs(compared: Callable[[Run, Run], Found]) -> _Find:
    """A part that comes from the runs; it is the same where both came of one."""

    def found(base: Side, head: Side) -> Found:
        if base.origin == head.origin:
            return Found()
        return compared(base.run, head.run) if base.run and head.run else Found(None, _runless(base, head))

    return found


def _of_manifests(compared: Callable[[Manifest, Manifest], Found]) -> _Find:
    """A part that comes from the files of the models; it is the same where they are at one place and can be read."""

    def found(base: Side, head: Side) -> Found:
        if base.manifest is None or head.manifest is None:
            return Found(None, _unread(base, head))
        return Found() if base.location == head.location else compared(base.manifest, head.manifest)

    return found


def _tags(base: Side, head: Side) -> Found:
    """Those of the runs, and those of the versions themselves, which count where both have a key."""
    if base.origin != head.origin and (problems := _runless(base, head)):
        return Found(None, problems)
    return Found(differing(_all_tags(base), _all_tags(head)))


def _all_tags(side: Side) -> dict[str, str]:
    tags = {**(side.run.tags if side.run else {}), **side.tags}
    return {key: value for key, value in tags.items() if not key.startswith(_OWN_TAGS)}


def _artifacts(digests: Digests, base: Side, head: Side) -> Found:
    """Files of the runs and of models."""
    unknown = [] if base.origin == head.origin else _runless(base, head)
    skipped = {RUN} if unknown else set()
    before, after = (
        {name: tree for name, tree in side.folders.items() if name not in skipped} for side in (base, head)
    )
    found = file_differences(before, after, digests)
    return Found(found.changes, [*unknown, *found.unknown])


_PARTS: Mapping[str, _Find] = {
    "params": _of_runs(run_differences.params),
    "metrics": _of_runs(run_differences.metrics),
    "tags": _tags,
    "environment": _of_manifests(manifest_differences.environment),
    "signature": _of_manifests(manifest_differences.signature),
    "datasets": _of_runs(run_differences.datasets),
    "artifacts": partial(_artifacts, {}),
    "code": _of_runs(run_differences.code),
    "size": _of_manifests(manifest_differences.size),
    "duration": _of_runs(run_differences.duration),
}
PARTS_OF_RUNS = frozenset(_PARTS) - {"environment", "signature", "size"}
"""What can be compared of two runs."""
PARTS = frozenset(_PARTS)
"""What can be compared of two versions."""
