"""Credits: what buyers bought, spent and got back, and when a credit may be spent; all of it follows from the ledger.

One credit opens one cycle of one factory: the assessment report, its improvement plan and its progress, of the kinds
that the factory grants. Progress is one view of the plan as it is now, which holds what both progress reports of the
cycle would. A partner needs none. A country may run without participants: then nobody ever buys credits, every buyer is
a partner, and nothing here has anything to say.

What a credit costs is for finance to know: fees slide with the number of factories and differ by country and year, so
an amount is kept as the invoice tells it and never worked out here.
"""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from contracts.access import EntryKind
from contracts.errors import Conflict, Malformed, RuleBroken
from contracts.visibility import EVERY_FACTORY, holds
from services.access.domain.consent.fold import Fold, Record
from services.access.domain.consent.paid import CreditsBought, Entitlement, EntitlementEnded, EntitlementGiven, Purchase
from services.access.domain.text import plain

MOST_CREDITS: Final = 100_000
"""More in one purchase is a slip of the pen."""


class NoCredit(RuleBroken):
    """The buyer has no credit left."""

    code = "no_credit"


class PartnerNeedsNone(RuleBroken):
    """A partner reads what is granted to it without credits."""

    code = "partner_needs_no_credit"


class NothingShared(RuleBroken):
    """The factory shares nothing with the buyer just now, so that a credit would open nothing."""

    code = "nothing_shared"


class ReferenceTaken(RuleBroken):
    """The buyer's invoice was booked before."""

    code = "reference_taken"


class CreditsSpent(RuleBroken):
    """A correction cannot take back credits that are spent."""

    code = "credits_spent"


class NothingToReturn(RuleBroken):
    """The entitlement cost no credit."""

    code = "nothing_to_return"


class EndedWithoutReturn(RuleBroken):
    """The entitlement ended before, and its credit was kept."""

    code = "ended_without_return"


class AlreadyRead(RuleBroken):
    """Something was read for the credit, which is therefore used up."""

    code = "already_read"


class Turn(StrEnum):
    """What happened to credits."""

    BOUGHT = "bought"
    CORRECTED = "corrected"
    SPENT = "spent"
    RETURNED = "returned"


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """Credits that came (more than 0) or went (less) with the entry ``epoch`` on the ledger; ``by`` names a person.

    ``record_id`` is the purchase or the entitlement, ``reference`` the invoice or the paper it rests on.
    """

    epoch: int
    at: datetime
    turn: Turn
    buyer_id: str
    record_id: str
    credits: int
    by: str
    reference: str = ""
    amount: str = ""
    currency: str = ""
    factory_id: str = ""
    cycles: tuple[int, ...] = ()


def movements(fold: Fold, buyer_id: str | None) -> list[Movement]:
    """Everything that happened to the credits of a buyer, or of all of them, oldest first."""
    found = [*_purchases(fold, buyer_id), *_uses(fold, buyer_id)]
    return sorted(found, key=lambda movement: movement.epoch)


def balance(fold: Fold, buyer_id: str) -> int:
    """How many credits a buyer has left."""
    return sum(movement.credits for movement in movements(fold, buyer_id))


def buying(fold: Fold, wanted: Purchase) -> CreditsBought | None:
    """What booking a purchase says; ``None`` when it was said before.

    Raises ``Malformed``, ``Conflict`` for a taken id, ``ReferenceTaken`` and ``CreditsSpent``.
    """
    bought = CreditsBought(purchase=_checked(wanted))
    present = fold.record(wanted.id, EntryKind.CREDITS_BOUGHT)
    if present is not None:
        if present.fact != bought:
            raise Conflict("The id is taken by a different purchase.")
        return None
    told = bought.purchase
    if any(each.reference == told.reference for each in _purchases(fold, told.buyer_id)):
        raise ReferenceTaken("This invoice of the buyer was booked before.")
    if told.credits < 0 and balance(fold, told.buyer_id) + told.credits < 0:
        raise CreditsSpent("The buyer has spent credits that this would take back.")
    return bought


def is_partner(fold: Fold, buyer_id: str, today: date) -> bool:
    """Whether a buyer has paid for everything today."""
    paid = fold.visible.buyer(buyer_id).of(EntryKind.ENTITLEMENT_GIVEN, EVERY_FACTORY)
    return any(holds(entry, today) for entry in paid)


def spending(fold: Fold, wanted: Entitlement, today: date) -> EntitlementGiven:
    """What spending a credit says. The factory must share something with the buyer today: no credit opens nothing.

    Raises ``Conflict`` for a taken id, ``PartnerNeedsNone``, ``NothingShared`` and ``NoCredit``.
    """
    if fold.record(wanted.id, EntryKind.ENTITLEMENT_GIVEN) is not None:
        raise Conflict("The id is taken by a different entitlement.")
    buyer = fold.visible.buyer(wanted.buyer_id)
    if is_partner(fold, wanted.buyer_id, today):
        raise PartnerNeedsNone("A partner reads what is granted to it without credits.")
    is_granted = any(holds(entry, today) for entry in buyer.of(EntryKind.GRANT_GIVEN, wanted.factory_id))
    is_suspended = wanted.factory_id in buyer.standing[EntryKind.SHARING_SUSPENDED]
    if buyer.standing[EntryKind.BUYER_CLOSED] or is_suspended or not is_granted:
        raise NothingShared("The factory shares nothing with this buyer today; a credit would open nothing.")
    if balance(fold, wanted.buyer_id) < wanted.credits:
        raise NoCredit("The buyer has no credit left.")
    return EntitlementGiven(entitlement=wanted)


