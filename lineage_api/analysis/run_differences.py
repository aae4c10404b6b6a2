"""Differences between two runs: parameters, metrics, datasets, code, duration."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lineage_api.analysis.code_links import compare_url, is_other
from lineage_api.analysis.differences import Found, differing
from lineage_api.analysis.training import Code, Dataset

_SAID_OF_CODE = ("commit", "repo_url", "branch", "entry_point")


class Run(Protocol):
    """What was recorded of a run."""

    @property
    def run_id(self) -> str:
        """MLflow's own ID."""

    @property
    def started_at(self) -> int | None:
        """None when that was never told."""

    @property
    def duration(self) -> float | None:
        """In seconds; None while it runs."""

    @property
    def params(self) -> Mapping[str, str]:
        """Its parameters."""

    @property
    def metrics(self) -> Mapping[str, str]:
        """The last value of each, in writing."""

    @property
    def tags(self) -> Mapping[str, str]:
        """Those that MLflow keeps for itself among them."""

    @property
    def datasets(self) -> Sequence[Dataset]:
        """Those that it read, by name and digest."""

    @property
    def code(self) -> Code:
        """The code that it ran."""


@dataclass(frozen=True, slots=True)
class CodeChange:
    """A difference in code."""

    base_run_id: str
    head_run_id: str
    compare_url: str | None
    """A page that shows the commits between; None when the repository's host is not known."""


def params(base: Run, head: Run) -> Found:
    """Parameters, as they were written."""
    return Found(differing(base.params, head.params))


def metrics(base: Run, head: Run) -> Found:
    """The last values of metrics; NaN is NaN."""
    return Found(differing(base.metrics, head.metrics))


def datasets(base: Run, head: Run) -> Found:
    """The digests of datasets, by name; the parts that they played where nothing else tells them apart."""
    before, after = _by_name(base.datasets), _by_name(head.datasets)
    changes = differing(_digests(before), _digests(after), are_names=True)
    changed = {change.key for change in changes}
    in_parts = differing(_in_parts(before), _in_parts(after), are_names=True)
    changes += [change for change in in_parts if change.key not in changed]
    return Found(sorted(changes, key=lambda change: change.key))


_Named = Mapping[str, Sequence[Dataset]]


def _by_name(datasets: Sequence[Dataset]) -> _Named:
    found: dict[str, list[Dataset]] = {}
    for dataset in datasets:
        found.setdefault(dataset.name, []).append(dataset)
    return found


def _digests(named: _Named) -> dict[str, str]:
    """The digests under each name."""
    return {name: ", ".join(sorted({each.digest for each in every})) for name, every in named.items()}


def _in_parts(named: _Named) -> dict[str, str]:
    """The same with the parts that they played."""
    return {name: ", ".join(sorted(map(_in_its_part, every))) for name, every in named.items()}


def _in_its_part(dataset: Dataset) -> str:
    return dataset.digest if dataset.context is None else f"{dataset.digest} ({dataset.context})"


def duration(base: Run, head: Run) -> Found:
    """How long they took, in seconds."""
    unknown = [problem for whose, run in _sides(base, head) if (problem := _unmeasured(whose, run))]
    changes = [] if unknown else differing({"duration": repr(base.duration)}, {"duration": repr(head.duration)})
    return Found(changes[0] if changes else None, unknown)


def _unmeasured(whose: str, run: Run) -> str | None:
    """Why nobody knows how long a run took; None when it is known."""
    if run.duration is not None:
        return None
    return f"the {whose}'s run has not ended" if run.started_at else f"nothing says when the {whose}'s run began"


def code(base: Run, head: Run) -> Found:
    """The code that they ran: it is other code where something differs that both recorded."""
    unknown = [problem for whose, run in _sides(base, head) for problem in _unsettled(whose, run.code)]
    old, new = base.code, head.code
    if not _is_other_code(old, new):
        return Found(None, unknown)
    link = compare_url(old.repo_url, old.commit, new.repo_url, new.commit)
    return Found(CodeChange(base.run_id, head.run_id, link), unknown)


def _is_other_code(base: Code, head: Code) -> bool:
    """Whether anything differs that both recorded."""
    said = [(name, getattr(base, name), getattr(head, name)) for name in _SAID_OF_CODE]
    differs = [is_other(old, new) if name == "repo_url" else old != new for name, old, new in said if old and new]
    return any(differs) or bool(base.is_dirty) != bool(head.is_dirty)


def _unsettled(whose: str, code: Code) -> Iterator[str]:
    """What is not known of the code that a run ran."""
    if not code:
        yield f"nothing about it was recorded for the {whose}"
        return
    if not code.commit:
        yield f"no commit was recorded for the {whose}"
    if not code.entry_point:
        yield f"no entry point was recorded for the {whose}"
    if code.is_dirty:
        yield f"the {whose} had uncommitted changes"


def _sides(base: Run, head: Run) -> Sequence[tuple[str, Run]]:
    return (("base", base), ("head", head))
