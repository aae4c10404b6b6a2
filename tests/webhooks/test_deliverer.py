"""Events are sent to webhooks: at least once, in order, by one process at a time."""

import asyncio
import logging
import sqlite3
import sys
from contextlib import closing

import pytest
import sqlalchemy
from standardwebhooks import Webhook

from lineage_api.errors import NotFound, Unsuitable
from lineage_api.store.feed import Feed, Wanted
from lineage_api.store.webhook_tables import deliveries, webhooks
from lineage_api.webhooks import records
from lineage_api.webhooks.deliverer import Deliverer
from lineage_api.webhooks.records import Lease
from tests.stores import Store
from tests.webhooks.deliverers import delivering, done, feed_of, hook, ids, last_event, model, tag, told
from tests.webhooks.receivers import LOCAL, receiving, until


def row(store, webhook_id):
    """A webhook as it is."""
    return done(store.uri, records.webhook, webhook_id)


def handled(store, *rows):
    """A condition: that these webhooks have come as far as the history."""
    return lambda: all(row(store, each.id).handled_event == last_event(store) for each in rows)


def log(store):
    """The log: which webhook, event, cause, attempt, status and error, in order."""
    d = deliveries.c
    chosen = sqlalchemy.select(d.webhook_id, d.event_id, d.cause, d.attempt, d.status, d.error).order_by(d.id)
    with store._engine.connect() as connection:
        return [tuple(each) for each in connection.execute(chosen)]


def rows(store):
    """Both tables, and on PostgreSQL who wrote each row last."""
    columns = "xmin, *" if store.kind == "postgresql" else "*"
    with store._engine.connect() as connection:
        return [
            connection.execute(sqlalchemy.text(f"SELECT {columns} FROM {table.name} ORDER BY id")).all()
            for table in (webhooks, deliveries)
        ]


async def test_events_are_sent(store):
    """What had happened since the webhook was made, then what happens; signed, in order, each once, and logged."""
    model(store)
    async with receiving() as receiver:
        made = hook(store, receiver.url, head=last_event(store))
        tag(store, "a", "b")
        async with delivering(store):
            await until(handled(store, made))
            await asyncio.to_thread(tag, store, "c")
            await until(handled(store, made))

        first, last = made.handled_event + 1, last_event(store)
        assert receiver.ids == ids(made.id, first, last)
        assert len(receiver.ids) == 3
        told = [Webhook(made.secret).verify(each.body, each.headers) for each in receiver.received]
        since = done(store.uri, records.began_at)
        assert {each["source"] for each in told} == {f"urn:lineage-api:registry:{since}"}
        assert [each["data"]["id"] for each in told] == [f"event {id_}" for id_ in range(first, last + 1)]
    assert log(store) == [(made.id, id_, "EVENT", 1, 200, None) for id_ in range(first, last + 1)]
    assert (row(store, made.id).lease, row(store, made.id).leased_until) == (None, None)


async def test_what_is_not_wanted_is_passed_over(store):
    """It is neither sent nor logged, and costs one write for many events."""
    model(store)
    model(store, "other")
    async with receiving() as receiver:
        wanted = Wanted(models=frozenset({"m"}), kinds=frozenset({"TAG_SET"}))
        made, unwilling = (
            hook(store, receiver.url, wanted=wanted),
            hook(store, receiver.url, wanted=Wanted(frozenset())),
        )
        tag(store, "a", "b", name="other")
        tag(store, "wanted")
        tag(store, "c", name="other")
        async with delivering(store):
            await until(handled(store, made, unwilling))

        [id_] = receiver.ids
    assert [(each[0], each[2]) for each in log(store)] == [(made.id, "EVENT")]
    assert id_ == f"msg_{made.id}_{last_event(store) - 1}"


async def test_an_event_that_is_gone(store):
    """It is passed over, at the end of what there is and before other events."""
    model(store)
    tag(store, "a", "b", "c")
    answers = told(store.uri)
    last = last_event(store)

    async def ask(event_id):
        return None if event_id in {last - 2, last} else await answers(event_id)

    async with receiving() as receiver:
        made = hook(store, receiver.url, head=last - 3)
        async with delivering(store, ask=ask):
            await until(handled(store, made))

        assert receiver.ids == [f"msg_{made.id}_{last - 1}"]


