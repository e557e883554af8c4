"""What people see of disclosures without consent, and their receipts."""

from datetime import date, datetime
from enum import StrEnum

import msgspec

from contracts.access import EntryKind
from contracts.errors import NotFound
from contracts.identity import Scope
from contracts.visibility import holds
from contracts.vocabulary import ReportKind
from services.access.domain.consent.facts import DisclosureMade
from services.access.domain.consent.fold import Fold, Record
from services.access.domain.disclosure import Decision, DisclosureRequest, record_id
from services.access.domain.disclosure_receipt import TOLD_TO_BUYER, TOLD_TO_FACTORY, disclosure_receipt_of
from services.access.domain.verification import canonical, line_of
from services.access.store.disclosures import Disclosures
from services.access.store.ledger import NEWEST_FIRST, Ledger, epoch_of
from services.runtime.documents import cursor_of


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
    learns in which roles the two acted, and why. A buyer learns what it may read of which factory and until when, of
    itself alone and only while that is in force.
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
    requested_at: datetime | None
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
    if scope.buyer_id is not None:
        made = _in_force(await ledger.current(), scope.buyer_id, moment.today)
        return _page([record for record in made if factory_id in {None, record.factory_id}], limit=limit, after=after)
    page = await disclosures.find(scope, factory_id=factory_id, limit=limit, after=after)
    fold = await ledger.current()
    return DisclosurePage([view(request, fold, scope, moment) for request in page.items], page.next_cursor)


async def read_disclosure(
    disclosures: Disclosures, ledger: Ledger, disclosure_id: str, scope: Scope, moment: Moment
) -> DisclosureView:
    """Read one disclosure; raises ``NotFound``."""
    if scope.buyer_id is not None:
        return view_for_buyer(_made_to(await ledger.current(), scope.buyer_id, disclosure_id, moment.today))
    request = await disclosures.get(disclosure_id, scope)
    return view(request, await ledger.current(), scope, moment)


async def read_receipt(
    disclosures: Disclosures, ledger: Ledger, disclosure_id: str, scope: Scope, moment: Moment
) -> bytes:
    """The receipt of one disclosure as canonical JSON, the same bytes until it ends; raises ``NotFound``.

    That of a factory names no person and no case, that of a buyer no reason and no other buyer either.
    """
    if scope.buyer_id is not None:
        fold = await ledger.current()
        return _receipt([_made_to(fold, scope.buyer_id, disclosure_id, moment.today)], fold, TOLD_TO_BUYER)
    request = await disclosures.get(disclosure_id, scope)
    fold = await ledger.current()
    return _receipt(_records(request, fold), fold, None if scope.factories is None else TOLD_TO_FACTORY)


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


def view_for_buyer(record: Record) -> DisclosureView:
    """What is disclosed to a buyer, as that buyer sees it; raises ``TypeError`` for a record of another kind."""
    if not isinstance(record.fact, DisclosureMade):
        raise TypeError(f"{record.fact.kind} is no disclosure")
    made = record.fact.disclosure
    if made.ends_on is None:
        raise TypeError(f"The disclosure of epoch {record.epoch} has no last day")
    return DisclosureView(
        id=made.disclosure_id,
        factory_id=made.factory_id,
        buyer_ids=(made.buyer_id,),
        kinds=made.kinds,
        cycles=made.cycles,
        starts_on=made.starts_on,
        ends_on=made.ends_on,
        state=DisclosureState.IN_FORCE,
        case="",
        reason="",
        requested_by="",
        requested_as="",
        requested_at=None,
        decided_by="",
        decided_as="",
        decided_at=record.at,
        refusal_reason="",
        epoch=record.epoch,
        ended_at=None,
    )


def _in_force(fold: Fold, buyer_id: str, today: date) -> list[Record]:
    """What a buyer may read because it was disclosed, newest first; what ended is gone, as the documents are."""
    buyer = fold.visible.buyer(buyer_id)
    if buyer.standing[EntryKind.BUYER_CLOSED]:
        return []
    standing = (entry for made in buyer.standing[EntryKind.DISCLOSURE_MADE].values() for entry in made.values())
    records = (fold.record(entry.grant_id, EntryKind.DISCLOSURE_MADE) for entry in standing if holds(entry, today))
    return sorted((record for record in records if record is not None), key=lambda record: -record.epoch)


def _made_to(fold: Fold, buyer_id: str, disclosure_id: str, today: date) -> Record:
    """What is disclosed to a buyer by one disclosure; raises ``NotFound`` unless it is in force."""
    own_id = record_id(disclosure_id, buyer_id)
    for record in _in_force(fold, buyer_id, today):
        if record.id == own_id:
            return record
    raise NotFound("There is no such disclosure.")


def _page(records: list[Record], *, limit: int, after: str | None) -> DisclosurePage:
    """One page of what is disclosed to a buyer; raises ``InvalidCursor``."""
    before = epoch_of(after, NEWEST_FIRST) if after is not None else None
    rest = [record for record in records if before is None or record.epoch < before]
    shown = rest[:limit]
    place = {"_id": shown[-1].id, "epoch": shown[-1].epoch} if len(rest) > limit else None
    return DisclosurePage(
        [view_for_buyer(record) for record in shown], cursor_of(place, NEWEST_FIRST) if place else None
    )


def _receipt(records: list[Record], fold: Fold, names: frozenset[str] | None) -> bytes:
    """The receipt of what is on the ledger of a disclosure, telling what is sealed under these names, or all of it."""
    entries = {entry.epoch: entry for record in records for entry in fold.evidence(record)}
    if not entries:
        raise NotFound("There is no such disclosure.")
    return canonical(disclosure_receipt_of([line_of(entries[epoch], names) for epoch in sorted(entries)]))


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
