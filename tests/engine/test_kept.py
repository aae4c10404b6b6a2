"""What is kept, in all."""

import pytest

from lineage_api.engine import kept
from lineage_api.engine.kept import _SMALLEST_BYTES, _Keeping


@pytest.fixture
def keep(monkeypatch):
    """Keeps as much as three small things."""
    monkeypatch.setattr(kept, "MAX_BYTES", 3 * _SMALLEST_BYTES)
    monkeypatch.setattr(kept, "MAX_OF_A_MEMO", 2)
    return _Keeping().keep


def test_what_came_first_goes_first(keep):
    """From whatever memo; what is greater than all may be is not kept at all."""
    memos = [{} for _ in range(4)]
    for number, memo in enumerate(memos):
        keep(memo, number, "value", 0)
    assert memos == [{}, {1: "value"}, {2: "value"}, {3: "value"}]

    keep(memos[0], "great", "value", _SMALLEST_BYTES)
    assert memos == [{"great": "value"}, {}, {}, {3: "value"}]
    keep(memos[1], "too great", "value", 3 * _SMALLEST_BYTES)
    assert memos == [{}] * 4


def test_a_memo_begins_anew(keep):
    """Where it has as much as one memo may have; what has gone before is none the worse for it."""
    memo, other = {}, {}
    for number in range(3):
        keep(memo, number, "value", 0)
    assert memo == {2: "value"}
    for number in range(3):
        keep(other, number, "value", 0)
    assert (memo, other) == ({}, {2: "value"})
