"""What SQLAlchemy has compiled, kept for all engines.

Each store of a test has engines of its own, which are asked much the same as those of the one before.
"""

from typing import Any

import sqlalchemy

_MOST = 5_000


class Compiled(dict[Any, Any]):
    """Compiled statements; engines whose dialects write the same share them."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_shared(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        if len(self) >= _MOST:
            self.clear()
        super().__setitem__(_shared(key), compiled)


def _shared(key: Any) -> tuple[Any, ...]:
    """The key of a statement, with all that a dialect may write differently for the dialect itself."""
    dialect, *rest = key
    version, length = dialect.server_version_info, dialect.max_identifier_length
    return type(dialect), dialect.statement_compiler, dialect.paramstyle, version, length, *rest


_compiled = Compiled()


def share() -> None:
    """Has engines compile a statement once for all of them."""
    sqlalchemy.event.listen(sqlalchemy.Engine, "engine_connect", _share)


def _share(connection: sqlalchemy.Connection) -> None:
    connection.execution_options(compiled_cache=_compiled)