def paid_for(fold: Fold, wanted: Entitlement, today: date) -> Record | None:
    """What was paid for the same factory and cycle before: the request itself that comes again, or another's."""
    again = fold.record(wanted.id, EntryKind.ENTITLEMENT_GIVEN)
    if again is not None and is_same(again, wanted):
        return again
    standing = fold.visible.buyer(wanted.buyer_id).of(EntryKind.ENTITLEMENT_GIVEN, wanted.factory_id)
    held = (entry for entry in standing if holds(entry, today) and set(wanted.cycles) <= set(entry.cycles))
    return next((fold.record(entry.grant_id, EntryKind.ENTITLEMENT_GIVEN) for entry in held), None)


def ending(fold: Fold, entitlement_id: str, *, reason: str, is_returned: bool) -> EntitlementEnded | None:
    """What ending an entitlement says; ``None`` when it has ended as it is asked for.

    Raises ``NothingToReturn``, and ``EndedWithoutReturn`` when it has ended and its credit did not come back.
    """
    record = fold.record(entitlement_id, EntryKind.ENTITLEMENT_GIVEN)
    if record is None:
        return None
    spent = entitlement_of(record).credits
    if is_returned and not spent:
        raise NothingToReturn("The entitlement cost no credit.")
    if record.ended_epoch is not None:
        if is_returned and not _end_of(record).credits:
            raise EndedWithoutReturn("The entitlement ended before, and its credit was not returned.")
        return None
    return EntitlementEnded(
        record_id=entitlement_id,
        buyer_id=record.buyer_id,
        factory_id=record.factory_id,
        reason=reason,
        credits=spent if is_returned else 0,
    )


def entitlement_of(record: Record) -> Entitlement:
    """The entitlement of a record; raises ``TypeError`` for a record of another kind."""
    if not isinstance(record.fact, EntitlementGiven):
        raise TypeError(f"{record.fact.kind} is no entitlement")
    return record.fact.entitlement


def _purchases(fold: Fold, buyer_id: str | None) -> Iterator[Movement]:
    for record in fold.records(EntryKind.CREDITS_BOUGHT):
        if buyer_id in {None, record.buyer_id} and isinstance(record.fact, CreditsBought):
            bought = record.fact.purchase
            yield Movement(
                epoch=record.epoch,
                at=record.at,
                turn=Turn.BOUGHT if bought.credits > 0 else Turn.CORRECTED,
                buyer_id=record.buyer_id,
                record_id=record.id,
                credits=bought.credits,
                by=record.by,
                reference=bought.reference,
                amount=bought.amount,
                currency=bought.currency,
            )


def _uses(fold: Fold, buyer_id: str | None) -> Iterator[Movement]:
    for record in fold.records(EntryKind.ENTITLEMENT_GIVEN):
        used = entitlement_of(record)
        if buyer_id not in {None, record.buyer_id} or not used.credits:
            continue
        spent = Movement(
            epoch=record.epoch,
            at=record.at,
            turn=Turn.SPENT,
            buyer_id=record.buyer_id,
            record_id=record.id,
            credits=-used.credits,
            by=record.by,
            reference=used.reference,
            factory_id=used.factory_id,
            cycles=used.cycles,
        )
        yield spent
        if record.ended_epoch is not None and (ended := _end_of(record)).credits:
            (entry,) = fold.after(record.ended_epoch - 1, limit=1)
            told = {"epoch": entry.epoch, "at": entry.at, "by": entry.by, "credits": ended.credits}
            yield msgspec.structs.replace(spent, turn=Turn.RETURNED, reference=ended.reason, **told)


def _end_of(record: Record) -> EntitlementEnded:
    """What ended an entitlement; raises ``TypeError`` for a record of another kind, or that stands."""
    if not isinstance(record.ending, EntitlementEnded):
        raise TypeError("The record is no entitlement that has ended.")
    return record.ending


def _checked(purchase: Purchase) -> Purchase:
    """The purchase in plain text; raises ``Malformed`` for what no invoice says."""
    if not 1 <= abs(purchase.credits) <= MOST_CREDITS:
        raise Malformed(f"A purchase is of 1 to {MOST_CREDITS} credits, or takes back as many.")
    if bool(purchase.amount) != bool(purchase.currency):
        raise Malformed("amount and currency go together.")
    if purchase.amount and Decimal(purchase.amount) * purchase.credits < 0:
        raise Malformed("Money and credits go the same way.")
    return msgspec.structs.replace(purchase, reference=plain(purchase.reference, "reference"))


def is_same(record: Record, wanted: Entitlement) -> bool:
    """Whether the record is what is wanted, whatever its first day: what is asked again may be asked a day later."""
    present = entitlement_of(record)
    return present == msgspec.structs.replace(wanted, starts_on=present.starts_on)