async def test_events_of_prompts(store):
    """Nobody is told of them; that they were the last keeps nobody busy."""
    model(store, "p")
    store.sql(
        "INSERT INTO registered_model_tags (workspace, name, key, value) "
        "VALUES ('default', 'p', 'mlflow.prompt.is_prompt', 'true')"
    )
    async with receiving() as receiver:
        made = hook(store, receiver.url)
        async with delivering(store):
            await until(handled(store, made))
        assert receiver.received == []


async def test_a_receiver_that_fails(store):
    """It is tried again until it takes the event; no other comes before."""
    model(store)
    async with receiving() as receiver:
        receiver.answers = [500, 302, 503]
        made = hook(store, receiver.url, head=last_event(store))
        tag(store, "a", "b")
        async with delivering(store):
            await until(handled(store, made))

        first, second = ids(made.id, last_event(store) - 1, last_event(store))
        assert receiver.ids == [first, first, first, first, second]
    assert [each[3:5] for each in log(store)] == [(1, 500), (2, 302), (3, 503), (4, 200), (1, 200)]


async def test_a_receiver_that_is_away_for_a_while(store):
    """It is killed and comes back, and has got every event, in order."""
    model(store)
    async with receiving() as receiver:
        made = hook(store, receiver.url, head=last_event(store))
        async with delivering(store):
            tag(store, "a")
            await until(handled(store, made))
            await receiver.stop()
            await asyncio.to_thread(tag, store, "b", "c")
            await until(lambda: row(store, made.id).attempts > 1)
            await receiver.start()
            await until(handled(store, made))

        assert list(dict.fromkeys(receiver.ids)) == ids(made.id, made.handled_event + 1, last_event(store))
    assert "connection refused" in {each[5] for each in log(store)}


async def test_a_receiver_that_hangs_holds_up_nobody_else(store):
    """It is given up after a while and gets all when it has recovered; others have got theirs meanwhile."""
    model(store)
    async with receiving() as slow, receiving() as quick:
        slow.open.clear()
        late, soon = hook(store, slow.url), hook(store, quick.url)
        async with delivering(store, time_limit_s=0.3, lease_s=10):
            tag(store, "a", "b")
            await until(handled(store, soon))
            await until(lambda: row(store, late.id).attempts > 1)
            slow.open.set()
            await until(handled(store, late))

        assert set(slow.ids) >= set(ids(late.id, 1, 3))
    assert (late.id, 1, "EVENT", 1, None, "no answer within 0.3 s") in log(store)


async def test_how_many_are_sent_to_at_once(store):
    """As many as there is room for; all get theirs."""
    model(store)
    async with receiving() as receiver:
        receiver.open.clear()
        made = [hook(store, receiver.url) for _ in range(5)]
        async with delivering(store, at_once=2, interval_s=3_600):
            await until(lambda: receiver.at_once == 2)
            receiver.open.set()
            await until(handled(store, *made))

        assert receiver.most_at_once == 2
        assert sorted(receiver.ids) == sorted(f"msg_{each.id}_1" for each in made)


async def test_a_long_turn_ends(store):
    """It makes room for others that are farther behind, and goes on when it is its turn again."""
    model(store)
    tag(store, "a", "b")
    async with receiving() as receiver:
        first, second = hook(store, receiver.url), hook(store, receiver.url)
        async with delivering(store, at_once=1, turn_s=0):
            await until(handled(store, first, second))

        assert receiver.ids == [f"msg_{each.id}_{event_id}" for event_id in (1, 2, 3) for each in (first, second)]


async def test_two_deliverers(store):
    """One sends at a time, and each event once; when the first stops, the other goes on."""
    model(store)
    async with receiving() as receiver:
        made = [hook(store, receiver.url) for _ in range(3)]
        async with delivering(store):
            async with delivering(store):
                for key in "abcdef":
                    await asyncio.to_thread(tag, store, key)
                await until(handled(store, *made))
            await asyncio.to_thread(tag, store, "g")
            await until(handled(store, *made))

        for each in made:
            own = [id_ for id_ in receiver.ids if id_.startswith(f"msg_{each.id}_")]
            assert own == ids(each.id, 1, last_event(store))


