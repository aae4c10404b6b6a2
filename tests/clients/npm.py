"""Programs for Node.js, with the packages that they need."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def installed(name: str, folder: Path) -> Path:
    """A folder with the program of a name, ready to run; skips where it cannot be."""
    npm, place = shutil.which("npm"), HERE / name
    if not shutil.which("node") or not npm:
        pytest.skip("Node.js is missing: apt-get install nodejs npm")
    if (place / "node_modules").exists():
        return place
    made = Path(shutil.copytree(place, folder / name))
    command = [npm, "ci", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{name} cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    return made


def node(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """A program that has been started."""
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(["node", *arguments], cwd=folder, **options)
