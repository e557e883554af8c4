"""The HTTP routes of factories and buyers: parse, authorise, call, answer."""

from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from litestar import get, patch, post
from litestar.params import Parameter
from uuid_utils.compat import uuid7

from contracts.identifiers import Id
from contracts.identity import Principal
from contracts.permissions import Permission
from services.access.domain.buyer import Buyer, BuyerLevel, BuyerStatus
from services.access.domain.party import (
    Address,
    Because,
    Factory,
    FactoryStatus,
    Registrant,
    ShortText,
    registration_of,
)
from services.access.queries import parties as queries
from services.access.queries.parties import BuyerPage, DirectoryPage, FactoryPage, FactoryView
from services.access.store.ledger import Ledger
from services.access.store.parties import Buyers, Factories
from services.access.usecases import parties as usecases
from services.access.usecases.consent import Consent
from services.access.usecases.grants import Parties
from services.access.usecases.groups import Grouping
from services.runtime.http import Injected, PageSize, requires

Code = Annotated[str, msgspec.Meta(max_length=64)]


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
    registration: Registrant | None = None


class FactoryChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is different of a factory since ``on`` (a day, by default today), and why."""

    name: ShortText | None = None
    address: Address | None = None
    industry: Code | None = None
    time_zone: Code | None = None
    os_id: Code | None = None
    lei: Code | None = None
    tax_id: Code | None = None
    owner_group: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    group_id: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    owner_may_grant: bool | None = None
    reason: ShortText
    on: date | None = None


class NewFactoryStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of a factory since ``on`` (a day, by default today), and why; a merged one names the other."""

    status: FactoryStatus
    reason: ShortText
    on: date | None = None
    merged_into: Id | None = None


class BuyerChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is different of a buyer since ``on`` (a day, by default today), and why."""

    name: ShortText | None = None
    lei: Code | None = None
    level: BuyerLevel | None = None
    reason: ShortText
    on: date | None = None


class NewBuyerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a buyer takes part, and why."""

    status: BuyerStatus
    reason: ShortText


class NewBuyer(msgspec.Struct, frozen=True, kw_only=True):
    """A buyer that joins."""

    id: Id | None = None
    name: ShortText
    lei: Code = ""
    level: BuyerLevel = BuyerLevel.PARTICIPANT
    registration: Registrant | None = None


@post("/factories", guards=[requires(Permission.FACTORY_REGISTER)])
async def register_factory(
    principal: Injected[Principal], factories: Injected[Factories], programme_zone: Injected[ZoneInfo], data: NewFactory
) -> FactoryView:
    """Register a factory of this country, with who stood for it."""
    factory_id = data.id or str(uuid7())
    fields = msgspec.structs.asdict(data)
    fields |= {"id": factory_id, "original_id": data.original_id or factory_id, "country": principal.country}
    registration, begun = registration_of(data.registration, because(principal, programme_zone, "", None))
    fields |= {"registration": registration, "history": (begun,)}
    await factories.register(Factory(**fields), request=data)
    return await queries.read_factory(factories, factory_id, principal.scope())


@get("/factories", guards=[requires(Permission.FACTORY_READ)])
async def list_factories(
    principal: Injected[Principal],
    factories: Injected[Factories],
    name: Annotated[str | None, Parameter(max_length=200)] = None,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> FactoryPage:
    """List the factories that the caller may see: staff all, a factory itself, a buyer those that share with it.

    With ``name`` those that have this name or had it once.
    """
    return await queries.list_factories(factories, principal.scope(), name=name, limit=limit, after=cursor)


@get("/factory-directory", guards=[requires(Permission.DIRECTORY_READ)])
async def list_directory(
    principal: Injected[Principal], factories: Injected[Factories], limit: PageSize = 50, cursor: str | None = None
) -> DirectoryPage:
    """List what is public of every factory of the programme, so that a buyer can ask one for access."""
    return await queries.list_directory(factories, principal.scope(), limit=limit, after=cursor)


@get("/factories/{factory_id:str}", guards=[requires(Permission.FACTORY_READ)])
async def read_factory(principal: Injected[Principal], factories: Injected[Factories], factory_id: str) -> FactoryView:
    """Read one factory."""
    return await queries.read_factory(factories, factory_id, principal.scope())


@patch("/factories/{factory_id:str}", guards=[requires(Permission.FACTORY_CHANGE)])
async def change_factory(
    principal: Injected[Principal],
    parties: Injected[Parties],
    grouping: Injected[Grouping],
    programme_zone: Injected[ZoneInfo],
    factory_id: str,
    data: FactoryChange,
) -> FactoryView:
    """Note that a factory was renamed, moved, or that something else of it changed; its history tells.

    A group that it leaves sees nothing of it from the answer on at any gateway.
    """
    fields = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not None}
    why = because(principal, programme_zone, fields.pop("reason"), fields.pop("on", None))
    changed = await usecases.change_factory(parties, grouping, factory_id, fields, why)
    return await queries.read_factory(parties.factories, changed.id, principal.scope())


