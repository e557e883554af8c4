"""The consent ledger: entries chained by hash, and the fold that tells which grants there are."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Annotated, Final

import msgspec
import rfc8785

from contracts.access import ConsentEntry, EntryKind, GrantGivenV1, GrantRevokedV1
from contracts.errors import Malformed, NotFound
from contracts.identity import Scope
from contracts.vocabulary import ReportKind

GENESIS: Final = "0" * 64
"""The ``previous_hash`` of the first entry."""

LONGEST_AHEAD_DAYS: Final = 3650
"""A grant may not begin, nor end, further away than this: a mistyped year is no consent."""


class GrantDatesWrong(Malformed):
    """The days of a grant make no sense."""

    code = "grant_dates_wrong"


class LedgerBroken(Exception):
    """The stored ledger is not the one that was written: an entry is missing, doubled or altered."""


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """The person of the factory who approved."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    role: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A factory's approval of a buyer for some kinds of report, from the first day to the last, both included."""

    id: str
    factory_id: str
    buyer_id: str
    kinds: tuple[ReportKind, ...]
    starts_on: date
    ends_on: date | None = None
    purpose: str = ""
    approved_by: Approval | None = None

    def checked(self, today: date) -> "Grant":
        """The grant with its kinds in order; raises ``Malformed`` for no kind and for days that make no sense."""
        if not self.kinds:
            raise Malformed("A grant names at least one kind of report.")
        if self.ends_on is not None and self.ends_on < max(self.starts_on, today):
            raise GrantDatesWrong("The last day lies before the first day, or is over.")
        if any(abs((day - today).days) > LONGEST_AHEAD_DAYS for day in (self.starts_on, self.ends_on) if day):
            raise GrantDatesWrong(f"The days of a grant lie within {LONGEST_AHEAD_DAYS} days of today.")
        return msgspec.structs.replace(self, kinds=tuple(sorted(set(self.kinds))))


class GrantGiven(msgspec.Struct, frozen=True, tag_field="kind", tag=EntryKind.GRANT_GIVEN.value):
    """A factory approved a buyer."""

    grant: Grant


class GrantRevoked(msgspec.Struct, frozen=True, tag_field="kind", tag=EntryKind.GRANT_REVOKED.value):
    """A factory withdrew an approval."""

    grant_id: str
    factory_id: str
    buyer_id: str


Fact = GrantGiven | GrantRevoked


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry: what happened, who did it and when, chained to the entry before it.

    ``hash`` is the SHA-256 (hex) of the canonical JSON (RFC 8785) of everything else in the entry.
    """

    epoch: int
    at: datetime
    by: str
    fact: Fact
    previous_hash: str
    hash: str = ""

    def sealed(self) -> "Entry":
        """The entry with its hash."""
        content = msgspec.to_builtins(self)
        del content["hash"]
        return msgspec.structs.replace(self, hash=hashlib.sha256(rfc8785.dumps(content)).hexdigest())


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

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: list[Entry] = []
        self._records: dict[str, GrantRecord] = {}
        for entry in entries:
            self.apply(entry)

    @property
    def epoch(self) -> int:
        """The epoch of the last entry, 0 before the first."""
        return len(self._entries)

    @property
    def hash(self) -> str:
        """The hash of the last entry."""
        return self._entries[-1].hash if self._entries else GENESIS

    def apply(self, entry: Entry) -> None:
        """Take the next entry; raises ``LedgerBroken`` for one that does not continue the chain."""
        if entry.epoch != self.epoch + 1 or entry.previous_hash != self.hash or entry.sealed() != entry:
            raise LedgerBroken(f"The entry after epoch {self.epoch} does not continue the ledger.")
        match entry.fact:
            case GrantGiven(grant):
                self._records[grant.id] = GrantRecord(grant=grant, given_epoch=entry.epoch, given_at=entry.at)
            case GrantRevoked(grant_id):
                if grant_id not in self._records:
                    raise LedgerBroken(f"Epoch {entry.epoch} revokes what was never given.")
                record = self._records[grant_id]
                changed = msgspec.structs.replace(record, revoked_epoch=entry.epoch, revoked_at=entry.at)
                self._records[grant_id] = changed
        self._entries.append(entry)

    def next(self, fact: Fact, *, by: str, at: datetime) -> Entry:
        """The entry that would continue the ledger."""
        return Entry(epoch=self.epoch + 1, at=at, by=by, fact=fact, previous_hash=self.hash).sealed()

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


def announced(entry: Entry) -> GrantGivenV1 | GrantRevokedV1:
    """The event that leaves with an entry."""
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


def followed(entry: Entry) -> ConsentEntry:
    """The entry as a gateway needs it."""
    fact = entry.fact
    concerned = fact.grant if isinstance(fact, GrantGiven) else fact
    shown = ConsentEntry(
        epoch=entry.epoch,
        previous_hash=entry.previous_hash,
        hash=entry.hash,
        kind=EntryKind.GRANT_REVOKED,
        grant_id=fact.grant.id if isinstance(fact, GrantGiven) else fact.grant_id,
        factory_id=concerned.factory_id,
        buyer_id=concerned.buyer_id,
    )
    if isinstance(fact, GrantRevoked):
        return shown
    grant = fact.grant
    return msgspec.structs.replace(
        shown, kind=EntryKind.GRANT_GIVEN, kinds=grant.kinds, starts_on=grant.starts_on, ends_on=grant.ends_on
    )
