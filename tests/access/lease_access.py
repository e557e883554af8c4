"""Access as the exploration of leases sees it: what the real ``Consent`` does at one moment, from one memory."""

import asyncio
from typing import NamedTuple, cast

from contracts.access import ConsentAnswer
from services.access.domain.consent.fold import Fold
from services.access.domain.lease import Lease, Leases
from services.access.store.charge import Charge
from services.access.store.ledger import Ledger
from services.access.usecases.consent import Consent
from tests.support.virtual import VirtualLoop, nobody_moves

LEASE = 100
"""Seconds, a whole number of ticks and of what a clock may lose in one."""


class Memory(NamedTuple):
    """What a process of access remembers, with times relative to now, and where the ledger ends."""

    epoch: int
    unknown: float
    unknown_epoch: int
    leases: frozenset[tuple[str, int, float]] = frozenset()

    def known(self) -> Leases:
        known = {name: Lease(acknowledged, ends) for name, acknowledged, ends in self.leases}
        return Leases(self.unknown, self.unknown_epoch, known)

    def after(self, leases: Leases) -> "Memory":
        alive = ((name, lease.acknowledged, lease.ends) for name, lease in leases.known.items() if lease.ends > 0)
        return self._replace(leases=frozenset(alive), unknown=leases.unknown_until, unknown_epoch=leases.unknown_epoch)

    def later(self, seconds: float) -> "Memory":
        alive = ((name, acknowledged, ends - seconds) for name, acknowledged, ends in self.leases if ends > seconds)
        return self._replace(leases=frozenset(alive), unknown=max(0.0, self.unknown - seconds))


class Access:
    """Asks the real functions; ``folds`` are the ledger after each of its entries."""

    def __init__(self, loop: VirtualLoop, folds: list[Fold]) -> None:
        self._loop = loop
        self._folds = folds

    def started(self, epoch: int) -> Memory:
        """What a process remembers that has just taken the charge over."""
        consent = self._consent(Memory(epoch, 0.0, 0), is_taken=False)
        self._loop.run(consent.check())
        return Memory(epoch, 0.0, 0).after(consent._leases)

    def acknowledged(self, memory: Memory, gateway: str, after: int) -> Memory:
        """After a question arrived."""
        return memory.after(memory.known().acknowledged(gateway, after))

    def answered(self, memory: Memory, gateway: str, after: int) -> tuple[Memory, ConsentAnswer]:
        """After a question was answered, and the answer."""
        consent = self._consent(memory)
        entry_hash = self._folds[after].hash
        answer = self._loop.run(consent.follow(gateway, after=after, entry_hash=entry_hash, wait_s=0))
        return memory.after(consent._leases), answer

    def is_in_force(self, memory: Memory, epoch: int, given: int) -> bool:
        """Whether a withdrawal that waits would return now."""

        async def returns() -> bool:
            waiting = asyncio.create_task(self._consent(memory).in_force(epoch, given=given))
            await nobody_moves()
            return waiting.done()

        return self._loop.run(returns())

    def _consent(self, memory: Memory, *, is_taken: bool = True) -> Consent:
        ledger, charge = _Ledger(self._folds[memory.epoch]), _Charge(is_taken=is_taken)
        consent = Consent(cast(Ledger, ledger), cast(Charge, charge), lease_s=LEASE, clock=lambda: 0.0)
        if is_taken:
            consent._leases = memory.known()
        return consent


class _Ledger:
    def __init__(self, fold: Fold) -> None:
        self._fold = fold

    def on_append(self, tell: object) -> None:
        pass

    @property
    def known(self) -> Fold:
        return self._fold

    async def current(self) -> Fold:
        return self._fold

    async def announce_key(self, **_: object) -> Fold:
        return self._fold


class _Charge:
    """Nobody takes it over: two processes at the same time are explored elsewhere."""

    def __init__(self, *, is_taken: bool) -> None:
        self.is_taken = is_taken

    async def take(self) -> float:
        self.is_taken = True
        return float(LEASE)

    async def settle(self) -> None:
        pass

    async def check(self) -> None:
        pass
