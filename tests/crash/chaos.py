"""Kills processes at random, from a seed, and starts them again at once as a supervisor would."""

import asyncio
import contextlib
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from tests.crash.journal import Journal, VisitFinalised
from tests.support.deployment import PROCESSES, Deployment

SHORTEST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 4.6
LONGEST_FREEZE_S: Final = 2.0
STARTING_S: Final = 3.0
WATCH_S: Final = 0.2


class Chaos:
    """Counts its kills by kind."""

    def __init__(self, deployment: Deployment, journal: Journal, *, seed: int) -> None:
        self._deployment = deployment
        self._journal = journal
        self._chance = random.Random(f"{seed} chaos")
        self.kills = 0
        self.kinds: Counter[str] = Counter()

    async def kill(self, at_least: int) -> None:
        """Kill until there were that many; everything is running again at the end, though perhaps not ready."""
        while self.kills < at_least:
            await asyncio.sleep(self._chance.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S))
            kind = self._chance.choices(("one", "two", "starting", "frozen"), (64, 14, 12, 10))[0]
            self.kinds[kind] += 1
            await getattr(self, f"_{kind}")()

    async def _one(self) -> None:
        if self._chance.random() < 0.5:
            # What follows from a finalised visit is on its way just now, from outbox to queue to listener.
            await self._journal.until_next(VisitFinalised, within_s=2)
            await asyncio.sleep(self._chance.uniform(0, 0.15))
        self._restart(self._chance.choice(PROCESSES))

    async def _two(self) -> None:
        for name in self._chance.sample(PROCESSES, 2):
            self._restart(name)

    async def _starting(self) -> None:
        name = self._chance.choice(PROCESSES)
        self._restart(name)
        await asyncio.sleep(self._chance.uniform(0.1, STARTING_S))
        self._restart(name)

    async def _frozen(self) -> None:
        name = self._chance.choice(PROCESSES)
        self._deployment.signal(name, signal.SIGSTOP)
        await asyncio.sleep(self._chance.uniform(0.2, LONGEST_FREEZE_S))
        self._deployment.signal(name, signal.SIGCONT)

    def _restart(self, name: str) -> None:
        self._deployment.kill(name)
        self._deployment.start(name)
        self.kills += 1


@contextlib.asynccontextmanager
async def watched(deployment: Deployment, journal: Journal) -> AsyncIterator[None]:
    """Note every process that ends by itself as a fault, and start it again."""

    async def watch() -> None:
        while True:
            for name in PROCESSES:
                code = deployment.exit_code(name)
                if code is not None:
                    journal.fault(f"{name} ended by itself with {code}: {deployment.log_tail(name)[-700:]}")
                    deployment.start(name)
            await asyncio.sleep(WATCH_S)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait({watching})
