"""What tests of the engine share: a small library on each database."""

import pytest

from tests.engine.library import Library, opened
from tests.stores import POSTGRESQL, has_postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request):
    """Each database that there is."""
    if request.param == "postgresql" and not has_postgresql():
        pytest.skip(f"no PostgreSQL answers at {POSTGRESQL}")
    return request.param


@pytest.fixture
def library(kind):
    """The library, on each database."""
    with opened(kind) as reader:
        yield Library(reader)
