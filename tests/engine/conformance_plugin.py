"""A pytest plugin: graphql-core's own tests run with another ExecutionContext than its own.

Two variables of the environment steer it: EXECUTION_CONTEXT names the class, as `module:name`, and
EXECUTION_CONTEXT_EXPORTED, when it is set, replaces the names that tests import and derive classes from as well.
"""

import os
from pkgutil import resolve_name

import graphql


def pytest_configure() -> None:
    """Replace the class where graphql-core takes it when none is asked for."""
    context = resolve_name(os.environ["EXECUTION_CONTEXT"])
    # `graphql.execution.execute` is a function and hides the module of that name; its globals are the module's own.
    namespaces = [function.__globals__ for function in (graphql.execute, graphql.create_source_event_stream)]
    if "EXECUTION_CONTEXT_EXPORTED" in os.environ:
        namespaces += [vars(graphql), vars(graphql.execution)]
    for names in namespaces:
        assert "ExecutionContext" in names
        names["ExecutionContext"] = context
