"""The memory of the process: what is let go of is given back to the system."""

import ctypes
import platform
import threading
import time

_MMAP_THRESHOLD, _TRIM_THRESHOLD, _ARENA_MAX = -3, -1, -8
"""Parameters of `mallopt`, as glibc's malloc.h has them."""
TRIM_S = 1.0
"""How often all that is free is given back, which takes a millisecond."""


def keep_little() -> None:
    """Has glibc keep little of what is free; other libraries of C are let be.

    Each thread would have memory of its own, of which little is given back while any of it is in use, and what was
    needed for the longest answer ever would be kept: some 50 MB under a mixed load. To begin with two arenas, to ask
    for what is long by itself, and to give back what is free at the end, takes no time that can be measured; what is
    free between things that are in use, which is 17 MB after some attacks, is looked for now and then.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for parameter, value in ((_ARENA_MAX, 2), (_MMAP_THRESHOLD, 2**20), (_TRIM_THRESHOLD, 2**24)):
            libc.mallopt(parameter, value)
        threading.Thread(target=_trim, args=(libc,), name="memory", daemon=True).start()


def _trim(libc: ctypes.CDLL) -> None:
    while True:
        time.sleep(TRIM_S)
        libc.malloc_trim(0)
