"""Environments: what has to be installed for a model."""

import re
from collections.abc import Sequence
from typing import Protocol

PYTHON = "python"
"""Under which name Python itself stands among the packages."""


class Package(Protocol):
    """A package that a model needs."""

    @property
    def name(self) -> str:
        """Normalised."""

    @property
    def version(self) -> str | None:
        """The only version that will do; None when there may be several."""

    @property
    def requirement(self) -> str:
        """As it was written."""


class Environment(Protocol):
    """What has to be installed for a model."""

    @property
    def python_version(self) -> str | None:
        """None when it is not named."""

    @property
    def packages(self) -> Sequence[Package]:
        """The packages."""


def installed(environment: Environment) -> dict[str, str]:
    """The version of each package, and of Python itself; else what was asked for, such as `>=2`."""
    wanted: dict[str, list[str]] = {}
    if environment.python_version:
        wanted[PYTHON] = [environment.python_version]
    for package in environment.packages:
        wanted.setdefault(package.name, []).append(package.version or _wanted(package))
    return {name: ", ".join(sorted(versions)) for name, versions in wanted.items()}


def _wanted(package: Package) -> str:
    """What is asked for when no version is named: the requirement without the name that it may begin with."""
    name = "[-_.]+".join(map(re.escape, package.name.split("-")))
    return re.sub(rf"^{name}(?![\w.-])\s*", "", package.requirement, flags=re.IGNORECASE) or "any"
