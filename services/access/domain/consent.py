"""The consent ledger: entries chained by hash and signed, and the fold that tells which grants there are.

How an entry is hashed and signed, and which key may sign it, says ``contracts.ledger``; here is what it speaks of.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from contracts.access import ConsentEntry, EntryKind, GrantGivenV1, GrantRevokedV1
from contracts.errors import NotFound
from contracts.identity import Scope
from contracts.ledger import Chain, Disclosed, LedgerKey, NotGenuine, digests, disclosures
from services.access.domain.grant import Grant

PURPOSE = "purpose"
"""The sealed value that a buyer may read as well; all others name people."""


class LedgerBroken(Exception):
    """The stored ledger is not the one that was written: an entry is missing, doubled or altered."""


class GrantGiven(msgspec.Struct, frozen=True, tag_field="kind", tag=EntryKind.GRANT_GIVEN.value):
    """A factory approved a buyer."""

    grant: Grant


class GrantRevoked(msgspec.Struct, frozen=True, tag_field="kind", tag=EntryKind.GRANT_REVOKED.value):
    """A factory withdrew an approval."""

    grant_id: str
    factory_id: str
    buyer_id: str


class KeyAnnounced(msgspec.Struct, frozen=True, tag_field="kind", tag=EntryKind.KEY_ANNOUNCED.value):
    """From here on entries are signed by another key; ``public_key`` is its public half in hex."""

    public_key: str


Fact = GrantGiven | GrantRevoked | KeyAnnounced


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as it is stored: what happened, who did it and when, chained to the entry before it.

    ``hash`` and ``signature`` are those of ``followed(entry)``. ``salt`` is secret: it keeps who reads a digest from
    guessing what was sealed.
    """

    epoch: int
    at: datetime
    by: str
    fact: Fact
    previous_hash: str
    salt: str
    hash: str = ""
    key_id: str = ""
    signature: str = ""

    def signed(self, key: LedgerKey) -> "Entry":
        """The entry with its hash and signature."""
        done = key.signed(followed(self))
        return msgspec.structs.replace(self, hash=done.hash, key_id=done.key_id, signature=done.signature)


class GrantRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A grant and its place on the ledger."""

    grant: Grant
    given_epoch: int
    given_at: datetime
    revoked_epoch: int | None = None
    revoked_at: datetime | None = None

    def concerns(self, scope: Scope) -> bool:
        """Whether the scope's party is the factory or the buyer of the grant; the whole country sees all."""
        if scope.buyer_id is not None:
            return self.grant.buyer_id == scope.buyer_id
        return scope.covers(self.grant.factory_id)


class Fold:
    """Who granted what to whom, read from the entries in their order; it changes by ``apply`` only."""

    def __init__(self, entries: Iterable[Entry] = (), *, anchor: str = "") -> None:
        """``anchor`` is the fingerprint of the first signing key; the first one found is believed without it."""
        self._entries: list[Entry] = []
        self._records: dict[str, GrantRecord] = {}
        self._announcements: list[Entry] = []
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
        try:
            chain = self._chain.next(followed(entry))
        except NotGenuine as error:
            raise LedgerBroken(f"The entry after epoch {self.epoch} does not continue the ledger: {error}") from error
        match entry.fact:
            case GrantGiven(grant):
                self._records[grant.id] = GrantRecord(grant=grant, given_epoch=entry.epoch, given_at=entry.at)
            case GrantRevoked(grant_id):
                if grant_id not in self._records:
                    raise LedgerBroken(f"Epoch {entry.epoch} revokes what was never given.")
                record = self._records[grant_id]
                changed = msgspec.structs.replace(record, revoked_epoch=entry.epoch, revoked_at=entry.at)
                self._records[grant_id] = changed
            case KeyAnnounced():
                self._announcements.append(entry)
        self._entries.append(entry)
        self._chain = chain

    def next(self, fact: Fact, *, by: str, at: datetime, salt: str, key: LedgerKey) -> Entry:
        """The entry that would continue the ledger, signed."""
        entry = Entry(epoch=self.epoch + 1, at=at, by=by, fact=fact, previous_hash=self.hash, salt=salt)
        return entry.signed(key)

    def evidence(self, record: GrantRecord) -> list[Entry]:
        """The entries of a grant with the announcements that tell which keys were valid, in their order."""
        own = [self._entries[epoch - 1] for epoch in (record.given_epoch, record.revoked_epoch) if epoch is not None]
        keys = [entry for entry in self._announcements if entry.epoch < own[-1].epoch]
        return sorted([*keys, *own], key=lambda entry: entry.epoch)

    def connects(self, epoch: int, entry_hash: str) -> bool:
        """Whether somebody who has read up to this entry has read this ledger and no other."""
        if epoch == 0:
            return True
        return 0 < epoch <= self.epoch and self._entries[epoch - 1].hash == entry_hash

    def after(self, epoch: int, *, limit: int) -> list[Entry]:
        """The entries behind an epoch, at most ``limit``."""
        return self._entries[epoch : epoch + limit]

    def record(self, grant_id: str) -> GrantRecord | None:
        """A grant with its place on the ledger."""
        return self._records.get(grant_id)

    def records(self) -> Iterator[GrantRecord]:
        """Every grant, newest first."""
        return reversed(self._records.values())


