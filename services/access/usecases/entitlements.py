"""What buyers have paid for: partnerships, and credits that are bought, and spent on one factory and cycle each."""

from datetime import date, datetime

from contracts.access import EntryKind
from contracts.errors import Conflict, NotFound, NotPermitted
from contracts.identity import Principal, Scope
from contracts.permissions import Permission, may
from contracts.reads import Act
from services.access.domain.consent.fold import Fold, Record
from services.access.domain.consent.paid import CreditsBought, Entitlement, EntitlementGiven, Purchase
from services.access.domain.credits import AlreadyRead, buying, ending, entitlement_of, is_same, paid_for, spending
from services.access.store.ledger import Ledger
from services.access.store.reads import Asked, ReadPages
from services.access.usecases.consent import Consent
from services.access.usecases.durable import durable
from services.access.usecases.grants import Parties

READS = 200
"""How many reads are looked at at a time."""


async def buy(ledger: Ledger, parties: Parties, principal: Principal, purchase: Purchase, *, now: datetime) -> Record:
    """Book credits that a buyer paid for; the same id with the same content changes nothing.

    Raises ``NotFound`` for an unknown buyer and what ``credits.buying`` refuses.
    """
    await _demand_own(parties, principal, purchase.buyer_id)

    def decide(fold: Fold) -> CreditsBought | None:
        return buying(fold, purchase)

    fold = await ledger.append(decide, by=principal.subject, at=now)
    return _written(fold.record(purchase.id, EntryKind.CREDITS_BOUGHT))


async def entitle(
    ledger: Ledger,
    parties: Parties,
    principal: Principal,
    entitlement: Entitlement,
    *,
    is_day_told: bool,
    now: datetime,
) -> Record:
    """Record that a buyer is a partner; the same id with the same content changes nothing.

    ``is_day_told`` says that the first day was asked for. Raises ``NotFound`` for an unknown buyer and another than the
    caller's, ``NotPermitted`` for a buyer, which cannot make itself a partner, and ``Conflict`` for a taken id.
    """
    await _demand_own(parties, principal, entitlement.buyer_id)
    if not may(principal, Permission.CREDIT_SELL):
        raise NotPermitted("The programme makes a buyer a partner.")

    def decide(fold: Fold) -> EntitlementGiven | None:
        present = fold.record(entitlement.id, EntryKind.ENTITLEMENT_GIVEN)
        if present is None:
            return EntitlementGiven(entitlement=entitlement)
        is_other_day = is_day_told and entitlement_of(present).starts_on != entitlement.starts_on
        if is_other_day or not is_same(present, entitlement):
            raise Conflict("The id is taken by a different entitlement.")
        return None

    fold = await ledger.append(decide, by=principal.subject, at=now)
    return _written(fold.record(entitlement.id, EntryKind.ENTITLEMENT_GIVEN))


async def spend(
    ledger: Ledger,
    parties: Parties,
    principal: Principal,
    wanted: Entitlement,
    *,
    now: datetime,
    today: date,
) -> Record:
    """Spend a credit of the caller's buyer (an administrator: of any) on one cycle of one factory.

    What is paid for already takes no second credit and is answered as it is. Raises ``NotFound`` for another buyer and
    what ``credits.spending`` refuses; a factory that does not exist is one that shares nothing.
    """
    await _demand_own(parties, principal, wanted.buyer_id)
    answered = wanted.id

    def decide(fold: Fold) -> EntitlementGiven | None:
        nonlocal answered
        paid = paid_for(fold, wanted, today)
        answered = wanted.id if paid is None else paid.id
        return None if paid is not None else spending(fold, wanted, today)

    fold = await ledger.append(decide, by=principal.subject, at=now)
    return _written(fold.record(answered, EntryKind.ENTITLEMENT_GIVEN))


async def end(
    ledger: Ledger,
    consent: Consent,
    reads: ReadPages,
    principal: Principal,
    entitlement_id: str,
    *,
    reason: str,
    is_returned: bool,
    now: datetime,
) -> None:
    """End an entitlement and return once that is in force at every gateway; ending again waits again.

    The credit comes back on request, and only when the read log shows that the buyer read nothing for it. A read in
    the moment between this look and the end being in force is on the read log all the same.
    """
    record = await ledger.get(entitlement_id, Scope.whole(principal.country), EntryKind.ENTITLEMENT_GIVEN)
    if is_returned and record.ended_epoch is None:
        await _refuse_when_read(reads, record, Scope.whole(principal.country))

    async def write() -> Record:
        fold = await ledger.append(
            lambda fold: ending(fold, entitlement_id, reason=reason, is_returned=is_returned),
            by=principal.subject,
            at=now,
        )
        return _written(fold.record(entitlement_id, EntryKind.ENTITLEMENT_GIVEN))

    ended = await durable(write())
    await consent.in_force(ended.ended_epoch or 0, given=ended.epoch)


async def _refuse_when_read(reads: ReadPages, record: Record, scope: Scope) -> None:
    """Raise ``AlreadyRead`` when the buyer learned anything of the cycle since it was paid for."""
    asked = Asked(factory_id=record.factory_id, buyer_id=record.buyer_id, since=record.at)
    cycles, place = set(entitlement_of(record).cycles), None
    while record.factory_id:
        page = await reads.find(scope, asked, limit=READS, after=place)
        if any(read.act is not Act.CONFIRMED and (not read.cycles or cycles & set(read.cycles)) for read in page.items):
            raise AlreadyRead("The buyer has read something for this credit, which is used up.")
        if (place := page.next_cursor) is None:
            return


async def _demand_own(parties: Parties, principal: Principal, buyer_id: str) -> None:
    """Raise ``NotFound`` for a buyer that is not there, or not the caller's; who sells credits acts for every one."""
    if not may(principal, Permission.CREDIT_SELL) and buyer_id != principal.party_id:
        raise NotFound("There is no such buyer.")
    await parties.grantee(buyer_id)


def _written(record: Record | None) -> Record:
    if record is None:
        raise NotFound("There is no such record.")
    return record
