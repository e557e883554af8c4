"""Buyers who read every path at every gateway without end, above all what has just been withdrawn."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from contracts.identity import Role
from tests.chaos.country import GATEWAYS, LEASE_S, Country
from tests.chaos.papers import FACTORIES
from tests.chaos.reading import (
    DOWNLOAD,
    HOW_FAR,
    KNOWN,
    LIST,
    PARTIES,
    PARTY_PATH,
    PATHS,
    PLAN_LIST,
    PORTFOLIO,
    SINGLE,
    TABLE,
    Path,
    Read,
    Slot,
)
from tests.chaos.truth import BUYERS, Judge

SLOTS: Final[Mapping[Path, int]] = {
    **dict.fromkeys((KNOWN, LIST, PARTY_PATH, PARTIES, TABLE, PLAN_LIST, HOW_FAR, PORTFOLIO), 1),
    SINGLE: 3,
    DOWNLOAD: 5,
}
"""How many clients of each kind read at each gateway; a download takes the longest."""

PATIENCE_S: Final = (0.05 * LEASE_S, 1.5 * LEASE_S)
MOST_WAITING: Final = 12
RECENT_SHARE: Final = 0.3


class Pace(msgspec.Struct, frozen=True):
    """How long a client pauses after a read: without pauses the readers would leave nothing for the rest."""

    shortest_s: float
    longest_s: float


STORM_PACE: Final = Pace(0.0, 0.05)
CALM_PACE: Final = Pace(0.1, 0.3)
"""What a withdrawal takes while all is healthy is told of a machine that is busy and not overrun."""


class Readers:
    """The clients of every gateway."""

    def __init__(self, country: Country, judge: Judge, *, seed: int, is_calm: Callable[[], bool]) -> None:
        self._country = country
        self._judge = judge
        self._seed = seed
        self._is_calm = is_calm
        self._tokens = {buyer: country.token(f"user-{buyer}", Role.BUYER, buyer) for buyer in BUYERS}

    async def run(self) -> None:
        """Read until cancelled."""
        async with asyncio.TaskGroup() as group:
            for gateway in GATEWAYS:
                for path in PATHS:
                    for number in range(SLOTS[path]):
                        chance = random.Random(f"{self._seed} {gateway} {path.name} {number}")
                        group.create_task(self._read_on(gateway, path, chance))

    async def _read_on(self, gateway: str, path: Path, chance: random.Random) -> None:
        slot = Slot(("127.0.0.1", self._country.ports[gateway]), self._tokens)
        try:
            while True:
                buyer, factory = self._wanted(chance)
                read = Read(self._judge, path, buyer, factory)
                # Who gives up on a gateway that says nothing asks it again: so it is asked while it is frozen, too.
                patience_s = chance.uniform(*PATIENCE_S) if slot.waiting < MOST_WAITING else 10 * LEASE_S
                outcome = await slot.ask(read, patience_s=patience_s)
                pace = CALM_PACE if self._is_calm() else STORM_PACE
                pause_s = path.rest_s + chance.uniform(pace.shortest_s, pace.longest_s)
                await asyncio.sleep(pause_s if outcome in {"200", "304", "404"} else max(pause_s, 0.02))
        finally:
            slot.close()

    def _wanted(self, chance: random.Random) -> tuple[str, str]:
        """A buyer and a factory, at times a pair that was withdrawn within the last lease."""
        if chance.random() < RECENT_SHARE:
            since = time.monotonic() - LEASE_S
            closed = [pair for pair in self._judge.pairs.values() if (pair.closed_at or 0.0) > since]
            if closed:
                pair = max(chance.sample(closed, min(3, len(closed))), key=lambda each: each.closed_at or 0.0)
                return pair.buyer, pair.factory
        return chance.choice(BUYERS), chance.choice(FACTORIES)
