"""Which part may know which: imports point down, and never in a ring."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "lineage_api"
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if "static" not in path.relative_to(PACKAGE).parts]

MAY_IMPORT = {  # of ours, and of other people's; `errors` and `docstrings` may be imported by all
    "cli": "config app api access commands migrations store registry demo click",  # api: for the schema that it prints
    "app": "config api access pages registry webhooks migrations store engine starlette",
    "commands": "config app api access analysis migrations store sqlalchemy click starlette uvicorn aiohttp",
    "pages": "starlette",
    "api": "config access graph registry webhooks engine store"
    " graphql strawberry sqlalchemy starlette backports compression",
    "graph": "access registry analysis store engine graphql strawberry sqlalchemy",
    "registry": "access analysis store sqlalchemy mlflow",
    "webhooks": "registry store sqlalchemy aiohttp",
    "access": "",
    "analysis": "",
    "store": "sqlalchemy mlflow psycopg psycopg_pool yaml",
    "engine": "graphql strawberry sqlalchemy",
    "migrations": "store sqlalchemy alembic",
    "demo": "mlflow sklearn pandas cloudpickle",
    "config": "",
    "errors": "",
    "docstrings": "",
    "__init__": "",
}
FOR_ALL = {"errors", "docstrings", "orjson", "packaging", *sys.stdlib_module_names}

LATE = {  # besides `cli`, where each command imports what it runs
    ("access/token_file.py", "fcntl"): "Windows has none",
    ("store/opening.py", "mlflow"): "it takes seconds, and only an empty database needs it",
    ("store/opening.py", "fcntl"): "Windows has none",
    ("store/search.py", "mlflow"): "it takes seconds, and only MLflow's own search syntax needs it",
    ("store/postgresql.py", "psycopg"): "an extra, without which SQLite is served",
    ("store/postgresql.py", "psycopg_pool"): "the same",
    ("migrations/recording.py", "alembic"): "it takes long, and only a migration needs it",
    ("registry/models.py", "mlflow"): "it takes seconds, and only changes need it",
    ("registry/tags.py", "mlflow"): "the same",
    ("registry/units.py", "mlflow"): "the same",
    ("registry/units.py", "lineage_api"): "the part that imports MLflow at once",
    ("registry/versions.py", "mlflow"): "the same as of the models",
}


class Import(NamedTuple):
    """What a line of a module imports, under its full name."""

    name: str
    line: int
    is_late: bool
    is_for_checkers: bool


def imports(path: Path) -> Iterator[Import]:
    """All of a module, also those inside functions, and those for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = _inside(tree, lambda node: isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    checkers = _inside(tree, lambda node: isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
    for node in ast.walk(tree):
        names = [f"{node.module}.{each.name}" for each in node.names] if isinstance(node, ast.ImportFrom) else []
        names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            yield Import(name, node.lineno, node in late, node in checkers)


def _inside(tree, is_meant):
    return {inner for node in ast.walk(tree) if is_meant(node) for inner in ast.walk(node)}


def named(path: Path) -> str:
    """The full name of a module."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def inside(path: Path) -> str:
    """Where a module stands in the package."""
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=inside)
def test_a_module_imports_only_what_its_part_may_know(path):
    """Also inside functions, and also for type checkers."""
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    allowed = {part, *MAY_IMPORT[part].split(), *FOR_ALL}
    for name, line, *_ in imports(path):
        known = name.removeprefix("lineage_api.").split(".")[0]
        assert known in allowed, f"{inside(path)}:{line} imports {name}"


def test_no_modules_import_each_other_in_a_ring():
    """Not even for type checkers, but for the one file in which the nouns' rings are closed."""
    names = {named(path) for path in MODULES}
    graph = {}
    for path in MODULES:
        found = [each.name for each in imports(path) if not (inside(path) == "graph/nouns.py" and each.is_for_checkers)]
        modules = {name if name in names else name.rpartition(".")[0] for name in found}
        graph[named(path)] = modules & names

    TopologicalSorter(graph).prepare()  # raises CycleError, which names the ring


def test_what_is_imported_late():
    """Each has its reason, and each reason its import."""
    late = {
        (inside(path), each.name.split(".")[0])
        for path in MODULES
        if not inside(path).startswith("cli/")
        for each in imports(path)
        if each.is_late
    }

    assert late == set(LATE)


def test_the_packages_parts_are_all_in_the_table():
    """A new part is thought about before it is imported."""
    parts = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}

    assert parts <= set(MAY_IMPORT)
