"""Buyers, as the programme registers them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from contracts.access import BuyerRegisteredV1
from services.access.domain.identifiers import checked_lei
from services.access.domain.party import Because, Change, Registration
from services.access.domain.text import plain


class BuyerLevel(StrEnum):
    """How a buyer takes part: a participant buys credits, a partner has an agreement with the programme."""

    PARTICIPANT = "participant"
    PARTNER = "partner"


class BuyerStatus(StrEnum):
    """Whether a buyer sees anything at all; told by the consent ledger alone."""

    ACTIVE = "active"
    CLOSED = "closed"


class Buyer(msgspec.Struct, frozen=True, kw_only=True):
    """A buyer of the programme; ``history`` is what was changed, oldest first."""

    id: str
    name: str
    lei: str = ""
    level: BuyerLevel = BuyerLevel.PARTICIPANT
    status: BuyerStatus = BuyerStatus.ACTIVE
    registration: Registration | None = None
    history: tuple[Change, ...] = ()

    def changed(self, fields: Mapping[str, Any], why: Because) -> "Buyer":
        """The buyer with other values, which its history tells; raises ``Malformed`` for what cannot be right."""
        kept, _ = msgspec.structs.replace(self, **fields).registered()
        names = [name for name in fields if getattr(kept, name) != getattr(self, name)]
        if not names:
            return self
        before, after = ({name: str(getattr(each, name)) for name in names} for each in (self, kept))
        what = str(kept.status) if "status" in names else "changed"
        change = Change(
            what=what, on=why.on, by=why.by, at=why.at, reason=plain(why.reason, "reason"), before=before, after=after
        )
        return msgspec.structs.replace(kept, history=(*self.history, change))

    def registered(self) -> tuple["Buyer", BuyerRegisteredV1]:
        """The buyer as it is kept, with its event; raises ``Malformed`` for what cannot be right."""
        lei = checked_lei(self.lei) if self.lei else ""
        kept = msgspec.structs.replace(self, name=plain(self.name, "name"), lei=lei)
        return kept, BuyerRegisteredV1(buyer_id=kept.id, name=kept.name)
