"""What happens, as it is told to those who follow."""

import asyncio
import random
import threading
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from lineage_api.errors import Unsuitable
from lineage_api.store import feed as module
from lineage_api.store.feed import EVERYTHING, MAX_KEPT, MAX_PAGE, Feed, SlowConsumer, Wanted
from lineage_api.store.history import events
from lineage_api.store.reading import database_of
from tests.histories import connected
from tests.stores import POSTGRESQL, Store, has_postgresql

CREATE = (
    "INSERT INTO registered_models (workspace, name, creation_time, last_updated_time) VALUES ('default', :n, 1, 1)"
)


@asynccontextmanager
async def feed_of(store, observe=None):
    """A feed of a store."""
    database = database_of(store.uri, observe)
    await database.open()
    try:
        yield Feed(database)
    finally:
        await database.close()


def create(store, *names):
    """Makes registered models, each in a transaction of its own, as anybody may who knows the tables."""
    for name in names:
        store.sql(CREATE, n=name)


def history(store, count):
    """So many events of one transaction."""
    with connected(store) as connection:
        model = connection.execute(sqlalchemy.text("SELECT MAX(id) FROM lineage_models")).scalar()
        same = {"occurred_at": 1, "kind": "TAG_SET", "origin": "EXTERNAL", "model_id": model, "model_name": "m"}
        rows = [{**same, "key": f"k{n}", "slot": f"tag//k{n}"} for n in range(count)]
        connection.execute(sqlalchemy.insert(events), rows)


async def taken(following, count):
    """The next so many events that somebody is told of."""
    return [await asyncio.wait_for(anext(following), 20) for _ in range(count)]


async def waiting(feed, followers=1):
    """Waits until so many have been told all that there is."""
    while sum(map(len, feed._waiting.values())) < followers:
        await asyncio.sleep(0.01)


async def test_what_happens_is_told(store):
    """Each event once, in order, as much of it as says who wants it, whoever changes something."""
    async with feed_of(store) as feed, aclosing(feed.follow(EVERYTHING, await feed.head())) as following:
        first = asyncio.create_task(taken(following, 1))
        await waiting(feed)
        await asyncio.to_thread(create, store, "a", "b")
        told = [*await first, *await taken(following, 1)]
        await asyncio.to_thread(store.client.rename_registered_model, "a", "c")

        assert [event[1:] for event in told] == [("MODEL_CREATED", name, name, None) for name in ("a", "b")]
        assert (await taken(following, 1))[0][1:] == ("MODEL_RENAMED", "c", "c", None)


async def test_what_has_happened_is_told_first(store):
    """Whoever names an event is told of all after it, then of what happens, with nothing between them left out."""
    create(store, "a", "b", "c")
    async with feed_of(store) as feed:
        last = await feed.head()
        async with aclosing(feed.follow(EVERYTHING, last - 2)) as following:
            told = await taken(following, 2)
            create(store, "d")
            told += await taken(following, 1)

    assert [event.model_name for event in told] == ["b", "c", "d"]
    assert [event.id for event in told] == sorted(event.id for event in told)


async def test_a_stage_that_is_entered(store):
    """A version begins in no stage, which nobody is told of as one that it entered."""
    store.registered_model("m")
    store.version("m", source="s3://b/m")
    async with feed_of(store) as feed:
        before = await feed.head()
        store.stage("m", 1, "Production")
        store.stage("m", 1, "None")

        assert [event.to_stage for event in await feed.page(before - 1)] == [None, "Production", "None"]


async def test_a_history_of_many_pages(store):
    """However much has happened, all of it is told, in order."""
    create(store, "m")
    count = MAX_KEPT + MAX_PAGE + 7
    async with feed_of(store) as feed:
        start = await feed.head()
        history(store, count)
        async with aclosing(feed.follow(EVERYTHING, start)) as following:
            told = await taken(following, count)
            create(store, "n")
            told += await taken(following, 1)

    assert [event.kind for event in told] == ["TAG_SET"] * count + ["MODEL_CREATED"]
    assert [event.id for event in told] == sorted({event.id for event in told})


async def test_writers_who_commit_out_of_order(store):
    """Several write at the same time, and some take longer to commit: each event is told once, in order."""
    async with feed_of(store) as feed:
        start = await feed.head()
        writers = [threading.Thread(target=_write, args=(store, number)) for number in range(4)]
        async with aclosing(feed.follow(EVERYTHING, start)) as following:
            for writer in writers:
                writer.start()
            told = await taken(following, 4 * 25)
        for writer in writers:
            await asyncio.to_thread(writer.join)

    ids = [event.id for event in told]
    assert ids == sorted(set(ids))
    assert sorted(event.model_name for event in told) == sorted(f"{n}-{i}" for n in range(4) for i in range(25))


