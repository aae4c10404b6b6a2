"""Differences between what the files of two models say of them: environment, signature, size."""

from typing import Protocol

from lineage_api.analysis.differences import Found, differing
from lineage_api.analysis.environments import PYTHON, Environment, installed
from lineage_api.analysis.signatures import Signature, columns


class Manifest(Protocol):
    """What the files of a model say of it."""

    @property
    def size_bytes(self) -> int | None:
        """None when nobody recorded it."""

    @property
    def signature(self) -> Signature | None:
        """None when there is none, or when it can't be read."""

    @property
    def environment(self) -> Environment | None:
        """None when nothing says so."""


def environment(base: Manifest, head: Manifest) -> Found:
    """What has to be installed: packages by their names, and Python."""
    if base.environment is None or head.environment is None:
        return _unrecorded(base.environment, head.environment)
    before, after = installed(base.environment), installed(head.environment)
    pythons = [("base", before), ("head", after)]
    unknown = [f"Python was not recorded for the {whose}" for whose, found in pythons if PYTHON not in found]
    changes = differing(before, after, are_names=True)
    return Found([change for change in changes if change.key != PYTHON or not unknown], unknown)


def signature(base: Manifest, head: Manifest) -> Found:
    """What they take and give, by column."""
    if base.signature is None or head.signature is None:
        return _unrecorded(base.signature, head.signature)
    return Found(differing(columns(base.signature), columns(head.signature)))


def size(base: Manifest, head: Manifest) -> Found:
    """How much they take in storage, in bytes."""
    if base.size_bytes is None or head.size_bytes is None:
        return _unrecorded(base.size_bytes, head.size_bytes)
    changes = differing({"size": str(base.size_bytes)}, {"size": str(head.size_bytes)})
    return Found(changes[0] if changes else None)


def _unrecorded(base: object, head: object) -> Found:
    """What nobody recorded."""
    sides = (("base", base), ("head", head))
    return Found(None, [f"not recorded for the {whose}" for whose, found in sides if found is None])
