"""How pauses grow, and when it is given up."""

import pytest

from lineage_api.webhooks.tempo import Tempo


@pytest.mark.parametrize(
    ("failures", "pause_s"), [(1, 5), (2, 30), (3, 120), (4, 600), (5, 1_800), (6, 3_600), (7, 3_600), (100, 3_600)]
)
def test_pauses_grow(failures, pause_s):
    """Up to an hour, each a little longer than said, so that not all webhooks come back at once."""
    pauses_ms = {Tempo().pause_ms(failures, None) for _ in range(50)}

    assert all(pause_s * 1_000 <= pause_ms <= pause_s * 1_100 for pause_ms in pauses_ms)
    assert len(pauses_ms) > 1


@pytest.mark.parametrize(
    ("asked_s", "least_s", "most_s"), [(0, 5, 5.5), (4, 5, 5.5), (700, 700, 700), (10**9, 3_600, 3_600)]
)
def test_a_receiver_may_ask_for_a_longer_pause(asked_s, least_s, most_s):
    """Of an hour at most; it cannot ask for a shorter one."""
    assert least_s * 1_000 <= Tempo().pause_ms(1, asked_s) <= most_s * 1_000


def test_when_it_is_given_up():
    """After a day of failures, or at once when the receiver wants nothing more."""
    day_ms = 24 * 3_600 * 1_000

    assert Tempo().end(day_ms - 1, 503, "answered 503") is None
    assert Tempo().end(day_ms, 503, "answered 503") == "not taken for 24 h, at last: answered 503"
    assert Tempo().end(0, 410, "answered 410") == "answered 410: its receiver wants nothing more"
