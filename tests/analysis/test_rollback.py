from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage_api.analysis.rollback import Basis, Candidate, Choice, Held, choice


def stays(*told):
    """Stays from a line each, such as `1: 0-5` or `2: 5-9 rolled away`; without an end they last."""
    read = []
    for event, line in enumerate(told):
        version, _, rest = line.partition(": ")
        span, _, how = rest.partition(" ")
        since, _, until = span.partition("-")
        read.append(Held(int(version), int(since), int(until) if until else None, event, how == "rolled away"))
    return read


def versions(**stages):
    """The versions in these stages."""
    return [Candidate(int(version), stage) for stage, every in stages.items() for version in every]


def test_the_version_that_held_the_place_before():
    """It was v1, then v2, then v3: back to v2, or else to v1."""
    held = stays("1: 0-5", "2: 5-9", "3: 9")
    assert choice(held, versions(Archived="12", Production="3"), [3]) == Choice(2, Basis.HISTORY, held[1], [1])


def test_after_a_rollback():
    """The version that was rolled away from is the last that one would go back to."""
    held = stays("1: 0-5", "2: 5-9", "3: 9-12 rolled away", "2: 12")
    assert choice(held, versions(Archived="13", Production="2"), [2]) == Choice(1, Basis.HISTORY, held[0], [3])


def test_a_version_that_was_rolled_away_from_and_given_the_place_again():
    """It counts again when it left in another way: its fault was mended, or was none."""
    held = stays("1: 0-5", "2: 5-9 rolled away", "1: 9-12", "2: 12-15", "3: 15")
    known = versions(Archived="12", Production="3")
    assert choice(held, known, [3]) == Choice(2, Basis.HISTORY, held[3], [1])

    again = stays("1: 0-5", "2: 5-9", "1: 9-12", "2: 12-15 rolled away", "3: 15")
    assert choice(again, known, [3]) == Choice(1, Basis.HISTORY, again[2], [2])


def test_only_versions_that_were_rolled_away_from():
    """None of them is the target, whatever their stage; the person may still choose one."""
    held = stays("1: 0-5 rolled away", "2: 5-9 rolled away", "3: 9")
    assert choice(held, versions(Archived="12", Production="3"), [3]) == Choice(None, None, None, [2, 1])


def test_several_versions_held_the_place_at_once():
    """Of those that left together, the one that came last; one that is still there is not gone back to."""
    held = stays("1: 0-20", "2: 5-20", "3: 6-10", "4: 8", "5: 20")
    known = versions(Archived="123", Production="45")
    assert choice(held, known, [4, 5]) == Choice(2, Basis.HISTORY, held[1], [1, 3])


def test_who_left_last_goes_before_who_came_last():
    """A long stay that ended late is more recent than a short one within it."""
    held = stays("1: 0-20", "2: 5-9", "3: 20")
    assert choice(held, versions(Archived="12", Production="3"), [3]) == Choice(1, Basis.HISTORY, held[0], [2])


def test_a_version_that_held_the_place_often():
    """It is there once, by its last stay; a clock that went back does not make an older stay the last."""
    held = stays("1: 0-5", "2: 5-6", "1: 6-4 rolled away", "2: 6-9", "3: 9")
    assert choice(held, versions(Archived="12", Production="3"), [3]) == Choice(2, Basis.HISTORY, held[3], [1])


@pytest.mark.parametrize(
    "known", [versions(Archived="1", Production="3"), versions(Archived="1", Production="3", Deleted_Internal="2")]
)
def test_a_version_that_was_deleted(known):
    """The one before it is the target."""
    held = stays("1: 0-5", "2: 5-9", "3: 9")
    assert choice(held, known, [3]) == Choice(1, Basis.HISTORY, held[0], [])


def test_history_does_not_reach_back():
    """Then it is the newest archived version; those in other stages never held the place."""
    known = [*versions(Archived="126", Production="3", Staging="4"), Candidate(5, "None")]
    assert choice([], known, [3]) == Choice(6, Basis.NEWEST_ARCHIVED, None, [2, 1])


def test_the_newest_archived_version_was_rolled_away_from():
    """The one before it is the target."""
    held = stays("2: 0-5 rolled away", "3: 5")
    assert choice(held, versions(Archived="12", Production="3"), [3]) == Choice(1, Basis.NEWEST_ARCHIVED, None, [2])


def test_a_version_in_another_stage_that_held_the_place():
    """History counts more than the stage: an alias may be given back to any version."""
    held = stays("1: 0-5", "2: 5-9", "3: 9")
    known = [*versions(Staging="1", Archived="4"), Candidate(2, "None"), Candidate(3, "None")]
    assert choice(held, known, [3]) == Choice(2, Basis.HISTORY, held[1], [1, 4])


def test_the_version_that_was_asked_for():
    """Whatever history says; what it would have been is the first of the others."""
    held = stays("1: 0-5", "2: 5-9", "3: 9")
    known = versions(Archived="124", Production="3")
    assert choice(held, known, [3], to=1) == Choice(1, Basis.CHOSEN, held[0], [2, 4])
    assert choice(held, known, [3], to=4) == Choice(4, Basis.CHOSEN, None, [2, 1])


def test_nothing_to_go_back_to():
    """A first version, or none."""
    nothing = Choice(None, None, None, [])
    assert choice(stays("1: 0"), versions(Production="1"), [1]) == nothing
    assert choice([], [], []) == nothing


NUMBERS = st.integers(1, 6)
TIMES = st.integers(0, 9)
HELD = st.lists(st.builds(Held, NUMBERS, TIMES, st.none() | TIMES, NUMBERS, st.booleans()), max_size=8)
STAGES = st.sampled_from(["None", "Staging", "Production", "Archived", "Deleted_Internal"])
VERSIONS = st.lists(st.builds(Candidate, NUMBERS, STAGES), max_size=6, unique_by=lambda each: each.version)


@given(HELD, VERSIONS, st.sets(NUMBERS, max_size=2), st.none() | NUMBERS)
def test_whatever_happened(held, known, current, to):
    """What is offered is there, is not current, and is offered once; only what is asked for is not looked at."""
    chosen = choice(held, known, current, to)

    offered = [*chosen.alternatives, *([] if chosen.target is None or to else [chosen.target])]
    assert {*offered} <= {each.version for each in known if each.stage != "Deleted_Internal"} - current
    assert len(offered) == len({*offered})
    assert chosen.target not in chosen.alternatives
    assert to is None or (chosen.target, chosen.basis) == (to, Basis.CHOSEN)
    assert (chosen.target is None) == (chosen.basis is None)
    assert chosen.last is None or (chosen.last.version == chosen.target and chosen.last.until is not None)


@given(st.lists(NUMBERS, min_size=1, max_size=8))
def test_going_back_again_and_again(promoted):
    """It comes by every version once, and ends."""
    order = [version for version, _ in groupby(promoted)]
    held = [Held(version, n, n + 1, n, False) for n, version in enumerate(order)]
    known = [Candidate(version, "Archived") for version in {*order}]
    now, seen = held.pop().version, []
    while now is not None:
        seen.append(now)
        held.append(Held(now, 20 + len(seen), 21 + len(seen), 0, True))
        now = choice(held, known, [now]).target
    assert sorted(seen) == sorted({*order})
