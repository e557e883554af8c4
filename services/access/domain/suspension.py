"""Who has suspended an agreement, told by the ledger alone; each side lifts what it wanted itself."""

from collections.abc import Mapping

from contracts.access import EntryKind
from contracts.errors import RuleBroken
from services.access.domain.agreement import Agreement, Side
from services.access.domain.consent.agreed import SharingResumed, SharingSuspended
from services.access.domain.consent.fold import Fold


class SuspendedByOthers(RuleBroken):
    """The agreement is suspended, and not by the side that would lift it."""

    code = "suspended_by_others"


def wanting(fold: Fold, agreement_id: str) -> dict[str, str]:
    """The sides that want an agreement suspended now, with the reason of each; none when it is not."""
    record = fold.record(agreement_id, EntryKind.SHARING_SUSPENDED)
    if record is None or record.ended_epoch is not None or not isinstance(record.fact, SharingSuspended):
        return {}
    fact = record.fact
    return dict(zip(fact.sides, fact.reasons or (fact.reason,) * len(fact.sides), strict=True))


def suspending(fold: Fold, agreement_id: str) -> tuple[str, ...]:
    """The sides that want an agreement suspended now, none when it is not."""
    return tuple(wanting(fold, agreement_id))


def suspension(fold: Fold, agreement: Agreement, side: Side, reason: str) -> SharingSuspended | None:
    """What suspending says; ``None`` when this side has said it before."""
    present = wanting(fold, agreement.id)
    return None if side in present else _suspended(agreement, {**present, side.value: reason}, reason)


def resumption(fold: Fold, agreement: Agreement, side: Side) -> SharingSuspended | SharingResumed | None:
    """What lifting says: others may still want the suspension. ``None`` when there is none.

    Raises ``SuspendedByOthers``.
    """
    present = wanting(fold, agreement.id)
    if not present:
        return None
    if side not in present:
        raise SuspendedByOthers("Only who suspended the agreement can lift that.")
    left = {other: reason for other, reason in present.items() if other != side}
    if left:
        return _suspended(agreement, left, "", lifted_by=side.value)
    return SharingResumed(record_id=agreement.id, factory_id=agreement.factory_id, buyer_id=agreement.buyer_id)


def _suspended(
    agreement: Agreement, wanted: Mapping[str, str], reason: str, *, lifted_by: str = ""
) -> SharingSuspended:
    return SharingSuspended(
        record_id=agreement.id,
        factory_id=agreement.factory_id,
        buyer_id=agreement.buyer_id,
        reason=reason,
        sides=tuple(wanted),
        reasons=tuple(wanted.values()),
        lifted_by=lifted_by,
    )
