"""Which factories belong to a manufacturing group: the ledger says it, as the factories themselves do.

The ledger is told first that a factory left, and last that it joined: whatever breaks in between, no group sees a
factory that moved away. What a crash left out of the ledger, or an earlier release never put there, the sweep does.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

from contracts.access import EntryKind
from contracts.errors import NotFound
from services.access.domain.consent.facts import GroupJoined, GroupLeft
from services.access.domain.consent.fold import Fold
from services.access.domain.party import Factory
from services.access.store.ledger import Ledger
from services.access.store.parties import Factories
from services.access.usecases.consent import Consent
from services.access.usecases.durable import durable
from services.access.usecases.grants import EVERYWHERE
from services.access.usecases.turns import Turns

NO_GROUP = ""


class Grouping:
    """Brings the groups that factories belong to on the ledger, and off it."""

    def __init__(self, factories: Factories, ledger: Ledger, consent: Consent) -> None:
        self._factories = factories
        self._ledger = ledger
        self._consent = consent
        self._turns = Turns()

    async def moved(
        self, factory_id: str, group_id: str, change: Callable[[], Awaitable[Factory]], *, by: str, now: datetime
    ) -> Factory:
        """Carry out a change by which a factory belongs to this group, or to none when it is empty.

        Returns once that is in force at every gateway; the same again waits again. Raises what the change raises, and
        then the ledger says what it said before, and ``StoreUnavailable``.
        """

        async def write() -> tuple[Factory, int]:
            async with self._turns.of(factory_id):
                if joined(await self._ledger.current(), factory_id) != group_id:
                    await self._tell(factory_id, NO_GROUP, by=by, now=now)
                try:
                    changed = await change()
                finally:
                    epoch = await self._settle(factory_id, by=by, now=now)
                return changed, epoch

        changed, epoch = await durable(write())
        if epoch > 0:
            # From 0: which entry brought it to the group that it left is no longer known when this is repeated.
            await self._consent.in_force(epoch, given=0)
        return changed

    async def sweep(self, *, now: datetime) -> None:
        """Bring the ledger into line with what the factories say."""
        said = await self._factories.find_groups(EVERYWHERE)
        records = (await self._ledger.current()).records(EntryKind.GROUP_JOINED)
        told = {record.id: _group(record.fact) for record in records if record.ended_epoch is None}
        for factory_id in sorted({factory_id for factory_id, _ in said.items() ^ told.items()}):
            async with self._turns.of(factory_id):
                await self._settle(factory_id, by="access", now=now)

    async def _settle(self, factory_id: str, *, by: str, now: datetime) -> int:
        """Bring the ledger to what the factory says, also while another process changes it; tell the epoch of that."""
        while True:
            wanted = await self._said(factory_id)
            epoch = await self._tell(factory_id, wanted, by=by, now=now)
            if await self._said(factory_id) == wanted:
                return epoch

    async def _said(self, factory_id: str) -> str:
        """The group that a factory says it belongs to."""
        try:
            return (await self._factories.get(factory_id, EVERYWHERE)).group_id
        except NotFound:
            return NO_GROUP

    async def _tell(self, factory_id: str, wanted: str, *, by: str, now: datetime) -> int:
        """Bring the ledger to what is wanted; tell the epoch of the factory's last entry, 0 without one."""

        def decide(fold: Fold) -> GroupJoined | GroupLeft | None:
            present = joined(fold, factory_id)
            if present == wanted:
                return None
            if present != NO_GROUP:
                return GroupLeft(factory_id=factory_id, group_id=present)
            return GroupJoined(factory_id=factory_id, group_id=wanted)

        fold = await self._ledger.append(decide, by=by, at=now)
        while joined(fold, factory_id) != wanted:
            fold = await self._ledger.append(decide, by=by, at=now)
        record = fold.record(factory_id, EntryKind.GROUP_JOINED)
        return (record.ended_epoch or record.epoch) if record is not None else 0


def joined(fold: Fold, factory_id: str) -> str:
    """The group that a factory belongs to, as the ledger tells; empty for none."""
    record = fold.record(factory_id, EntryKind.GROUP_JOINED)
    return _group(record.fact) if record is not None and record.ended_epoch is None else NO_GROUP


def _group(fact: object) -> str:
    return fact.group_id if isinstance(fact, GroupJoined) else NO_GROUP
