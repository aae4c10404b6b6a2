"""A pytest plugin: graphql-core's own tests run with another ExecutionContext than its own.

Three variables of the environment steer it. EXECUTION_CONTEXT names the class, as `module:name`. Where
EXECUTION_CONTEXT_EXPORTED is set, tests also derive their own classes from it, and where SUBSCRIBE is set, it names
the function that they subscribe with.
"""

import os
from pkgutil import resolve_name

import graphql


def pytest_configure() -> None:
    """Replace the class where graphql-core takes it when none is asked for."""
    # `graphql.execution.execute` is a function and hides the module of that name; its globals are the module's own.
    namespaces = [function.__globals__ for function in (graphql.execute, graphql.create_source_event_stream)]
    exported = [vars(graphql), vars(graphql.execution)]
    _replace("ExecutionContext", os.environ["EXECUTION_CONTEXT"], namespaces)
    if "EXECUTION_CONTEXT_EXPORTED" in os.environ:
        _replace("ExecutionContext", os.environ["EXECUTION_CONTEXT"], exported)
    if "SUBSCRIBE" in os.environ:
        _replace("subscribe", os.environ["SUBSCRIBE"], exported)


def _replace(name: str, place: str, namespaces: list[dict[str, object]]) -> None:
    for names in namespaces:
        assert name in names
        names[name] = resolve_name(place)