@post("/factories/{factory_id:str}/status", guards=[requires(Permission.FACTORY_CHANGE)])
async def move_factory(
    principal: Injected[Principal],
    parties: Injected[Parties],
    programme_zone: Injected[ZoneInfo],
    factory_id: str,
    data: NewFactoryStatus,
) -> FactoryView:
    """Note that a factory left the programme, was merged into another one, or came back."""
    why = because(principal, programme_zone, data.reason, data.on)
    moved = await usecases.move_factory(parties, factory_id, data.status, why, merged_into=data.merged_into or "")
    return await queries.read_factory(parties.factories, moved.id, principal.scope())


@post("/buyers", guards=[requires(Permission.BUYER_REGISTER)])
async def register_buyer(
    principal: Injected[Principal], buyers: Injected[Buyers], programme_zone: Injected[ZoneInfo], data: NewBuyer
) -> Buyer:
    """Register a buyer, with who stood for it."""
    registration, begun = registration_of(data.registration, because(principal, programme_zone, "", None))
    buyer = Buyer(
        id=data.id or str(uuid7()),
        name=data.name,
        lei=data.lei,
        level=data.level,
        registration=registration,
        history=(begun,),
    )
    await buyers.register(buyer, request=data)
    return await buyers.get(buyer.id, principal.scope())


@get("/buyers", guards=[requires(Permission.BUYER_READ)])
async def list_buyers(
    principal: Injected[Principal],
    buyers: Injected[Buyers],
    ledger: Injected[Ledger],
    limit: PageSize = 50,
    cursor: str | None = None,
) -> BuyerPage:
    """List the buyers, so that a factory can choose whom to approve."""
    return await queries.list_buyers(buyers, ledger, principal.scope(), limit=limit, after=cursor)


@get("/buyers/{buyer_id:str}", guards=[requires(Permission.BUYER_READ)])
async def read_buyer(
    principal: Injected[Principal], buyers: Injected[Buyers], ledger: Injected[Ledger], buyer_id: str
) -> Buyer:
    """Read one buyer."""
    return await queries.read_buyer(buyers, ledger, buyer_id, principal.scope())


@patch("/buyers/{buyer_id:str}", guards=[requires(Permission.BUYER_CHANGE)])
async def change_buyer(
    principal: Injected[Principal],
    parties: Injected[Parties],
    ledger: Injected[Ledger],
    programme_zone: Injected[ZoneInfo],
    buyer_id: str,
    data: BuyerChange,
) -> Buyer:
    """Note that a buyer is a partner now, was renamed, or has another LEI; its history tells."""
    fields = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not None}
    why = because(principal, programme_zone, fields.pop("reason"), fields.pop("on", None))
    await parties.buyers.change(buyer_id, lambda buyer: buyer.changed(fields, why))
    return await queries.read_buyer(parties.buyers, ledger, buyer_id, principal.scope())


@post("/buyers/{buyer_id:str}/status", guards=[requires(Permission.BUYER_CHANGE)])
async def move_buyer(
    principal: Injected[Principal],
    parties: Injected[Parties],
    ledger: Injected[Ledger],
    consent: Injected[Consent],
    programme_zone: Injected[ZoneInfo],
    buyer_id: str,
    data: NewBuyerStatus,
) -> Buyer:
    """Close a buyer (or vendor or agent), which sees nothing from the answer on at any gateway; or open it again."""
    now = datetime.now(UTC)
    why = because(principal, programme_zone, data.reason, None)
    return await usecases.move_buyer(parties, ledger, consent, principal, buyer_id, data.status, why, now=now)


def because(principal: Principal, zone: ZoneInfo, reason: str, on: date | None) -> Because:
    """Who changes something now, why, and since when, by default today."""
    now = datetime.now(UTC)
    return Because(reason=reason, on=on or now.astimezone(zone).date(), by=principal.subject, at=now)


HANDLERS = (
    register_factory,
    list_factories,
    list_directory,
    read_factory,
    change_factory,
    move_factory,
    register_buyer,
    list_buyers,
    read_buyer,
    change_buyer,
    move_buyer,
)
