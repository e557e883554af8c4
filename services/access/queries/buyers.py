"""What people see of buyers: whether one is closed, or a partner, the ledger alone tells."""

from datetime import date
from enum import StrEnum

import msgspec

from contracts.identity import Scope
from services.access.domain.buyer import Buyer, BuyerStatus
from services.access.domain.closing import status_of
from services.access.domain.consent.fold import Fold
from services.access.domain.credits import is_partner
from services.access.domain.party import Change, Registration
from services.access.queries.parties import is_own
from services.access.store.ledger import Ledger
from services.access.store.parties import Buyers


class BuyerLevel(StrEnum):
    """How a buyer takes part: a participant buys credits, a partner has paid for everything."""

    PARTICIPANT = "participant"
    PARTNER = "partner"


class BuyerView(msgspec.Struct, frozen=True, kw_only=True):
    """A buyer as people see it; ``level`` follows from what it has paid for today.

    ``registration`` and ``history``, which is what was changed, oldest first, are for the buyer and the programme.
    """

    id: str
    name: str
    lei: str
    level: BuyerLevel
    status: BuyerStatus
    registration: Registration | None
    history: tuple[Change, ...]


class BuyerPage(msgspec.Struct, frozen=True):
    """One page of buyers and the cursor of the next."""

    items: list[BuyerView]
    next_cursor: str | None


async def read_buyer(buyers: Buyers, ledger: Ledger, buyer_id: str, scope: Scope, today: date) -> BuyerView:
    """Read one buyer; raises ``NotFound``."""
    return shown(await buyers.get(buyer_id, scope), await ledger.current(), scope, today)


async def list_buyers(
    buyers: Buyers, ledger: Ledger, scope: Scope, today: date, *, limit: int, after: str | None
) -> BuyerPage:
    """List the buyers by name; raises ``InvalidCursor``."""
    page = await buyers.find(scope, limit=limit, after=after)
    fold = await ledger.current()
    return BuyerPage([shown(buyer, fold, scope, today) for buyer in page.items], page.next_cursor)


def shown(buyer: Buyer, fold: Fold, scope: Scope, today: date) -> BuyerView:
    """The buyer as the ledger tells it today; who registered and changed it is for itself and the programme."""
    may_know = is_own(scope, buyer.id)
    return BuyerView(
        id=buyer.id,
        name=buyer.name,
        lei=buyer.lei,
        level=BuyerLevel.PARTNER if is_partner(fold, buyer.id, today) else BuyerLevel.PARTICIPANT,
        status=status_of(fold, buyer.id),
        registration=buyer.registration if may_know else None,
        history=buyer.history if may_know else (),
    )
