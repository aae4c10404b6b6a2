"""Tests of stores that nobody changes meanwhile: one server for all tests of a module, on one event loop.

To start one for each would take longer than all else that they do.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.asking import Client
from tests.stores import Store

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs these on the loop of their module."""
    for item in items:
        if item.path.parent == HERE and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


@pytest.fixture(scope="module")
def statements() -> list[str]:
    """The SQL of the last question that `client` asked."""
    return []


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    """The settings of the server, where they are not the usual ones."""
    return {}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(store: Store, statements: list[str], settings: dict[str, Any]) -> AsyncIterator[Client]:
    """Asks the whole server about `store`."""
    async with Client.of(store.uri, statements, **settings) as asking:
        yield asking
