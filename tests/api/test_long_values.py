"""What is left of requests whose values are long: little, however many there are."""

import gc
import tracemalloc
from urllib.parse import urlsplit

import pytest

from lineage_api.app import create_app
from lineage_api.config import Settings
from tests.attacks.attack import asked, right
from tests.attacks.sending import sent
from tests.serving import served
from tests.stores import filled

TIMES, LENGTH = 80, 500_000
MOST = 24_000_000
"""What may be kept, what may wait for the garbage collector, and one request: half of what is asked."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request, templates, tmp_path_factory):
    """A store with a run."""
    with filled(request.param, templates, tmp_path_factory.mktemp("store")) as made:
        made.run(made.experiment("e"), "run", params={"p": 1})
        yield made


@pytest.mark.parametrize(
    "query",
    [
        "query ($x: String!) { runs(filterBy: { nameContains: $x }) { totalCount } }",
        "query ($x: String!) { runs(filterBy: { users: [$x] }) { nodes { name } } }",
        "query ($x: String!) { runs(orderBy: [{ metric: $x }]) { nodes { name } } }",
        "query ($x: String!) { runs { nodes { params(keys: [$x]) { key } } } }",
        "query ($x: String!) { runs(after: $x) { nodes { name } } }",
        "query ($x: String!) { registeredModel(name: $x) { name } }",
        "query ($x: Int!) { runs(first: $x) { nodes { name } } }",
    ],
    ids=["a filter", "a list", "an order", "a relation", "a cursor", "a root", "no such value"],
)
def test_little_is_left(store, query):
    """Values are kept with what was worked out for them, up to a limit; and wait for no garbage collection."""
    with served(create_app(Settings(backend_store_uri=store.uri))) as address:
        port = urlsplit(address).port

        def ask(number):
            return sent(port, asked("", query, right(200, 400), {"x": f"{number:04}" + "x" * LENGTH})).status

        assert ask(0) in {200, 400}
        gc.collect()
        tracemalloc.start()
        for number in range(1, TIMES):
            ask(number)
        left, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert left < MOST
