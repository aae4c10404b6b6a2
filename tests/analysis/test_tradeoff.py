"""Trade-offs, against the plain meaning of the words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_api.analysis.tradeoff import dominators, number, places_of, weighed

few = st.sampled_from([-1.5, -0.0, 0.0, 1.0, 2.0])  # few enough that many are equal
points = st.integers(1, 4).flatmap(lambda axes: st.lists(st.tuples(*[few] * axes), max_size=25))


def dominates(one, other):
    """Whether a point is nowhere worse and somewhere better; less is better."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


def test_who_dominates_whom():
    """Of equal points none dominates the other, and both dominate what they are better than."""
    found = dominators([(1.0, 2.0), (1.0, 2.0), (1.0, 3.0), (0.0, 9.0), (2.0, 3.0)])

    assert [*map(places_of, found)] == [[], [], [0, 1], [], [0, 1, 2]]


@settings(deadline=None, max_examples=100)
@given(points)
def test_any_points(costs):
    """Each is dominated by just those that the definition names."""
    expected = [[place for place, other in enumerate(costs) if dominates(other, point)] for point in costs]

    assert [*map(places_of, dominators(costs))] == expected


@settings(deadline=None, max_examples=100)
@given(points, st.lists(st.booleans(), min_size=4, max_size=4), st.integers(1, 25))
def test_the_best_of_any_candidates(values, wishes, first):
    """They come in order, with all that dominate them: none of these is cut off."""
    candidates = {f"{place:02}": value for place, value in enumerate(values)}
    are_maximised = wishes[: len(values[0])] if values else []
    costs = {
        key: tuple(-part if up else part for part, up in zip(value, are_maximised, strict=True))
        for key, value in candidates.items()
    }

    found = weighed(candidates, are_maximised, first)

    assert [point.key for point in found] == sorted(candidates, key=lambda key: (costs[key], key))[:first]
    for point in found:
        assert point.values == candidates[point.key]
        better = {found[place].key for place in places_of(point.dominators)}
        assert better == {key for key, cost in costs.items() if dominates(cost, costs[point.key])}
        assert point.is_optimal == (not better)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1", 0.1), ("1e-3", 0.001), ("-2", -2.0), ("+.5E2", 50.0), ("7.", 7.0), ("1e-999", 0.0),
        ("nan", None), ("inf", None), ("-Infinity", None), ("1e999", None), ("1_000", None), ("1,5", None),
        ("0x10", None), (" 1", None), ("1\n", None), ("", None), (".", None), ("e5", None), ("٣", None), (None, None),
    ],
)  # fmt: skip
def test_texts_that_are_numbers(text, expected):
    """Decimals, with an exponent or without; and what Python takes for a number beside."""
    assert number(text) == expected
