"""The links of the lineage: for each kind, the rows of MLflow's tables that say what came of what."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    FromClause,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)

from lineage_api.analysis.lineage import Link, Node, Way
from lineage_api.engine.arrows import fetched, kept_statement
from lineage_api.engine.levels import Call
from lineage_api.engine.sql import Keys, KeysFirst, Reader, among, key_values
from lineage_api.engine.steps import Steps
from lineage_api.store import origins, tables
from lineage_api.store.functions import in_path

MOST = "most"
"""The parameter that says how many links that lead downstream from one node are enough."""

WIDTHS = {"Dataset": 2, "Run": 1, "LoggedModel": 1, "ModelVersion": 2}
"""How many columns the key of each type of node has."""

Build = Callable[[Dialect, Collection[str]], Any]
"""Makes a statement in a database's words, for nodes of these types."""


@dataclass(frozen=True)
class LinkKind:
    """A kind of link: statements that read those that lead up from some nodes, or down.

    A row has the keys of the sources' types, one after the other, then those of the targets' types; of each end, the
    first that is not null is meant. The nodes are parameters, by their type.
    """

    name: str
    sources: Sequence[str]
    targets: Sequence[str]
    up: Build
    down: Build

    def begins_at(self, way: Way) -> Sequence[str]:
        """The types of nodes from which it leads this way."""
        return self.targets if way is Way.UPSTREAM else self.sources

    def statement(self, way: Way, dialect: Dialect, types: Collection[str]) -> Select[Any]:
        """The statement that reads those that lead this way from nodes of some types."""
        built: Select[Any] = (self.up if way is Way.UPSTREAM else self.down)(dialect, types)
        return built

    def values(self, way: Way, nodes: Mapping[str, Sequence[Any]], most: int, dialect: Dialect) -> dict[str, Any]:
        """The parameters of the statement, for nodes by type."""
        found: dict[str, Any] = {MOST: most}
        for type_name in self.begins_at(way):
            keys, width = nodes.get(type_name, ()), WIDTHS[type_name]
            plain = [key[0] for key in keys] if width == 1 else [*keys]
            found |= key_values(plain, width, dialect, type_name)
        return found

    def links(self, rows: Sequence[Sequence[Any]]) -> list[Link]:
        """The links that rows say; some have no source that is still there."""
        first, *others = self.sources
        [last] = self.targets
        name, start = self.name, sum(WIDTHS[type_name] for type_name in self.sources)
        if not others:
            return [Link(name, Node(first, row[:start]), Node(last, row[start:])) for row in map(tuple, rows)]
        found = [(self._source(row), Node(last, row[start:])) for row in map(tuple, rows)]
        return [Link(name, source, target) for source, target in found if source]

    def _source(self, row: tuple[Any, ...]) -> Node | None:
        parts = iter(row)
        keys = [(name, tuple(islice(parts, WIDTHS[name]))) for name in self.sources]
        return next((Node(name, key) for name, key in keys if key[0] is not None), None)


_i, _d, _r = tables.inputs, tables.datasets, tables.runs
_m, _t = tables.logged_models, tables.tags
_is_model = _m.c.lifecycle_stage != "deleted"
_run_id = _r.c.run_uuid


def _edges(source_type: str, destination_type: str) -> ColumnElement[bool]:
    """Which rows of inputs are meant; the stored direction of used models is the other way round."""
    return and_(_i.c.source_type == source_type, _i.c.destination_type == destination_type)


def _edges_to(source_type: str, destination_type: str, *ids: ColumnElement[bool]) -> ColumnElement[bool]:
    """The same, found by their destination."""
    # As an expression, or SQLite takes the index that begins with the source's type for the better one.
    return and_(_i.c.destination_type == destination_type, *ids, (_i.c.source_type + "") == source_type)


def _first(found: Select[Any], end: ColumnElement[Any], keys: Keys, dialect: Dialect) -> tuple[FromClause, Any]:
    """Beside each key, the rows of inputs that are found for it, and no more than are asked for; and their end."""
    limited = found.limit(bindparam(MOST, None)).correlate(keys.source)
    if dialect.name == "postgresql":
        rows = limited.with_only_columns(end.label("far_end")).lateral("found")
        return keys.source.join(rows, true()), rows.c.far_end
    row: ColumnElement[int] = literal_column("inputs.rowid")
    return KeysFirst(keys.source, _i, row.in_(limited.with_only_columns(row))), end


