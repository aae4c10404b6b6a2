import math
from fractions import Fraction

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lineage_api.analysis.differences import Kind, ValueChange, differing

QUICKLY = settings(deadline=None, max_examples=100, phases=[Phase.explicit, Phase.generate])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.decimals(-1000, 1000, places=3) | st.integers()
TEXTS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["", "0.1", "0.10", "NaN", "x"]))


def test_what_came_went_and_changed():
    """By key; what is the same is not there."""
    changes = differing({"b": "1", "same": "NaN", "gone": "x"}, {"b": "2", "same": "NaN", "a": ""})
    assert changes == [ValueChange("a", None, ""), ValueChange("b", "1", "2"), ValueChange("gone", "x", None)]
    assert [change.kind for change in changes] == [Kind.ADDED, Kind.CHANGED, Kind.REMOVED]


@pytest.mark.parametrize(
    ("base", "head", "delta", "relative"),
    [
        ("0.1", "0.3", 0.2, 2.0),
        ("3", "2", -1.0, -1 / 3),
        ("-2", "-3", -1.0, 0.5),
        ("+.5", "1.", 0.5, 1.0),
        ("1e-3", "2E-3", 0.001, 1.0),
        ("0.1", "0.10", 0.0, 0.0),
        ("0", "5", 5.0, None),
        ("0e7", "5", 5.0, None),
        ("1e-300", "1e308", 1e308, None),
        ("-1.7e308", "1.7e308", None, -2.0),
        ("1e400", "1", None, None),
        ("NaN", "1", None, None),
        ("1", "Infinity", None, None),
        ("1_000", "1", None, None),
        (" 1", "2", None, None),
        ("0x10", "2", None, None),
        ("٣", "2", None, None),
        ("", "2", None, None),
        ("1" * 1001, "1", None, None),
        (None, "1", None, None),
        ("1", None, None, None),
    ],
)
def test_numbers(base, head, delta, relative):
    """As people write them; what is none, or too large, has no delta, and nothing is so many times 0."""
    change = ValueChange("k", base, head)
    assert (change.delta, change.relative) == (delta, relative)
    assert (ValueChange("k", base, head, are_names=True).delta) is None


@QUICKLY
@given(TEXTS, TEXTS)
def test_differences_lead_from_one_to_the_other(base, head):
    """And the other way round they are the opposite."""
    changes = differing(base, head)
    made = base | {change.key: change.head for change in changes}
    assert {key: value for key, value in made.items() if value is not None} == head
    assert [change.key for change in changes] == sorted({change.key for change in changes})
    assert [(each.key, each.head, each.base) for each in differing(head, base)] == [
        (each.key, each.base, each.head) for each in changes
    ]


@QUICKLY
@given(NUMBERS, NUMBERS)
def test_a_delta_is_exact(base, head):
    """It is the number nearest to what was written, and relative to the base."""
    change = ValueChange("k", str(base), str(head))
    exact = Fraction(str(head)) - Fraction(str(base))
    if change.delta is None:
        assert abs(exact) > 1.7e308 or max(abs(base), abs(head)) > 1.7e308
    else:
        assert math.isclose(change.delta, exact, rel_tol=1e-15)
        assert change.relative is None or math.isclose(change.relative, exact / Fraction(str(base)), rel_tol=1e-15)
