"""The words in which each database is asked, with or without our own tables, by those who may know secrets or not."""

from functools import cache, partial
from typing import Any

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import SQLCompiler

from lineage_api.store import history
from lineage_api.store.functions import HIDES_SECRETS


@cache
def dialect_of(name: str, lacking: frozenset[str] = frozenset(), *, hides_secrets: bool = False) -> Dialect:
    """The dialect of a database; tables of ours that it lacks are empty ones, and secrets are compared or not."""
    made: Dialect = _DIALECTS[name]()
    setattr(made, HIDES_SECRETS, hides_secrets)
    if lacking:
        made.statement_compiler = type("Lacking", (_Lacking, made.statement_compiler), {"lacking": lacking})
    return made


_DIALECTS: dict[str, Any] = {
    "sqlite": lambda: sqlite.dialect(paramstyle="qmark"),
    "postgresql": partial(postgresql.psycopg.dialect, paramstyle="numeric_dollar"),
}


class _Lacking(SQLCompiler):
    """Writes what has the columns of a table of ours and no rows, where one would stand that is not there."""

    lacking: frozenset[str]

    def visit_table(self, table: Table, asfrom: bool = False, **options: Any) -> str:  # type: ignore[override]
        if not asfrom or table.metadata is not history.metadata or table.name not in self.lacking:
            return super().visit_table(table, asfrom=asfrom, **options)  # type: ignore[no-any-return, no-untyped-call]
        types = self.dialect.type_compiler_instance
        columns = [f"CAST(NULL AS {types.process(c.type)}) AS {self.preparer.quote(c.name)}" for c in table.c]
        # SQLite's tables have this column too, by which pages are read.
        empty = f"(SELECT {', '.join([*columns, 'NULL AS rowid'])} WHERE 1 = 0)"
        is_named = getattr(options.get("enclosing_alias"), "element", None) is table
        return empty if is_named else f"{empty} AS {self.preparer.quote(table.name)}"
