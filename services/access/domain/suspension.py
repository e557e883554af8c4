"""Who has suspended an agreement, told by the ledger alone; each side lifts what it wanted itself."""

from contracts.access import EntryKind
from contracts.errors import RuleBroken
from services.access.domain.agreement import Agreement, Side
from services.access.domain.consent.agreed import SharingResumed, SharingSuspended
from services.access.domain.consent.fold import Fold


class SuspendedByOthers(RuleBroken):
    """The agreement is suspended, and not by the side that would lift it."""

    code = "suspended_by_others"


def suspending(fold: Fold, agreement_id: str) -> tuple[str, ...]:
    """The sides that want an agreement suspended now, none when it is not."""
    record = fold.record(agreement_id, EntryKind.SHARING_SUSPENDED)
    if record is None or record.ended_epoch is not None or not isinstance(record.fact, SharingSuspended):
        return ()
    return record.fact.sides


def suspension(fold: Fold, agreement: Agreement, side: Side, reason: str) -> SharingSuspended | None:
    """What suspending says; ``None`` when this side has said it before."""
    sides = suspending(fold, agreement.id)
    return None if side in sides else _suspended(agreement, (*sides, side.value), reason)


def resumption(fold: Fold, agreement: Agreement, side: Side) -> SharingSuspended | SharingResumed | None:
    """What lifting says: others may still want the suspension. ``None`` when there is none.

    Raises ``SuspendedByOthers``.
    """
    sides = suspending(fold, agreement.id)
    if not sides:
        return None
    if side not in sides:
        raise SuspendedByOthers("Only who suspended the agreement can lift that.")
    left = tuple(each for each in sides if each != side)
    if left:
        return _suspended(agreement, left, "")
    return SharingResumed(record_id=agreement.id, factory_id=agreement.factory_id, buyer_id=agreement.buyer_id)


def _suspended(agreement: Agreement, sides: tuple[str, ...], reason: str) -> SharingSuspended:
    return SharingSuspended(
        record_id=agreement.id,
        factory_id=agreement.factory_id,
        buyer_id=agreement.buyer_id,
        reason=reason,
        sides=sides,
    )
