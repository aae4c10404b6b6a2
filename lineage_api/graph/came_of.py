"""The versions that came of datasets: through the runs that read them, and the runs that those started."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Dialect, Integer, Select, String, and_, bindparam, or_, select

from lineage_api.analysis.lineage import Node, Way
from lineage_api.engine.arrows import fetched, kept_statement
from lineage_api.engine.levels import Call
from lineage_api.engine.narrowing import Narrowed
from lineage_api.engine.sql import KeysFirst, Rows, among, key_values
from lineage_api.engine.steps import Steps
from lineage_api.engine.tables import Table
from lineage_api.graph.links import READ_BY, STARTED, links_of
from lineage_api.graph.rows import MODEL_VERSIONS
from lineage_api.graph.version_page import VersionPage
from lineage_api.store import origins, tables
from lineage_api.store.functions import rows_in

_ALL = 2**31 - 1
_NAME = "came_of"

_v = tables.model_versions.c
_pairs = rows_in(bindparam(_NAME, None), place=Integer, name=String, version=Integer).c
_is_one = and_(_v.workspace == origins.WORKSPACE, _v.name == _pairs.name, _v.version == _pairs.version)

VERSIONS = Rows(
    KeysFirst(_pairs.place.table, tables.model_versions, _is_one), MODEL_VERSIONS.columns, MODEL_VERSIONS.conditions
)
"""Versions beside the place of the dataset that they came of."""
PLACE = _pairs.place

_Reached = dict[Any, set[int]]
"""Which datasets, by their places among the parents, each run goes back to."""


class CameOf(VersionPage):
    """A page of the versions that came of each dataset; they are found first, and narrowed and ordered after."""

    def is_sql(self, arguments: Mapping[str, Any]) -> bool:  # noqa: ARG002
        return False

    def resolve(self, call: Call) -> Steps[Any]:
        datasets = list(zip(*map(call.column, self.needs), strict=True))
        reached = yield from _readers(call, datasets)
        yield from _add_started(call, reached)
        found = yield from _versions(call, reached)
        places = Table({name: range(len(datasets)) for name in self.needs}, len(datasets))
        arguments = {**call.arguments, _NAME: orjson.dumps(found).decode()}
        return (yield from super().resolve(Call(places, arguments, call.context, call.below, call.memo)))

    def keys(self, call: Call) -> Sequence[Any]:
        return range(len(call.parents))

    def narrowed(self, arguments: Mapping[str, Any], memo: dict[Any, Any], prefix: str = "") -> Narrowed:
        return super().narrowed(arguments, memo, prefix).also({_NAME: arguments[_NAME]})


def _readers(call: Call, datasets: Sequence[tuple[Any, ...]]) -> Steps[_Reached]:
    """The runs that read the datasets."""
    places: dict[Node, set[int]] = {}
    for place, key in enumerate(datasets):
        places.setdefault(Node("Dataset", key), set()).add(place)
    keys = [node.key for node in places]
    reached: _Reached = {}
    for link in (yield from links_of(call, READ_BY, Way.DOWNSTREAM, {"Dataset": keys}, _ALL)):
        reached.setdefault(link.target.key[0], set()).update(places[link.source])
    return reached


def _add_started(call: Call, reached: _Reached) -> Steps[None]:
    """Adds the runs that those started, and so on: a statement for each generation."""
    frontier = set(reached)
    while frontier:
        keys = [(run_id,) for run_id in sorted(frontier)]
        links = yield from links_of(call, STARTED, Way.DOWNSTREAM, {"Run": keys}, _ALL)
        frontier = set()
        for link in links:
            parent, child = link.source.key[0], link.target.key[0]
            if not reached[parent] <= reached.get(child, set()):
                reached[child] = reached.get(child, set()) | reached[parent]
                frontier.add(child)


def _versions(call: Call, reached: _Reached) -> Steps[list[tuple[int, str, int]]]:
    """The versions that were registered from these runs, or from models that they logged: place, name and number."""
    if not reached:
        return []
    reader = call.context.reader
    statement = kept_statement(call.memo, _NAME, lambda: _statement(reader.dialect), reader.dialect)
    rows = yield from fetched(reader, statement, key_values(sorted(reached), 1, reader.dialect, "Run"))
    return [
        (place, name, version)
        for name, version, *runs in rows
        for place in sorted(set().union(*(reached.get(run_id, ()) for run_id in runs)))
    ]


def _statement(dialect: Dialect) -> Select[Any]:
    models = tables.logged_models.alias("logged").c
    is_kept = models.lifecycle_stage != "deleted"
    logged = select(models.model_id).where(is_kept, among([models.source_run_id], dialect, "Run"))
    logged_by = select(models.source_run_id).where(is_kept, models.model_id == origins.model_id).scalar_subquery()
    is_from_run = origins.has_run(lambda run_id: among([run_id], dialect, "Run"))
    rows = select(_v.name, _v.version, origins.run_id, logged_by.label("logged_by"))
    return rows.where(or_(is_from_run, origins.model_id.in_(logged)), origins.is_scanned_version)
