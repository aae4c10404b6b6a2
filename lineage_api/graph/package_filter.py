"""Which packages a model needs, as a condition on versions."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion
from sqlalchemy import ColumnElement, or_, select

from lineage_api.engine.nouns import given
from lineage_api.errors import Unreadable
from lineage_api.graph.conditions import is_given
from lineage_api.store import origins
from lineage_api.store.functions import one_of
from lineage_api.store.package_tables import model_files, packages


@given
class PackageCondition:
    """A package, and which versions of it, such as `scikit-learn` and `<1.5`."""

    name: str
    """Its name, however it is written; `python` is Python itself."""
    specifier: str | None = None
    """A version specifier as in PEP 440; any version when left out."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A condition on a package, understood."""

    name: str
    """Normalised as in PEP 503."""
    specifier: SpecifierSet | None

    @classmethod
    def of(cls, condition: PackageCondition) -> "Wanted":
        """What somebody asks for; raises Unreadable where that makes no sense."""
        if not re.fullmatch(r"[A-Za-z0-9._-]+", condition.name):
            raise Unreadable(f"`name` must be the name of a package, such as `scikit-learn`, not {condition.name!r}.")
        written = condition.specifier if is_given(condition.specifier) else None
        return cls(canonicalize_name(condition.name), _specifier(written) if written and written.strip() else None)

    def is_met_by(self, version: str | None) -> bool:
        """Whether a package of this name is meant that has this exact version; None when it has none."""
        if self.specifier is None:
            return True
        try:
            return version is not None and self.specifier.contains(version, prereleases=True)
        except InvalidVersion:
            return False


def _specifier(written: str) -> SpecifierSet:
    try:
        return SpecifierSet(written)
    except InvalidSpecifier:
        raise Unreadable(
            "`specifier` must be a version specifier as in PEP 440, such as `<1.5` or `>=1.3,!=1.4.2`,"
            f" not {written!r}."
        ) from None


@dataclass(frozen=True)
class Met:
    """A condition on a package, with all that meets it."""

    name: str
    versions: tuple[str, ...] | None
    """The versions in the index that meet it; None where any does, and where there is no exact one too."""
    locations: tuple[str, ...] = ()
    """The places of files, not in the index, whose packages meet it."""

    @classmethod
    def of(
        cls, wanted: Wanted, indexed: Sequence[Sequence[Any]], read: Mapping[str, Sequence[tuple[str, str | None]]]
    ) -> "Met":
        """What meets a condition of the names and versions in the index, and of the packages at further places."""
        versions = sorted({v for name, v in indexed if name == wanted.name and v is not None and wanted.is_met_by(v)})
        there = [at for at, found in read.items() if any(n == wanted.name and wanted.is_met_by(v) for n, v in found)]
        return cls(wanted.name, None if wanted.specifier is None else tuple(versions), tuple(sorted(there)))


def conditions_in(filter_by: Any) -> Iterator[PackageCondition]:
    """The conditions on packages in a filter and in the filters inside it."""
    if is_given(filter_by.package):
        yield filter_by.package
    for inner in _inside(filter_by):
        yield from conditions_in(inner)


def _inside(filter_by: Any) -> list[Any]:
    inner = [*filter_by.or_] if is_given(filter_by.or_) else []
    return [*inner, filter_by.not_] if is_given(filter_by.not_) else inner


def with_conditions(filter_by: Any, change: Callable[[PackageCondition], Met]) -> Any:
    """The same filter with other conditions on packages, also inside."""
    changes: dict[str, Any] = {}
    if is_given(filter_by.package):
        changes["package"] = change(filter_by.package)
    if is_given(filter_by.or_):
        changes["or_"] = [with_conditions(inner, change) for inner in filter_by.or_]
    if is_given(filter_by.not_):
        changes["not_"] = with_conditions(filter_by.not_, change)
    return replace(filter_by, **changes)


def has_package(met: Met) -> ColumnElement[bool]:
    """Whether a version's files ask for a package that meets a condition."""
    assert isinstance(met, Met), "A page whose filter may name packages has to be a VersionPage."
    files = packages.join(model_files, model_files.c.id == packages.c.files_id)
    found = select(model_files.c.location).select_from(files).where(packages.c.name == met.name)
    if met.versions is not None:
        found = found.where(one_of(packages.c.version, met.versions))
    is_met = origins.artifact_uri.in_(found)
    return or_(is_met, one_of(origins.artifact_uri, met.locations)) if met.locations else is_met