# Datasets and the runs that read them


def _read_up(dialect: Dialect, _: Collection[str]) -> Select[Any]:
    source = KeysFirst(KeysFirst(_i, _d, _d.c.dataset_uuid == _i.c.source_id), _r, _run_id == _i.c.destination_id)
    rows = select(_d.c.name, _d.c.digest, _run_id).select_from(source)
    return rows.where(_edges_to("DATASET", "RUN", among([_i.c.destination_id], dialect, "Run")))


def _read_down(dialect: Dialect, _: Collection[str]) -> Select[Any]:
    keys = Keys.of([_d.c.name, _d.c.digest], dialect, "Dataset")
    # A dataset has a row for each experiment.
    of_key = select(_i).select_from(KeysFirst(_d, _i, _i.c.source_id == _d.c.dataset_uuid))
    of_key = of_key.where(keys.meets([_d.c.name, _d.c.digest]), _edges("DATASET", "RUN"))
    beside, run_id = _first(of_key, _i.c.destination_id, keys, dialect)
    return select(*keys.columns, _run_id).select_from(KeysFirst(beside, _r, _run_id == run_id))


# Runs and the logged models that they made: links that were logged, and what the models themselves say


def _produced(through_links: ColumnElement[bool], of_models: ColumnElement[bool]) -> Any:
    linked = _i.join(_m, _m.c.model_id == _i.c.destination_id).join(_r, _run_id == _i.c.source_id)
    stated = _m.join(_r, _run_id == _m.c.source_run_id)
    columns = (_run_id, _m.c.model_id)
    return union_all(
        select(*columns).select_from(linked).where(through_links, _is_model),
        select(*columns).select_from(stated).where(of_models, _is_model),
    )


def _produced_up(dialect: Dialect, _: Collection[str]) -> Any:
    linked = _edges_to("RUN_OUTPUT", "MODEL_OUTPUT", among([_i.c.destination_id], dialect, "LoggedModel"))
    return _produced(linked, among([_m.c.model_id], dialect, "LoggedModel"))


def _produced_down(dialect: Dialect, _: Collection[str]) -> Any:
    linked = and_(_edges("RUN_OUTPUT", "MODEL_OUTPUT"), among([_i.c.source_id], dialect, "Run"))
    return _produced(linked, among([_m.c.source_run_id], dialect, "Run"))


# Logged models and the runs that used them


def _used_up(dialect: Dialect, _: Collection[str]) -> Select[Any]:
    source = _i.join(_m, _m.c.model_id == _i.c.destination_id).join(_r, _run_id == _i.c.source_id)
    rows = select(_m.c.model_id, _run_id).select_from(source)
    return rows.where(_edges("RUN_INPUT", "MODEL_INPUT"), among([_i.c.source_id], dialect, "Run"), _is_model)


def _used_down(dialect: Dialect, _: Collection[str]) -> Select[Any]:
    keys = Keys.of([_m.c.model_id], dialect, "LoggedModel")
    of_key = select(_i).where(keys.meets([_i.c.destination_id]), _edges("RUN_INPUT", "MODEL_INPUT"))
    beside, run_id = _first(of_key, _i.c.source_id, keys, dialect)
    return select(*keys.columns, _run_id).select_from(KeysFirst(beside, _r, _run_id == run_id))


# Runs and the runs that they started


def _started(condition: ColumnElement[bool]) -> Select[Any]:
    rows = select(_run_id, _t.c.run_uuid).select_from(_t.join(_r, _run_id == _t.c.value))
    return rows.where(_t.c.key == "mlflow.parentRunId", condition)


def _started_up(dialect: Dialect, _: Collection[str]) -> Select[Any]:
    return _started(among([_t.c.run_uuid], dialect, "Run"))


def _started_down(dialect: Dialect, _: Collection[str]) -> Select[Any]:
    return _started(among([_t.c.value], dialect, "Run"))


# Logged models and runs, and the versions that they became

