"""Subscriptions in GraphiQL, which asks for them over a WebSocket."""

from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from lineage_api.app import create_app
from lineage_api.config import Settings
from tests.api.test_graphiql import arrive, browser, window
from tests.following import CREATE, followers
from tests.serving import served
from tests.stores import Store

__all__ = ["browser", "window"]


@pytest.fixture
def store(templates, tmp_path):
    """An empty store."""
    made = Store(templates.copy("sqlite", tmp_path), tmp_path / "artifacts")
    yield made
    made.close()


@pytest.fixture
def app(store):
    """The whole server for that store."""
    return create_app(Settings(backend_store_uri=store.uri))


@pytest.fixture
def address(app):
    """Where it answers."""
    with served(app) as address:
        yield address


def seen(window, condition):
    """Waits for something that has to happen, while the browser goes on."""
    for _ in range(3_000):
        if condition():
            return
        window.wait_for_timeout(10)
    raise AssertionError("it has not happened")


def test_a_subscription_shows_what_happens(window, app, store):
    """Event after event is shown as it happens, until the button is pressed again; nothing is left then."""
    arrive(window, "/graphql?" + urlencode({"query": "subscription { registryEvents { kind modelName } }"}))
    window.get_by_role("button", name="Execute query").click()
    seen(window, lambda: followers(app) == 1)

    for name in ("first", "second"):
        store.sql(CREATE, n=name)
        expect(window.locator(".result-window")).to_contain_text(f'"modelName": "{name}"')

    window.get_by_role("button", name="Stop query").click()
    seen(window, lambda: followers(app) == 0)
