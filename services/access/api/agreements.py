"""The HTTP routes of agreements between factories and buyers: parse, authorise, call, answer."""

from datetime import UTC, date, datetime
from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.response import Stream
from uuid_utils.compat import uuid7

from contracts.errors import NotFound
from contracts.identifiers import Id, derived_id
from contracts.identity import Principal
from contracts.permissions import Permission, scope_for
from contracts.vocabulary import COMPLIANCE_KINDS, ReportKind
from services.access.api.papers import Upload, shown
from services.access.domain.agreement import Agreement, Side, Signature
from services.access.domain.paper import LARGEST_BYTES, PDF, Sha256
from services.access.domain.request import Reason
from services.access.domain.text import plain
from services.access.evidence import Papers
from services.access.queries import agreements as queries
from services.access.queries.agreements import AgreementPage, AgreementView
from services.access.store.agreements import Agreements
from services.access.store.ledger import Ledger
from services.access.usecases.agreements import Agreeing
from services.runtime.http import Injected, PageSize, requires
from services.runtime.openapi import of_bytes

Text = Annotated[str, msgspec.Meta(max_length=2000)]
Kinds = Annotated[tuple[ReportKind, ...], msgspec.Meta(min_length=1)]
PersonName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class NewAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """What a factory and a buyer are to agree on, from the first day to the last, both included."""

    id: Id | None = None
    factory_id: Id
    buyer_id: Id
    kinds: Kinds = COMPLIANCE_KINDS
    starts_on: date
    ends_on: date | None = None
    scope: Text = ""


class NewRenewal(msgspec.Struct, frozen=True, kw_only=True):
    """What follows on an agreement; without an id of its own it has one that follows from the two."""

    id: Id | None = None
    kinds: Kinds | None = None
    starts_on: date
    ends_on: date | None = None
    scope: Text | None = None


class NewSignature(msgspec.Struct, frozen=True, kw_only=True):
    """The person who signs for the caller's side, and the SHA-256 (hex) of the document that was read."""

    name: PersonName
    role: PersonName
    document_sha256: Sha256


class Because(msgspec.Struct, frozen=True, kw_only=True):
    """Why something is done, for the other side to read."""

    reason: Reason


@post("/agreements", guards=[requires(Permission.AGREEMENT_PROPOSE)])
async def propose(
    principal: Injected[Principal], agreeing: Injected[Agreeing], ledger: Injected[Ledger], data: NewAgreement
) -> AgreementView:
    """Propose an agreement, as one of its sides or as the programme; it waits for its document and both signatures."""
    now = datetime.now(UTC)
    fields = msgspec.structs.asdict(data)
    fields |= {"id": data.id or str(uuid7()), "scope": _lines(data.scope)}
    agreement = Agreement(**fields, proposed_by=Side.PROGRAMME, proposed_at=now)
    kept = await agreeing.propose(principal, agreement, body=data, now=now)
    return queries.view(kept, await ledger.current(), agreeing.today(now))


