"""The HTTP routes of the terms of the programme: parse, authorise, call, answer."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import Parameter
from litestar.response import Stream

from contracts.errors import NotFound
from contracts.identifiers import ID_PATTERN, Id, derived_id
from contracts.identity import Principal, Role
from contracts.permissions import Permission, scope_for
from services.access.api.papers import Upload, shown
from services.access.domain.paper import LARGEST_BYTES, PDF, Sha256
from services.access.domain.party import ShortText
from services.access.domain.terms import Terms, TermsAcceptance, TermsDiffer
from services.access.domain.text import plain
from services.access.evidence import Papers
from services.access.store.organisations import TermsRecords
from services.access.usecases import terms as usecases
from services.access.usecases.grants import EVERYWHERE, Parties
from services.runtime.http import Injected, PageSize, requires
from services.runtime.openapi import of_bytes

Version = Annotated[str, Parameter(pattern=ID_PATTERN, description="How the version is called")]


class TermsView(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the terms; ``document_sha256`` is the digest (hex) of its document, readable if it is kept."""

    version: str
    document_sha256: str
    published_at: datetime
    has_document: bool


class TermsPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of versions, the newest first, and the cursor of the next; ``current`` is the one that is in force."""

    items: list[TermsView]
    next_cursor: str | None
    current: TermsView | None


class NewTermsAcceptance(msgspec.Struct, frozen=True, kw_only=True):
    """The person who accepts a version of the terms for the caller's own party, and what was read."""

    terms_version: Id
    document_sha256: Sha256
    name: ShortText
    role: ShortText


class TermsAcceptancePage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of acceptances and the cursor of the next; ``missing`` is the version that the caller's party lacks."""

    items: list[TermsAcceptance]
    next_cursor: str | None
    current: TermsView | None
    missing: str | None


@post(
    "/terms",
    guards=[requires(Permission.TERMS_PUBLISH)],
    request_max_body_size=LARGEST_BYTES,
    operation_class=of_bytes(takes=(PDF,)),
    summary="Publish a version of the terms (raw bytes of a PDF, at most 15 MB)",
)
async def publish_terms(
    request: Upload,
    principal: Injected[Principal],
    terms_records: Injected[TermsRecords],
    papers: Injected[Papers],
    version: Version,
) -> TermsView:
    """Publish a version of the terms, which every party can read, and is to accept from now on."""
    published = await usecases.publish(
        terms_records, papers, version, request.stream(), by=principal.subject, now=datetime.now(UTC)
    )
    return _view(published)


@get("/terms", guards=[requires(Permission.TERMS_TEXT_READ)])
async def list_terms(
    principal: Injected[Principal],
    terms_records: Injected[TermsRecords],
    limit: PageSize = 50,
    cursor: str | None = None,
) -> TermsPage:
    """List the versions of the terms, the newest first."""
    scope = scope_for(principal, Permission.TERMS_TEXT_READ)
    page = await terms_records.find_versions(scope, limit=limit, after=cursor)
    current = await terms_records.find_newest(scope)
    return TermsPage(
        items=[_view(each) for each in page.items],
        next_cursor=page.next_cursor,
        current=None if current is None else _view(current),
    )


@get(
    "/terms/{terms_version:str}/document",
    guards=[requires(Permission.TERMS_TEXT_READ)],
    operation_class=of_bytes(gives=(PDF,)),
)
async def read_terms(
    principal: Injected[Principal],
    terms_records: Injected[TermsRecords],
    papers: Injected[Papers],
    terms_version: str,
) -> Stream:
    """Read a version of the terms."""
    found = await terms_records.get_version(terms_version, scope_for(principal, Permission.TERMS_TEXT_READ))
    if found.document is None:
        raise NotFound("The document of this version is not kept.")
    return await shown(papers, found.document, f"terms-{found.version}")


@post("/terms-acceptances", guards=[requires(Permission.TERMS_ACCEPT)])
async def accept_terms(
    principal: Injected[Principal],
    parties: Injected[Parties],
    terms_records: Injected[TermsRecords],
    data: NewTermsAcceptance,
) -> TermsAcceptance:
    """Accept a version of the terms for the caller's own party; recorded with the person, the time and the digest."""
    party_id = await _own_party(principal, parties)
    try:
        terms = await terms_records.get_version(data.terms_version, EVERYWHERE)
    except NotFound:
        raise TermsDiffer("There is no such version of the terms.") from None
    terms.demand_is(data.document_sha256)
    acceptance = TermsAcceptance(
        id=derived_id("terms", terms.version, party_id),
        party_id=party_id,
        terms_version=terms.version,
        document_sha256=terms.document_sha256,
        name=plain(data.name, "name"),
        role=plain(data.role, "role"),
        accepted_by=principal.subject,
        accepted_at=datetime.now(UTC),
    )
    await terms_records.accept(acceptance, request=data)
    return await terms_records.get(acceptance.id, EVERYWHERE)


@get("/terms-acceptances", guards=[requires(Permission.TERMS_READ)])
async def list_acceptances(
    principal: Injected[Principal],
    terms_records: Injected[TermsRecords],
    limit: PageSize = 50,
    cursor: str | None = None,
) -> TermsAcceptancePage:
    """List what the caller's own party has accepted (administrators: all), newest first, and what is missing."""
    scope = scope_for(principal, Permission.TERMS_READ)
    page = await terms_records.find(scope, limit=limit, after=cursor)
    current = await terms_records.find_newest(scope)
    missing = None
    if current is not None and principal.party_id and principal.roles & {Role.FACTORY, Role.BUYER}:
        try:
            await terms_records.get(derived_id("terms", current.version, principal.party_id), EVERYWHERE)
        except NotFound:
            missing = current.version
    return TermsAcceptancePage(
        items=page.items,
        next_cursor=page.next_cursor,
        current=None if current is None else _view(current),
        missing=missing,
    )


async def _own_party(principal: Principal, parties: Parties) -> str:
    """The id of the registered party that the caller speaks for; raises ``NotFound``."""
    if Role.FACTORY in principal.roles:
        return (await parties.factories.get(principal.party_id or "", EVERYWHERE)).id
    return (await parties.grantee(principal.party_id or "")).id


def _view(terms: Terms) -> TermsView:
    return TermsView(
        version=terms.version,
        document_sha256=terms.document_sha256,
        published_at=terms.published_at,
        has_document=terms.document is not None,
    )


HANDLERS = (publish_terms, list_terms, read_terms, accept_terms, list_acceptances)