async def test_who_comes_while_others_write(store):
    """Whenever somebody begins to follow, each event is told once, in order."""
    async with feed_of(store) as feed:
        start = await feed.head()
        writers = [threading.Thread(target=_write, args=(store, number)) for number in range(4)]
        for writer in writers:
            writer.start()
        told = [_from(feed, start, 4 * 25) for _ in range(5)]
        for _ in range(5):
            await asyncio.sleep(0.02)
            told.append(_from(feed, start, 4 * 25))
        ids = [[event.id for event in each] for each in await asyncio.gather(*told)]
        for writer in writers:
            await asyncio.to_thread(writer.join)

    assert ids == [sorted(set(ids[0]))] * 10


async def _from(feed, start, count):
    async with aclosing(feed.follow(EVERYTHING, start)) as following:
        return await taken(following, count)


async def test_what_was_not_looked_at_yet_is_left_to_the_look(store):
    """By which it is told to all who follow: it would be told twice to who has just read what was before."""
    create(store, "a")
    async with feed_of(store) as feed:
        head = await feed.head()
        async with aclosing(feed.follow(EVERYTHING, head)) as following:
            first = asyncio.create_task(taken(following, 1))
            await waiting(feed)
            async with feed._one_at_a_time:
                await asyncio.to_thread(create, store, "b")
                page = await feed.page(head - 1)
            told = await first

    assert [event.model_name for event in page] == ["a"]
    assert [event.model_name for event in told] == ["b"]


def _write(store, number):
    engine = sqlalchemy.create_engine(store.uri, poolclass=sqlalchemy.NullPool, **_patient(store))
    dice = random.Random(number)
    for i in range(25):
        with engine.connect() as connection:
            if store.kind == "sqlite":
                connection.exec_driver_sql("PRAGMA busy_timeout = 20000")
            connection.execute(sqlalchemy.text(CREATE), {"n": f"{number}-{i}"})
            threading.Event().wait(dice.uniform(0, 0.01))
            connection.commit()


def _patient(store):
    return {"connect_args": {"timeout": 20}} if store.kind == "sqlite" else {}


async def test_filters_say_what_those_of_questions_say(client, store):
    """Whoever follows with a filter is told what `registryEvents` lists with it."""
    store.registered_model("a")
    store.registered_model("b", tags={"team": "x"})
    for name in ("a", "b"):
        for number in (1, 2):
            store.version(name, source="s3://b/m")
            store.stage(name, number, "Staging")
    store.stage("a", 1, "Production", archive=True)
    store.stage("b", 1, "None")
    store.client.rename_registered_model("a", "c")
    store.client.delete_registered_model("b")
    query = """query ($models: [String!], $kinds: [RegistryEventKind!], $toStages: [Stage!]) {
        registryEvents(models: $models, kinds: $kinds, toStages: $toStages, orderBy: OLDEST_FIRST, first: 100) {
            nodes { kind modelName version toStage } } }"""
    stages = {"NONE": "None", "STAGING": "Staging", "PRODUCTION": "Production", "ARCHIVED": "Archived"}
    choices = {
        "models": [None, ["a"], ["c"], ["b"], ["a", "b"], ["nobody"], []],
        "kinds": [None, ["STAGE_CHANGED"], ["VERSION_REGISTERED", "MODEL_DELETED", "VERSION_DELETED"], []],
        "toStages": [None, ["NONE"], ["PRODUCTION", "ARCHIVED"], ["STAGING"], []],
    }
    async with feed_of(store) as feed:
        everything = await feed.page(0)
        assert len(everything) == 18
        for models in choices["models"]:
            for kinds in choices["kinds"]:
                for to_stages in choices["toStages"]:
                    asked = await client.ask(query, models=models, kinds=kinds, toStages=to_stages)
                    entered = None if to_stages is None else frozenset(stages[stage] for stage in to_stages)
                    wanted = Wanted(_set(models), _set(kinds), entered)
                    listed = [(node["kind"], node["modelName"]) for node in asked["registryEvents"]["nodes"]]
                    assert [(each.kind, each.model_name) for each in wanted.among(everything)] == listed


def _set(given):
    return None if given is None else frozenset(given)


async def test_only_those_are_woken_who_want_it(store):
    """Who waits for something else is not told, and has still seen what he did not want."""
    async with feed_of(store) as feed:
        start = await feed.head()
        wanted = Wanted(models=frozenset({"c"}))
        async with aclosing(feed.follow(wanted, start)) as some, aclosing(feed.follow(EVERYTHING, start)) as all_:
            one = asyncio.create_task(taken(some, 1))
            await waiting(feed)
            two = asyncio.create_task(taken(all_, 2))
            await waiting(feed, 2)
            create(store, "a", "b")
            assert [event.model_name for event in await two] == ["a", "b"]
            assert not one.done()
            create(store, "c")
            assert [event.model_name for event in await one] == ["c"]


