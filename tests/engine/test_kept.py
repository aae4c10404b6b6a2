"""What is kept, in all."""

import gc
import weakref

import pytest

from lineage_api.engine import kept
from lineage_api.engine.kept import _SMALLEST_BYTES, _Keeping


@pytest.fixture
def keep(monkeypatch):
    """Keeps as much as three small things, and their keys."""
    monkeypatch.setattr(kept, "MAX_BYTES", int(3.5 * _SMALLEST_BYTES))
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


def test_what_a_key_takes_is_counted(keep):
    """With all that is in it: values that were asked for."""
    memo, other = {}, {}
    keep(memo, ("name", (str, "x" * _SMALLEST_BYTES)), "value", 0)
    keep(other, 1, "value", 0)
    keep(other, 2, "value", 0)
    assert (memo, other) == ({}, {1: "value", 2: "value"})


class Itself:
    """What nothing else refers to is there until the garbage is collected."""

    def __init__(self):
        self.itself = self


def test_what_is_not_kept_any_more_is_gone(keep):
    """However few objects it is: it may be long."""
    gc.disable()
    try:
        known = []
        for number in range(12):
            value = Itself()
            known.append(weakref.ref(value))
            keep({}, number, value, 0)
            del value
        assert 3 <= sum(each() is not None for each in known) <= 5
    finally:
        gc.enable()
