"""What tests of the API share: a server for one store, where it is all the same which database that has."""

import httpx
import pytest

from lineage_api.app import create_app
from lineage_api.config import Settings
from tests.conftest import Templates
from tests.stores import Store


def fly(store):
    """Makes the experiment `flights`, with two runs."""
    store.experiment("flights", runs=["first", "second"])


@pytest.fixture
def small(templates: Templates, tmp_path):
    """A store on SQLite with the experiment `flights`, and in it the runs `first` and `second`."""
    made = Store(templates.copy("sqlite", tmp_path), tmp_path / "artifacts")
    templates.filled(made, fly)
    yield made
    made.close()


@pytest.fixture
async def http(small):
    """Asks a server for that store over HTTP, in the process."""
    app = create_app(Settings(backend_store_uri=small.uri))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield client
