"""Notices: what a factory is told that others did about its reports; each follows from one entry of the ledger.

So nothing that breaks can lose a notice: it is there from the moment on in which the entry takes effect. What is stored
beside the ledger is only that the factory has read it.
"""

from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from typing import Final

import msgspec

from contracts.access import EntryKind
from contracts.vocabulary import ReportKind
from services.access.domain.consent.entry import Entry
from services.access.domain.consent.facts import (
    Disclosure,
    DisclosureEnded,
    DisclosureMade,
    GrantGiven,
    SharingResumed,
    SharingSuspended,
)
from services.access.domain.consent.fold import Fold


class NoticeKind(StrEnum):
    """What the factory is told."""

    DISCLOSURE_MADE = "disclosure_made"
    """Something is shown to a buyer without its consent."""
    DISCLOSURE_ENDED = "disclosure_ended"
    CONSENT_RECORDED = "consent_recorded"
    """A consent that it gave on paper was put on the ledger by the programme."""
    SHARING_SUSPENDED = "sharing_suspended"
    SHARING_RESUMED = "sharing_resumed"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a factory is told; ``epoch`` is the entry on the ledger that it follows from.

    ``record_id`` is the disclosure, the grant or the agreement. Of a disclosure the ``reason`` is told, and the roles
    of the two persons who decided, never who they are. Without ``cycles`` every cycle is meant.
    """

    id: str
    kind: NoticeKind
    at: datetime
    epoch: int
    factory_id: str
    buyer_id: str
    record_id: str
    kinds: tuple[ReportKind, ...] = ()
    cycles: tuple[int, ...] = ()
    starts_on: date | None = None
    ends_on: date | None = None
    reason: str = ""
    requested_as: str = ""
    confirmed_as: str = ""


_PREFIX: Final = "notice-"


def notice_id(epoch: int) -> str:
    """The id of the notice that follows from an entry."""
    return f"{_PREFIX}{epoch:012d}"


def notices(fold: Fold, *, before: int | None = None) -> Iterator[Notice]:
    """Every notice to every factory, newest first, of entries before an epoch when one is given."""
    end = fold.epoch if before is None else max(0, min(before - 1, fold.epoch))
    for entry in reversed(fold.after(0, limit=end)):
        found = _notice_of(entry, fold)
        if found is not None:
            yield found


def notice_with(fold: Fold, wanted: str) -> Notice | None:
    """The notice with an id, if there is one."""
    number = wanted.removeprefix(_PREFIX)
    epoch = int(number) if number.isascii() and number.isdigit() and len(number) == 12 else 0
    if notice_id(epoch) != wanted or not 0 < epoch <= fold.epoch:
        return None
    (entry,) = fold.after(epoch - 1, limit=1)
    return _notice_of(entry, fold)


def _notice_of(entry: Entry, fold: Fold) -> Notice | None:
    """What the factory of an entry is told of it, if anything."""
    match entry.fact:
        case DisclosureMade(disclosure=disclosure):
            return _of_disclosure(entry, NoticeKind.DISCLOSURE_MADE, disclosure)
        case DisclosureEnded(record_id=record_id):
            record = fold.record(record_id, EntryKind.DISCLOSURE_MADE)
            if record is None or not isinstance(record.fact, DisclosureMade):
                return None
            return _of_disclosure(entry, NoticeKind.DISCLOSURE_ENDED, record.fact.disclosure)
        case GrantGiven(grant=grant) if grant.document_sha256:
            names = ("factory_id", "buyer_id", "kinds", "starts_on", "ends_on")
            told = {name: getattr(grant, name) for name in names}
            return _notice(entry, NoticeKind.CONSENT_RECORDED, record_id=grant.id, **told)
        case SharingSuspended() | SharingResumed() as fact:
            is_suspended = isinstance(fact, SharingSuspended)
            kind = NoticeKind.SHARING_SUSPENDED if is_suspended else NoticeKind.SHARING_RESUMED
            about = {"factory_id": fact.factory_id, "buyer_id": fact.buyer_id}
            return _notice(entry, kind, record_id=fact.record_id, **about)
        case _:
            return None


def _of_disclosure(entry: Entry, kind: NoticeKind, disclosure: Disclosure) -> Notice:
    names = ("factory_id", "buyer_id", "kinds", "cycles", "starts_on", "ends_on")
    decided = ("reason", "requested_as", "confirmed_as")
    told = {name: getattr(disclosure, name) for name in (*names, *decided)}
    return _notice(entry, kind, record_id=disclosure.disclosure_id, **told)


def _notice(entry: Entry, kind: NoticeKind, **told: object) -> Notice:
    return Notice(id=notice_id(entry.epoch), kind=kind, at=entry.at, epoch=entry.epoch, **told)  # type: ignore[arg-type]
