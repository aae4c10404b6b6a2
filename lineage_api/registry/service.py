"""The registry as those who change it see it: each change in a thread, made to its end whoever stops waiting."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from lineage_api.errors import TimedOut, Unsuitable
from lineage_api.registry import restore, rollback
from lineage_api.registry.outcome import Asked, Outcome
from lineage_api.registry.plans import Plan, plans
from lineage_api.registry.units import Change, Unit, Units
from lineage_api.store.database import Snapshot
from lineage_api.store.model_files import ModelFiles
from lineage_api.store.to_the_end import to_the_end

WRITERS = 4
"""How many changes are made at the same time."""
PLANS = 4
"""How often a rollback is planned again when others change the model meanwhile."""


class Registry:
    """Makes changes to the registered models of a store."""

    def __init__(self, uri: str, files: ModelFiles) -> None:
        self._units = Units(uri, WRITERS)
        self._files = files
        self._threads = ThreadPoolExecutor(WRITERS, "change")
        self.is_recorded = True
        """Whether our tables are there, without which nothing is changed."""

    async def made(self, asked: Asked, change: Change) -> Outcome:
        """What came of a change. Who stops waiting for it does not stop it."""
        if not self.is_recorded:
            raise Unsuitable("Nothing can be changed while history is not recorded: run `lineage-api db upgrade`.")
        doing = asyncio.get_running_loop().run_in_executor(self._threads, self._units.made, asked, change)
        return await to_the_end(doing)

    async def restored(self, reader: Snapshot, asked: Asked, model: str, version: int) -> Outcome:
        """Brings back a version that was deleted; its files are looked at first, so that nobody waits for them."""
        found = await restore.manifest(reader, self._files, model, version)
        return await self.made(asked, lambda unit: restore.restored(unit, model, version, found))

    async def rolled_back(self, reader: Snapshot, asked: Asked, wish: rollback.Wish) -> Outcome:
        """Gives a stage or an alias back; what is planned is looked at first, so that nobody waits for artifacts."""
        for _ in range(PLANS):
            [plan] = await plans(reader, self._files, [wish.model], wish.place, wish.to)
            await reader.close()

            def change(unit: Unit, plan: Plan = plan) -> Outcome:
                unit.lock(wish.model, stage=wish.place.stage, version=plan.target)
                rollback.require_sound(wish, plan)
                return rollback.given_back(unit, wish, plan)

            try:
                return await self.made(asked, change)
            except rollback.StaleError:
                continue
        raise TimedOut("Others change this registered model all the time; try again.")

    def close(self) -> None:
        """Waits for the changes that are being made, and lets go of the database."""
        self._threads.shutdown(cancel_futures=True)
        self._units.close()
