"""What a server gives back of its memory."""

import platform
import subprocess
import sys

import pytest

COUNTING = """
import ctypes, os, sys, tempfile, threading
from lineage_api.commands.memory import keep_little

if sys.argv[1] == "keep_little":
    keep_little()
libc, at_once = ctypes.CDLL(None), threading.Barrier(8)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def take():
    at_once.wait()
    for place in [libc.malloc(10_000) for _ in range(1_000)]:
        libc.free(place)
    at_once.wait()

threads = [threading.Thread(target=take) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with tempfile.NamedTemporaryFile() as file:
    libc.fopen.restype, libc.malloc_info.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
    libc.fclose.argtypes = [ctypes.c_void_p]
    stream = libc.fopen(file.name.encode(), b"w")
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(file.read().count(b"<heap nr="))
"""

BETWEEN = """
import ctypes, time
from lineage_api.commands import memory

def held():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))

memory.TRIM_S = 0.2
memory.keep_little()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
places = [libc.malloc(100_000) for _ in range(300)]
for place in places:
    libc.memset(place, 1, 100_000)
full = held()
for place in places[:-1]:
    libc.free(place)
time.sleep(1)
print(full - held())
"""

only_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to")


@only_glibc
def test_what_is_free_below_what_is_in_use():
    """It is given back after a while: 30 MB here, below a place that is kept."""
    told = subprocess.run([sys.executable, "-c", BETWEEN], capture_output=True, text=True, check=True)
    assert int(told.stdout) > 25_000


@only_glibc
def test_threads_have_no_memory_of_their_own():
    """Two places are enough for all of them; else there is one for each, which is kept."""
    heaps = {}
    for how in ("keep_little", "as it is"):
        told = subprocess.run([sys.executable, "-c", COUNTING, how], capture_output=True, text=True, check=True)
        heaps[how] = int(told.stdout)
    assert heaps["keep_little"] <= 2 < heaps["as it is"]