async def test_somebody_else_is_sending(store):
    """Nothing is sent until his lease has run out, and then at once."""
    model(store)
    async with receiving() as receiver:
        made = hook(store, receiver.url)
        done(store.uri, records.claim, Lease(made.id, "somebody", 600_000))
        async with delivering(store) as deliverer:
            for _ in range(3):
                deliverer.kick()
                await asyncio.sleep(0.05)
            assert receiver.received == []
            store.sql("UPDATE lineage_webhooks SET leased_until = 1")
            await until(handled(store, made))


async def test_a_deliverer_that_is_killed(store):
    """Another one goes on with the event that was on its way, when the lease has run out."""
    model(store)
    async with receiving() as receiver:
        made = hook(store, receiver.url)
        receiver.open.clear()
        command = (sys.executable, "-m", "tests.webhooks.deliverers", store.uri, "2")
        process = await asyncio.create_subprocess_exec(*command)
        try:
            await until(lambda: receiver.received, 120)
        finally:
            process.kill()
            await process.wait()
        assert row(store, made.id).lease is not None
        receiver.open.set()
        tag(store, "a")
        async with delivering(store):
            await until(handled(store, made))

        first, second = ids(made.id, 1, last_event(store))
        assert receiver.ids[-2:] == [first, second]
        assert set(receiver.ids[:-1]) == {first}


async def test_a_deliverer_that_loses_its_lease(store):
    """It notes nothing and stops: the webhook is another's."""
    model(store)
    tag(store, "a")
    async with receiving() as receiver:
        receiver.open.clear()
        made = hook(store, receiver.url)
        async with delivering(store) as deliverer:
            await until(lambda: receiver.received)
            store.sql("UPDATE lineage_webhooks SET lease = 'somebody', leased_until = :far", far=2**50)
            receiver.open.set()
            await until(lambda: not deliverer._turns)

            assert (row(store, made.id).lease, row(store, made.id).handled_event) == ("somebody", 0)
    assert log(store) == []


async def test_a_short_lease_is_renewed_before_something_is_sent(store):
    """It cannot run out during an attempt, however long it took to say what is sent."""
    model(store)
    answers, leases = told(store.uri), []

    async def ask(event_id):
        await asyncio.sleep(0.06)
        leases.append(row(store, made.id).leased_until)
        return await answers(event_id)

    async with receiving() as receiver:
        receiver.open.clear()
        made = hook(store, receiver.url)
        async with delivering(store, ask=ask, time_limit_s=30, lease_s=30.1):
            await until(lambda: receiver.received)
            assert row(store, made.id).leased_until > leases[0]
            receiver.open.set()
            await until(handled(store, made))


async def test_a_lease_that_is_lost_before_something_is_sent(store):
    """Nothing is sent."""
    model(store)
    answers = told(store.uri)

    async def ask(event_id):
        await asyncio.sleep(0.06)
        store.sql("UPDATE lineage_webhooks SET lease = 'somebody', leased_until = :far", far=2**50)
        return await answers(event_id)

    async with receiving() as receiver:
        made = hook(store, receiver.url)
        async with delivering(store, ask=ask, time_limit_s=30, lease_s=30.1) as deliverer:
            await until(lambda: row(store, made.id).lease == "somebody" and not deliverer._turns)

        assert receiver.received == []


async def test_it_stops_in_the_middle(store):
    """What was on its way is not noted, and nobody has to wait for the lease."""
    model(store)
    async with receiving() as receiver:
        receiver.open.clear()
        made = hook(store, receiver.url)
        async with delivering(store):
            await until(lambda: receiver.received)

        assert (row(store, made.id).lease, row(store, made.id).handled_event) == (None, 0)
        assert log(store) == []
        receiver.open.set()
        async with delivering(store):
            await until(handled(store, made))
        assert receiver.ids == ids(made.id, 1, 1) * 2


async def test_it_is_given_up_and_enabled_again(store):
    """After the time it is disabled, with the reason; enabled again it goes on where it was."""
    model(store)
    async with receiving() as receiver:
        receiver.usual = 503
        made = hook(store, receiver.url)
        async with delivering(store, give_up_s=0.3, pauses_s=(0.1,)) as deliverer:
            await until(lambda: row(store, made.id).disabled_at)
            assert row(store, made.id).disabled_reason.startswith("not taken for ")
            assert row(store, made.id).disabled_reason.endswith("at last: answered 503")
            tried = len(receiver.received)
            await asyncio.to_thread(tag, store, "a")
            deliverer.kick()
            await asyncio.sleep(0.2)
            assert len(receiver.received) == tried

            receiver.usual = 200
            done(store.uri, records.enable, made.id)
            deliverer.kick()
            await until(handled(store, made))
        assert receiver.ids[tried:] == ids(made.id, 1, 2)
    assert len(log(store)) == tried + 2


