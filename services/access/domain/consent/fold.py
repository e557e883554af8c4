"""What the entries of the ledger amount to: the records, the chain, and what stands now; no I/O, no clock."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from contracts import visibility
from contracts.access import ENDS, ConsentEntry, EntryKind
from contracts.identity import Scope
from contracts.ledger import Chain, LedgerKey, NotGenuine
from services.access.domain.consent.entry import Entry, followed
from services.access.domain.consent.facts import Fact, GrantGiven
from services.access.domain.grant import Grant


class LedgerBroken(Exception):
    """The stored ledger is not the one that was written: an entry is missing, doubled or altered."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry began, its place on the ledger, and where it ended, with the fact that ended it."""

    id: str
    factory_id: str
    buyer_id: str
    fact: Fact
    by: str
    epoch: int
    at: datetime
    ended_epoch: int | None = None
    ended_at: datetime | None = None
    ending: Fact | None = None

    @property
    def grant(self) -> Grant:
        """The grant that was given; raises ``TypeError`` for a record of another kind."""
        if not isinstance(self.fact, GrantGiven):
            raise TypeError(f"{self.fact.kind} is no grant")
        return self.fact.grant

    def concerns(self, scope: Scope) -> bool:
        """Whether the scope's party is the factory or the buyer of the record; the whole country sees all."""
        if scope.buyer_id is not None:
            return self.buyer_id == scope.buyer_id
        return scope.covers(self.factory_id)


class Fold:
    """Everything that is on the ledger, read from the entries in their order; it changes by ``apply`` only."""

    def __init__(self, entries: Iterable[Entry] = (), *, anchor: str = "") -> None:
        """``anchor`` is the fingerprint of the first signing key; the first one found is believed without it."""
        self.visible = visibility.Fold()
        self._entries: list[Entry] = []
        self._records: dict[EntryKind, dict[str, Record]] = {kind: {} for kind in EntryKind}
        self._announcements: list[Entry] = []
        self._concerning: dict[str, list[ConsentEntry]] = {}
        self._chain = Chain(anchor)
        for entry in entries:
            self.apply(entry)

    @property
    def epoch(self) -> int:
        """The epoch of the last entry, 0 before the first."""
        return self._chain.epoch

    @property
    def hash(self) -> str:
        """The hash of the last entry."""
        return self._chain.hash

    @property
    def chain(self) -> Chain:
        """What was checked so far, with the key that is valid now."""
        return self._chain

    def apply(self, entry: Entry) -> None:
        """Take the next entry; raises ``LedgerBroken`` for one that does not continue the chain."""
        seen = followed(entry)
        try:
            chain = self._chain.next(seen)
        except NotGenuine as error:
            raise LedgerBroken(f"The entry after epoch {self.epoch} does not continue the ledger: {error}") from error
        if seen.kind is EntryKind.KEY_ANNOUNCED:
            self._announcements.append(entry)
        elif seen.kind in ENDS:
            self._end(ENDS[seen.kind], seen.grant_id, entry)
        else:
            records = self._records[seen.kind]
            records.pop(seen.grant_id, None)  # what begins again is the newest
            records[seen.grant_id] = Record(
                id=seen.grant_id,
                factory_id=seen.factory_id,
                buyer_id=seen.buyer_id,
                fact=entry.fact,
                by=entry.by,
                epoch=entry.epoch,
                at=entry.at,
            )
        shown = msgspec.structs.replace(seen, sealed={}, signature="", key_id="")
        self.visible.apply(shown)
        if shown.buyer_id:  # keys and groups concern no buyer
            self._concerning.setdefault(shown.buyer_id, []).append(shown)
        self._entries.append(entry)
        self._chain = chain

    def next(self, fact: Fact, *, by: str, at: datetime, salt: str, key: LedgerKey) -> Entry:
        """The entry that would continue the ledger, signed."""
        entry = Entry(epoch=self.epoch + 1, at=at, by=by, fact=fact, previous_hash=self.hash, salt=salt)
        return entry.signed(key)

    def evidence(self, record: Record) -> list[Entry]:
        """The entries of a record with the announcements that tell which keys were valid, in their order."""
        own = [self._entries[epoch - 1] for epoch in (record.epoch, record.ended_epoch) if epoch is not None]
        keys = [entry for entry in self._announcements if entry.epoch < own[-1].epoch]
        return sorted([*keys, *own], key=lambda entry: entry.epoch)

    def announcements(self) -> list[Entry]:
        """Every announcement of a key, oldest first."""
        return list(self._announcements)

    def connects(self, epoch: int, entry_hash: str) -> bool:
        """Whether somebody who has read up to this entry has read this ledger and no other."""
        if epoch == 0:
            return True
        return 0 < epoch <= self.epoch and self._entries[epoch - 1].hash == entry_hash

    def epoch_at(self, moment: datetime) -> int:
        """The epoch of the last entry that was written by then, 0 before the first."""
        return next((entry.epoch for entry in reversed(self._entries) if entry.at <= moment), 0)

    def after(self, epoch: int, *, limit: int) -> list[Entry]:
        """The entries behind an epoch, at most ``limit``."""
        return self._entries[epoch : epoch + limit]

    def concerning(self, buyer_id: str) -> Sequence[ConsentEntry]:
        """Every entry about a buyer, oldest first, without what is sealed."""
        return self._concerning.get(buyer_id, ())

    def record(self, record_id: str, kind: EntryKind = EntryKind.GRANT_GIVEN) -> Record | None:
        """What an entry of this kind began under an id: of several the last."""
        return self._records[kind].get(record_id)

    def records(self, kind: EntryKind = EntryKind.GRANT_GIVEN) -> Iterator[Record]:
        """Everything that entries of this kind began, newest first."""
        return reversed(self._records[kind].values())

    def _end(self, kind: EntryKind, record_id: str, entry: Entry) -> None:
        record = self._records[kind].get(record_id)
        if record is None or record.ended_epoch is not None:
            raise LedgerBroken(f"Epoch {entry.epoch} ends what does not stand.")
        ended = msgspec.structs.replace(record, ended_epoch=entry.epoch, ended_at=entry.at, ending=entry.fact)
        self._records[kind][record_id] = ended
