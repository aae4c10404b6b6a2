"""Safety: what is looked at before a stage or an alias is given back to a version."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from lineage_api.analysis.checks import Check, Status
from lineage_api.analysis.environments import Environment, installed
from lineage_api.analysis.signatures import Signature, verdict
from lineage_api.analysis.wording import named

_UNREACHED = "the artifact store could not be reached"


class Manifest(Protocol):
    """What the files of a model say of it."""

    @property
    def flavors(self) -> Sequence[str]:
        """How it can be loaded."""

    @property
    def signature(self) -> Signature | None:
        """None when there is none, or when it can't be read."""

    @property
    def environment(self) -> Environment | None:
        """None when nothing says so."""


class Files(Protocol):
    """What was found where the files of a model should lie."""

    @property
    def is_reached(self) -> bool:
        """Whether the artifact store answered; if not, the rest says nothing."""

    @property
    def missing(self) -> Sequence[str] | None:
        """Which of its files are not there, MLmodel among them; None when that can't be seen."""

    @property
    def manifest(self) -> Manifest | None:
        """None when MLmodel can't be read."""

    @property
    def unread(self) -> Sequence[str]:
        """Which files of its environment are missing or damaged; all of them when there is none."""


class Run(Enum):
    """What became of the run that made a version."""

    KEPT = "KEPT"
    IN_TRASH = "IN_TRASH"
    GONE = "GONE"
    NEVER_NAMED = "NEVER_NAMED"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a version that one would go back to."""

    version: int | None
    """None when there is none; then nothing else matters."""
    location: str | None = None
    """Where its files should lie; None when nothing says so."""
    files: Files | None = None
    """What was found there; None when there is no location."""
    current: Manifest | None = None
    """That of the version that holds the place now; None when it is not exactly one, or can't be read."""
    run: Run = Run.NEVER_NAMED


def checks(facts: Facts) -> list[Check]:
    """What was looked at, always in the same order; without a version there is nothing more to look at."""
    name = "there is a version to go back to"
    if facts.version is None:
        return [Check(name, Status.FAIL, "neither history nor an archived version offers one")]
    target = facts.files.manifest if facts.files and facts.files.is_reached else None
    return [
        Check(name, Status.PASS, f"version {facts.version}"),
        _artifacts(facts),
        _mlmodel(facts.files),
        _environment(facts.files),
        _signature(target, facts.current),
        _same_environment(target, facts.current),
        _run(facts.run),
    ]


def is_safe(checks: Iterable[Check]) -> bool:
    """Whether none of them failed. One that could not be made did not fail: its status says so."""
    return all(check.status is not Status.FAIL for check in checks)


def _artifacts(facts: Facts) -> Check:
    """Whether all files that make up the model are there."""
    name = "artifacts are there"
    if facts.location is None or facts.files is None:
        return Check(name, Status.FAIL, "nothing says where they are")
    if not facts.files.is_reached:
        return Check(name, Status.UNKNOWN, _UNREACHED)
    missing = facts.files.missing
    if missing is None:
        return Check(name, Status.UNKNOWN, "some of the folders that MLmodel names could not be looked at")
    if missing:
        return Check(name, Status.FAIL, f"{named(missing)} {'is' if len(missing) == 1 else 'are'} missing")
    return Check(name, Status.PASS)


def _mlmodel(files: Files | None) -> Check:
    """Whether MLmodel says how the model is loaded."""
    name = "MLmodel can be read"
    if files is None:
        return Check(name, Status.FAIL, "nothing says where it is")
    if not files.is_reached:
        return Check(name, Status.UNKNOWN, _UNREACHED)
    if files.manifest is None:
        return Check(name, Status.FAIL, "it is missing" if "MLmodel" in (files.missing or ()) else "it is damaged")
    return Check(name, Status.PASS) if files.manifest.flavors else Check(name, Status.FAIL, "it names no flavor")


def _environment(files: Files | None) -> Check:
    """Whether the files say what has to be installed."""
    name = "environment can be read"
    if files is None:
        return Check(name, Status.WARN, "nothing says where its files are")
    if not files.is_reached:
        return Check(name, Status.UNKNOWN, _UNREACHED)
    if files.unread:
        return Check(name, Status.WARN, f"{named(files.unread)} cannot be read")
    return Check(name, Status.PASS)


def _signature(target: Manifest | None, current: Manifest | None) -> Check:
    """Whether those who call the current version can call the other one unchanged."""
    name = "signature fits"
    if target is None or current is None:
        return _incomparable(name, target)
    breaks = verdict(current.signature, target.signature)
    if breaks is None:
        whose = "its signature" if target.signature is None else "the signature of the current version"
        return Check(name, Status.UNKNOWN, f"{whose} is unknown")
    return Check(name, Status.WARN, named(map(str, breaks))) if breaks else Check(name, Status.PASS)


def _same_environment(target: Manifest | None, current: Manifest | None) -> Check:
    """Whether what is installed for the current version will do for the other one."""
    name = "environment is the same"
    if target is None or current is None:
        return _incomparable(name, target)
    if target.environment is None or current.environment is None:
        whose = "its environment" if target.environment is None else "the environment of the current version"
        return Check(name, Status.UNKNOWN, f"{whose} is unknown")
    changes = _changes(current.environment, target.environment)
    return Check(name, Status.WARN, named(changes)) if changes else Check(name, Status.PASS)


def _incomparable(name: str, target: Manifest | None) -> Check:
    """What was not compared, since one of the two is unknown."""
    if target is None:
        return Check(name, Status.UNKNOWN, "its MLmodel was not read")
    return Check(name, Status.UNKNOWN, "there is no one current version whose MLmodel was read")


def _run(run: Run) -> Check:
    """Whether the run that made it can still be looked at."""
    details = {
        Run.KEPT: None,
        Run.IN_TRASH: "its run is in the trash",
        Run.GONE: "its run is gone",
        Run.NEVER_NAMED: "there is no run behind it",
    }
    return Check("run was not deleted", Status.PASS if run is Run.KEPT else Status.WARN, details[run])


def _changes(current: Environment, target: Environment) -> list[str]:
    """What would be installed otherwise, such as `numpy 2.1.0 -> 1.26.4`; Python first, then by name."""
    before, after = installed(current), installed(target)
    names = sorted(before.keys() | after.keys(), key=lambda name: (name != "python", name))
    pairs = [(name, before.get(name, "not named"), after.get(name, "not named")) for name in names]
    return [f"{name} {old} -> {new}" for name, old, new in pairs if old != new]
