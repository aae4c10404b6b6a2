"""Entry points: what MLflow recorded of what was started, as something in the repository that can be started again."""

import posixpath
import re
from dataclasses import dataclass
from enum import Enum

_KERNELS = frozenset(("ipykernel_launcher.py", "colab_kernel_launcher.py"))
_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")
_OTHER_FILE = re.compile(
    r".*\.(?:bash|bat|cmd|dbc|exe|ipy|jar|jl|json|ksh|md|pl|ps1|pyc|qmd|r|rb|rmd|scala|sh|sql|toml|txt|ya?ml|zsh)",
    re.IGNORECASE,
)
"""Files that are written like modules, and are none."""


class Kind(Enum):
    """How something is started."""

    FILE = "FILE"
    NOTEBOOK = "NOTEBOOK"
    MODULE = "MODULE"


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """Something that can be started in a clone of the repository."""

    kind: Kind
    name: str
    """The path of the file below the repository, or the dotted name of the module."""
    is_certain: bool = True
    """Whether it is known to be there; if not, it is somewhere in the repository."""


def is_kernel(recorded: str) -> bool:
    """Whether it is the kernel of a notebook, which says nothing of the notebook."""
    return posixpath.basename(recorded.replace("\\", "/")) in _KERNELS


def entry_point(recorded: str, repo_url: str | None) -> EntryPoint | None:
    """What can be started; None when it is not clear how."""
    path = recorded.replace("\\", "/")
    if "://" not in path and path.endswith(".py"):
        return EntryPoint(Kind.FILE, *_place(path, repo_url))
    if "://" not in path and path.endswith(".ipynb"):
        return EntryPoint(Kind.NOTEBOOK, *_place(path, repo_url))
    is_module = _MODULE.fullmatch(path) and not _OTHER_FILE.fullmatch(path)
    return EntryPoint(Kind.MODULE, path) if is_module else None


def _place(path: str, repo_url: str | None) -> tuple[str, bool]:
    """Where a file is in the repository, and whether that is certain."""
    if not re.match("/|[A-Za-z]:", path):
        inside = posixpath.normpath(path)
        # The folder that it was started in is not known.
        return (posixpath.basename(path), False) if inside.startswith("../") else (inside, True)
    parts = posixpath.normpath(path).split("/")
    repository = posixpath.basename((repo_url or "").replace(":", "/").rstrip("/").removesuffix(".git"))
    places = [place for place, part in enumerate(parts[:-1]) if part == repository and part]
    return ("/".join(parts[places[0] + 1 :]), len(places) == 1) if places else (parts[-1], False)
