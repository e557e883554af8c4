"""How a signed paper comes in and goes out, and the HTTP routes of papers on which factories consented."""

from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.response import Stream
from uuid_utils.compat import uuid7

from contracts.errors import Malformed
from contracts.identifiers import Id
from contracts.identity import Principal
from contracts.permissions import Permission, scope_for
from contracts.vocabulary import COMPLIANCE_KINDS, ReportKind
from services.access.api.grants import Purpose, day_in
from services.access.domain.consent.fold import Record
from services.access.domain.grant import Approval, Grant
from services.access.domain.paper import EXTENSIONS, LARGEST_BYTES, ConsentPaper, Paper
from services.access.domain.request import Acceptance, Reason
from services.access.domain.text import plain
from services.access.evidence import Papers
from services.access.queries import grants as queries
from services.access.queries.grants import GrantView
from services.access.queries.requests import RequestView
from services.access.queries.requests import view as view_of_request
from services.access.store.ledger import Ledger
from services.access.store.papers import ConsentPapers
from services.access.usecases.grants import UsualDay
from services.access.usecases.papers import PaperConsent
from services.runtime.http import Injected, PageSize, requires
from services.runtime.openapi import of_bytes

Upload = Request[object, object, State]


async def shown(papers: Papers, paper: Paper, name: str) -> Stream:
    """The bytes of a paper as they were added; raises ``NotFound``."""
    headers = {
        "content-length": str(paper.size),
        "content-disposition": f'inline; filename="{name}.{EXTENSIONS[paper.content_type]}"',
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
        "cache-control": "private, no-store",
    }
    return Stream(await papers.open(paper), headers=headers, media_type=paper.content_type)


class ConsentPaperView(msgspec.Struct, frozen=True, kw_only=True):
    """The scan of a paper on which a factory consented, as the factory and the programme see it."""

    id: str
    factory_id: str
    sha256: str
    size: int
    content_type: str
    added_at: datetime


class ConsentPaperPage(msgspec.Struct, frozen=True):
    """One page of scans and the cursor of the next."""

    items: list[ConsentPaperView]
    next_cursor: str | None


class RecordedGrant(msgspec.Struct, frozen=True, kw_only=True):
    """What the paper says: whom the factory approves, for what, and who signed.

    With ``request_id`` it accepts what that buyer asked, or fewer kinds and days of it: the grant then has the purpose
    of the request and an id that follows from it. Without, ``purpose`` is needed, and every kind on compliance is meant
    unless others are named.
    """

    id: Id | None = None
    buyer_id: Id
    kinds: tuple[ReportKind, ...] | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    purpose: Purpose | None = None
    agreement_id: Annotated[str, msgspec.Meta(max_length=64)] = ""
    approved_by: Approval
    request_id: Id | None = None


class RecordedRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """What the paper says: which request the factory refuses, and why, for the buyer to read."""

    request_id: Id
    reason: Reason


class RecordedWithdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """What the paper says: which grant the factory withdraws, and who signed."""

    grant_id: Id
    said_by: Approval


@post(
    "/consent-documents",
    guards=[requires(Permission.GRANT_RECORD)],
    request_max_body_size=LARGEST_BYTES,
    operation_class=of_bytes(takes=tuple(EXTENSIONS)),
    summary="Store the scan of a signed consent (raw bytes: PDF, JPEG or PNG, at most 15 MB)",
)
async def add_paper(
    request: Upload, principal: Injected[Principal], paper_consent: Injected[PaperConsent], factory_id: str
) -> ConsentPaperView:
    """Store the scan; the type is told by the bytes, what the request says of it is not looked at."""
    stored = await paper_consent.keep(principal, factory_id, str(uuid7()), request.stream(), now=datetime.now(UTC))
    return _view(stored)


