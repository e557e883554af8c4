"""The HTTP routes of parties, grants and the consent feed: parse, authorise, call, answer."""

from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from litestar import MediaType, Response, Router, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream
from uuid_utils.compat import uuid7

from contracts.access import ConsentAnswer
from contracts.identifiers import Id
from contracts.identity import Principal
from contracts.permissions import Permission
from contracts.vocabulary import ReportKind
from services.access import queries
from services.access.domain.grant import Approval, Grant
from services.access.domain.party import Address, Buyer, Factory, ShortText, plain
from services.access.domain.receipt import Receipt
from services.access.queries import BuyerPage, FactoryPage, GrantPage, GrantView
from services.access.store.ledger import Ledger
from services.access.store.parties import Buyers, Factories
from services.access.usecases import grants as usecases
from services.access.usecases.consent import Consent
from services.access.usecases.grants import Parties
from services.runtime.http import Injected, PageSize, requires

Code = Annotated[str, msgspec.Meta(max_length=64)]
Purpose = Annotated[str, msgspec.Meta(max_length=500)]
NDJSON = "application/x-ndjson"
GatewayName = Annotated[str, Parameter(pattern=r"^[A-Za-z0-9._-]{1,200}$")]


class NewFactory(msgspec.Struct, frozen=True, kw_only=True):
    """A factory that joins; without ``original_id`` its own id takes that place.

    ``industry`` is an ISIC code, ``os_id`` an OS Hub id, ``lei`` an ISO 17442 identifier, ``time_zone`` an IANA name.
    """

    id: Id | None = None
    original_id: Code = ""
    name: ShortText
    industry: Code
    time_zone: Code
    address: Address = Address()
    os_id: Code = ""
    lei: Code = ""
    tax_id: Code = ""
    owner_group: Annotated[str, msgspec.Meta(max_length=200)] = ""


class NewBuyer(msgspec.Struct, frozen=True, kw_only=True):
    """A buyer that joins."""

    id: Id | None = None
    name: ShortText
    lei: Code = ""


class NewGrant(msgspec.Struct, frozen=True, kw_only=True):
    """A factory's approval; by default of every kind of report, from today on and without an end.

    Days are counted in the programme's time zone, the last one is included.
    """

    id: Id | None = None
    factory_id: Id
    buyer_id: Id
    kinds: tuple[ReportKind, ...] = tuple(ReportKind)
    starts_on: date | None = None
    ends_on: date | None = None
    purpose: Purpose = ""
    approved_by: Approval | None = None


@post("/factories", guards=[requires(Permission.FACTORY_REGISTER)])
async def register_factory(principal: Injected[Principal], factories: Injected[Factories], data: NewFactory) -> Factory:
    """Register a factory of this country."""
    factory_id = data.id or str(uuid7())
    fields = msgspec.structs.asdict(data)
    fields |= {"id": factory_id, "original_id": data.original_id or factory_id, "country": principal.country}
    await factories.register(Factory(**fields), request=data)
    return await queries.read_factory(factories, factory_id, principal.scope())


@get("/factories", guards=[requires(Permission.FACTORY_READ)])
async def list_factories(
    principal: Injected[Principal], factories: Injected[Factories], limit: PageSize = 50, cursor: str | None = None
) -> FactoryPage:
    """List the factories that the caller may see: staff all, a factory itself, a buyer those that share with it."""
    return await queries.list_factories(factories, principal.scope(), limit=limit, after=cursor)


@get("/factories/{factory_id:str}", guards=[requires(Permission.FACTORY_READ)])
async def read_factory(principal: Injected[Principal], factories: Injected[Factories], factory_id: str) -> Factory:
    """Read one factory."""
    return await queries.read_factory(factories, factory_id, principal.scope())


@post("/buyers", guards=[requires(Permission.BUYER_REGISTER)])
async def register_buyer(principal: Injected[Principal], buyers: Injected[Buyers], data: NewBuyer) -> Buyer:
    """Register a buyer."""
    buyer = Buyer(id=data.id or str(uuid7()), name=data.name, lei=data.lei)
    await buyers.register(buyer, request=data)
    return await buyers.get(buyer.id, principal.scope())


@get("/buyers", guards=[requires(Permission.BUYER_READ)])
async def list_buyers(
    principal: Injected[Principal], buyers: Injected[Buyers], limit: PageSize = 50, cursor: str | None = None
) -> BuyerPage:
    """List the buyers, so that a factory can choose whom to approve."""
    return await queries.list_buyers(buyers, principal.scope(), limit=limit, after=cursor)


