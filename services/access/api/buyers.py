"""The HTTP routes of buyers: parse, authorise, call, answer."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import msgspec
from litestar import get, patch, post
from uuid_utils.compat import uuid7

from contracts.identifiers import Id
from contracts.identity import Principal
from contracts.permissions import Permission
from services.access.api.parties import Code, because
from services.access.domain.buyer import Buyer, BuyerStatus
from services.access.domain.party import Registrant, ShortText, registration_of
from services.access.queries import buyers as queries
from services.access.queries.buyers import BuyerPage, BuyerView
from services.access.store.ledger import Ledger
from services.access.store.parties import Buyers
from services.access.usecases import parties as usecases
from services.access.usecases.consent import Consent
from services.access.usecases.grants import Parties
from services.runtime.http import Injected, PageSize, requires


class BuyerChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is different of a buyer since ``on`` (a day, by default today), and why."""

    name: ShortText | None = None
    lei: Code | None = None
    reason: ShortText
    on: date | None = None


class NewBuyerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a buyer takes part, and why."""

    status: BuyerStatus
    reason: ShortText


class NewBuyer(msgspec.Struct, frozen=True, kw_only=True):
    """A buyer that joins; as a participant, until an entitlement makes it a partner."""

    id: Id | None = None
    name: ShortText
    lei: Code = ""
    registration: Registrant | None = None


@post("/buyers", guards=[requires(Permission.BUYER_REGISTER)])
async def register_buyer(
    principal: Injected[Principal],
    buyers: Injected[Buyers],
    ledger: Injected[Ledger],
    programme_zone: Injected[ZoneInfo],
    data: NewBuyer,
) -> BuyerView:
    """Register a buyer, with who stood for it."""
    registration, begun = registration_of(data.registration, because(principal, programme_zone, "", None))
    buyer = Buyer(
        id=data.id or str(uuid7()),
        name=data.name,
        lei=data.lei,
        registration=registration,
        history=(begun,),
    )
    await buyers.register(buyer, request=data)
    return await queries.read_buyer(buyers, ledger, buyer.id, principal.scope(), _today(programme_zone))


@get("/buyers", guards=[requires(Permission.BUYER_READ)])
async def list_buyers(
    principal: Injected[Principal],
    buyers: Injected[Buyers],
    ledger: Injected[Ledger],
    programme_zone: Injected[ZoneInfo],
    limit: PageSize = 50,
    cursor: str | None = None,
) -> BuyerPage:
    """List the buyers, so that a factory can choose whom to approve."""
    today = _today(programme_zone)
    return await queries.list_buyers(buyers, ledger, principal.scope(), today, limit=limit, after=cursor)


@get("/buyers/{buyer_id:str}", guards=[requires(Permission.BUYER_READ)])
async def read_buyer(
    principal: Injected[Principal],
    buyers: Injected[Buyers],
    ledger: Injected[Ledger],
    programme_zone: Injected[ZoneInfo],
    buyer_id: str,
) -> BuyerView:
    """Read one buyer."""
    return await queries.read_buyer(buyers, ledger, buyer_id, principal.scope(), _today(programme_zone))


@patch("/buyers/{buyer_id:str}", guards=[requires(Permission.BUYER_CHANGE)])
async def change_buyer(
    principal: Injected[Principal],
    parties: Injected[Parties],
    ledger: Injected[Ledger],
    programme_zone: Injected[ZoneInfo],
    buyer_id: str,
    data: BuyerChange,
) -> BuyerView:
    """Note that a buyer was renamed, or has another LEI; its history tells."""
    fields = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not None}
    why = because(principal, programme_zone, fields.pop("reason"), fields.pop("on", None))
    await parties.buyers.change(buyer_id, lambda buyer: buyer.changed(fields, why))
    today = _today(programme_zone)
    return await queries.read_buyer(parties.buyers, ledger, buyer_id, principal.scope(), today)


@post("/buyers/{buyer_id:str}/status", guards=[requires(Permission.BUYER_CHANGE)])
async def move_buyer(
    principal: Injected[Principal],
    parties: Injected[Parties],
    ledger: Injected[Ledger],
    consent: Injected[Consent],
    programme_zone: Injected[ZoneInfo],
    buyer_id: str,
    data: NewBuyerStatus,
) -> BuyerView:
    """Close a buyer (or vendor or agent), which sees nothing from the answer on at any gateway; or open it again."""
    now = datetime.now(UTC)
    why = because(principal, programme_zone, data.reason, None)
    moved = await usecases.move_buyer(parties, ledger, consent, principal, buyer_id, data.status, why, now=now)
    return queries.shown(moved, await ledger.current(), principal.scope(), _today(programme_zone))


def _today(zone: ZoneInfo) -> date:
    return datetime.now(UTC).astimezone(zone).date()


HANDLERS = (register_buyer, list_buyers, read_buyer, change_buyer, move_buyer)