async def test_one_who_dawdles(store, monkeypatch):
    """Who had been told everything and then does not take what is kept is refused; others are not held up by him."""
    monkeypatch.setattr(module, "MAX_KEPT", 50)
    create(store, "m")
    async with feed_of(store) as feed:
        start = await feed.head()
        async with aclosing(feed.follow(EVERYTHING, start)) as slow, aclosing(feed.follow(EVERYTHING, start)) as quick:
            first = asyncio.create_task(taken(slow, 1))
            await waiting(feed)
            create(store, "n")
            [event] = await first
            history(store, 60)
            assert len(await taken(quick, 61)) == 61
            with pytest.raises(SlowConsumer) as refusal:
                await taken(slow, 1)

        assert "ask again" in str(refusal.value)
        # From where he was, nothing is missed.
        async with aclosing(feed.follow(EVERYTHING, event.id)) as again:
            assert [each.kind for each in await taken(again, 60)] == ["TAG_SET"] * 60


async def test_it_looks_only_while_somebody_follows(store):
    """Before the first and after the last one nothing runs, and nothing is asked of the database."""
    statements = []
    async with feed_of(store, statements.append) as feed:
        async with aclosing(feed.follow(EVERYTHING, await feed.head())) as following:
            task = asyncio.create_task(taken(following, 1))
            await waiting(feed)
            create(store, "a")
            await task
            assert feed._looking is not None
        assert feed._looking is None
        assert not feed._waiting
        while any("_look_again" in str(task.get_coro()) for task in asyncio.all_tasks()):
            await asyncio.sleep(0.01)
        statements.clear()
        create(store, "b")
        await asyncio.sleep(0.3)
        assert statements == []


async def test_an_idle_look_costs_nothing_on_sqlite(templates, tmp_path):
    """While nobody writes, no statement is run however long somebody waits."""
    store, statements = Store(templates.copy("sqlite", tmp_path), tmp_path / "artifacts"), []
    async with feed_of(store, statements.append) as feed, aclosing(feed.follow(EVERYTHING, 0)) as following:
        task = asyncio.create_task(taken(following, 1))
        while len(statements) < 2:  # where to begin, and the first look
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        assert len(statements) == 2
        create(store, "a")
        await task
    store.close()


async def test_a_prompt_is_nobodys_business(store):
    """What happens to prompts is in no registry, so nobody is told of it."""
    async with feed_of(store) as feed, aclosing(feed.follow(EVERYTHING, await feed.head())) as following:
        task = asyncio.create_task(taken(following, 1))
        await waiting(feed)
        with connected(store) as connection:
            connection.execute(sqlalchemy.text(CREATE), {"n": "a prompt"})
            mark = "INSERT INTO registered_model_tags (workspace, name, key, value) VALUES ('default', :n, :k, 'true')"
            connection.execute(sqlalchemy.text(mark), {"n": "a prompt", "k": "mlflow.prompt.is_prompt"})
        create(store, "a model")
        assert [event.model_name for event in await task] == ["a model"]


async def test_where_nothing_is_recorded(store):
    """Nothing can be followed, which is said at once."""
    async with feed_of(store) as feed:
        feed.is_recorded = False
        with pytest.raises(Unsuitable, match="db upgrade"):
            await feed.head()


async def test_a_lost_connection(templates, tmp_path):
    """PostgreSQL may be started again: whoever follows misses nothing."""
    if not has_postgresql():
        pytest.skip(f"no PostgreSQL answers at {POSTGRESQL}")
    store = Store(templates.copy("postgresql", tmp_path), tmp_path / "artifacts")
    async with feed_of(store) as feed, aclosing(feed.follow(EVERYTHING, await feed.head())) as following:
        task = asyncio.create_task(taken(following, 2))
        await waiting(feed)
        with psycopg.connect(store.uri, autocommit=True) as administrator:
            end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            administrator.execute(f"{end} AND pid <> pg_backend_pid()")
        create(store, "a", "b")
        assert [event.model_name for event in await task] == ["a", "b"]
    store.close()
    templates.drop(store.uri)


async def test_a_file_that_is_put_in_the_place_of_another(templates, tmp_path, caplog):
    """Whoever follows a store on SQLite is told of the file that is there now."""
    store = Store(templates.copy("sqlite", tmp_path), tmp_path / "artifacts")
    file = Path(store.uri.removeprefix("sqlite:///"))
    async with feed_of(store) as feed, aclosing(feed.follow(EVERYTHING, await feed.head())) as following:
        task = asyncio.create_task(taken(following, 1))
        await waiting(feed)
        store.close()
        away = file.rename(file.with_suffix(".away"))
        while "cannot be followed" not in caplog.text:
            await asyncio.sleep(0.01)
        away.rename(file)
        create(store, "a")
        assert [event.model_name for event in await task] == ["a"]
    store.close()
