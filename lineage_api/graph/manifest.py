"""What the files of a model say of it."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Annotated

import strawberry
from packaging.utils import canonicalize_name

from lineage_api.engine.nouns import batch, noun
from lineage_api.graph.scalars import BigInt
from lineage_api.store import manifests

Names = Annotated[list[str], strawberry.argument(description="Only these names.")]


def _packages(packages: Sequence[list[manifests.Package]], names: Names | None = None) -> list[list[manifests.Package]]:
    wanted = None if names is None else set(map(canonicalize_name, names))
    kept = ([package for package in part if wanted is None or package.name in wanted] for part in packages)
    return [sorted(part, key=attrgetter("name")) for part in kept]


@noun
class SignatureField:
    """A column, tensor or parameter of a signature."""

    name: str | None
    """Its name; null for an unnamed tensor."""
    type: str
    """Its type, as MLflow writes it."""
    is_required: bool
    """Whether it has to be given."""
    shape: list[int] | None
    """Its shape; null when it is a column."""


@noun
class ModelSignature:
    """What a model takes and what it gives."""

    inputs: list[SignatureField]
    """What it takes."""
    outputs: list[SignatureField]
    """What it gives."""
    params: list[SignatureField]
    """What may be set when it is called."""


@noun
class Package:
    """A package that a model needs."""

    name: str
    """Its name, normalised, such as `scikit-learn`."""
    version: str | None
    """Its exact version; null when it is not pinned to one."""
    requirement: str
    """The requirement as it was written."""


@noun
class Environment:
    """What has to be installed to run a model."""

    python_version: str | None
    """The version of Python."""
    packages: list[Package] = batch(_packages, "packages")
    """The packages, by name."""


@noun
class ModelManifest:
    """What a model's own files say of it: `MLmodel` and the environment files beside it."""

    size_bytes: BigInt | None
    """How much it takes in storage, in bytes; null when that was not recorded."""
    flavors: list[str]
    """The ways in which it can be loaded, such as `sklearn` and `python_function`."""
    signature: ModelSignature | None
    """What it takes and what it gives; null when that was not recorded."""
    environment: Environment | None
    """What has to be installed to run it; null when that was not recorded."""
    mlflow_version: str | None
    """The MLflow that wrote it."""
