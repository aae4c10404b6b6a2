"""Following what happens in a database, and through servers that come and go."""

import asyncio
from contextlib import aclosing, asynccontextmanager

import pytest
from aiohttp import web

from lineage_api.app import create_app
from lineage_api.commands import following
from lineage_api.commands.following import Place, followed
from lineage_api.commands.serve import listening
from lineage_api.commands.tokens import create
from lineage_api.config import Settings
from lineage_api.errors import Unsuitable
from lineage_api.graph.identity import encoded
from lineage_api.store.feed import Feed
from tests.serving import served
from tests.stores import POSTGRESQL, Store, has_postgresql
from tests.webhooks.receivers import until

PATIENCE_S = 60
BEGIN = encoded("RegistryEvent", 0)
ALL = {"models": None, "kinds": None, "toStages": None}


@asynccontextmanager
async def following_(place, *, after=BEGIN, **wanted):
    """Gives the next event, as `followed` tells it, again and again."""
    async with aclosing(followed(place, {**ALL, **wanted}, after)) as events:

        async def event():
            return await asyncio.wait_for(anext(events), PATIENCE_S)

        yield event


async def names(event, count):
    """The names of the models that the next so many events are about."""
    return [(await event())["modelName"] for _ in range(count)]


@pytest.fixture
def small(templates, tmp_path):
    """A store on SQLite."""
    made = Store(templates.copy("sqlite", tmp_path), tmp_path / "artifacts")
    yield made
    made.close()


@pytest.fixture(params=["database", "server"])
def place(request, store):
    """Where a store is followed: in its database, or through a server."""
    settings = Settings(backend_store_uri=store.uri)
    if request.param == "database":
        yield Place(settings)
    else:
        with served(create_app(settings)) as url:
            yield Place(settings, url)


async def test_what_has_happened_comes_first(store, place):
    """After an event, then as it happens: each once, in order, with what is told of it."""
    store.registered_model("a")
    store.registered_model("b")
    async with following_(place) as event:
        assert await names(event, 2) == ["a", "b"]
        store.registered_model("c")
        last = await event()
    assert (last["kind"], last["modelName"], last["origin"]) == ("MODEL_CREATED", "c", "EXTERNAL")
    async with following_(place, after=last["id"]) as event:
        store.registered_model("d")
        assert await names(event, 1) == ["d"]


async def test_from_now_on(store, place):
    """Without an event to begin after, the one is named first after which it begins, be there one or none."""
    async with following_(place, after=None) as event:
        assert await event() == BEGIN
        store.registered_model("a")
        known = await event()
        assert known["modelName"] == "a"
    async with following_(place, after=None) as event:
        assert await event() == known["id"]
        store.registered_model("b")
        assert await names(event, 1) == ["b"]


async def test_only_what_is_wanted(store, place):
    """By model, kind and the stage that a version enters."""
    for name in ("a", "b"):
        store.registered_model(name)
        store.version(name, source="s3://b/m")
        store.stage(name, 1, "Staging")
        store.stage(name, 1, "Production")

    async def kinds(count, **wanted):
        async with following_(place, **wanted) as event:
            told = [await event() for _ in range(count)]
        return [(each["modelName"], each["kind"], each["toStage"]) for each in told]

    created, staged = [(name, "MODEL_CREATED", None) for name in "ab"], ("a", "STAGE_CHANGED", "STAGING")
    assert await kinds(2, kinds=["MODEL_CREATED"]) == created
    assert await kinds(1, models=["b"]) == created[1:]
    assert await kinds(1, models=["a"], toStages=["STAGING"]) == [staged]
    assert await kinds(2, toStages=["PRODUCTION"]) == [(name, "STAGE_CHANGED", "PRODUCTION") for name in "ab"]


async def test_texts_that_are_long(store, place):
    """As long as MLflow allows, twice in one event, and of what JSON has to write in many letters."""
    store.registered_model("m")
    store.version("m", source="s3://b/m")
    for letter in "\x01\x02":
        store.client.set_model_version_tag("m", "1", "key", letter * 100_000)
    async with following_(place, kinds=["TAG_SET"]) as event:
        assert (await event())["value"] == "\x01" * 100_000
        changed = await event()
    assert (changed["previousValue"], changed["value"]) == ("\x01" * 100_000, "\x02" * 100_000)


