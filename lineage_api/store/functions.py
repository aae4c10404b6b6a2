"""SQL functions that the supported databases name differently, or that SQLite lacks."""

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ARRAY, Boolean, ColumnElement, Dialect, String, any_, func, literal, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

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


@compiles(in_path, "postgresql")
def _in_path_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"substring({compiler.process(element.clauses, **options)})"


def run_in_path(path: ColumnElement[Any]) -> ColumnElement[Any]:
    """The ID of the run whose artifact folder a path is in, going by MLflow's own layout."""
    return func.in_path(path, _RUN_IN_PATH)


def model_in_path(path: ColumnElement[Any]) -> ColumnElement[Any]:
    """The ID of the logged model whose artifact folder a path is in, going by MLflow's own layout."""
    return func.in_path(path, _MODEL_IN_PATH)


def among(column: ColumnElement[Any], values: Sequence[Any], dialect: Dialect) -> ColumnElement[bool]:
    """Whether a column has one of any number of values, which are one parameter."""
    if dialect.name == "postgresql":
        return column == any_(literal(list(values), ARRAY(column.type)))
    listed = func.json_each(orjson.dumps(list(values)).decode()).table_valued("value")
    return column.in_(select(listed.c.value))


def install(connection: sqlite3.Connection) -> None:
    """Gives a connection to SQLite the functions that it lacks."""
    connection.create_function("casefold", 1, lambda text: text and str(text).casefold(), deterministic=True)
    connection.create_function("in_path", 2, _found, deterministic=True)


def _found(path: str | None, pattern: str) -> str | None:
    found = re.search(pattern, path or "")
    return found and found[1]