async def test_a_receiver_that_is_gone(store):
    """It is sent nothing more."""
    model(store)
    async with receiving() as receiver:
        receiver.usual = 410
        made = hook(store, receiver.url)
        async with delivering(store):
            await until(lambda: row(store, made.id).disabled_at)
    assert row(store, made.id).disabled_reason == "answered 410: its receiver wants nothing more"
    assert len(log(store)) == 1


def file_of(store):
    """The file of SQLite; elsewhere none, in which nothing is ever written."""
    return store.uri.removeprefix("sqlite:///") if store.kind == "sqlite" else ":memory:"


class CountedFeed(Feed):
    """Counts how often it was asked for the last event."""

    asked = 0

    async def head(self):
        """The last event."""
        CountedFeed.asked += 1
        return await super().head()


async def test_nothing_is_written_while_nothing_happens(store):
    """However often it looks, both tables stay as they are, and so does all of the database."""
    model(store)
    CountedFeed.asked = 0
    async with receiving() as receiver:
        made, off = hook(store, receiver.url), hook(store, receiver.url)
        done(store.uri, records.disable, off.id)
        async with delivering(store, feed=CountedFeed, interval_s=0.02) as deliverer:
            await until(lambda: handled(store, made)() and not deliverer._turns)
            asked, before = CountedFeed.asked, rows(store)
            with closing(sqlite3.connect(file_of(store))) as other:
                version = other.execute("PRAGMA data_version").fetchone()
                await until(lambda: CountedFeed.asked > asked + 20)
                assert other.execute("PRAGMA data_version").fetchone() == version
            assert rows(store) == before
        assert len(receiver.received) == 1


async def test_where_there_are_no_webhooks(store):
    """Nobody asks what happens, until another process has made one."""
    model(store)
    CountedFeed.asked = 0
    async with receiving() as receiver, delivering(store, feed=CountedFeed, interval_s=0.05):
        await asyncio.sleep(0.3)
        assert CountedFeed.asked == 0
        made = hook(store, receiver.url)
        await until(handled(store, made))


async def test_a_webhook_that_is_made_is_looked_at_when_it_is_said_so(store):
    """Nobody waits until it is looked for."""
    model(store)
    async with receiving() as receiver, delivering(store, interval_s=3_600) as deliverer:
        made = hook(store, receiver.url)
        deliverer.kick()
        await until(handled(store, made))


async def test_a_webhook_that_is_changed_meanwhile(store):
    """What is sent next goes to its new receiver, and only what it wants now; what is deleted is sent nothing."""
    model(store)
    tag(store, "a", "b")
    async with receiving() as old, receiving() as new:
        old.open.clear()
        made = hook(store, old.url, head=last_event(store) - 2)
        async with delivering(store) as deliverer:
            await until(lambda: old.received)
            done(store.uri, records.change, made.id, {"url": new.url})
            old.open.set()
            await until(handled(store, made))
            assert (len(old.ids), len(new.ids)) == (1, 1)

            new.open.clear()
            await asyncio.to_thread(tag, store, "c", "d")
            await until(lambda: len(new.ids) == 2)
            done(store.uri, records.delete, made.id)
            new.open.set()
            await until(lambda: not deliverer._turns)
            assert len(new.ids) == 2
    assert log(store) == []


async def test_a_test(store):
    """It is sent at once, also to a webhook that is disabled, and logged; the webhook stays where it is."""
    async with receiving() as receiver, delivering(store) as deliverer:
        made = hook(store, receiver.url)
        done(store.uri, records.disable, made.id)
        before = row(store, made.id)
        first = await deliverer.send_once(made.id, None, "TEST")
        receiver.usual = 500
        second = await deliverer.send_once(made.id, None, "TEST")

        assert second > first
        assert row(store, made.id) == before
        assert [each.event["type"] for each in receiver.received] == ["lineage_api.test"] * 2
        assert len(set(receiver.ids)) == 2
    assert log(store) == [
        (made.id, None, "TEST", 1, 200, None),
        (made.id, None, "TEST", 1, 500, "answered 500"),
    ]


