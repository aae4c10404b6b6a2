"""How much memory a server takes for an answer of 10 MB, over what it holds when idle."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.questions import NEWEST, Json
from benchmarks.servers import Server
from benchmarks.tables import digits, table

BYTES = 10_000_000
SAMPLE_S = 0.001


def measured(servers: Sequence[Server]) -> Json:
    """Megabytes of each server: idle, at the peak, and afterwards."""
    result = {}
    for server in servers:
        if not server.way.answers(NEWEST):
            continue
        [body] = server.ask(NEWEST, {"first": 1000})[1]
        variables = {"first": BYTES * 1000 // len(body)}
        idle = server.memory()
        Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # forgets the peak so far
        whole = server.memory("VmRSS")
        with peak(server) as found:
            [body] = server.ask(NEWEST, variables)[1]
        result[server.name] = {
            "bytes": len(body),
            "idle": idle,
            "peak": found[0] - idle,
            "with_files": server.memory("VmHWM") - whole,
            "after": server.memory() - idle,
        }
    return result


@contextmanager
def peak(server: Server) -> Iterator[list[float]]:
    """The most anonymous memory that it was seen to hold, in megabytes."""
    found, is_over = [server.memory()], threading.Event()

    def watch() -> None:
        while not is_over.wait(SAMPLE_S):
            found[0] = max(found[0], server.memory())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        is_over.set()
        thread.join()


def shown(result: Json) -> str:
    """A table of Markdown."""
    parts = ("idle", "peak", "with_files", "after")
    rows = [[name, f"{one['bytes'] / 1e6:.1f}", *(digits(one[part]) for part in parts)] for name, one in result.items()]
    heads = ["MB", "answer", "idle", "more at the peak", "the same with mapped files", "more afterwards"]
    return table(heads, rows)
