"""The execution context that the tests of this folder test: ours, or the one that LINEAGE_API_CONTEXT names."""

import os
from pkgutil import resolve_name

from graphql import ExecutionContext

NAME = os.environ.get("LINEAGE_API_CONTEXT", "lineage_api.engine.execute:ColumnarExecutionContext")
"""As `module:name`."""

OURS: type[ExecutionContext] = resolve_name(NAME)
