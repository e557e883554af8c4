"""What people see of grants, their receipts and the ledger."""

from collections.abc import AsyncIterator
from datetime import date, datetime

import msgspec

from contracts.identity import Scope
from contracts.vocabulary import ReportKind
from services.access.domain.consent.facts import GrantRevoked
from services.access.domain.consent.fold import Record
from services.access.domain.grant import Approval
from services.access.domain.receipt import TOLD_TO_BUYER, TOLD_TO_FACTORY, receipt_of
from services.access.domain.verification import canonical, line_of
from services.access.store.ledger import Ledger


class GrantView(msgspec.Struct, frozen=True, kw_only=True):
    """A grant as its parties see it; ``epoch`` is its place on the consent ledger.

    ``approved_by`` names a person and ``document_sha256`` the signed paper that it rests on, ``revoked_reason`` and
    ``revoked_document_sha256`` why and on which paper it was withdrawn: the factory and the programme alone see these.
    """

    id: str
    factory_id: str
    buyer_id: str
    kinds: tuple[ReportKind, ...]
    starts_on: date
    ends_on: date | None
    purpose: str
    approved_by: Approval | None
    agreement_id: str
    request_id: str
    document_sha256: str
    given_at: datetime
    epoch: int
    revoked_at: datetime | None
    revoked_epoch: int | None
    revoked_reason: str
    revoked_document_sha256: str


class GrantPage(msgspec.Struct, frozen=True):
    """One page of grants and the cursor of the next."""

    items: list[GrantView]
    next_cursor: str | None


async def read_grant(ledger: Ledger, grant_id: str, scope: Scope) -> GrantView:
    """Read one grant; raises ``NotFound``."""
    return view(await ledger.get(grant_id, scope), scope)


async def list_grants(
    ledger: Ledger, scope: Scope, *, factory_id: str | None, buyer_id: str | None, limit: int, after: str | None
) -> GrantPage:
    """List the grants in scope, newest first; raises ``InvalidCursor``."""
    page = await ledger.find(scope, factory_id=factory_id, buyer_id=buyer_id, limit=limit, after=after)
    return GrantPage([view(record, scope) for record in page.items], page.next_cursor)


async def read_receipt(ledger: Ledger, grant_id: str, scope: Scope) -> bytes:
    """The receipt of one grant as canonical JSON, the same bytes until it is revoked; raises ``NotFound``.

    A factory's receipt names the factory's own people only, a buyer's proves the same and names no person.
    """
    record = await ledger.get(grant_id, scope)
    names = None if scope.factories is None else TOLD_TO_FACTORY
    if scope.buyer_id is not None:
        names = TOLD_TO_BUYER
    fold = await ledger.current()
    return canonical(receipt_of([line_of(entry, names) for entry in fold.evidence(record)]))


async def export_ledger(ledger: Ledger) -> AsyncIterator[bytes]:
    """Every entry with everything that is sealed in it, a line of canonical JSON each."""
    async for entry in ledger.entries():
        yield canonical(line_of(entry)) + b"\n"


def view(record: Record, scope: Scope) -> GrantView:
    """The grant as the scope's party sees it."""
    grant, is_buyer = record.grant, scope.buyer_id is not None
    revoked = record.ending if isinstance(record.ending, GrantRevoked) and not is_buyer else None
    return GrantView(
        id=grant.id,
        factory_id=grant.factory_id,
        buyer_id=grant.buyer_id,
        kinds=grant.kinds,
        starts_on=grant.starts_on,
        ends_on=grant.ends_on,
        purpose=grant.purpose,
        approved_by=None if is_buyer else grant.approved_by,
        agreement_id=grant.agreement_id,
        request_id=grant.request_id,
        document_sha256="" if is_buyer else grant.document_sha256,
        given_at=record.at,
        epoch=record.epoch,
        revoked_at=record.ended_at,
        revoked_epoch=record.ended_epoch,
        revoked_reason=revoked.reason if revoked else "",
        revoked_document_sha256=revoked.document_sha256 if revoked else "",
    )
