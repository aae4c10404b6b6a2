"""The demo's project in a folder: made once, found again later, and never in the way of anything else.

MLflow is used in a process of its own. So nothing of it is left behind in ours (the tracking URI and the active run
are global, settings are read from the environment, a store without artifact root makes one in the current directory),
and a folder that is finished is found without importing it.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

from lineage_api.demo.place import APPLICATION_ID, READY, Place
from lineage_api.errors import Unsuitable

NAME = "nyc-flights-regressor"
LOCK = "lineage-api-demo.lock"
"""There from the beginning: it says that the folder is the demo's. Held while the project is made."""
MARKER = "lineage-api-demo.json"
"""There in the end: it says that the project is whole, where it was made, and what the model is called."""
PATIENCE_SECONDS = 120
"""How long another process may take to make it."""
NEEDED = ("sklearn", "pandas", "cloudpickle")


def nothing(_: str) -> None:
    """Takes a line and does nothing with it."""


def make(
    folder: Path,
    name: str = NAME,
    progress: Callable[[str], None] = nothing,
    prepared: Callable[[str], object] = nothing,
) -> str:
    """Makes a small real project in this folder, or finds the one that is there; gives the URI of its store.

    `progress` gets a line for each step. `prepared` gets the URI when the store has its tables and nothing has happened
    in it yet: whoever wants the whole history begins to watch there. It is not called for a project that is found.
    """
    _check_name(name)
    place = Place(_usable(folder))
    if _is_finished(place, name):
        return place.uri
    _check_needs()
    with _locked(place):
        if not _is_finished(place, name):
            _clear(place)
            progress(f"making a project in {place.folder}")
            _build(place, name, progress, prepared)
            _finish(place, name)
    return place.uri


def _check_name(name: str) -> None:
    if not name.strip() or set("/:") & set(name):
        raise Unsuitable(f"{name!r} cannot be the name of a model: it needs a character, and neither / nor :.")


def _usable(folder: Path) -> Path:
    """The folder in full, if it is empty, ours, or not there yet."""
    folder = folder.expanduser().resolve()
    if set("%?#") & set(str(folder)):
        raise Unsuitable(f"{folder} cannot stand in a database's URI: choose a folder without %, ? or # in its path.")
    if folder.exists() and not folder.is_dir():
        raise Unsuitable(f"{folder} is not a folder.")
    if folder.exists() and not (folder / LOCK).exists() and any(folder.iterdir()):
        raise Unsuitable(f"{folder} holds something else: choose an empty folder for the demo.")
    return folder


def _is_finished(place: Place, name: str) -> bool:
    marker = place.folder / MARKER
    if not marker.exists() or not place.database.exists():
        return False
    made = json.loads(marker.read_text(encoding="utf-8"))
    if made["folder"] != str(place.folder):
        raise Unsuitable(f"{place.folder} was made as {made['folder']}: move it back, or choose another folder.")
    if made["name"] != name:
        raise Unsuitable(f"The model in {place.folder} is {made['name']}: use that name, or choose another folder.")
    return True


def _check_needs() -> None:
    missing = [module for module in NEEDED if find_spec(module) is None]
    if missing:
        raise Unsuitable(f"The demo needs {', '.join(missing)}: pip install 'lineage-api[demo]'")


@contextmanager
def _locked(place: Place) -> Iterator[None]:
    """Alone in the folder, by a lock that ends with the process: SQLite has one for every system."""
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
        lock = sqlite3.connect(place.folder / LOCK, timeout=PATIENCE_SECONDS, isolation_level=None)
    except (OSError, sqlite3.OperationalError) as error:
        raise Unsuitable(f"The demo cannot be made in {place.folder}: {error}.") from error
    with closing(lock):
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise Unsuitable(f"The demo cannot be made in {place.folder}: {error}.") from error
        yield


def _clear(place: Place) -> None:
    """Takes away what an earlier attempt left; only by name, and only beside its own database, which it made first."""
    parts = [part for part in (place.database, place.data, place.artifacts, place.code) if part.exists()]
    if not parts:
        return
    if not _is_ours(place.database):
        raise Unsuitable(f"{parts[0]} was not made by the demo: choose an empty folder for it.")
    (place.folder / MARKER).unlink(missing_ok=True)
    place.data.unlink(missing_ok=True)
    for folder in filter(Path.exists, (place.artifacts, place.code)):
        shutil.rmtree(folder)
    for beside in ("-wal", "-shm", ""):  # the database last, so that whatever is left is known to be ours
        place.database.with_name(place.database.name + beside).unlink(missing_ok=True)


def _is_ours(database: Path) -> bool:
    """By its header; an empty file is what SQLite makes first."""
    if not database.exists():
        return False
    if database.stat().st_size == 0:
        return True
    try:
        with closing(sqlite3.connect(database)) as opened:
            return bool(opened.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,))
    except sqlite3.DatabaseError:
        return False


def _build(place: Place, name: str, progress: Callable[[str], None], prepared: Callable[[str], object]) -> None:
    command = [sys.executable, "-P", "-m", "lineage_api.demo.build", str(place.folder), name]
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile() as noise,
        subprocess.Popen(  # noqa: S603 - our own module, with arguments that no shell sees
            command, cwd=place.folder, env=_environment(), stdin=pipe, stdout=pipe, stderr=noise
        ) as child,
    ):
        try:
            _listen(child, progress, lambda: prepared(place.uri))
            child.wait()
        except BaseException:
            child.kill()
            raise
        if child.returncode != 0:
            noise.seek(0)
            raise _failure(place, noise.read().decode(errors="replace").strip())


def _listen(child: subprocess.Popen[bytes], progress: Callable[[str], None], prepared: Callable[[], object]) -> None:
    assert child.stdin is not None and child.stdout is not None  # noqa: PT018 - for type checkers
    for line in child.stdout:
        said = line.decode().rstrip()
        if said != READY:
            progress(said)
            continue
        prepared()
        child.stdin.write(b"\n")
        child.stdin.flush()


def _failure(place: Place, noise: str) -> Unsuitable:
    reason = noise.splitlines()[-1] if noise else "its process was stopped"
    failure = Unsuitable(f"The demo could not be made in {place.folder}: {reason}")
    failure.add_note(noise)
    return failure


def _environment() -> dict[str, str]:
    """Ours, without what it says to MLflow: no server, no experiment and no account of the user's is meant here."""
    meant_for_us = ("MLFLOW_", "_MLFLOW_", "PYTHONWARNINGS")
    own = {key: value for key, value in os.environ.items() if not key.startswith(meant_for_us)}
    return {
        **own,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "PYTHONPATH": os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path),
        "PYTHONUTF8": "1",
    }


def _finish(place: Place, name: str) -> None:
    """Writes the marker, whole or not at all, when everything else is in its place."""
    with closing(sqlite3.connect(place.database)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    draft = place.folder / f"{MARKER}.draft"
    draft.write_text(json.dumps({"name": name, "folder": str(place.folder)}), encoding="utf-8")
    draft.replace(place.folder / MARKER)
