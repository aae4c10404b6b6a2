"""The history of the code that trained the models: a git repository, written without git.

Runs name the commit of their code. The demo's own would be untrue if it was that of the folder where somebody happens
to start it, and worthless if it was made up: so each candidate is committed to a small bare repository beside the
store, and `git --git-dir=code.git show <commit>` (or a clone) gives exactly the code and the settings of its run.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from lineage_api.demo import training

BRANCH = "main"
FIRST_DAY = 1735722000  # of the commits: fixed, so that the same code has the same commits on every machine
DAY = 86_400


def write(folder: Path) -> list[str]:
    """Makes a bare repository here that has a commit for each candidate; gives their IDs, oldest first."""
    (folder / "refs" / "heads").mkdir(parents=True)
    (folder / "HEAD").write_text(f"ref: refs/heads/{BRANCH}\n")
    (folder / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
    commits: list[str] = []
    for candidate in training.CANDIDATES:
        tree = _tree(folder, {"candidate.json": _settings(candidate), "train.py": Path(training.__file__).read_bytes()})
        parent = f"parent {commits[-1]}\n" if commits else ""
        author = f"Demo <demo@example.com> {FIRST_DAY + len(commits) * DAY} +0000"
        text = f"tree {tree}\n{parent}author {author}\ncommitter {author}\n\nTry a {candidate.title}\n"
        commits.append(_object(folder, "commit", text.encode()))
    (folder / "refs" / "heads" / BRANCH).write_text(f"{commits[-1]}\n")
    return commits


def _settings(candidate: training.Candidate) -> bytes:
    return (json.dumps(asdict(candidate), indent=2) + "\n").encode()


def _tree(folder: Path, files: Mapping[str, bytes]) -> str:
    entries = [
        f"100644 {name}".encode() + b"\0" + bytes.fromhex(_object(folder, "blob", content))
        for name, content in sorted(files.items())
    ]
    return _object(folder, "tree", b"".join(entries))


def _object(folder: Path, kind: str, content: bytes) -> str:
    whole = f"{kind} {len(content)}".encode() + b"\0" + content
    name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    path = folder / "objects" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zlib.compress(whole))
    return name
