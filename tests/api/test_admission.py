"""Places to run: how many there are, who gets one, and who is refused."""

import asyncio
import contextlib
import time

import httpx
import pytest
from graphql import OperationType

from lineage_api.api import admission as module
from lineage_api.api.admission import Admission, Places, Queries, shape
from lineage_api.app import create_app
from lineage_api.config import Settings
from lineage_api.errors import Overloaded
from tests.api.slow import SLOW, make_slow, running
from tests.following import talking, until
from tests.serving import served_here


async def take(places, name, got, go_on):
    """Takes a place, says so, and keeps it until it is told to go on."""
    async with places:
        got.append(name)
        await go_on.wait()


async def settle():
    """Lets everything happen that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_first_come_first_served():
    """Who comes when all places are taken gets one in turn; who leaves the queue is not waited for."""
    places, got, ends = Places(2, 10, None), [], [asyncio.Event() for _ in range(6)]
    tasks = [asyncio.create_task(take(places, name, got, ends[name])) for name in range(6)]
    await settle()
    assert got == [0, 1]
    tasks[2].cancel()
    ends[1].set()
    await settle()
    assert got == [0, 1, 3]
    for end in ends:
        end.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert got == [0, 1, 3, 4, 5]


async def test_who_leaves_when_given_a_place():
    """Whoever is told at the same moment to stop and that there is a place passes it on."""
    places, got, ends = Places(1, 10, None), [], [asyncio.Event() for _ in range(3)]
    tasks = [asyncio.create_task(take(places, name, got, ends[name])) for name in range(3)]
    await settle()
    ends[0].set()
    while not tasks[0].done():
        await asyncio.sleep(0)
        tasks[1].cancel()
    ends[2].set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert got == [0, 2]
    async with places:
        pass


async def test_the_last_who_may_wait():
    """The next one is refused, until somebody has gone."""
    places, got, end = Places(1, 2, None), [], asyncio.Event()
    tasks = [asyncio.create_task(take(places, name, got, end)) for name in range(3)]
    await settle()
    with pytest.raises(Overloaded):
        async with places:
            pass
    tasks[1].cancel()
    await settle()
    tasks.append(asyncio.create_task(take(places, 3, got, end)))
    await settle()
    end.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert got == [0, 2, 3]


async def test_who_has_waited_too_long():
    """They are refused, and leave no gap."""
    places, got, end = Places(1, 10, 0.05), [], asyncio.Event()
    first = asyncio.create_task(take(places, 0, got, end))
    await settle()
    with pytest.raises(Overloaded):
        async with places:
            pass
    end.set()
    await first
    async with places:
        pass


async def test_each_kind_has_places_of_its_own():
    """Changes keep nobody from reading, and any number of events may wait."""
    admission = Admission(max_running=2, max_waiting=0, wait_s=1)
    async with contextlib.AsyncExitStack() as stack:
        for kind, count in ((OperationType.QUERY, 2), (OperationType.MUTATION, 1), (OperationType.SUBSCRIPTION, 1)):
            for _ in range(count):
                await stack.enter_async_context(admission.place(kind, 0))
        for kind in (OperationType.QUERY, OperationType.MUTATION):
            with pytest.raises(Overloaded):
                await stack.enter_async_context(admission.place(kind, 0))
        events = [asyncio.create_task(admission.place(OperationType.SUBSCRIPTION, 0).__aenter__()) for _ in range(300)]
        await settle()
        assert not any(each.done() for each in events)
        for each in events:
            each.cancel()
        await asyncio.gather(*events, return_exceptions=True)


async def test_slow_queries_have_a_quarter_of_the_places():
    """Others have all of them meanwhile."""
    queries = Admission(max_running=8, max_waiting=1, wait_s=1).queries
    queries._note(1)
    async with contextlib.AsyncExitStack() as stack:
        for shape_ in (1, 1, *range(2, 10)):
            await stack.enter_async_context(queries.place(shape_))
        slow, other = (asyncio.create_task(queries.place(shape_).__aenter__()) for shape_ in (1, 2))
        await settle()
        assert not slow.done()
        assert not other.done()
        slow.cancel()
        other.cancel()


REFUSAL = {
    "message": "Too many operations wait to be run; nothing was begun. Try again in a moment.",
    "extensions": {"code": "OVERLOADED"},
}


@pytest.fixture
def soon(monkeypatch):
    """What takes long does so after a tenth of a second."""
    monkeypatch.setattr(module, "LONG_S", 0.1)


class Long:
    """Queries that take as long as they are told to."""

    def __init__(self, running, long):
        self.queries = Queries(Places(running, 10, 20), Places(long, 10, 20))
        self.running, self._ends, self._tasks = [], {}, []

    async def ask(self, name, shape):
        """Asks for something of a shape, and lets all happen that can."""
        self._ends[name] = asyncio.Event()
        self._tasks.append(asyncio.create_task(self._asked(name, shape)))
        await settle()

    async def _asked(self, name, shape):
        async with self.queries.place(shape):
            self.running.append(name)
            try:
                await self._ends[name].wait()
            finally:
                self.running.remove(name)

    async def end(self):
        """What came of each."""
        for end in self._ends.values():
            end.set()
        return [type(each) for each in await asyncio.gather(*self._tasks, return_exceptions=True)]


async def test_what_takes_long_keeps_nobody_waiting(soon):
    """It has places of its own; what finds none of these is refused, once somebody waits."""
    long = Long(2, 1)
    await long.ask("first", 1)
    await long.ask("second", 2)
    await asyncio.sleep(0.15)
    assert long.running == ["first", "second"]
    await long.ask("third", 3)
    assert long.running == ["first", "second", "third"]  # the first has left its place
    await long.ask("fourth", 4)
    await asyncio.sleep(0.25)
    assert long.running == ["first", "third", "fourth"]
    assert await long.end() == [type(None), Overloaded, type(None), type(None)]


async def test_what_is_known_to_take_long(soon, monkeypatch):
    """It waits for others like it, and not for a place that is free, until that is forgotten."""
    long = Long(2, 1)
    await long.ask("first", 1)
    await asyncio.sleep(0.15)
    await long.ask("second", 1)
    await long.ask("third", 2)
    await long.ask("fourth", 3)
    assert long.running == ["first", "third", "fourth"]
    monkeypatch.setattr(module, "monotonic", lambda: time.monotonic() + module.KNOWN_S + 1)
    assert await long.end() == [type(None)] * 4
    again = Long(1, 1)
    again.queries = long.queries
    await again.ask("fifth", 1)
    assert (again.running, long.queries._long._free) == (["fifth"], 1)
    await again.end()


async def test_who_waits_while_others_like_it_are_seen_to_take_long(soon):
    """They wait for one another then, and let others by."""
    long = Long(1, 1)
    for name in ("first", "second", "third"):
        await long.ask(name, 1)
    await long.ask("another", 2)
    assert long.running == ["first"]
    await asyncio.sleep(0.15)
    assert long.running == ["first", "another"]
    assert await long.end() == [type(None)] * 4


async def test_no_more_shapes_are_known_than_are_kept(monkeypatch):
    """What was noted last is."""
    monkeypatch.setattr(module, "MAX_KNOWN", 2)
    queries = Queries(Places(1, 1, None), Places(1, 1, None))
    for each in (1, 2, 1, 3):
        queries._note(each)
    assert list(queries._known) == [1, 3]


def test_the_shape_of_a_document():
    """Texts and numbers are none of it; names are."""
    one = '{ runs(first: 10, filterBy: {nameContains: "a \\" b"}) { totalCount } }'
    assert shape(one) == shape(one.replace("10", "9").replace("a ", "another ")) != shape(one.replace("runs", "models"))
    assert shape('{ a(b: "") { c } }') != shape('{ a(b: "") { d } }')
    assert shape('{ a(b: "never ends') == shape('{ a(b: "')


async def test_a_server_that_has_enough_to_do(store, monkeypatch):
    """Over HTTP it answers 503 and says when to come again, over WebSockets by an error; a place is free in the end."""
    monkeypatch.setattr(module, "LONG_S", 600)
    make_slow(store)
    app = create_app(Settings(backend_store_uri=store.uri, max_running=1, max_waiting=1, time_limit_s=600))
    async with served_here(app) as address, httpx.AsyncClient(base_url=address, timeout=60) as http:
        slow = asyncio.create_task(http.post("/graphql", json={"query": SLOW}))
        async with asyncio.timeout(30):
            while await asyncio.to_thread(running, store) != 1:
                await asyncio.sleep(0.01)
        waiting = asyncio.create_task(http.post("/graphql", json={"query": "{ __typename }"}))
        places = app.state.executor._running._admission.queries._places
        await until(lambda: len(places._waiting) == 1)

        for query in ("{ __typename }", "{ __schema { queryType { name } } }", SLOW):
            refused = await http.post("/graphql", json={"query": query})
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert refused.json() == {"errors": [REFUSAL]}
        async with talking(address) as talk:
            await talk.ask("{ __typename }")
            assert await talk.refusal() == REFUSAL
        change = await http.post("/graphql", json={"query": "mutation { __typename }"})
        assert change.json()["data"] == {"__typename": "Mutation"}

        slow.cancel()
        assert (await waiting).json()["data"] == {"__typename": "Query"}


async def test_slow_queries_keep_a_server_from_nothing(store, soon):
    """They wait for each other, and are refused where too many do; all else is answered."""
    make_slow(store)
    app = create_app(Settings(backend_store_uri=store.uri, max_running=1, max_waiting=1, time_limit_s=600))
    async with served_here(app) as address, httpx.AsyncClient(base_url=address, timeout=60) as http:
        slow = [asyncio.create_task(http.post("/graphql", json={"query": SLOW}))]
        waiting = asyncio.create_task(http.post("/graphql", json={"query": "{ __typename }"}))
        assert (await waiting).json()["data"] == {"__typename": "Query"}
        slow.append(asyncio.create_task(http.post("/graphql", json={"query": SLOW})))
        await until(lambda: app.state.executor._running._admission.queries._long.is_waited_for)
        assert (await http.post("/graphql", json={"query": SLOW})).json() == {"errors": [REFUSAL]}
        assert (await http.post("/graphql", json={"query": "{ __typename }"})).status_code == 200
        assert await asyncio.to_thread(running, store) == 1
        for each in slow:
            each.cancel()


async def test_as_many_websockets_as_may_be_open(small):
    """The next one is refused at the handshake, until one is closed."""
    app = create_app(Settings(backend_store_uri=small.uri, max_websockets=1))
    async with served_here(app) as address:
        async with talking(address):
            with pytest.raises(Exception, match="HTTP 503"):
                async with talking(address):
                    pass
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(Exception):
                    async with talking(address):
                        break
