"""SQL functions that the supported databases name differently, or that SQLite lacks."""

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Boolean, ColumnElement, Select, String, Subquery, cast, func, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeEngine

HIDES_SECRETS = "hides_secrets"
"""The attribute of a dialect that says whether those who ask in it may not compare secrets."""

_RUN_IN_PATH = "/([0-9a-f]{32})/artifacts"
_MODEL_IN_PATH = "/(m-[0-9a-f]{32})/artifacts"


class contains(GenericFunction[bool]):  # noqa: N801 - named as SQL names functions
    """Whether the first text contains the second."""

    type = Boolean()
    inherit_cache = True


class contains_alike(GenericFunction[bool]):  # noqa: N801
    """Whether the first text contains the second, upper and lower case alike."""

    type = Boolean()
    inherit_cache = True


class in_path(GenericFunction[str]):  # noqa: N801
    """The part of a path that a regular expression's group matches; null where nothing does."""

    type = String()
    inherit_cache = True


class likely(GenericFunction[bool]):  # noqa: N801
    """Whether a condition is met that many rows meet: SQLite, lacking statistics, thinks that an index leads to few."""

    type = Boolean()
    inherit_cache = True


class readable(GenericFunction[bool]):  # noqa: N801
    """Whether a text may be compared for whoever asks.

    All may be; where secrets are hidden (see `dialects`), all but those in which a regular expression finds something.
    """

    type = Boolean()
    inherit_cache = True


class withheld(GenericFunction[bool]):  # noqa: N801
    """Whether a text that is a secret may be compared for whoever asks."""

    type = Boolean()
    inherit_cache = True


class texts_in(GenericFunction[str]):  # noqa: N801
    """The texts in an array in JSON, as rows."""

    type = String()
    inherit_cache = True


class arrays_in(GenericFunction[str]):  # noqa: N801
    """The arrays in an array in JSON, as rows."""

    inherit_cache = True


class item_of(GenericFunction[str]):  # noqa: N801
    """An item of an array in JSON, by its index, as a text."""

    type = String()
    inherit_cache = True


@compiles(contains)
def _contains(element: Any, compiler: Any, **options: Any) -> str:
    return f"(instr({compiler.process(element.clauses, **options)}) > 0)"


@compiles(contains, "postgresql")
def _contains_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"(strpos({compiler.process(element.clauses, **options)}) > 0)"


@compiles(contains_alike)
def _contains_alike(element: Any, compiler: Any, **options: Any) -> str:
    text, part = (compiler.process(clause, **options) for clause in element.clauses)
    return f"(instr(casefold({text}), casefold({part})) > 0)"


@compiles(contains_alike, "postgresql")
def _contains_alike_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    text, part = (compiler.process(clause, **options) for clause in element.clauses)
    return f"(strpos(lower({text}), lower({part})) > 0)"


@compiles(likely, "postgresql")
def _likely_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)})"


@compiles(readable)
def _readable(element: Any, compiler: Any, **options: Any) -> str:
    if not getattr(compiler.dialect, HIDES_SECRETS, False):
        return "(1 = 1)"
    return compiler.process(func.in_path(*element.clauses).is_(None), **options)  # type: ignore[no-any-return]


@compiles(withheld)
def _withheld(element: Any, compiler: Any, **options: Any) -> str:  # noqa: ARG001
    return "(1 = 0)" if getattr(compiler.dialect, HIDES_SECRETS, False) else "(1 = 1)"


@compiles(in_path, "postgresql")
def _in_path_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"substring({compiler.process(element.clauses, **options)})"


@compiles(texts_in, "sqlite")
def _texts_in(element: Any, compiler: Any, **options: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **options)}))"  # noqa: S608 - of parts in SQL


@compiles(texts_in, "postgresql")
def _texts_in_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    array = compiler.process(element.clauses, **options)
    return f"(SELECT json_array_elements_text(CAST({array} AS JSON)))"


@compiles(arrays_in, "sqlite")
def _arrays_in(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(arrays_in, "postgresql")
def _arrays_in_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(element.clauses, **options)} AS JSON))"


@compiles(item_of, "sqlite")
def _item_of(element: Any, compiler: Any, **options: Any) -> str:
    array, index = element.clauses
    return f"json_extract({compiler.process(array, **options)}, '$[{index.value}]')"


@compiles(item_of, "postgresql")
def _item_of_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    array, index = element.clauses
    return f"({compiler.process(array, **options)} ->> {index.value})"


def one_of(text: ColumnElement[Any], texts: Sequence[str] | ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a text is one of any number, which are one parameter: given as such, they are to be `as_array`."""
    return text.bool_op("IN")(func.texts_in(texts if isinstance(texts, ColumnElement) else as_array(texts)))


def as_array(texts: Sequence[str]) -> str:
    """Texts as an array in JSON."""
    return orjson.dumps(list(texts)).decode()


MOST_JOINED = 4
"""How many rows that are looked for side by side may be joined; PostgreSQL thinks for seconds about 100 of them."""


def there_are(rows: Select[Any], beside: int) -> ColumnElement[bool]:
    """Whether there are rows, where so many conditions of this kind stand side by side."""
    # An offset keeps them from being joined: they are looked for one after the other.
    return (rows.offset(literal_column("0")) if beside > MOST_JOINED else rows).exists()


def run_in_path(path: ColumnElement[Any]) -> ColumnElement[Any]:
    """The ID of the run whose artifact folder a path is in, going by MLflow's own layout."""
    return func.in_path(path, _RUN_IN_PATH)


def model_in_path(path: ColumnElement[Any]) -> ColumnElement[Any]:
    """The ID of the logged model whose artifact folder a path is in, going by MLflow's own layout."""
    return func.in_path(path, _MODEL_IN_PATH)


def rows_in(parameter: ColumnElement[Any], **columns: type[TypeEngine[Any]]) -> Subquery:
    """The rows that a parameter holds: an array of arrays in JSON, which have a value for each of these columns."""
    each = func.arrays_in(parameter).table_valued("value")
    parts = (cast(func.item_of(each.c.value, index), kind).label(n) for index, (n, kind) in enumerate(columns.items()))
    return select(*parts).subquery()


def install(connection: sqlite3.Connection) -> None:
    """Gives a connection to SQLite the functions that it lacks."""
    connection.create_function("casefold", 1, lambda text: text and str(text).casefold(), deterministic=True)
    connection.create_function("in_path", 2, _found, deterministic=True)


def _found(path: str | None, pattern: str) -> str | None:
    found = re.search(pattern, path or "")
    return found and found[1]
