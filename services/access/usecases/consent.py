"""Following the ledger under leases, and waiting until a revocation is in force at every gateway."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Final

import msgspec

from contracts.access import ConsentAnswer
from contracts.errors import Conflict
from services.access.domain.consent.entry import followed
from services.access.domain.consent.fold import Fold
from services.access.domain.lease import Leases
from services.access.store.charge import Charge, NotInCharge
from services.access.store.ledger import Ledger

ENTRIES_PER_ANSWER = 2_000
CHECKS_PER_ANSWER: Final = 5
"""So often a question is checked anew because the ledger grew meanwhile; then it is answered without a lease."""


class LedgerDoesNotConnect(Conflict):
    """The gateway has read another ledger than this one (a backup was restored): it must begin again at 0."""

    code = "ledger_does_not_connect"


class Consent:
    """The leases of the gateways, in memory, on a monotonic clock."""

    def __init__(
        self, ledger: Ledger, charge: Charge, *, lease_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ledger = ledger
        self._charge = charge
        self._lease_s = lease_s
        self._clock = clock
        self._leases = Leases(unknown_until=float("inf"), unknown_epoch=sys.maxsize)
        self._opening = asyncio.Lock()
        self._deciding = asyncio.Lock()
        self._changed = asyncio.Event()
        ledger.on_append(self.announce)

    async def check(self) -> None:
        """Return when the ledger is readable and this process in charge: a readiness check."""
        await self._open()
        await self._ledger.current()
        await self._charge.check()

    async def check_in_charge(self) -> None:
        """Return when this process has taken the charge and nobody took over; raises ``NotInCharge``."""
        self._demand_taken()
        await self._charge.check()

    async def follow(self, gateway: str, *, after: int, entry_hash: str, wait_s: float) -> ConsentAnswer:
        """Answer a gateway what is new behind ``after``, which it acknowledges by asking.

        Waits for news at most ``wait_s`` and a third of a lease. Raises ``LedgerDoesNotConnect`` and ``NotInCharge``.
        """
        await self._open()
        fold = self._ledger.known
        if not fold.connects(after, entry_hash) and not (await self._ledger.current()).connects(after, entry_hash):
            raise LedgerDoesNotConnect("The gateway has followed another ledger; it must read this one from the start.")
        self._leases = self._leases.acknowledged(gateway, after)
        self.announce()
        deadline = self._clock() + min(wait_s, self._lease_s / 3)
        while fold.epoch <= after and (left := deadline - self._clock()) > 0:
            await self._change(within_s=left)
        if self._clock() >= self._leases.unknown_until:
            await self._charge.settle()
        fold, known = await self._known(after)
        entries = tuple(followed(entry) for entry in fold.after(after, limit=min(ENTRIES_PER_ANSWER, known - after)))
        is_complete = after + len(entries) == fold.epoch
        if is_complete:
            now = self._clock()
            self._leases = self._leases.extended(gateway, after, now=now, lease_s=self._lease_s)
        return ConsentAnswer(entries=entries, epoch=fold.epoch, lease_s=self._lease_s if is_complete else 0.0)

    async def in_force(self, epoch: int, *, given: int) -> None:
        """Return when no gateway can show any more what this entry takes back; raises ``NotInCharge``."""
        await self._open()
        while (until := self._leases.in_the_way(epoch, given=given, now=self._clock())) is not None:
            await self._change(within_s=until - self._clock())
        async with self._deciding:
            pass  # whoever decided on what stood before is done, and who comes next sees the entry
        await self._charge.check()

    @contextlib.asynccontextmanager
    async def deciding(self) -> AsyncIterator[Fold]:
        """What stands, for one decision that is carried out within the block: until then nothing is taken back.

        NOTE: the block must not wait for anybody outside this process, because a revocation waits for the block. Who
        takes the charge over answers no revocation for a lease, so a decision that took long is none. Raises
        ``NotInCharge``.
        """
        # Before the ledger is read: who takes the charge during the reading may know more than was read.
        self._demand_taken()
        began = self._clock()
        while self._clock() - began <= self._lease_s / 2:
            fold = await self._ledger.current()
            known = fold.epoch
            await self._charge.check()
            async with self._deciding:
                # What came meanwhile may be a revocation, or what only a successor's leases know.
                if fold.epoch == known and self._clock() - began <= self._lease_s / 2:
                    yield fold
                    return
        raise NotInCharge("Deciding took too long.")

    def announce(self) -> None:
        """Wake everybody who waits for a new entry or an acknowledgement."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _known(self, after: int) -> tuple[Fold, int]:
        """What stands, and the epoch up to which it was read before nobody had taken over; raises ``NotInCharge``.

        The ledger is not read while there is news behind ``after`` that is known: what another process wrote without
        taking the charge is told with the next news, and when there is none.

        NOTE: the fold grows while the charge is checked. Who took over since then takes the leases of this process to
        know nothing that came later, so later entries must not leave it.
        """
        for _ in range(CHECKS_PER_ANSWER):
            fold = self._ledger.known
            if fold.epoch <= after:
                fold = await self._ledger.current()
            known = fold.epoch
            await self._charge.check()
            if fold.epoch == known:
                break
        return fold, known

    def _demand_taken(self) -> None:
        if not self._charge.is_taken:
            raise NotInCharge("This process has not begun to give leases.")

    async def _open(self) -> None:
        """Take the charge once. The unknown leases are counted from after that: no earlier process gives more."""
        async with self._opening:
            if not self._charge.is_taken:
                await self._ledger.announce_key(at=datetime.now(UTC))
                unknown_s = await self._charge.take()
                # Should reading the ledger fail, unknown leases are taken to know everything.
                self._leases = Leases(unknown_until=self._clock() + unknown_s, unknown_epoch=sys.maxsize)
                known_to_others = (await self._ledger.current()).epoch
                self._leases = msgspec.structs.replace(self._leases, unknown_epoch=known_to_others)

    async def _change(self, *, within_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, within_s)):
                await self._changed.wait()
