"""MLflow's modules, which take seconds to import, and import each other in circles: by one thread at a time.

Two that import them at once would find modules that are only half there.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

_importing = RLock()


@contextmanager
def importing() -> Iterator[None]:
    """While somebody imports any of them once the server has started.

    What is there afterwards is kept out of garbage collections: to look through MLflow takes a fifth of a second, for
    which nobody would be answered.
    """
    with _importing:
        known = len(sys.modules)
        yield
        if len(sys.modules) > known:
            gc.freeze()
