"""That an agreement was terminated, as the ledger tells: what is decided at a later entry cannot rest on it."""

from contracts.access import EntryKind
from services.access.domain.agreement import Agreement
from services.access.domain.consent.agreed import AgreementEnded
from services.access.domain.consent.fold import Fold


def has_ended(fold: Fold, agreement_id: str) -> bool:
    """Whether the ledger tells that an agreement was terminated."""
    return fold.record(agreement_id, EntryKind.AGREEMENT_ENDED) is not None


def ending(fold: Fold, agreement: Agreement, reason: str) -> AgreementEnded | None:
    """What terminating says; ``None`` when it was said before."""
    if has_ended(fold, agreement.id):
        return None
    return AgreementEnded(
        record_id=agreement.id, factory_id=agreement.factory_id, buyer_id=agreement.buyer_id, reason=reason
    )
