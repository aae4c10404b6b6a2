"""What graphql-core's executor abandons, as it no longer needs it: Python complains of that as it collects garbage."""

import pytest

ABANDONED = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("collected"),
]
"""Marks of tests that are answered by it: the garbage is collected in them, and not in whatever test comes later."""