async def test_a_server_that_is_started_again(store, capsys):
    """What happened meanwhile is told, and nothing twice; that it was away is said once."""
    settings = Settings(backend_store_uri=store.uri)
    listener = listening("127.0.0.1", 0)
    port, names = listener.getsockname()[1], []
    with served(create_app(settings), listener) as url:
        told = asyncio.create_task(take(followed(Place(settings, url), ALL, BEGIN), names, 6))
        for name in ("a", "b"):
            await asyncio.to_thread(store.registered_model, name)
        await until(lambda: names == ["a", "b"])
    said = await complaint(capsys)
    for name in ("c", "d"):
        await asyncio.to_thread(store.registered_model, name)
    await asyncio.sleep(1.5)  # an attempt or two is made in vain
    with served(create_app(settings), listening("127.0.0.1", port)):
        for name in ("e", "f"):
            await asyncio.to_thread(store.registered_model, name)
        await asyncio.wait_for(told, PATIENCE_S)
    assert names == list("abcdef")
    said += capsys.readouterr().err
    assert said == f"{url} has ended the connection; trying again\n"


async def take(events, names, count):
    """Adds the names of the models that the next events are about, until there are so many."""
    async with aclosing(events):
        while len(names) < count:
            names.append((await anext(events))["modelName"])


async def complaint(capsys):
    """What is said when something does not work at the moment."""
    said = ""
    async with asyncio.timeout(PATIENCE_S):
        while "trying again" not in said:
            await asyncio.sleep(0.01)
            said += capsys.readouterr().err
    return said


async def test_a_server_that_is_not_there_yet(small, capsys):
    """It is waited for."""
    settings = Settings(backend_store_uri=small.uri)
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    small.registered_model("a")
    names = []
    told = asyncio.create_task(take(followed(Place(settings, url), ALL, BEGIN), names, 1))
    said = await complaint(capsys)
    with served(create_app(settings), listening("127.0.0.1", port)):
        await asyncio.wait_for(told, PATIENCE_S)
    assert names == ["a"]
    assert said == f"{url} does not answer (ClientConnectorError); trying again\n"


async def test_more_than_is_kept(store, monkeypatch, capsys):
    """While an event is handled, more happens than the feed keeps: all of it is told, and there is nothing to say."""
    monkeypatch.setattr("lineage_api.store.feed.MAX_KEPT", 5)
    feeds, behind = [], []

    def watched(settings):
        app = create_app(settings)
        feeds.append(app.state.executor._services[Feed])
        return app

    class Counted(following.Behind):
        def __init__(self):
            behind.append(self)

    monkeypatch.setattr(following, "create_app", watched)
    monkeypatch.setattr(following, "Behind", Counted)
    store.registered_model("first")
    async with following_(Place(Settings(backend_store_uri=store.uri)), after=None) as event:
        await event()
        second = asyncio.create_task(names(event, 1))
        await until(lambda: feeds[0]._waiting)
        await asyncio.to_thread(store.registered_model, "second")
        assert await second == ["second"]
        for number in range(20):
            store.registered_model(f"m{number}")
        await until(lambda: len(feeds[0]._kept) == 5 and feeds[0]._kept[-1].model_name == "m19")
        assert await names(event, 20) == [f"m{number}" for number in range(20)]
    assert len(behind) == 1
    assert capsys.readouterr().err == ""


async def test_a_database_that_is_away_for_a_while(templates, tmp_path):
    """Connections of PostgreSQL that are cut off, as when it is started again, are made anew."""
    if not has_postgresql():
        pytest.skip(f"no PostgreSQL answers at {POSTGRESQL}")
    import psycopg

    store = Store(templates.copy("postgresql", tmp_path), tmp_path)
    try:
        async with following_(Place(Settings(backend_store_uri=store.uri))) as event:
            store.registered_model("a")
            assert await names(event, 1) == ["a"]
            store.close()
            with psycopg.connect(f"{POSTGRESQL}/postgres", autocommit=True) as server:
                database = store.uri.rpartition("/")[2]
                cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
                assert server.execute(cut, [database]).fetchall()
            again = Store(store.uri, tmp_path)
            again.registered_model("b")
            again.close()
            assert await names(event, 1) == ["b"]
    finally:
        templates.drop(store.uri)