_v = tables.model_versions
_its_model = and_(_m.c.model_id == origins.model_id, _is_model)
_registered = _v.outerjoin(_m, _its_model).outerjoin(_r, _run_id == origins.run_id)
_REGISTERED = (_m.c.model_id, case((_m.c.model_id.is_(None), _run_id)), _v.c.name, _v.c.version)


def _became(is_version: ColumnElement[bool], *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(*_REGISTERED).select_from(_registered).where(or_(*conditions), is_version)


def _became_up(dialect: Dialect, _: Collection[str]) -> Select[Any]:
    return _became(origins.is_model_version, among([_v.c.name, _v.c.version], dialect, "ModelVersion"))


def _became_down(dialect: Dialect, types: Collection[str]) -> Select[Any]:
    conditions = {
        "LoggedModel": lambda: among([origins.model_id], dialect, "LoggedModel"),
        "Run": lambda: origins.has_run(lambda run_id: among([run_id], dialect, "Run")),
    }
    return _became(origins.is_scanned_version, *(conditions[name]() for name in types))


# Versions and their copies, which name them in their source

_original = tables.model_versions.alias("original")
_names_version = _v.c.source.like("models:/%/%")
_name_in_source = in_path(_v.c.source, "^models:/+([^/].*)/[0-9]{1,10}$")
_version_in_source = cast(in_path(_v.c.source, "/([0-9]{1,10})$"), BigInteger)
_copied = KeysFirst(
    _v,
    _original,
    and_(
        _original.c.workspace == origins.WORKSPACE,
        _original.c.name == _name_in_source,
        _original.c.version == _version_in_source,
        _original.c.current_stage != "Deleted_Internal",
    ),
)


def _copies(*conditions: ColumnElement[bool]) -> Select[Any]:
    columns = (_original.c.name, _original.c.version, _v.c.name, _v.c.version)
    return select(*columns).select_from(_copied).where(_names_version, *conditions)


def _copied_up(dialect: Dialect, _: Collection[str]) -> Select[Any]:
    return _copies(among([_v.c.name, _v.c.version], dialect, "ModelVersion"), origins.is_model_version)


def _copied_down(dialect: Dialect, _: Collection[str]) -> Select[Any]:
    key = [_original.c.name, _original.c.version]
    if dialect.name != "postgresql":
        return _copies(among(key, dialect, "ModelVersion"), origins.is_scanned_version)
    # As one text for each: else PostgreSQL, with statistics, takes each source apart again for each key.
    name, version = Keys.of(key, dialect, "ModelVersion").columns
    wanted = select(name + "/" + cast(version, Text)).scalar_subquery()
    named = _name_in_source + "/" + cast(_version_in_source, Text)
    return _copies(named == any_(func.array(wanted)), origins.is_scanned_version)


READ_BY = LinkKind("READ_BY", ["Dataset"], ["Run"], _read_up, _read_down)
PRODUCED = LinkKind("PRODUCED", ["Run"], ["LoggedModel"], _produced_up, _produced_down)
USED_BY = LinkKind("USED_BY", ["LoggedModel"], ["Run"], _used_up, _used_down)
STARTED = LinkKind("STARTED", ["Run"], ["Run"], _started_up, _started_down)
REGISTERED_AS = LinkKind("REGISTERED_AS", ["LoggedModel", "Run"], ["ModelVersion"], _became_up, _became_down)
COPIED_TO = LinkKind("COPIED_TO", ["ModelVersion"], ["ModelVersion"], _copied_up, _copied_down)

LINKS = (READ_BY, PRODUCED, USED_BY, STARTED, REGISTERED_AS, COPIED_TO)


def links_of(call: Call, kind: LinkKind, way: Way, nodes: Mapping[str, Sequence[Any]], most: int) -> Steps[list[Link]]:
    """The links of a kind that lead one way from nodes, which are given by type; `most` from each will do."""
    reader: Reader = call.context.reader
    types = tuple(name for name in kind.begins_at(way) if name in nodes)
    make = partial(kind.statement, way, reader.dialect, types)
    statement = kept_statement(call.memo, (kind.name, way, types), make, reader.dialect)
    rows = yield from fetched(reader, statement, kind.values(way, nodes, most, reader.dialect))
    return kind.links(rows)