async def test_a_redelivery(store):
    """An event is sent again under the ID that it had; the webhook stays where it is."""
    model(store)
    async with receiving() as receiver, delivering(store) as deliverer:
        made = hook(store, receiver.url)
        deliverer.kick()
        await until(handled(store, made))
        await deliverer.send_once(made.id, 1, "REDELIVERY")

        assert receiver.ids == ids(made.id, 1, 1) * 2
        assert receiver.received[0].body == receiver.received[1].body
    assert log(store)[1:] == [(made.id, 1, "REDELIVERY", 1, 200, None)]


async def test_what_cannot_be_sent_once(store):
    """There is no such webhook, no such event, no deliverer; or the webhook is deleted meanwhile."""
    async with receiving() as receiver:
        made = hook(store, receiver.url)
        async with feed_of(store.uri) as feed:
            with pytest.raises(Unsuitable):
                await Deliverer(store.uri, feed, told(store.uri), LOCAL).send_once(made.id, None, "TEST")
        async with delivering(store) as deliverer:
            with pytest.raises(NotFound, match="webhook"):
                await deliverer.send_once(made.id + 1, None, "TEST")
            with pytest.raises(NotFound, match="event"):
                await deliverer.send_once(made.id, 999, "REDELIVERY")
            receiver.open.clear()
            sending = asyncio.create_task(deliverer.send_once(made.id, None, "TEST"))
            await until(lambda: receiver.received)
            done(store.uri, records.delete, made.id)
            receiver.open.set()
            with pytest.raises(NotFound, match="meanwhile"):
                await sending
    assert log(store) == []


async def test_a_database_that_is_away_for_a_while(store, caplog):
    """It is said once, and all is sent when it is there again."""
    caplog.set_level(logging.WARNING, "lineage_api.webhooks.deliverer")
    model(store)
    async with receiving() as receiver, delivering(store) as deliverer:
        store.sql("ALTER TABLE lineage_webhooks RENAME TO elsewhere")
        deliverer.kick()
        await until(lambda: deliverer._complaints)
        await asyncio.sleep(0.3)
        store.sql("ALTER TABLE elsewhere RENAME TO lineage_webhooks")
        made = hook(store, receiver.url)
        await until(handled(store, made))
        await until(lambda: not deliverer._complaints)

    [said] = [each.getMessage() for each in caplog.records if each.name == "lineage_api.webhooks.deliverer"]
    assert said.startswith("Webhooks could not be sent for the moment: ")


async def test_a_question_that_fails(store, caplog):
    """It is said once and asked again after a while; other webhooks are sent theirs."""
    caplog.set_level(logging.WARNING, "lineage_api.webhooks.deliverer")
    model(store)
    answers, failures = told(store.uri), []

    async def ask(event_id):
        if event_id == 1 and len(failures) < 3:
            failures.append(event_id)
            raise ValueError("no answer\nat all")
        return await answers(event_id)

    async with receiving() as receiver:
        tag(store, "a")
        unlucky, lucky = hook(store, receiver.url), hook(store, receiver.url, head=1)
        async with delivering(store, ask=ask):
            await until(handled(store, unlucky, lucky))

        assert sorted(receiver.ids) == sorted([*ids(unlucky.id, 1, 2), *ids(lucky.id, 2, 2)])
    said = [each.getMessage() for each in caplog.records if each.name == "lineage_api.webhooks.deliverer"]
    assert said == ["Webhooks could not be sent for the moment: ValueError: no answer at all"]


async def test_many_events(templates, tmp_path):
    """More than a page of them, for a webhook that wants the last one."""
    store = Store(templates.copy("sqlite", tmp_path), tmp_path)
    model(store)
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)"
    columns = "registered_model_tags (workspace, name, key, value)"
    store.sql(f"INSERT INTO {columns} {numbers} SELECT 'default', 'm', i, 'v' FROM n")
    store.sql("INSERT INTO registered_model_aliases (workspace, name, alias, version) VALUES ('default', 'm', 'a', 1)")
    async with receiving() as receiver:
        made = hook(store, receiver.url, wanted=Wanted(kinds=frozenset({"ALIAS_SET"})))
        async with delivering(store):
            await until(handled(store, made))

        assert receiver.ids == [f"msg_{made.id}_{last_event(store)}"]
        assert receiver.received[0].event["type"] == "lineage_api.registry.alias_set"
