"""The HTTP routes of groups, vendors, agents and ministries: parse, authorise, call, answer."""

from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from litestar import get, post
from uuid_utils.compat import uuid7

from contracts.identifiers import Id
from contracts.identity import Principal
from contracts.permissions import Permission, scope_for
from services.access.api.parties import because
from services.access.domain.organisation import Organisation, OrganisationKind
from services.access.domain.party import Registrant, ShortText, registration_of
from services.access.queries.parties import shown_organisation
from services.access.store.organisations import Organisations
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


HANDLERS = (register_organisation, list_organisations, read_organisation)
