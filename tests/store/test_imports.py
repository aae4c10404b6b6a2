"""What is imported once the server has started."""

import gc
import sys

import pytest

from lineage_api.store.imports import importing


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module that nobody has imported, which holds a thousand lists."""
    (tmp_path / "never_imported.py").write_text("held = [[] for _ in range(1_000)]")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "never_imported"
    sys.modules.pop("never_imported", None)


def test_it_is_kept_out_of_garbage_collections(module):
    """Once: nothing is done where nothing is imported."""
    before = gc.get_freeze_count()
    with importing():
        __import__(module)
    kept = gc.get_freeze_count()
    assert kept >= before + 1_000
    new = [[] for _ in range(1_000)]
    with importing():
        __import__(module)
    assert gc.get_freeze_count() <= kept < kept + len(new)
