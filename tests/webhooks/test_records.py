"""The rows of webhooks: who may send, how far each has come, what is logged."""

import threading
import time
from contextlib import contextmanager
from itertools import count

import pytest
import sqlalchemy

from lineage_api.store.engines import changing
from lineage_api.store.feed import EVERYTHING, Wanted
from lineage_api.store.webhook_tables import deliveries, webhooks
from lineage_api.webhooks import records, signing
from lineage_api.webhooks.records import Due, Lease
from lineage_api.webhooks.sending import Attempt
from lineage_api.webhooks.tempo import Tempo

URL = "https://ci.example/hook"
TAKEN = Attempt(200, None, 5)
FAILED = Attempt(503, "answered 503", 5)
TEMPO = Tempo(pauses_s=(600, 1_200))
DAY_MS = 24 * 3_600_000

_holders = count()


@contextmanager
def working(store):
    """A transaction like the deliverer's."""
    engine = changing(store.uri, 1, 2_000)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def done(store, work, *args, **more):
    """What comes of one function, in a transaction of its own."""
    with working(store) as connection:
        return work(connection, *args, **more)


def added(store, **more):
    """The ID of a new webhook."""
    return done(store, records.add, url=URL, secret=signing.new_secret(), **{"head": 0, **more}).id


def lease(webhook_id, lasts_ms=600_000):
    """A lease of somebody new."""
    return Lease(webhook_id, f"holder {next(_holders)}", lasts_ms)


def claimed(store, webhook_id):
    """The lease of a webhook, which was free."""
    held = lease(webhook_id)
    assert done(store, records.claim, held) is not None
    return held


def logged(store):
    """What is logged, in order, but for its times."""
    d = deliveries.c
    chosen = sqlalchemy.select(d.webhook_id, d.event_id, d.cause, d.attempt, d.status, d.error).order_by(d.id)
    with store._engine.connect() as connection:
        return [tuple(row) for row in connection.execute(chosen)]


def row(store, webhook_id):
    """A webhook as it is."""
    return done(store, records.webhook, webhook_id)


def now(store):
    """The moment as the database knows it."""
    with working(store) as connection:
        return connection.scalar(sqlalchemy.select(records.clock(connection)))


