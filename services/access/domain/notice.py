"""Notices: what a factory is told that others did about its reports, and what they ask of it.

Each follows from one entry of the ledger, or from a request for access: while that waits for the factory's answer, and
when the programme recorded its refusal. So nothing that breaks can lose a notice: it is there from the moment on in
which the entry takes effect, or the request is made or refused. What is stored besides is only that the factory has
read it.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from contracts.access import EntryKind
from contracts.vocabulary import ReportKind
from services.access.domain.consent.agreed import SharingResumed, SharingSuspended
from services.access.domain.consent.entry import Entry
from services.access.domain.consent.facts import (
    Disclosure,
    DisclosureEnded,
    DisclosureMade,
    GrantGiven,
    GrantRevoked,
)
from services.access.domain.consent.fold import Fold
from services.access.domain.request import REMINDERS, AccessRequest, Status


class NoticeKind(StrEnum):
    """What the factory is told."""

    DISCLOSURE_MADE = "disclosure_made"
    """Something is shown to a buyer without its consent."""
    DISCLOSURE_ENDED = "disclosure_ended"
    CONSENT_RECORDED = "consent_recorded"
    """A consent that it gave on paper was put on the ledger by the programme."""
    WITHDRAWAL_RECORDED = "withdrawal_recorded"
    """So was the withdrawal of a consent, which it signed on paper."""
    REFUSAL_RECORDED = "refusal_recorded"
    """So was its refusal of what a buyer asked."""
    SHARING_SUSPENDED = "sharing_suspended"
    SHARING_RESUMED = "sharing_resumed"
    ACCESS_REQUESTED = "access_requested"
    """A buyer asks for access, and waits for an answer."""
    ACCESS_REQUEST_REMINDED = "access_request_reminded"
    """It still waits."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a factory is told; ``epoch`` is the entry on the ledger that it follows from, 0 of a request.

    ``record_id`` is the disclosure, the grant, the agreement or the request for access. Of a disclosure the ``reason``
    is told, and the roles of the two persons who decided, never who they are; of a request the purpose, of its refusal
    what was said. Without ``cycles`` every cycle is meant.
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


_SHARED: Final = ("factory_id", "buyer_id", "kinds", "starts_on", "ends_on")
"""What a notice tells of a grant, a disclosure and a request alike."""

_PREFIX: Final = "notice-"
_OF_REQUEST: Final = "notice-request-"


def notice_id(epoch: int) -> str:
    """The id of the notice that follows from an entry."""
    return f"{_PREFIX}{epoch:012d}"


def notices(fold: Fold) -> Iterator[Notice]:
    """Every notice to every factory that follows from the ledger, newest first."""
    for entry in reversed(fold.after(0, limit=fold.epoch)):
        found = _notice_of(entry, fold)
        if found is not None:
            yield found


def told_of(request: AccessRequest, now: datetime) -> list[Notice]:
    """What the factory is told of a request.

    While it waits, that it was made and was brought to mind again; and that its refusal on paper was recorded.
    """
    if request.status_at(now) is Status.PENDING:
        return [_of_request(request, reminder) for reminder in sorted({0, request.reminders})]
    return _refusals(request)


def request_of(notice_id: str) -> str | None:
    """The id of the request that a notice with this id follows from, ``None`` for a notice of the ledger."""
    reminder, _, request_id = notice_id.removeprefix(_OF_REQUEST).partition("-")
    return request_id if notice_id.startswith(_OF_REQUEST) and reminder else None


def notice_of(request: AccessRequest, wanted: str) -> Notice | None:
    """The notice with an id of a request, whatever became of it, if there is one."""
    found = [_of_request(request, reminder) for reminder in range(request.reminders + 1)]
    return next((notice for notice in (*found, *_refusals(request)) if notice.id == wanted), None)


def notice_with(fold: Fold, wanted: str) -> Notice | None:
    """The notice with an id that follows from the ledger, if there is one."""
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
        case GrantGiven() | GrantRevoked() as fact:
            return _of_paper(entry, fact, fold)
        case SharingSuspended(lifted_by="") | SharingResumed() as fact:  # what others still want goes on
            is_suspended = isinstance(fact, SharingSuspended)
            kind = NoticeKind.SHARING_SUSPENDED if is_suspended else NoticeKind.SHARING_RESUMED
            about = {"factory_id": fact.factory_id, "buyer_id": fact.buyer_id}
            return _notice(entry, kind, record_id=fact.record_id, **about)
        case _:
            return None


def _of_paper(entry: Entry, fact: GrantGiven | GrantRevoked, fold: Fold) -> Notice | None:
    """What the programme recorded from a paper; what a factory said itself it is not told."""
    if isinstance(fact, GrantGiven):
        kind, record_id, sha256 = NoticeKind.CONSENT_RECORDED, fact.grant.id, fact.grant.document_sha256
    else:
        kind, record_id, sha256 = NoticeKind.WITHDRAWAL_RECORDED, fact.record_id, fact.document_sha256
    record = fold.record(record_id)
    if record is None or not sha256:
        return None
    return _notice(entry, kind, record_id=record.id, **_told(record.grant, _SHARED))


def _of_disclosure(entry: Entry, kind: NoticeKind, disclosure: Disclosure) -> Notice:
    names = (*_SHARED, "cycles", "reason", "requested_as", "confirmed_as")
    return _notice(entry, kind, record_id=disclosure.disclosure_id, **_told(disclosure, names))


def _of_request(request: AccessRequest, reminder: int) -> Notice:
    """That a request was made, or its first, second ... reminder."""
    kind = NoticeKind.ACCESS_REQUEST_REMINDED if reminder else NoticeKind.ACCESS_REQUESTED
    at = request.asked_at + (REMINDERS[reminder - 1] if reminder else timedelta(0))
    return _about(request, str(reminder), kind, at=at, reason=request.purpose)


def _refusals(request: AccessRequest) -> list[Notice]:
    """That the programme recorded a refusal which the factory signed; what it answered itself it is not told."""
    answer = request.answer
    if request.status is not Status.REFUSED or answer is None or not answer.document_sha256:
        return []
    return [_about(request, "refused", NoticeKind.REFUSAL_RECORDED, at=answer.at, reason=answer.reason)]


def _about(request: AccessRequest, what: str, kind: NoticeKind, **told: object) -> Notice:
    asked = _told(request, _SHARED)
    return Notice(id=f"{_OF_REQUEST}{what}-{request.id}", kind=kind, epoch=0, record_id=request.id, **asked, **told)  # type: ignore[arg-type]


def _told(about: object, names: tuple[str, ...]) -> dict[str, object]:
    return {name: getattr(about, name) for name in names}


def _notice(entry: Entry, kind: NoticeKind, **told: object) -> Notice:
    return Notice(id=notice_id(entry.epoch), kind=kind, at=entry.at, epoch=entry.epoch, **told)  # type: ignore[arg-type]
