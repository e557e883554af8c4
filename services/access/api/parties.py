"""The HTTP routes of factories: parse, authorise, call, answer."""

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
from services.access.queries.parties import DirectoryPage, FactoryPage, FactoryView
from services.access.store.parties import Factories
from services.access.usecases import parties as usecases
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
)
