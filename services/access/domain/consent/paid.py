"""What an entry on the ledger can say about money: what a buyer bought, and what it has paid for."""

from datetime import date
from typing import Any

import msgspec

from contracts.access import EntryKind
from services.access.domain.consent.said import About, Said


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """Credits that a buyer paid for; fewer than none take back what was booked by mistake.

    ``reference`` is the invoice, ``amount`` what was paid as decimal digits, ``currency`` its ISO 4217 code.
    """

    id: str
    buyer_id: str
    credits: int
    reference: str
    amount: str = ""
    currency: str = ""


class CreditsBought(Said, frozen=True, tag=EntryKind.CREDITS_BOUGHT.value):
    """A buyer bought credits."""

    purchase: Purchase

    def shown(self) -> dict[str, Any]:
        """How many."""
        bought = self.purchase
        return {"grant_id": bought.id, "buyer_id": bought.buyer_id, "credits": bought.credits}

    def sealed(self) -> dict[str, str]:
        """The invoice and the money."""
        return {name: getattr(self.purchase, name) for name in ("reference", "amount", "currency")}


class Entitlement(msgspec.Struct, frozen=True, kw_only=True):
    """What a buyer has paid for: all factories and cycles (a partner), or one factory and cycle for one credit."""

    id: str
    buyer_id: str
    factory_id: str = ""
    cycles: tuple[int, ...] = ()
    starts_on: date
    ends_on: date | None = None
    credits: int = 0
    reference: str = ""


class EntitlementGiven(Said, frozen=True, tag=EntryKind.ENTITLEMENT_GIVEN.value):
    """A buyer may read what factories grant it, because it is paid for."""

    entitlement: Entitlement

    def shown(self) -> dict[str, Any]:
        """The entitlement without its paper."""
        names = ("buyer_id", "factory_id", "cycles", "starts_on", "ends_on", "credits")
        return {"grant_id": self.entitlement.id, **{name: getattr(self.entitlement, name) for name in names}}

    def sealed(self) -> dict[str, str]:
        """The paper that it rests on."""
        return {"reference": self.entitlement.reference}


class EntitlementEnded(About, frozen=True, tag=EntryKind.ENTITLEMENT_ENDED.value):
    """An entitlement is over; ``credits`` are given back."""

    credits: int = 0

    def shown(self) -> dict[str, Any]:
        """The record, its parties, and the credits."""
        return {**super().shown(), "credits": self.credits}
