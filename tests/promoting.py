"""What the tests of the examples share: a registry in which models are promoted, and processes that follow it."""

import os
import subprocess
import sys
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from lineage_api.app import create_app
from lineage_api.commands.serve import listening
from lineage_api.config import Settings
from tests import stores
from tests.serving import served

EXAMPLES = Path(__file__).parents[1] / "examples"
PATIENCE_S = 60.0
"""How long is waited for what takes a second, on a machine that has more to do."""


class Registry:
    """A registry with a model, and a server that can be stopped."""

    def __init__(self, store):
        self.store = store
        self.port = 0

    @property
    def url(self):
        """Where GraphQL is answered."""
        return f"http://127.0.0.1:{self.port}/graphql"

    @contextmanager
    def answering(self, **settings):
        """This registry, while its server is there, always at the same place."""
        with listening("127.0.0.1", self.port) as listener:
            self.port = listener.getsockname()[1]
            with served(create_app(Settings(backend_store_uri=self.store.uri, **settings)), listener):
                yield self

    def promote(self, count=1, model="flights"):
        """Registers so many versions, and moves each to Production; their numbers."""
        versions = [self.store.version(model, source="s3://models/1") for _ in range(count)]
        for version in versions:
            self.store.stage(model, version, "Production")
        return versions


@contextmanager
def registry_in(templates, folder):
    """A registry in which a model has been promoted."""
    with stores.filled("sqlite", templates, folder) as store:
        made = Registry(store)
        store.registered_model("flights")
        made.promote()
        yield made


@contextmanager
def running(example, *arguments, **variables):
    """A process of an example, ended in the end."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **variables}
    options = {"env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, EXAMPLES / example, *map(str, arguments)], **options) as process:
        try:
            yield process
        finally:
            process.kill()


class Quiet:
    """Says nothing of what it is asked."""

    def log_message(self, *_):
        pass


@contextmanager
def local(handler):
    """The port of an HTTP server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
