"""The HTTP routes of groups, vendors, agents and ministries: parse, authorise, call, answer."""

from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from litestar import get, patch, post
from uuid_utils.compat import uuid7

from contracts.identifiers import Id
from contracts.identity import Principal
from contracts.permissions import Permission, scope_for
from services.access.api.parties import because
from services.access.domain.buyer import BuyerStatus
from services.access.domain.organisation import Organisation, OrganisationKind
from services.access.domain.party import Registrant, ShortText, registration_of
from services.access.queries.parties import shown_organisation
from services.access.store.ledger import Ledger
from services.access.store.organisations import Organisations
from services.access.usecases import parties as usecases
from services.access.usecases.consent import Consent
from services.access.usecases.grants import Parties
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


class OrganisationChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is different of an organisation since ``on`` (a day, by default today), and why."""

    name: ShortText | None = None
    country: Code | None = None
    lei: Code | None = None
    status: BuyerStatus | None = None
    reason: ShortText
    on: date | None = None


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
    ledger: Injected[Ledger],
    kind: OrganisationKind | None = None,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> OrganisationPage:
    """List the organisations by name, so that a factory can choose whom to approve."""
    scope = scope_for(principal, Permission.ORGANISATION_READ)
    page = await organisations.find(scope, kind=kind, limit=limit, after=cursor)
    fold = await ledger.current()
    return OrganisationPage([shown_organisation(each, fold, scope) for each in page.items], page.next_cursor)


@get("/organisations/{organisation_id:str}", guards=[requires(Permission.ORGANISATION_READ)])
async def read_organisation(
    principal: Injected[Principal],
    organisations: Injected[Organisations],
    ledger: Injected[Ledger],
    organisation_id: str,
) -> Organisation:
    """Read one organisation."""
    scope = scope_for(principal, Permission.ORGANISATION_READ)
    found = await organisations.get(organisation_id, scope)
    return shown_organisation(found, await ledger.current(), scope)


@patch("/organisations/{organisation_id:str}", guards=[requires(Permission.ORGANISATION_CHANGE)])
async def change_organisation(
    principal: Injected[Principal],
    parties: Injected[Parties],
    ledger: Injected[Ledger],
    consent: Injected[Consent],
    programme_zone: Injected[ZoneInfo],
    organisation_id: str,
    data: OrganisationChange,
) -> Organisation:
    """Note that an organisation was renamed, closed or opened again, or that something else of it changed.

    Its history tells. A vendor or agent that is closed sees nothing from the answer on at any gateway; a group is
    closed once no factory belongs to it.
    """
    fields = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not None}
    why = because(principal, programme_zone, fields.pop("reason"), fields.pop("on", None))
    changed = await usecases.change_organisation(
        parties, ledger, consent, principal, organisation_id, fields, why, now=datetime.now(UTC)
    )
    return shown_organisation(changed, await ledger.current(), scope_for(principal, Permission.ORGANISATION_CHANGE))


HANDLERS = (register_organisation, list_organisations, read_organisation, change_organisation)
