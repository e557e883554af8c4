"""What people see of disclosures without consent, and their receipts."""

from datetime import date, datetime
from enum import StrEnum

import msgspec

from contracts.access import EntryKind
from contracts.errors import NotFound
from contracts.identity import Scope
from contracts.vocabulary import ReportKind
from services.access.domain.consent.fold import Fold, Record
from services.access.domain.disclosure import Decision, DisclosureRequest
from services.access.domain.disclosure_receipt import TOLD_TO_FACTORY, disclosure_receipt_of
from services.access.domain.verification import canonical, line_of
from services.access.store.disclosures import Disclosures
from services.access.store.ledger import Ledger


class DisclosureState(StrEnum):
    """How far a disclosure is."""

    PENDING = "pending"
    EXPIRED = "expired"
    """Nobody decided in time."""
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    CONFIRMED = "confirmed"
    """It is being written on the ledger."""
    IN_FORCE = "in_force"
    OVER = "over"
    """Its last day has passed."""
    ENDED = "ended"
    """It was ended before its last day."""


class DisclosureView(msgspec.Struct, frozen=True, kw_only=True):
    """A disclosure without consent; without ``cycles`` of every cycle.

    ``case``, and the persons in ``requested_by`` and ``decided_by``, are shown to the programme only. The factory
    learns in which roles the two acted.
    """

    id: str
    factory_id: str
    buyer_ids: tuple[str, ...]
    kinds: tuple[ReportKind, ...]
    cycles: tuple[int, ...]
    starts_on: date | None
    ends_on: date
    state: DisclosureState
    case: str
    reason: str
    requested_by: str
    requested_as: str
    requested_at: datetime
    decided_by: str
    decided_as: str
    decided_at: datetime | None
    refusal_reason: str
    epoch: int | None
    ended_at: datetime | None


class DisclosurePage(msgspec.Struct, frozen=True):
    """One page of disclosures and the cursor of the next."""

    items: list[DisclosureView]
    next_cursor: str | None


class Moment(msgspec.Struct, frozen=True):
    """Now, and which day that is in the programme's time zone."""

    now: datetime
    today: date


async def list_disclosures(
    disclosures: Disclosures,
    ledger: Ledger,
    scope: Scope,
    moment: Moment,
    *,
    factory_id: str | None,
    limit: int,
    after: str | None,
) -> DisclosurePage:
    """List the disclosures in scope, newest first; raises ``InvalidCursor``."""
    page = await disclosures.find(scope, factory_id=factory_id, limit=limit, after=after)
    fold = await ledger.current()
    return DisclosurePage([view(request, fold, scope, moment) for request in page.items], page.next_cursor)


async def read_disclosure(
    disclosures: Disclosures, ledger: Ledger, disclosure_id: str, scope: Scope, moment: Moment
) -> DisclosureView:
    """Read one disclosure; raises ``NotFound``."""
    request = await disclosures.get(disclosure_id, scope)
    return view(request, await ledger.current(), scope, moment)


async def read_receipt(disclosures: Disclosures, ledger: Ledger, disclosure_id: str, scope: Scope) -> bytes:
    """The receipt of one disclosure as canonical JSON, the same bytes until it ends; raises ``NotFound``.

    That of a factory names no person and no case.
    """
    request = await disclosures.get(disclosure_id, scope)
    fold = await ledger.current()
    entries = {entry.epoch: entry for record in _records(request, fold) for entry in fold.evidence(record)}
    if not entries:
        raise NotFound("There is no such disclosure.")
    names = None if scope.factories is None else TOLD_TO_FACTORY
    return canonical(disclosure_receipt_of([line_of(entries[epoch], names) for epoch in sorted(entries)]))


def view(request: DisclosureRequest, fold: Fold, scope: Scope, moment: Moment) -> DisclosureView:
    """A disclosure as the scope's party sees it."""
    asked, decided = request.asked, request.decided
    is_programme = scope.factories is None
    names = ("id", "factory_id", "buyer_ids", "kinds", "cycles", "starts_on", "ends_on", "reason", "refusal_reason")
    records = _records(request, fold)
    ends = [record.ended_at for record in records if record.ended_at is not None]
    return DisclosureView(
        **{name: getattr(request, name) for name in names},
        state=_state(request, records, moment),
        case=request.case if is_programme else "",
        requested_by=asked.subject if is_programme else "",
        requested_as=asked.role,
        requested_at=asked.at,
        decided_by=decided.subject if decided and is_programme else "",
        decided_as=decided.role if decided else "",
        decided_at=decided.at if decided else None,
        epoch=max((record.epoch for record in records), default=None),
        ended_at=max(ends) if records and len(ends) == len(records) else None,
    )


def _records(request: DisclosureRequest, fold: Fold) -> list[Record]:
    """What of a disclosure is on the ledger."""
    found = (fold.record(record_id, EntryKind.DISCLOSURE_MADE) for record_id in request.record_ids.values())
    return [record for record in found if record is not None]


def _state(request: DisclosureRequest, records: list[Record], moment: Moment) -> DisclosureState:
    """The first of these that holds."""
    is_ended = bool(records) and all(record.ended_epoch is not None for record in records)
    rules = (
        (request.is_expired(moment.now), DisclosureState.EXPIRED),
        (request.decision is not Decision.CONFIRMED, DisclosureState(request.decision)),
        (len(records) < len(request.buyer_ids), DisclosureState.CONFIRMED),
        (is_ended, DisclosureState.ENDED),
        (request.ends_on < moment.today, DisclosureState.OVER),
    )
    return next((state for holds, state in rules if holds), DisclosureState.IN_FORCE)
