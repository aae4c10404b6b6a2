"""Stores with a registered model, whose database nobody else has open."""

import pytest

from tests.faults.clients import MODEL
from tests.stores import Store


@pytest.fixture
def on_sqlite(templates, tmp_path):
    """One on SQLite."""
    made = Store(templates.copy("sqlite", tmp_path), tmp_path / "artifacts")
    made.registered_model(MODEL)
    made.close()
    return made
