"""Relations from parents that hold the keys of their children themselves, in an order of their own."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, column

from lineage_api.engine.arrows import One
from lineage_api.engine.levels import Call, Level
from lineage_api.engine.sql import Rows
from lineage_api.engine.steps import Steps
from lineage_api.engine.tables import Grouped, Picked, Table


class Listed(Level):
    """The rows whose keys stand in a column of the parents, as lists; those that are not there are left out."""

    def __init__(self, rows: Rows, of: str, to: Sequence[ColumnElement[Any]]) -> None:
        self.needs = (of,)
        self._names = [f"listed_{i}" for i in range(len(to))]
        self._one = One(rows, of=[column(name) for name in self._names], to=to)

    def resolve(self, call: Call) -> Steps[Any]:
        lists = call.column(self.needs[0])
        keys = [key if isinstance(key, tuple) else (key,) for each in lists for key in each]
        parents = Table.of(self._names, keys)
        found: Picked = yield from self._one.resolve(Call(parents, {}, call.context, call.below, call.memo))
        indices = iter(found.indices)
        kept = [[index for _, index in zip(each, indices, strict=False) if index is not None] for each in lists]
        return Grouped(Picked(found.rows, [index for each in kept for index in each]), list(map(len, kept)))
