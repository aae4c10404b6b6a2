"""What MLflow writes, and what it means."""

from datetime import UTC, datetime, timedelta

import pytest

from lineage_api.store import convert


def test_a_document_that_is_nested_too_deeply() -> None:
    """It could not be written into an answer, so it stays the text that it is."""
    assert convert.document("[" * 201 + "]" * 201) == "[" * 201 + "]" * 201
    assert convert.document('{"a":' * 201 + "1" + "}" * 201) == '{"a":' * 201 + "1" + "}" * 201
    assert isinstance(convert.document("[" * 200 + "]" * 200), list)


def test_a_document_that_is_wide() -> None:
    """Breadth is no depth."""
    assert convert.document(f"[{','.join(['[]'] * 500)}]") == [[]] * 500


@pytest.mark.parametrize(("microseconds", "lies_in", "not_before"), [(0, 0, 0), (1, 0, 1), (999, 0, 1), (-1, -1, 0)])
def test_the_millisecond_of_a_moment(microseconds: int, lies_in: int, not_before: int) -> None:
    """The one that it lies in, and the first that is not before it."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)

    assert (convert.millisecond_of(moment), convert.milliseconds(moment)) == (lies_in, not_before)


def test_a_time_that_is_always_there() -> None:
    """Where MLflow's 0 means that there is none, ours is the beginning of 1970."""
    assert [convert.recorded(0), convert.moment(0)] == [datetime(1970, 1, 1, tzinfo=UTC), None]
    assert convert.recorded(1_001) == convert.moment(1_001)
