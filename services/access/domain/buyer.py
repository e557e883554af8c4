"""Buyers, as the programme registers them."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from contracts.access import BuyerRegisteredV1
from services.access.domain.identifiers import checked_lei
from services.access.domain.party import Because, Change, Registration
from services.access.domain.text import plain


class BuyerStatus(StrEnum):
    """Whether a party takes part: of a buyer, a vendor or an agent, which sees nothing otherwise, the ledger tells."""

    ACTIVE = "active"
    CLOSED = "closed"


class Buyer(msgspec.Struct, frozen=True, kw_only=True):
    """A buyer of the programme; ``history`` is what was changed, oldest first."""

    id: str
    name: str
    lei: str = ""
    status: BuyerStatus = BuyerStatus.ACTIVE
    registration: Registration | None = None
    history: tuple[Change, ...] = ()

    def changed(self, fields: Mapping[str, Any], why: Because) -> "Buyer":
        """The buyer with other values, which its history tells; raises ``Malformed`` for what cannot be right."""
        kept, _ = msgspec.structs.replace(self, **fields).registered()
        told = changes(self, kept, fields, why)
        return msgspec.structs.replace(kept, history=(*self.history, *told)) if told else self

    def registered(self) -> tuple["Buyer", BuyerRegisteredV1]:
        """The buyer as it is kept, with its event; raises ``Malformed`` for what cannot be right."""
        lei = checked_lei(self.lei) if self.lei else ""
        kept = msgspec.structs.replace(self, name=plain(self.name, "name"), lei=lei)
        return kept, BuyerRegisteredV1(buyer_id=kept.id, name=kept.name)


def changes(old: msgspec.Struct, new: msgspec.Struct, fields: Iterable[str], why: Because) -> tuple[Change, ...]:
    """What the history of a party tells of those of its fields that are different, nothing when none is."""
    names = [name for name in fields if getattr(new, name) != getattr(old, name)]
    if not names:
        return ()
    before, after = ({name: str(getattr(each, name)) for name in names} for each in (old, new))
    what = after["status"] if "status" in names else "renamed" if "name" in names else "changed"
    reason = plain(why.reason, "reason")
    return (Change(what=what, on=why.on, by=why.by, at=why.at, reason=reason, before=before, after=after),)
