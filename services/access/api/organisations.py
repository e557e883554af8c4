"""The HTTP routes of groups, vendors, agents and ministries, and of the terms: parse, authorise, call, answer."""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from litestar import get, post
from uuid_utils.compat import uuid7

from contracts.errors import NotFound
from contracts.identifiers import Id, derived_id
from contracts.identity import Principal, Role
from contracts.permissions import Permission, scope_for
from services.access.api.parties import because
from services.access.domain.agreement import Sha256
from services.access.domain.organisation import Organisation, OrganisationKind
from services.access.domain.party import Registrant, ShortText, plain, registration_of
from services.access.domain.terms import Terms, TermsAcceptance, TermsDiffer
from services.access.queries.parties import shown_organisation
from services.access.store.organisations import Organisations, TermsRecords
from services.access.usecases.grants import EVERYWHERE, Parties
from services.runtime.http import Injected, PageSize, requires

Code = Annotated[str, msgspec.Meta(max_length=64)]


class NewOrganisation(msgspec.Struct, frozen=True, kw_only=True):
    """A manufacturing group, vendor, agent or ministry; ``country`` is where its headquarters are."""

    id: Id | None = None
    kind: OrganisationKind
    name: ShortText
    country: Code = ""
    lei: Code = ""
    registration: Registrant | None = None


class OrganisationPage(msgspec.Struct, frozen=True):
    """One page of organisations and the cursor of the next."""

    items: list[Organisation]
    next_cursor: str | None


class NewTerms(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the terms with the SHA-256 (hex) of its text."""

    version: Id
    document_sha256: Sha256


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
    current: Terms | None
    missing: str | None


@post("/organisations", guards=[requires(Permission.ORGANISATION_REGISTER)])
async def register_organisation(
    principal: Injected[Principal],
    organisations: Injected[Organisations],
    programme_zone: Injected[ZoneInfo],
    data: NewOrganisation,
) -> Organisation:
    """Register a group, vendor, agent or ministry, with who stood for it."""
    registration, begun = registration_of(data.registration, because(principal, programme_zone, "", None))
    fields = {**msgspec.structs.asdict(data), "id": data.id or str(uuid7())}
    organisation = Organisation(**{**fields, "registration": registration, "history": (begun,)})
    await organisations.register(organisation, request=data)
    return await organisations.get(organisation.id, scope_for(principal, Permission.ORGANISATION_REGISTER))


@get("/organisations", guards=[requires(Permission.ORGANISATION_READ)])
async def list_organisations(
    principal: Injected[Principal],
    organisations: Injected[Organisations],
    kind: OrganisationKind | None = None,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> OrganisationPage:
    """List the organisations by name, so that a factory can choose whom to approve."""
    scope = scope_for(principal, Permission.ORGANISATION_READ)
    page = await organisations.find(scope, kind=kind, limit=limit, after=cursor)
    return OrganisationPage([shown_organisation(each, scope) for each in page.items], page.next_cursor)


@get("/organisations/{organisation_id:str}", guards=[requires(Permission.ORGANISATION_READ)])
async def read_organisation(
    principal: Injected[Principal], organisations: Injected[Organisations], organisation_id: str
) -> Organisation:
    """Read one organisation."""
    scope = scope_for(principal, Permission.ORGANISATION_READ)
    return shown_organisation(await organisations.get(organisation_id, scope), scope)


@post("/terms", guards=[requires(Permission.TERMS_PUBLISH)])
async def publish_terms(terms_records: Injected[TermsRecords], data: NewTerms) -> Terms:
    """Publish a version of the terms, which every party is to accept from now on."""
    terms = Terms(version=data.version, document_sha256=data.document_sha256, published_at=datetime.now(UTC))
    await terms_records.publish(terms, request=data)
    return await terms_records.get_version(data.version, EVERYWHERE)


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
    if terms.document_sha256 != data.document_sha256:
        raise TermsDiffer("What was read is not the text of this version.")
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
    return TermsAcceptancePage(items=page.items, next_cursor=page.next_cursor, current=current, missing=missing)


async def _own_party(principal: Principal, parties: Parties) -> str:
    """The id of the registered party that the caller speaks for; raises ``NotFound``."""
    if Role.FACTORY in principal.roles:
        return (await parties.factories.get(principal.party_id or "", EVERYWHERE)).id
    return (await parties.grantee(principal.party_id or "")).id


HANDLERS = (
    register_organisation,
    list_organisations,
    read_organisation,
    publish_terms,
    accept_terms,
    list_acceptances,
)
