"""A server that is told to stop while a WebSocket and a stream follow it, and a change waits for a lock."""

import asyncio
import time

import pytest

from tests.api.slow import held
from tests.faults.clients import MODEL, client_of, require_kept
from tests.following import Stream, streaming, talking
from tests.servers import started

MAX_S = 5.0
"""How long it may take to stop; tests wait longer on a machine that has more to do."""


@pytest.fixture
def with_model(store):
    """A store with a registered model."""
    store.registered_model(MODEL)
    return store


async def test_all_are_told_and_the_change_is_made(with_model):
    """The change is made and acknowledged, the WebSocket is told to come again, the stream ends, and all is well."""
    with started("--backend-store-uri", with_model.uri) as server:
        async with client_of(server.address) as client, talking(server.address) as talk:
            await talk.follow()
            with streaming(server.address) as stream:
                following = asyncio.create_task(asyncio.to_thread(said, stream))
                assert (await client.tag("before", "x")).is_good
                assert (await talk.event())["kind"] == "TAG_SET"
                with held(with_model) as release:
                    changing = asyncio.create_task(client.tag("meanwhile", "x"))
                    await asyncio.sleep(0.3)
                    assert not changing.done()
                    server.tell_to_stop()
                    began = time.monotonic()
                    await asyncio.sleep(1)
                    assert not changing.done()
                    release()
                    assert (await changing).is_good
                code, _ = await talk.closed()
                assert code == 1012  # service restart: clients of graphql-ws connect again
                assert (await following)[0]["event"] == "next"
            assert await asyncio.to_thread(server.ended) == 0
            print(f"{with_model.kind}: stopped within {time.monotonic() - began:.1f} s")
        assert server.complaints == ""
    require_kept(with_model.uri, [("before", "x"), ("meanwhile", "x")])


def said(stream: Stream) -> list[dict[str, str]]:
    """All that a stream says, to its end."""
    return [part for part in stream.parts() if part]


async def test_changes_that_wait_in_vain(with_model):
    """They are given up as a whole, and are no reason not to end."""
    with started("--backend-store-uri", with_model.uri) as server:
        async with client_of(server.address) as client:
            assert (await client.tag("before", "x")).is_good
            with held(with_model):
                changing = [asyncio.create_task(client.tag(f"writer {number}", "x")) for number in range(20)]
                await asyncio.sleep(0.3)
                server.tell_to_stop()
                began = time.monotonic()
                assert await asyncio.to_thread(server.ended) == 0
                print(f"{with_model.kind}: stopped within {time.monotonic() - began:.1f} s, with 20 changes waiting")
                await asyncio.gather(*changing, return_exceptions=True)
    require_kept(with_model.uri, [("before", "x")])