@asynccontextmanager
async def scripted(*answers, status=200, content_type="text/event-stream"):
    """The address of a server that sends one text after the other, one a request, and the variables of each."""
    asked, left = [], list(answers)

    async def answer(request):
        asked.append((request.path, (await request.json())["variables"]))
        text = left.pop(0) if left else answers[-1]
        return web.Response(text=text, status=status, headers={"content-type": content_type})

    app = web.Application()
    app.router.add_route("POST", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


def sent(name, end="\n\n"):
    """An event as a server sends it."""
    return f'event: next\ndata: {{"data": {{"registryEvents": {{"id": "{name}", "modelName": "{name}"}}}}}}{end}'


def failed(code):
    """An error as a server sends it."""
    error = f'{{"message": "It went wrong.", "extensions": {{"code": "{code}"}}}}'
    return f'event: next\ndata: {{"errors": [{error}]}}\n\n'


def at(url):
    """A server that is followed; the database counts for nothing."""
    return Place(Settings(), url)


@pytest.mark.parametrize("code", ["SLOW_CONSUMER", "INTERNAL", "TIMEOUT", "OVERLOADED"])
async def test_what_passes_is_waited_for(code, capsys):
    """It is gone on after the last event; one that could not follow in time needs no word."""
    async with scripted(sent("a") + failed(code), sent("b")) as (url, asked), following_(at(url)) as event:
        assert await names(event, 2) == ["a", "b"]
    assert [variables["after"] for _, variables in asked] == [BEGIN, "a"]
    said = "" if code == "SLOW_CONSUMER" else "It went wrong.; trying again\n"
    assert capsys.readouterr().err == said


async def test_an_event_that_was_cut_off():
    """It is asked for again, and not read as far as it came."""
    cut = sent("b", end="")
    texts = (sent("a") + cut[: len(cut) // 2], sent("a") + cut, sent("c"))
    async with scripted(*texts) as (url, asked), following_(at(url)) as event:
        assert await names(event, 3) == ["a", "a", "c"]
    assert [variables["after"] for _, variables in asked] == [BEGIN, "a", "a"]


@pytest.mark.parametrize("path", ["", "/", "/graphql", "/graphql/"])
async def test_the_address_of_a_server(path):
    """With or without the path at which it answers."""
    async with scripted(sent("a")) as (url, asked), following_(at(url + path)) as event:
        await event()
    assert asked[0][0] == "/graphql"


@pytest.mark.parametrize(
    ("text", "content_type", "status", "said"),
    [
        ("<p>Hello</p>", "text/html", 200, "answered 200: it is no server of this API"),
        ("404: Not Found", "text/plain", 404, "answered 404: it is no server of this API"),
        ('{"errors": []}', "application/json", 400, "answered 400: it is no server of this API"),
        ("", "text/plain", 501, "answered 501: it is no server of this API"),
        (sent("a"), "text/event-stream", 404, "answered 404: it is no server of this API"),
        ("data: hello\n\n", "text/event-stream", 200, "answers something else"),
        ("data: [1]\n\n", "text/event-stream", 200, "answers something else"),
        ("data: {}\n\n", "text/event-stream", 200, "answers something else"),
        (failed("GRAPHQL_VALIDATION_FAILED"), "text/event-stream", 200, "It went wrong."),
    ],
)
async def test_what_is_no_server_of_ours(text, content_type, status, said):
    """It is refused at once, with the address."""
    async with scripted(text, status=status, content_type=content_type) as (url, asked), following_(at(url)) as event:
        with pytest.raises(Unsuitable) as refusal:
            await event()
    assert said in str(refusal.value)
    assert len(asked) == 1


@pytest.mark.parametrize(
    "url",
    [
        *("nonsense", "localhost:8000", "ftp://host", "http://", "http://host:port", "http://[::1"),
        *("http://a..b", f"http://{'a' * 64}"),
    ],
)
async def test_what_is_no_address(url):
    """It is refused, with one that would be."""
    async with following_(at(url)) as event:
        with pytest.raises(Unsuitable, match=r"write it like http://127\.0\.0\.1:8000"):
            await event()


async def test_a_password_is_not_shown(capsys):
    """Neither in what is said of a server that does not answer, nor of an address that is none."""
    async with following_(at("ftp://me:s3cret@host")) as event:
        with pytest.raises(Unsuitable) as refusal:
            await event()
    assert "s3cret" not in str(refusal.value)
    async with scripted("", status=401) as (url, _), following_(at(url.replace("//", "//me:s3cret@"))) as event:
        with pytest.raises(Unsuitable) as refusal:
            await event()
    assert str(refusal.value).startswith(f"{url} answered 401: ")


async def test_a_server_without_encryption():
    """An address of https that does not speak TLS is refused, and not asked again and again."""
    async with scripted("") as (url, _), following_(at(url.replace("http:", "https:"))) as event:
        with pytest.raises(Unsuitable, match="does not speak TLS"):
            await event()


async def test_a_server_that_asks_who_is_there(small, tmp_path):
    """It is followed by a token that is valid there; without one, or with another, a line says what is missing."""
    file = str(tmp_path / "tokens.json")
    _, secret = create(file, "ci", "reader", None)
    settings = Settings(backend_store_uri=small.uri, tokens=file)
    small.registered_model("a")
    with served(create_app(settings)) as url:
        names = []
        place = Place(settings, url, secret)
        await asyncio.wait_for(take(followed(place, ALL, BEGIN), names, 1), PATIENCE_S)
        assert names == ["a"]
        for token in (None, "another"):
            with pytest.raises(Unsuitable, match="give --token"):
                await take(followed(Place(settings, url, token), ALL, BEGIN), [], 1)
    assert secret not in repr(place)