@get("/buyers/{buyer_id:str}", guards=[requires(Permission.BUYER_READ)])
async def read_buyer(principal: Injected[Principal], buyers: Injected[Buyers], buyer_id: str) -> Buyer:
    """Read one buyer."""
    return await buyers.get(buyer_id, principal.scope())


@post("/grants", guards=[requires(Permission.GRANT_GIVE)])
async def give_grant(
    principal: Injected[Principal],
    ledger: Injected[Ledger],
    consent: Injected[Consent],
    parties: Injected[Parties],
    programme_zone: Injected[ZoneInfo],
    data: NewGrant,
) -> GrantView:
    """Approve a buyer for reports of the caller's own factory."""
    now = datetime.now(UTC)
    today = now.astimezone(programme_zone).date()
    fields = msgspec.structs.asdict(data)
    fields |= {"id": data.id or str(uuid7()), "starts_on": data.starts_on or today}
    fields["purpose"] = plain(data.purpose, "purpose") if data.purpose else ""
    grant = Grant(**fields)
    record = await usecases.give(ledger, consent, parties, principal, grant, now=now, today=today)
    return queries.view(record, principal.scope())


@get("/grants", guards=[requires(Permission.GRANT_READ)])
async def list_grants(
    principal: Injected[Principal],
    ledger: Injected[Ledger],
    factory_id: str | None = None,
    buyer_id: str | None = None,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> GrantPage:
    """List the grants that the caller is a party to (administrators: all), newest first, revoked ones included."""
    scope = principal.scope()
    return await queries.list_grants(ledger, scope, factory_id=factory_id, buyer_id=buyer_id, limit=limit, after=cursor)


@get("/grants/{grant_id:str}", guards=[requires(Permission.GRANT_READ)])
async def read_grant(principal: Injected[Principal], ledger: Injected[Ledger], grant_id: str) -> GrantView:
    """Read one grant."""
    return await queries.read_grant(ledger, grant_id, principal.scope())


@get(
    "/grants/{grant_id:str}/receipt",
    guards=[requires(Permission.GRANT_READ)],
    responses={200: ResponseSpec(Receipt, description="The receipt as canonical JSON", generate_examples=False)},
)
async def read_receipt(principal: Injected[Principal], ledger: Injected[Ledger], grant_id: str) -> Response[bytes]:
    """Read the receipt of one grant, which proves offline what was approved and withdrawn; keep it."""
    content = await queries.read_receipt(ledger, grant_id, principal.scope())
    headers = {"content-disposition": f'attachment; filename="receipt-{grant_id}.json"'}
    return Response(content, media_type=MediaType.JSON, headers=headers)


@get(
    "/consent-ledger",
    guards=[requires(Permission.CONSENT_EXPORT)],
    media_type=NDJSON,
    responses={
        200: ResponseSpec(bytes, description="An entry a line", media_type=NDJSON, generate_examples=False),
    },
)
async def export_ledger(ledger: Injected[Ledger]) -> Stream:
    """Export the whole consent ledger, which proves offline that nothing was changed or left out."""
    headers = {"content-disposition": 'attachment; filename="consent-ledger.ndjson"'}
    return Stream(queries.export_ledger(ledger), headers=headers, media_type=NDJSON)


@delete("/grants/{grant_id:str}", guards=[requires(Permission.GRANT_REVOKE)])
async def revoke_grant(
    principal: Injected[Principal], ledger: Injected[Ledger], consent: Injected[Consent], grant_id: str
) -> None:
    """Withdraw an approval; answered once it is in force at every gateway, at most one lease later."""
    await usecases.revoke(ledger, consent, principal, grant_id, now=datetime.now(UTC))


@get("/consent", guards=[requires(Permission.CONSENT_FOLLOW)], include_in_schema=False)
async def follow_consent(
    consent: Injected[Consent],
    gateway: GatewayName,
    after: Annotated[int, Parameter(ge=0)] = 0,
    entry_hash: Annotated[str, Parameter(query="hash", pattern=r"^[0-9a-f]{0,64}$")] = "",
    wait_s: Annotated[float, Parameter(ge=0, le=60)] = 0.0,
) -> ConsentAnswer:
    """Follow the ledger behind an epoch, waiting a while for news; asking acknowledges what was read before."""
    return await consent.follow(gateway, after=after, entry_hash=entry_hash, wait_s=wait_s)


def routes() -> list[Router]:
    """The public routes, and the internal ones that no gateway passes on."""
    public = [
        register_factory,
        list_factories,
        read_factory,
        register_buyer,
        list_buyers,
        read_buyer,
        give_grant,
        list_grants,
        read_grant,
        read_receipt,
        export_ledger,
        revoke_grant,
    ]
    return [Router("/api/v1", route_handlers=public), Router("/internal", route_handlers=[follow_consent])]
