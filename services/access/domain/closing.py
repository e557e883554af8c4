"""Whether a buyer takes part, told by the ledger alone: a closed one begins nothing, and nobody begins with it."""

from contracts.access import EntryKind
from contracts.errors import RuleBroken
from services.access.domain.buyer import BuyerStatus
from services.access.domain.consent.fold import Fold


class BuyerIsClosed(RuleBroken):
    """The buyer takes part no longer: what was begun with it now would come into force once it is opened again."""

    code = "buyer_closed"


def status_of(fold: Fold, buyer_id: str) -> BuyerStatus:
    """Whether a buyer, a vendor or an agent is closed."""
    return BuyerStatus.CLOSED if fold.visible.buyer(buyer_id).standing[EntryKind.BUYER_CLOSED] else BuyerStatus.ACTIVE


def demand_open(fold: Fold, buyer_id: str) -> None:
    """Raise ``BuyerIsClosed`` when something new is to begin with a closed buyer."""
    if status_of(fold, buyer_id) is BuyerStatus.CLOSED:
        raise BuyerIsClosed("The buyer takes part no longer.")
