"""What takes back what stands on the ledger."""

from contracts.access import EntryKind
from contracts.errors import NotFound
from services.access.domain.consent.facts import GrantRevoked
from services.access.domain.consent.fold import Fold, Record
from services.access.domain.grant import Approval


def standing(fold: Fold, kind: EntryKind, record_id: str) -> Record | None:
    """The record of this kind unless it has ended; raises ``NotFound`` when there never was one."""
    record = fold.record(record_id, kind)
    if record is None:
        raise NotFound("There is no such record.")
    return record if record.ended_epoch is None else None


def revocation(
    fold: Fold, grant_id: str, reason: str = "", *, said_by: Approval | None = None, document_sha256: str = ""
) -> GrantRevoked | None:
    """What revoking says, on paper with its digest and who signed; ``None`` when it was said before.

    Raises ``NotFound``.
    """
    record = standing(fold, EntryKind.GRANT_GIVEN, grant_id)
    if record is None:
        return None
    return GrantRevoked(
        record_id=grant_id,
        factory_id=record.factory_id,
        buyer_id=record.buyer_id,
        reason=reason,
        said_by=said_by,
        document_sha256=document_sha256,
    )
