"""What the sides and the programme see of agreements; whether one is suspended is told by the ledger."""

from datetime import date, datetime

import msgspec

from contracts.identity import Scope
from contracts.vocabulary import ReportKind
from services.access.domain.agreement import Agreement, Side, Stage
from services.access.domain.consent.fold import Fold
from services.access.domain.suspension import wanting
from services.access.store.agreements import Agreements
from services.access.store.ledger import Ledger


class SignatureView(msgspec.Struct, frozen=True, kw_only=True):
    """Who signed for a side, when, and which document."""

    side: Side
    name: str
    role: str
    document_sha256: str
    at: datetime


class AgreementView(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement as both sides see it; ``suspended_by`` are the sides that want it suspended now.

    ``suspension_reasons`` tells in the same order why.
    """

    id: str
    factory_id: str
    buyer_id: str
    kinds: tuple[ReportKind, ...]
    starts_on: date
    ends_on: date | None
    scope: str
    stage: Stage
    suspended_by: tuple[Side, ...]
    suspension_reasons: tuple[str, ...]
    proposed_by: Side
    proposed_at: datetime
    predecessor_id: str | None
    document_sha256: str | None
    signatures: tuple[SignatureView, ...]
    terminated_by: Side | None
    terminated_at: datetime | None
    termination_reason: str


class AgreementPage(msgspec.Struct, frozen=True):
    """One page of agreements and the cursor of the next."""

    items: list[AgreementView]
    next_cursor: str | None


async def list_agreements(
    agreements: Agreements,
    ledger: Ledger,
    scope: Scope,
    *,
    factory_id: str | None,
    buyer_id: str | None,
    limit: int,
    after: str | None,
    today: date,
) -> AgreementPage:
    """List the agreements in scope, newest first; raises ``InvalidCursor``."""
    page = await agreements.find(scope, factory_id=factory_id, buyer_id=buyer_id, limit=limit, after=after)
    fold = await ledger.current()
    return AgreementPage([view(each, fold, today) for each in page.items], page.next_cursor)


def view(agreement: Agreement, fold: Fold, today: date) -> AgreementView:
    """The agreement as its sides see it today."""
    sides = wanting(fold, agreement.id)
    ending = agreement.termination
    return AgreementView(
        id=agreement.id,
        factory_id=agreement.factory_id,
        buyer_id=agreement.buyer_id,
        kinds=agreement.kinds,
        starts_on=agreement.starts_on,
        ends_on=agreement.ends_on,
        scope=agreement.scope,
        stage=agreement.stage(today, is_suspended=bool(sides)),
        suspended_by=tuple(Side(each) for each in sides),
        suspension_reasons=tuple(sides.values()),
        proposed_by=agreement.proposed_by,
        proposed_at=agreement.proposed_at,
        predecessor_id=agreement.predecessor_id or None,
        document_sha256=agreement.document.sha256 if agreement.document else None,
        signatures=tuple(
            SignatureView(
                side=each.side, name=each.name, role=each.role, document_sha256=each.document_sha256, at=each.at
            )
            for each in agreement.signatures
        ),
        terminated_by=ending.side if ending else None,
        terminated_at=ending.at if ending else None,
        termination_reason=ending.reason if ending else "",
    )
