"""What was recorded of how a version was made, and what was not: the one source of both checks and what is missing."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from posixpath import basename
from typing import NamedTuple, Protocol

from lineage_api.analysis import training
from lineage_api.analysis.checks import Check, Status
from lineage_api.analysis.entry_points import EntryPoint, entry_point, is_kernel
from lineage_api.analysis.environments import Environment, Package
from lineage_api.analysis.safety import Manifest, Run
from lineage_api.analysis.shell import showable
from lineage_api.analysis.wording import named

_COMMIT = re.compile("[0-9a-fA-F]{7,64}")
_PYTHON = re.compile(r"(3\.\d{1,2})(?:\.\d{1,3})?(?:(?:a|b|rc)\d{1,3})?", re.ASCII)
_AT_COMMIT = re.compile(r"@[0-9a-fA-F]{40}(?![0-9A-Za-z])")
_UNREAD = "the model files could not be read"


class Dataset(training.Dataset, Protocol):
    """A dataset that a run read, with where it came from."""

    @property
    def source_type(self) -> str:
        """What kind of place that was."""

    @property
    def source(self) -> str:
        """As a rule a JSON document."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was recorded of a version, its run and its files."""

    label: str
    """What a person calls it."""
    run: Run
    code: training.Code
    params: Mapping[str, str]
    metrics: Mapping[str, str]
    datasets: Sequence[Dataset]
    manifest: Manifest | None
    """None when its files can't be read."""

    @property
    def commit(self) -> str | None:
        """The commit, when what was recorded can be one."""
        commit = self.code.commit or ""
        return commit if _COMMIT.fullmatch(commit) else None

    @property
    def start(self) -> EntryPoint | None:
        """What was started, when it is clear how it can be started again."""
        recorded = self.code.entry_point
        return entry_point(recorded, self.code.repo_url) if recorded and not is_kernel(recorded) else None

    @property
    def environment(self) -> Environment | None:
        """What has to be installed."""
        return self.manifest.environment if self.manifest else None

    @property
    def python(self) -> str | None:
        """The Python that trained it, such as `3.11`."""
        version = _PYTHON.fullmatch((self.environment and self.environment.python_version) or "")
        return version[1] if version else None


class _Finding(NamedTuple):
    """What was found where something should have been recorded."""

    check: Check
    missing: str | None = None
    """What a person has to find, to train it again."""


def checks(facts: Facts) -> list[Check]:
    """What was looked at, always in the same order."""
    return [finding.check for finding in _findings(facts)]


def score(checks: Sequence[Check]) -> float:
    """The share of them that passed."""
    return sum(check.status is Status.PASS for check in checks) / len(checks)


def missing(facts: Facts) -> list[str]:
    """What nobody recorded and one needs to train it again, in the order of the checks."""
    return [finding.missing for finding in _findings(facts) if finding.missing]


def _findings(facts: Facts) -> list[_Finding]:
    return [
        _run(facts.run),
        _given("repository", facts.code.repo_url),
        _commit(facts),
        _committed(facts),
        _entry_point(facts),
        _datasets(facts.datasets),
        _some("parameters", facts.params),
        _Finding(_some("metrics", facts.metrics).check),
        _environment(facts),
        _python(facts),
        _pinned(facts),
        _signature(facts.manifest),
        _files(facts.manifest),
    ]


def _run(run: Run) -> _Finding:
    details = {Run.IN_TRASH: "it is in the trash", Run.GONE: "it is gone", Run.NEVER_NAMED: "there is none behind it"}
    name = "run is recorded"
    if run in {Run.KEPT, Run.IN_TRASH}:
        return _Finding(Check(name, Status.PASS if run is Run.KEPT else Status.WARN, details.get(run)))
    return _Finding(Check(name, Status.FAIL, details[run]), "no run")


def _given(what: str, value: object) -> _Finding:
    """One thing that was recorded, or was not."""
    name = f"{what} is recorded"
    return _Finding(Check(name, Status.PASS)) if value else _Finding(Check(name, Status.FAIL), f"no {what}")


def _some(what: str, values: Mapping[str, str]) -> _Finding:
    """Things of which at least one was recorded."""
    name = f"{what} are recorded"
    if not values:
        return _Finding(Check(name, Status.FAIL, "there are none"), f"no {what}")
    return _Finding(Check(name, Status.PASS))


