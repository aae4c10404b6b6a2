"""Work that nobody waits for any more."""

import asyncio
import gc

import pytest

from lineage_api.errors import LineageError, NotFound
from lineage_api.store.to_the_end import to_the_end


async def failing(error):
    """Fails a moment later."""
    await asyncio.sleep(0.02)
    raise error


async def left(error):
    """Work that fails after whoever waited for it has gone."""
    work = asyncio.ensure_future(failing(error))
    waiting = asyncio.ensure_future(to_the_end(work))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0.05)
    assert work.done()


async def test_who_waits_is_told(caplog):
    """As of anything else."""
    with pytest.raises(NotFound, match="secret"):
        await to_the_end(asyncio.ensure_future(failing(NotFound("secret"))))
    assert await to_the_end(asyncio.ensure_future(asyncio.sleep(0, "done"))) == "done"
    assert caplog.records == []


@pytest.mark.parametrize(("error", "logged"), [(NotFound("secret"), 0), (ZeroDivisionError("a defect"), 1)])
async def test_what_goes_wrong_later(caplog, error, logged):
    """A defect is logged, once; what was refused is nobody's business any more."""
    await left(error)
    gc.collect()  # asyncio tells then of what nobody asked for
    assert [record.message for record in caplog.records] == ["What nobody waits for any more has failed"] * logged
    assert ("secret" in caplog.text) is False
    assert isinstance(error, LineageError) is not bool(logged)