@get("/agreements", guards=[requires(Permission.AGREEMENT_READ)])
async def list_agreements(
    principal: Injected[Principal],
    agreements: Injected[Agreements],
    agreeing: Injected[Agreeing],
    ledger: Injected[Ledger],
    factory_id: str | None = None,
    buyer_id: str | None = None,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> AgreementPage:
    """List the agreements that the caller's party is a side of (administrators: all), newest first."""
    return await queries.list_agreements(
        agreements,
        ledger,
        scope_for(principal, Permission.AGREEMENT_READ),
        factory_id=factory_id,
        buyer_id=buyer_id,
        limit=limit,
        after=cursor,
        today=agreeing.today(datetime.now(UTC)),
    )


@get("/agreements/{agreement_id:str}", guards=[requires(Permission.AGREEMENT_READ)])
async def read_agreement(
    principal: Injected[Principal],
    agreements: Injected[Agreements],
    agreeing: Injected[Agreeing],
    ledger: Injected[Ledger],
    agreement_id: str,
) -> AgreementView:
    """Read one agreement."""
    found = await agreements.get(agreement_id, scope_for(principal, Permission.AGREEMENT_READ))
    return queries.view(found, await ledger.current(), agreeing.today(datetime.now(UTC)))


@get(
    "/agreements/{agreement_id:str}/document",
    guards=[requires(Permission.AGREEMENT_READ)],
    operation_class=of_bytes(gives=(PDF,)),
)
async def read_document(
    principal: Injected[Principal], agreements: Injected[Agreements], papers: Injected[Papers], agreement_id: str
) -> Stream:
    """Read the document that is signed."""
    found = await agreements.get(agreement_id, scope_for(principal, Permission.AGREEMENT_READ))
    if found.document is None:
        raise NotFound("The agreement has no document yet.")
    return await shown(papers, found.document, f"agreement-{found.id}")


@post(
    "/agreements/{agreement_id:str}/document",
    guards=[requires(Permission.AGREEMENT_PROPOSE)],
    request_max_body_size=LARGEST_BYTES,
    operation_class=of_bytes(takes=(PDF,)),
    summary="Store the document that is to be signed (raw bytes of a PDF, at most 15 MB)",
)
async def add_document(
    request: Upload,
    principal: Injected[Principal],
    agreeing: Injected[Agreeing],
    ledger: Injected[Ledger],
    agreement_id: str,
) -> AgreementView:
    """Store the document; it can be replaced until the first side has signed it."""
    now = datetime.now(UTC)
    kept = await agreeing.add_document(principal, agreement_id, request.stream(), now=now)
    return queries.view(kept, await ledger.current(), agreeing.today(now))


@post("/agreements/{agreement_id:str}/signature", guards=[requires(Permission.AGREEMENT_SIGN)])
async def sign(
    principal: Injected[Principal],
    agreeing: Injected[Agreeing],
    ledger: Injected[Ledger],
    agreement_id: str,
    data: NewSignature,
) -> AgreementView:
    """Sign for the caller's side; with both signatures it is in force from its first day on."""
    now = datetime.now(UTC)
    signature = Signature(
        side=Side.PROGRAMME,
        name=plain(data.name, "name"),
        role=plain(data.role, "role"),
        document_sha256=data.document_sha256,
        by=principal.subject,
        at=now,
    )
    kept = await agreeing.sign(principal, agreement_id, signature, now=now)
    return queries.view(kept, await ledger.current(), agreeing.today(now))


@post("/agreements/{agreement_id:str}/renewal", guards=[requires(Permission.AGREEMENT_PROPOSE)])
async def renew(
    principal: Injected[Principal],
    agreements: Injected[Agreements],
    agreeing: Injected[Agreeing],
    ledger: Injected[Ledger],
    agreement_id: str,
    data: NewRenewal,
) -> AgreementView:
    """Propose what follows on an agreement: a successor that names it and waits for both signatures again."""
    now = datetime.now(UTC)
    present = await agreements.get(agreement_id, scope_for(principal, Permission.AGREEMENT_PROPOSE))
    successor = Agreement(
        id=data.id or derived_id("renewal", agreement_id, data.starts_on.isoformat()),
        factory_id=present.factory_id,
        buyer_id=present.buyer_id,
        kinds=present.kinds if data.kinds is None else data.kinds,
        starts_on=data.starts_on,
        ends_on=data.ends_on,
        scope=present.scope if data.scope is None else _lines(data.scope),
        proposed_by=Side.PROGRAMME,
        proposed_at=now,
    )
    kept = await agreeing.renew(principal, agreement_id, successor, body=data, now=now)
    return queries.view(kept, await ledger.current(), agreeing.today(now))


@post("/agreements/{agreement_id:str}/suspension", guards=[requires(Permission.AGREEMENT_SUSPEND)])
async def suspend(
    principal: Injected[Principal],
    agreeing: Injected[Agreeing],
    ledger: Injected[Ledger],
    agreement_id: str,
    data: Because,
) -> AgreementView:
    """Stop all sharing between the two; answered once that is in force at every gateway, at most one lease later."""
    now = datetime.now(UTC)
    kept = await agreeing.suspend(principal, agreement_id, plain(data.reason, "reason"), now=now)
    return queries.view(kept, await ledger.current(), agreeing.today(now))


@delete("/agreements/{agreement_id:str}/suspension", guards=[requires(Permission.AGREEMENT_SUSPEND)])
async def resume(principal: Injected[Principal], agreeing: Injected[Agreeing], agreement_id: str) -> None:
    """Lift what the caller's side suspended; another side's suspension stays."""
    await agreeing.resume(principal, agreement_id, now=datetime.now(UTC))


@post("/agreements/{agreement_id:str}/termination", guards=[requires(Permission.AGREEMENT_SUSPEND)])
async def terminate(
    principal: Injected[Principal],
    agreeing: Injected[Agreeing],
    ledger: Injected[Ledger],
    agreement_id: str,
    data: Because,
) -> AgreementView:
    """End an agreement and the grants that rest on it; answered once that is in force at every gateway."""
    now = datetime.now(UTC)
    kept = await agreeing.terminate(principal, agreement_id, plain(data.reason, "reason"), now=now)
    return queries.view(kept, await ledger.current(), agreeing.today(now))


def _lines(text: str) -> str:
    """Text of several lines as it is kept; raises ``Malformed``."""
    return "\n".join(plain(line, "scope") for line in text.splitlines() if line.strip())


HANDLERS = (
    propose,
    list_agreements,
    read_agreement,
    read_document,
    add_document,
    sign,
    renew,
    suspend,
    resume,
    terminate,
)
