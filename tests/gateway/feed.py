"""Access in the test's hand: the consent ledger that a gateway follows, and the read log that it fills."""

import asyncio
import contextlib
from datetime import date
from typing import Any

import msgspec

from contracts.access import ConsentAnswer, ConsentEntry, EntryKind
from contracts.reads import Act, Read, ReadBatch
from contracts.visibility import DoesNotConnect
from contracts.vocabulary import ReportKind
from gateway.recording import ReadNotRecorded
from tests.support.eventually import eventually

LEASE_S = 0.6


class FedConsent:
    """A consent ledger in the test's hand."""

    def __init__(self, *shared: str) -> None:
        """With a grant to the buyer b1 by each of these factories: g1, g2 and so on."""
        self.entries: list[ConsentEntry] = []
        self._partners: set[str] = set()
        self.is_answering = True
        self.acknowledged: dict[str, int] = {}
        self.news = asyncio.Event()
        for number, factory_id in enumerate(shared, start=1):
            self.give(f"g{number}", factory_id)

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

    def join(self, factory_id: str, group_id: str = "g1") -> None:
        self._add(EntryKind.GROUP_JOINED, factory_id, factory_id, "", group_id=group_id)

    def leave(self, factory_id: str, group_id: str = "g1") -> None:
        self._add(EntryKind.GROUP_LEFT, factory_id, factory_id, "", group_id=group_id)

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

    async def follow(self, gateway: str, *, after: int, entry_hash: str, wait_s: float) -> ConsentAnswer:
        if not self.is_answering:
            raise ConnectionError("access is down")
        if after and (after > len(self.entries) or self.entries[after - 1].hash != entry_hash):
            raise DoesNotConnect("another ledger")
        self.acknowledged[gateway] = after
        if len(self.entries) == after:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self.news.wait()
        if not self.is_answering:
            raise ConnectionError("access went down")
        entries = tuple(self.entries[after:])
        return ConsentAnswer(entries=entries, epoch=len(self.entries), lease_s=LEASE_S)

    async def heard(self, gateways: int = 1) -> None:
        """Return when so many gateways have each acknowledged everything that is on the ledger."""

        def have_read() -> bool:
            return list(self.acknowledged.values()) == [len(self.entries)] * gateways

        await eventually(have_read, saying=f"{gateways} gateways have read the ledger")


class KeptReads:
    """A read log in the test's hand; what is of the ``refused`` act it takes never."""

    def __init__(self) -> None:
        self.batches: list[ReadBatch] = []
        self.failure: Exception | None = None
        self.refused: Act | None = None
        self.hold: asyncio.Event | None = None
        self.is_held = False

    @property
    def reads(self) -> list[Read]:
        """What is on record, oldest first."""
        return [read for batch in self.batches for read in batch.reads]

    async def put(self, batch: bytes) -> None:
        if self.hold is not None:
            self.is_held = True
            await self.hold.wait()
        if self.failure is not None:
            raise self.failure
        found = msgspec.json.decode(batch, type=ReadBatch)
        if self.refused in {read.act for read in found.reads}:
            raise ReadNotRecorded("These reads are refused.")
        self.batches.append(found)
