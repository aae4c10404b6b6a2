"""Pages of versions whose filter may ask for packages, which stand in files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, Dialect, Select, exists, func, select

from lineage_api.engine.arrows import distinct, fetched, kept_statement
from lineage_api.engine.levels import Call
from lineage_api.engine.narrowing import Narrowed
from lineage_api.engine.pages import Page
from lineage_api.engine.sql import key_values
from lineage_api.engine.steps import Steps, awaited
from lineage_api.graph.conditions import is_given
from lineage_api.graph.package_filter import Met, Wanted, conditions_in, with_conditions
from lineage_api.store.model_files import Known, ModelFiles
from lineage_api.store.model_index import versions_in
from lineage_api.store.package_tables import model_files, packages

_UNASKED = {"package": strawberry.UNSET, "or_": strawberry.UNSET, "not_": strawberry.UNSET}


class VersionPage(Page):
    """A page of versions that are narrowed by `filter_by`.

    Where that asks for packages, the files of candidates are read that are not in the index, and what meets it is put
    into the filter. Candidates are the versions that meet the other conditions.
    """

    def is_sql(self, arguments: Mapping[str, Any]) -> bool:
        return not _wanted(arguments)

    def resolve(self, call: Call) -> Steps[Any]:
        filter_by = call.arguments.get("filter_by")
        wanted = _wanted(call.arguments)
        if wanted:
            self._check(call, filter_by)
            indexed, read = yield from self._known(call, filter_by, wanted)
            met = with_conditions(filter_by, lambda condition: Met.of(Wanted.of(condition), indexed, read))
            call = Call(call.parents, {**call.arguments, "filter_by": met}, call.context, call.below, call.memo)
        return (yield from super().resolve(call))

    def _check(self, call: Call, filter_by: Any) -> None:
        """Refuses what could not be answered before anything is waited for."""
        self.asked(call)
        met = with_conditions(filter_by, lambda condition: Met(condition.name, ()))
        arguments = {**call.arguments, "filter_by": met}
        narrowed = self.narrowed(arguments, call.memo)
        dialect = call.context.reader.dialect
        kept_statement(call.memo, "checked", partial(self.selected, narrowed), dialect, narrowed)

    def _known(self, call: Call, filter_by: Any, wanted: Sequence[Wanted]) -> Steps[tuple[Any, Any]]:
        """The versions in the index of the packages that are wanted, and the packages in files that are not in it."""
        unread = yield from self._unread(call, replace(filter_by, **_UNASKED))
        known: Mapping[str, Known] = {}
        if places := distinct([location for *_, location in unread]):
            known = yield from awaited(call.context.service(ModelFiles).known_soon(places))
        _tell(call, [row for row in unread if row[-1] not in known or not known[row[-1]].is_complete])
        names = sorted({each.name for each in wanted})
        reader = call.context.reader
        statement = kept_statement(call.memo, ("packages", *names), partial(_versions, names), reader.dialect)
        indexed = yield from fetched(reader, statement, {})
        return indexed, {location: versions_in(found.manifest) for location, found in known.items()}

    def _unread(self, call: Call, filter_by: Any) -> Steps[list[Sequence[Any]]]:
        """The candidates whose files are not in the index: their names, numbers and places."""
        keys = distinct(self.keys(call)) if self.to else [()]
        if not keys:
            return []
        arguments = {**call.arguments, "filter_by": filter_by}
        dialect = call.context.reader.dialect
        narrowed = self.narrowed(arguments, call.memo)
        make = partial(self._candidates, narrowed, dialect)
        statement = kept_statement(call.memo, "unread", make, dialect, narrowed)
        values = key_values(keys, len(self.to), dialect)
        rows = yield from fetched(call.context.reader, statement, values, narrowed)
        return [row[-3:] for row in rows]

    def _candidates(self, narrowed: Narrowed, dialect: Dialect) -> Select[Any]:
        location = self.rows.column("artifact_uri")
        columns = [_failures(location), *map(self.rows.column, ("name", "version", "artifact_uri"))]
        rows, _ = self.marked(narrowed, columns, dialect)
        is_read = exists().where(model_files.c.location == location, model_files.c.read_at.is_not(None))
        # Those first that were never tried: there may not be time for all.
        return rows.where(~is_read).order_by(*columns)


def _wanted(arguments: Mapping[str, Any]) -> list[Wanted]:
    """The packages that a filter asks for."""
    filter_by = arguments.get("filter_by")
    return [Wanted.of(condition) for condition in conditions_in(filter_by)] if is_given(filter_by) else []


def _failures(location: ColumnElement[Any]) -> ColumnElement[Any]:
    """How often the files at a place could not be read."""
    tried = select(model_files.c.failures).where(model_files.c.location == location).scalar_subquery()
    return func.coalesce(tried, 0).label("failures")


def _versions(names: Sequence[str]) -> Select[Any]:
    """The versions of packages that are in the index."""
    return select(packages.c.name, packages.c.version).where(packages.c.name.in_(names)).distinct()


def _tell(call: Call, unread: Sequence[Sequence[Any]]) -> None:
    """Says in the answer for how many versions nobody can say which packages they have."""
    told = call.context.extensions.setdefault("packages", _Unread())
    told.add(unread)


class _Unread(dict[str, int]):
    """How many versions could not be read, each counted once however many fields met it."""

    def __init__(self) -> None:
        super().__init__(unread=0)
        self._seen: set[tuple[str, int]] = set()

    def add(self, versions: Sequence[Sequence[Any]]) -> None:
        """Count these too."""
        self._seen.update((name, number) for name, number, *_ in versions)
        self["unread"] = len(self._seen)