def test_the_clock(store):
    """It is the database's, in milliseconds since 1970."""
    assert abs(now(store) - time.time() * 1_000) < 600_000
    assert len({now(store) // 10 for _ in range(3)}) >= 1
    with working(store) as connection:
        began = connection.scalar(sqlalchemy.select(sqlalchemy.text("since FROM lineage_recording")))
    assert done(store, records.began_at) == began


def test_a_webhook_is_made_changed_and_deleted(store):
    """What is known of it goes with it, and nothing of others."""
    wanted = Wanted(frozenset({"ä", "b"}), frozenset({"ALIAS_SET"}), frozenset())
    made = done(store, records.add, url=URL, secret="s", head=7, wanted=wanted, description="d", created_by="me")
    assert (made.url, made.secret, made.handled_event, made.description, made.created_by) == (URL, "s", 7, "d", "me")
    assert abs(made.created_at - now(store)) < 600_000
    assert records.wanted(made) == wanted
    assert records.wanted(row(store, added(store))) == EVERYTHING

    changed = done(store, records.change, made.id, {"url": "https://b", **records.filters(EVERYTHING)})
    assert (changed.url, records.wanted(changed), changed.secret) == ("https://b", EVERYTHING, "s")

    for id_ in (made.id, made.id + 1):
        done(store, records.note_apart, id_, "TEST", TAKEN, None)
    assert done(store, records.delete, made.id) is True
    assert row(store, made.id) is None
    assert [each[0] for each in logged(store)] == [made.id + 1]
    assert done(store, records.delete, made.id) is False
    assert done(store, records.change, made.id, {"url": URL}) is None
    assert done(store, records.enable, made.id) is None
    assert done(store, records.note_apart, made.id, "TEST", TAKEN, None) is None


def test_one_holds_the_lease(store):
    """Nobody else does, until it is released, or has run out without a sign of life."""
    id_ = added(store)
    first, other = lease(id_), lease(id_)
    assert done(store, records.claim, first).lease == first.holder
    assert done(store, records.claim, other) is None
    assert done(store, records.renew, other) is None
    done(store, records.release, other)
    assert row(store, id_).lease == first.holder

    done(store, records.release, first)
    assert (row(store, id_).lease, row(store, id_).leased_until) == (None, None)
    assert done(store, records.claim, other).lease == other.holder

    store.sql("UPDATE lineage_webhooks SET leased_until = leased_until - 600001")
    assert done(store, records.renew, other) is not None
    assert done(store, records.claim, first) is None
    store.sql("UPDATE lineage_webhooks SET leased_until = leased_until - 600001")
    assert done(store, records.claim, first).lease == first.holder


@pytest.mark.parametrize("attempt", [TAKEN, FAILED])
def test_who_has_lost_the_lease_writes_nothing(store, attempt):
    """Not even what came of his attempt: it is another's turn."""
    id_ = added(store)
    slow = claimed(store, id_)
    store.sql("UPDATE lineage_webhooks SET leased_until = 0")
    claimed(store, id_)
    before = row(store, id_)

    assert done(store, records.note, slow, 1, attempt, TEMPO) is None
    assert done(store, records.pass_over, slow, 1) is None
    done(store, records.release, slow)
    assert row(store, id_) == before
    assert logged(store) == []


def test_an_event_is_taken(store):
    """The webhook comes that far, and the lease is as long as at first."""
    id_ = added(store)
    held = claimed(store, id_)
    store.sql("UPDATE lineage_webhooks SET leased_until = leased_until - 500000")
    after = done(store, records.note, held, 3, TAKEN, TEMPO)

    assert (after.handled_event, after.attempts, after.failing_since, after.next_attempt_at) == (3, 0, None, None)
    assert after.leased_until > now(store) + 300_000
    assert logged(store) == [(id_, 3, "EVENT", 1, 200, None)]


def test_an_event_is_not_taken(store):
    """The webhook stays where it is and waits; how long it has failed is known, until it is taken at last."""
    id_ = added(store, head=2)
    held = claimed(store, id_)
    failed = done(store, records.note, held, 3, FAILED, TEMPO)
    assert (failed.handled_event, failed.attempts, failed.disabled_at) == (2, 1, None)
    assert 600_000 <= failed.next_attempt_at - failed.failing_since - 5 <= 660_000
    assert failed.created_at - 5 <= failed.failing_since <= now(store) - 5

    done(store, records.release, held)
    assert done(store, records.claim, held) is None
    [due] = done(store, records.due, 3)
    assert 0 < due.wait_ms <= 660_000
    store.sql("UPDATE lineage_webhooks SET next_attempt_at = next_attempt_at - 660000")
    assert done(store, records.due, 3) == [Due(id_, 0)]
    assert done(store, records.claim, held) is not None
    again = done(store, records.note, held, 3, FAILED, TEMPO)
    assert (again.attempts, again.failing_since) == (2, failed.failing_since)
    assert again.next_attempt_at - again.failing_since > 1_200_000
    assert again.next_attempt_at - now(store) <= 1_320_000

    taken = done(store, records.note, held, 3, TAKEN, TEMPO)
    assert (taken.attempts, taken.failing_since, taken.next_attempt_at) == (0, None, None)
    assert logged(store) == [
        (id_, 3, "EVENT", 1, 503, "answered 503"),
        (id_, 3, "EVENT", 2, 503, "answered 503"),
        (id_, 3, "EVENT", 3, 200, None),
    ]


def test_it_is_given_up_after_a_day(store):
    """The last attempt is made when the day is over; enabled again, it goes on where it was."""
    id_ = added(store, head=2)
    held = claimed(store, id_)
    done(store, records.note, held, 3, FAILED, TEMPO)
    store.sql("UPDATE lineage_webhooks SET attempts = 30, failing_since = :since", since=now(store) - DAY_MS + 120_000)
    waiting = done(store, records.note, held, 3, FAILED, TEMPO)
    assert waiting.next_attempt_at == waiting.failing_since + DAY_MS

    store.sql("UPDATE lineage_webhooks SET failing_since = :since", since=now(store) - DAY_MS)
    over = done(store, records.note, held, 3, FAILED, TEMPO)
    assert over.disabled_reason == "not taken for 24 h, at last: answered 503"
    assert (over.handled_event, over.next_attempt_at) == (2, None)
    assert abs(over.disabled_at - now(store)) < 600_000
    done(store, records.release, held)
    assert done(store, records.claim, held) is None
    assert done(store, records.due, 9) == []
    assert not done(store, records.has_enabled)

    enabled = done(store, records.enable, id_)
    assert (enabled.handled_event, enabled.attempts, enabled.failing_since) == (2, 0, None)
    assert (enabled.disabled_at, enabled.disabled_reason) == (None, None)
    assert done(store, records.due, 9) == [Due(id_, 0)]
    assert done(store, records.has_enabled)


def test_a_receiver_that_is_gone(store):
    """The webhook is disabled at once."""
    held = claimed(store, added(store))

    gone = done(store, records.note, held, 3, Attempt(410, "answered 410", 5), TEMPO)
    assert gone.disabled_reason == "answered 410: its receiver wants nothing more"


def test_a_receiver_that_asks_to_wait(store):
    """It is waited for that long."""
    held = claimed(store, added(store))

    waiting = done(store, records.note, held, 3, Attempt(429, "answered 429", 5, 1_000), TEMPO)
    assert waiting.next_attempt_at - waiting.failing_since == 1_000_005


def test_it_is_disabled_while_something_is_sent(store):
    """The reason stays what it was, whatever comes of the attempt."""
    id_ = added(store)
    held = claimed(store, id_)
    done(store, records.disable, id_, "not needed")
    for attempt in (FAILED, TAKEN):
        after = done(store, records.note, held, 3, attempt, TEMPO)
        assert (after.disabled_reason, after.attempts) == ("not needed", 0)
    assert after.handled_event == 3


def test_it_is_deleted_while_something_is_sent(store):
    """Nothing of it comes back."""
    id_ = added(store)
    held = claimed(store, id_)
    done(store, records.delete, id_)

    assert done(store, records.note, held, 3, TAKEN, TEMPO) is None
    assert logged(store) == []


def test_it_is_deleted_while_somebody_logs_a_test(store):
    """Who logs waits, and finds it gone: nothing of it is left."""
    id_, came = added(store), []
    logging = threading.Thread(
        target=lambda: came.append(done(store, records.note_apart, id_, "TEST", TAKEN, None)), daemon=True
    )
    with working(store) as connection:
        records.delete(connection, id_)
        logging.start()
        logging.join(0.5)
        assert came == []
    logging.join(60)

    assert came == [None]
    assert logged(store) == []


def test_another_url_is_tried_at_once(store):
    """What its last receiver did is no matter; with another description alone it waits as before."""
    id_ = added(store)
    held = claimed(store, id_)
    done(store, records.note, held, 3, FAILED, TEMPO)
    done(store, records.release, held)

    assert done(store, records.change, id_, {"description": "d"}).attempts == 1
    changed = done(store, records.change, id_, {"url": "https://b"})
    assert (changed.attempts, changed.failing_since, changed.next_attempt_at) == (0, None, None)


def test_events_are_passed_over(store):
    """Nothing is logged of them, and failures of one before them are over."""
    id_ = added(store)
    held = claimed(store, id_)
    done(store, records.note, held, 3, FAILED, TEMPO)
    after = done(store, records.pass_over, held, 5)

    assert (after.handled_event, after.attempts, after.next_attempt_at) == (5, 0, None)
    assert len(logged(store)) == 1


def test_which_are_due(store):
    """Those that are behind and enabled, the farthest behind first, and how long each has to wait for others."""
    near, far, done_with, off = added(store, head=5), added(store, head=2), added(store, head=9), added(store)
    done(store, records.disable, off)
    claimed(store, near)

    [first, second] = done(store, records.due, 9)
    assert first == Due(far, 0)
    assert second.webhook_id == near
    assert 0 < second.wait_ms <= 600_000
    assert done_with not in {first.webhook_id, second.webhook_id}
    store.sql("UPDATE lineage_webhooks SET leased_until = 1 WHERE id = :id", id=near)
    assert done(store, records.due, 9)[1] == Due(near, 0)


def test_the_log_has_an_end(store, monkeypatch):
    """The last attempts of each webhook are kept, those of others are no matter."""
    monkeypatch.setattr(records, "MAX_LOGGED", 3)
    first, other = added(store), added(store)
    held = claimed(store, first)
    done(store, records.note_apart, other, "TEST", FAILED, None)
    for event_id in range(1, 6):
        done(store, records.note, held, event_id, TAKEN, TEMPO)
    id_ = done(store, records.note_apart, first, "REDELIVERY", TAKEN, 2)

    assert [each[:3] for each in logged(store)] == [
        (other, None, "TEST"),
        (first, 4, "EVENT"),
        (first, 5, "EVENT"),
        (first, 2, "REDELIVERY"),
    ]
    with store._engine.connect() as connection:
        last = connection.execute(sqlalchemy.select(deliveries).where(deliveries.c.id == id_)).one()
    assert (last.event_id, last.duration_ms) == (2, 5)
    assert abs(last.attempted_at - now(store)) < 600_000
    assert row(store, first).handled_event == 5
    assert len(webhooks.c) == 17
