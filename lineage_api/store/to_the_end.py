"""Work that is done to its end, whoever stops waiting for it."""

import asyncio
import logging
from typing import TypeVar

from lineage_api.errors import LineageError

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


async def to_the_end(work: "asyncio.Future[_T]") -> _T:
    """What comes of work that has begun.

    What goes wrong with it once nobody waits any more is logged where it is a defect; a refusal is then nobody's.
    """
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        work.add_done_callback(_look_at)
        raise


def _look_at(work: "asyncio.Future[_T]") -> None:
    error = None if work.cancelled() else work.exception()
    if error is not None and not isinstance(error, LineageError):
        _log.error("What nobody waits for any more has failed", exc_info=error)