def _commit(facts: Facts) -> _Finding:
    found = _given("commit", facts.commit)
    if facts.commit or not facts.code.commit:
        return found
    return _Finding(Check(found.check.name, Status.FAIL, "what was recorded is no commit of git"), found.missing)


def _committed(facts: Facts) -> _Finding:
    """Whether the commit has all of the code."""
    name, is_dirty = "nothing was uncommitted", facts.code.is_dirty
    if is_dirty is None:
        doubt = "whether anything was uncommitted" if facts.commit else None
        return _Finding(Check(name, Status.UNKNOWN, "that was not recorded"), doubt)
    if is_dirty:
        return _Finding(Check(name, Status.FAIL, "some changes are in no commit"), "uncommitted changes")
    return _Finding(Check(name, Status.PASS))


def _entry_point(facts: Facts) -> _Finding:
    """Whether it is known what was started, and where that is in the repository."""
    found, recorded, start = _given("entry point", facts.code.entry_point), facts.code.entry_point, facts.start
    name = found.check.name
    if recorded and is_kernel(recorded):
        return _Finding(Check(name, Status.FAIL, "only the kernel of a notebook is"), "no entry point")
    if recorded and start is None:
        return _Finding(Check(name, Status.WARN, "it is not clear how it is started"), "how the entry point is started")
    if start is None or start.is_certain:
        return found
    place = f"where {showable(basename(start.name))} lies in the repository"
    return _Finding(Check(name, Status.WARN, f"it does not say {place}"), place)


def _datasets(datasets: Sequence[Dataset]) -> _Finding:
    """Whether it is known what was read, and that it was just that."""
    name = "datasets are recorded"
    if not datasets:
        return _Finding(Check(name, Status.FAIL, "there are none"), "no dataset")
    without = _named(each.name for each in datasets if not each.digest)
    if without:
        return _Finding(Check(name, Status.WARN, f"without a digest: {without}"), f"the digest of {without}")
    return _Finding(Check(name, Status.PASS))


def _environment(facts: Facts) -> _Finding:
    name = "environment is recorded"
    if facts.manifest is None:
        return _Finding(Check(name, Status.UNKNOWN, _UNREAD), f"no environment: {_UNREAD}")
    return _given("environment", facts.environment)


def _python(facts: Facts) -> _Finding:
    name = "Python version is recorded"
    if facts.environment is None:
        return _unknown(name, facts)
    if facts.python or not facts.environment.python_version:
        return _given("Python version", facts.python)
    return _Finding(Check(name, Status.FAIL, "what was recorded is no version of Python 3"), "no Python version")


def _pinned(facts: Facts) -> _Finding:
    """Whether the same packages would be installed again."""
    name = "packages are pinned"
    if facts.environment is None:
        return _unknown(name, facts)
    if not facts.environment.packages:
        return _Finding(Check(name, Status.FAIL, "there are none"), "no packages")
    loose = _named(each.name for each in facts.environment.packages if not _is_pinned(each))
    if loose:
        return _Finding(Check(name, Status.WARN, f"these are not: {loose}"), f"unpinned packages: {loose}")
    return _Finding(Check(name, Status.PASS))


def _named(names: Iterable[str]) -> str:
    """Things by their names, each once; nothing when there are none."""
    return named(dict.fromkeys(map(showable, names)))


def _is_pinned(package: Package) -> bool:
    """Whether it is one version, or one commit."""
    return package.version is not None or bool(_AT_COMMIT.search(package.requirement))


def _unknown(name: str, facts: Facts) -> _Finding:
    """What the environment would say, were there one; that there is none is said already."""
    return _Finding(Check(name, Status.UNKNOWN, _UNREAD if facts.manifest is None else "there is no environment"))


def _signature(manifest: Manifest | None) -> _Finding:
    name = "signature is recorded"
    if manifest is None:
        return _Finding(Check(name, Status.UNKNOWN, _UNREAD))
    return _Finding(_given("signature", manifest.signature).check)


def _files(manifest: Manifest | None) -> _Finding:
    if manifest is None:
        return _Finding(Check("model files can be read", Status.FAIL, "MLmodel cannot be read"))
    return _Finding(Check("model files can be read", Status.PASS))