def revocation(fold: Fold, grant_id: str) -> GrantRevoked | None:
    """What revoking says; ``None`` when it was said before; raises ``NotFound``."""
    record = fold.record(grant_id)
    if record is None:
        raise NotFound("There is no such grant.")
    if record.revoked_epoch is not None:
        return None
    grant = record.grant
    return GrantRevoked(grant_id=grant.id, factory_id=grant.factory_id, buyer_id=grant.buyer_id)


def announced(entry: Entry) -> GrantGivenV1 | GrantRevokedV1 | None:
    """The event that leaves with an entry, if any."""
    match entry.fact:
        case GrantGiven(grant):
            return GrantGivenV1(
                grant_id=grant.id,
                factory_id=grant.factory_id,
                buyer_id=grant.buyer_id,
                kinds=grant.kinds,
                starts_on=grant.starts_on.isoformat(),
                ends_on=grant.ends_on.isoformat() if grant.ends_on else None,
                epoch=entry.epoch,
            )
        case GrantRevoked(grant_id, factory_id, buyer_id):
            return GrantRevokedV1(grant_id=grant_id, factory_id=factory_id, buyer_id=buyer_id, epoch=entry.epoch)
        case KeyAnnounced():
            return None


def followed(entry: Entry) -> ConsentEntry:
    """The entry as everybody may see it."""
    shown = ConsentEntry(
        epoch=entry.epoch,
        previous_hash=entry.previous_hash,
        hash=entry.hash,
        kind=EntryKind.KEY_ANNOUNCED,
        at=entry.at,
        sealed=digests(disclosed(entry)),
        key_id=entry.key_id,
        signature=entry.signature,
    )
    match entry.fact:
        case KeyAnnounced(public_key):
            return msgspec.structs.replace(shown, public_key=public_key)
        case GrantRevoked(grant_id, factory_id, buyer_id):
            parties = {"grant_id": grant_id, "factory_id": factory_id, "buyer_id": buyer_id}
            return msgspec.structs.replace(shown, kind=EntryKind.GRANT_REVOKED, **parties)
        case GrantGiven(grant):
            told = {name: getattr(grant, name) for name in ("factory_id", "buyer_id", "kinds", "starts_on", "ends_on")}
            return msgspec.structs.replace(shown, kind=EntryKind.GRANT_GIVEN, grant_id=grant.id, **told)


def disclosed(entry: Entry) -> dict[str, Disclosed]:
    """What is sealed in an entry: who wrote it, and of a grant its purpose and the person who approved."""
    values = {"by": entry.by}
    if isinstance(entry.fact, GrantGiven):
        grant = entry.fact.grant
        values[PURPOSE] = grant.purpose
        if grant.approved_by is not None:
            values |= {"approver_name": grant.approved_by.name, "approver_role": grant.approved_by.role}
    return disclosures(values, entry.salt)
