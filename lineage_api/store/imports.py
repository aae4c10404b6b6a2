"""MLflow's modules, which take seconds to import, and import each other in circles: by one thread at a time.

Two that import them at once would find modules that are only half there.
"""

from threading import RLock

importing = RLock()
"""Held by whoever imports any of them once the server has started."""
