"""Access in the test's hand: the consent ledger that a gateway follows, and the read log that it fills."""

import asyncio
import contextlib
from datetime import date
from typing import Any

import msgspec

from contracts.access import ConsentAnswer, ConsentEntry, EntryKind
from contracts.reads import Read, ReadBatch
from contracts.visibility import DoesNotConnect
from contracts.vocabulary import ReportKind
from tests.support.eventually import eventually

LEASE_S = 0.6


class FedConsent:
    """A consent ledger in the test's hand."""

    def __init__(self) -> None:
        self.entries: list[ConsentEntry] = []
        self._partners: set[str] = set()
        self.is_answering = True
        self.acknowledged = 0
        self.news = asyncio.Event()

    def give(self, grant_id: str, factory_id: str, buyer_id: str = "b1", *kinds: ReportKind) -> None:
        """A grant to a partner: a buyer that is not one yet becomes one first."""
        day = date(2020, 1, 1)
        if buyer_id not in self._partners:
            self._partners.add(buyer_id)
            self._add(EntryKind.ENTITLEMENT_GIVEN, f"partner-{buyer_id}", "", buyer_id, starts_on=day)
        self._add(
            EntryKind.GRANT_GIVEN, grant_id, factory_id, buyer_id, kinds=kinds or tuple(ReportKind), starts_on=day
        )

    def revoke(self, grant_id: str, factory_id: str, buyer_id: str = "b1") -> None:
        self._add(EntryKind.GRANT_REVOKED, grant_id, factory_id, buyer_id)

    def _add(self, kind: EntryKind, grant_id: str, factory_id: str, buyer_id: str, **more: Any) -> None:
        epoch = len(self.entries) + 1
        previous = self.entries[-1].hash if self.entries else "0" * 64
        entry = ConsentEntry(
            epoch=epoch,
            previous_hash=previous,
            hash=f"{epoch:064x}",
            kind=kind,
            grant_id=grant_id,
            factory_id=factory_id,
            buyer_id=buyer_id,
            **more,
        )
        self.entries.append(entry)
        self.news.set()
        self.news = asyncio.Event()

    async def follow(self, gateway: str, *, after: int, entry_hash: str, wait_s: float) -> ConsentAnswer:  # noqa: ARG002
        if not self.is_answering:
            raise ConnectionError("access is down")
        if after and (after > len(self.entries) or self.entries[after - 1].hash != entry_hash):
            raise DoesNotConnect("another ledger")
        self.acknowledged = after
        if len(self.entries) == after:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self.news.wait()
        if not self.is_answering:
            raise ConnectionError("access went down")
        entries = tuple(self.entries[after:])
        return ConsentAnswer(entries=entries, epoch=len(self.entries), lease_s=LEASE_S)

    async def heard(self) -> None:
        """Return when the gateway has acknowledged everything that is on the ledger."""
        await eventually(lambda: self.acknowledged == len(self.entries), saying="the gateway has read the ledger")


class KeptReads:
    """A read log in the test's hand."""

    def __init__(self) -> None:
        self.batches: list[ReadBatch] = []
        self.failure: Exception | None = None
        self.hold: asyncio.Event | None = None

    @property
    def reads(self) -> list[Read]:
        """What is on record, oldest first."""
        return [read for batch in self.batches for read in batch.reads]

    async def put(self, batch: bytes) -> None:
        if self.hold is not None:
            await self.hold.wait()
        if self.failure is not None:
            raise self.failure
        self.batches.append(msgspec.json.decode(batch, type=ReadBatch))