@get("/consent-documents", guards=[requires(Permission.PAPER_READ)])
async def list_papers(
    principal: Injected[Principal],
    consent_papers: Injected[ConsentPapers],
    factory_id: str | None = None,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> ConsentPaperPage:
    """List the scans on which the programme recorded consent: a factory its own, newest first."""
    scope = scope_for(principal, Permission.PAPER_READ)
    page = await consent_papers.find(scope, factory_id=factory_id, limit=limit, after=cursor)
    return ConsentPaperPage([_view(each) for each in page.items], page.next_cursor)


@get(
    "/consent-documents/{document_id:str}",
    guards=[requires(Permission.PAPER_READ)],
    operation_class=of_bytes(gives=tuple(EXTENSIONS)),
)
async def read_paper(
    principal: Injected[Principal],
    consent_papers: Injected[ConsentPapers],
    papers: Injected[Papers],
    document_id: str,
) -> Stream:
    """Read a scan; no buyer ever does."""
    found = await consent_papers.get(document_id, scope_for(principal, Permission.PAPER_READ))
    return await shown(papers, found.paper, f"consent-{found.id}")


@post("/consent-documents/{document_id:str}/grant", guards=[requires(Permission.GRANT_RECORD)])
async def record_grant(
    principal: Injected[Principal],
    paper_consent: Injected[PaperConsent],
    programme_zone: Injected[ZoneInfo],
    document_id: str,
    data: RecordedGrant,
) -> GrantView:
    """Record a grant that a factory gave on paper, perhaps to accept a request; it is revoked like any other."""
    now = datetime.now(UTC)
    if data.request_id is None:
        record = await _recorded(principal, paper_consent, day_in(programme_zone), document_id, data, now)
    else:
        if data.purpose is not None or data.agreement_id:
            raise Malformed("An acceptance has the purpose of the request, and rests on no agreement.")
        acceptance = Acceptance(
            kinds=data.kinds, starts_on=data.starts_on, ends_on=data.ends_on, approved_by=data.approved_by.plain()
        )
        record = await paper_consent.accept(principal, document_id, data.request_id, data.buyer_id, acceptance, now=now)
    return queries.view(record, scope_for(principal, Permission.GRANT_RECORD))


@post("/consent-documents/{document_id:str}/refusal", guards=[requires(Permission.GRANT_RECORD)])
async def record_refusal(
    principal: Injected[Principal],
    paper_consent: Injected[PaperConsent],
    ledger: Injected[Ledger],
    document_id: str,
    data: RecordedRefusal,
) -> RequestView:
    """Refuse a request for access in the name of the factory that signed."""
    now = datetime.now(UTC)
    reason = plain(data.reason, "reason")
    refused = await paper_consent.refuse(principal, document_id, data.request_id, reason, now=now)
    return view_of_request(refused, await ledger.current(), now=now)


@post("/consent-documents/{document_id:str}/withdrawal", guards=[requires(Permission.GRANT_RECORD)])
async def record_withdrawal(
    principal: Injected[Principal],
    paper_consent: Injected[PaperConsent],
    document_id: str,
    data: RecordedWithdrawal,
) -> GrantView:
    """Withdraw any grant of the factory that signed; answered once it is in force at every gateway."""
    record = await paper_consent.withdraw(
        principal, document_id, data.grant_id, data.said_by.plain(), now=datetime.now(UTC)
    )
    return queries.view(record, scope_for(principal, Permission.GRANT_RECORD))


async def _recorded(
    principal: Principal, paper_consent: PaperConsent, day: UsualDay, paper_id: str, data: RecordedGrant, now: datetime
) -> Record:
    """Record a grant for which no buyer asked."""
    if data.purpose is None:
        raise Malformed("A grant says what it is for.")
    grant = Grant(
        id=data.id or str(uuid7()),
        factory_id="",
        buyer_id=data.buyer_id,
        kinds=COMPLIANCE_KINDS if data.kinds is None else data.kinds,
        starts_on=data.starts_on or day(now),
        ends_on=data.ends_on,
        purpose=plain(data.purpose, "purpose"),
        approved_by=data.approved_by.plain(),
        agreement_id=data.agreement_id,
    )
    usual_day = None if data.starts_on else day
    return await paper_consent.record(principal, paper_id, grant, now=now, today=day(now), usual_day=usual_day)


def _view(paper: ConsentPaper) -> ConsentPaperView:
    return ConsentPaperView(
        id=paper.id,
        factory_id=paper.factory_id,
        sha256=paper.paper.sha256,
        size=paper.paper.size,
        content_type=paper.paper.content_type,
        added_at=paper.paper.added_at,
    )


HANDLERS = (add_paper, list_papers, read_paper, record_grant, record_refusal, record_withdrawal)
