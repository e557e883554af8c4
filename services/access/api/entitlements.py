"""The HTTP routes of what buyers have paid for: parse, authorise, call, answer.

A country may run without participants: then its buyers are all partners, and nobody buys or spends credits.
"""

from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from litestar import delete, get, post
from litestar.params import Parameter
from uuid_utils.compat import uuid7

from contracts.errors import Malformed
from contracts.identifiers import Id
from contracts.identity import Principal
from contracts.permissions import Permission, scope_for
from services.access.domain.consent.paid import Entitlement, Purchase
from services.access.domain.text import plain
from services.access.queries import entitlements as queries
from services.access.queries.entitlements import (
    Asked,
    EntitlementPage,
    EntitlementView,
    PurchasePage,
    PurchaseView,
    Statement,
)
from services.access.store.ledger import Ledger
from services.access.store.reads import ReadPages
from services.access.usecases import entitlements as usecases
from services.access.usecases.consent import Consent
from services.access.usecases.grants import Parties
from services.runtime.http import Injected, PageSize, requires

Reference = Annotated[str, msgspec.Meta(max_length=200)]
Cycle = Annotated[int, msgspec.Meta(ge=1, le=99)]
Amount = Annotated[str, msgspec.Meta(pattern=r"^(-?[0-9]{1,12}(\.[0-9]{1,4})?)?(?!\n)$")]
Currency = Annotated[str, msgspec.Meta(pattern=r"^([A-Z]{3})?(?!\n)$")]


class NewEntitlement(msgspec.Struct, frozen=True, kw_only=True):
    """What a buyer is entitled to read, of all that factories grant it.

    With ``factory_id`` and ``cycle`` one credit is spent on that cycle of that factory: its assessment report, the
    improvement plan and the progress. Without them the buyer is a partner, entitled to every factory and cycle from
    today on unless the days say otherwise; only administrators make partners. ``reference`` names the paper.
    """

    id: Id | None = None
    buyer_id: Id
    factory_id: Id | None = None
    cycle: Cycle | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    reference: Reference = ""


class NewPurchase(msgspec.Struct, frozen=True, kw_only=True):
    """Credits that a buyer has paid for; fewer than none correct an earlier booking.

    ``reference`` is the invoice (of a correction: the credit note), which a buyer has only once; ``amount`` are decimal
    digits and ``currency`` is an ISO 4217 code. Prices are finance's to know: the amount is kept as it is told.
    """

    id: Id | None = None
    buyer_id: Id
    credits: int
    reference: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    amount: Amount = ""
    currency: Currency = ""


@post("/purchases", guards=[requires(Permission.CREDIT_SELL)])
async def book_purchase(
    principal: Injected[Principal],
    ledger: Injected[Ledger],
    parties: Injected[Parties],
    data: NewPurchase,
) -> PurchaseView:
    """Book credits that a buyer has paid for; a correction never takes more than the balance."""
    purchase = Purchase(**{**msgspec.structs.asdict(data), "id": data.id or str(uuid7())})
    record = await usecases.buy(ledger, parties, principal, purchase, now=datetime.now(UTC))
    return queries.view_purchase(record)


@get("/purchases", guards=[requires(Permission.CREDIT_READ)])
async def list_purchases(
    principal: Injected[Principal],
    ledger: Injected[Ledger],
    buyer_id: str | None = None,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> PurchasePage:
    """List what buyers have bought, newest first: a buyer its own, administrators all."""
    return await queries.list_purchases(
        ledger, scope_for(principal, Permission.CREDIT_READ), buyer_id=buyer_id, limit=limit, after=cursor
    )


@get("/statement", guards=[requires(Permission.CREDIT_READ)])
async def read_statement(
    principal: Injected[Principal],
    ledger: Injected[Ledger],
    programme_zone: Injected[ZoneInfo],
    buyer_id: str | None = None,
    since: Annotated[date | None, Parameter(description="The first day")] = None,
    until: Annotated[date | None, Parameter(description="The last day")] = None,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> Statement:
    """Read the statement of a buyer's credits (administrators: without ``buyer_id`` of all), oldest first.

    Days are counted in the programme's time zone. Every line has the balance after it.
    """
    asked = Asked(buyer_id=buyer_id, since=since, until=until)
    scope = scope_for(principal, Permission.CREDIT_READ)
    return await queries.read_statement(ledger, scope, asked, zone=programme_zone, limit=limit, after=cursor)


@post("/entitlements", guards=[requires(Permission.ENTITLEMENT_GIVE)])
async def give_entitlement(
    principal: Injected[Principal],
    ledger: Injected[Ledger],
    parties: Injected[Parties],
    programme_zone: Injected[ZoneInfo],
    data: NewEntitlement,
) -> EntitlementView:
    """Spend a credit on one cycle of one factory that shares with the buyer, or record that a buyer is a partner.

    What is paid for already takes no second credit and is answered as it is.
    """
    now = datetime.now(UTC)
    today = now.astimezone(programme_zone).date()
    wanted = _entitlement(data, today)
    if wanted.credits:
        record = await usecases.spend(ledger, parties, principal, wanted, now=now, today=today)
    else:
        told = data.starts_on is not None
        record = await usecases.entitle(ledger, parties, principal, wanted, is_day_told=told, now=now)
    return queries.view(record)


@get("/entitlements", guards=[requires(Permission.ENTITLEMENT_READ)])
async def list_entitlements(
    principal: Injected[Principal],
    ledger: Injected[Ledger],
    buyer_id: str | None = None,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> EntitlementPage:
    """List what buyers are entitled to, newest first: a buyer its own, administrators all."""
    scope = scope_for(principal, Permission.ENTITLEMENT_READ)
    return await queries.list_entitlements(ledger, scope, buyer_id=buyer_id, limit=limit, after=cursor)


@delete("/entitlements/{entitlement_id:str}", guards=[requires(Permission.ENTITLEMENT_END)])
async def end_entitlement(
    principal: Injected[Principal],
    ledger: Injected[Ledger],
    consent: Injected[Consent],
    read_pages: Injected[ReadPages],
    entitlement_id: str,
    reason: Annotated[str, Parameter(min_length=1, max_length=200, description="Why; it is kept on the ledger")],
    return_credit: Annotated[bool, Parameter(description="Only when nothing was read for it")] = False,  # noqa: FBT002
) -> None:
    """End an entitlement; answered once it is in force at every gateway, at most one lease later."""
    await usecases.end(
        ledger,
        consent,
        read_pages,
        principal,
        entitlement_id,
        reason=plain(reason, "reason"),
        is_returned=return_credit,
        now=datetime.now(UTC),
    )


def _entitlement(data: NewEntitlement, today: date) -> Entitlement:
    """What is wanted; raises ``Malformed`` for half a credit's worth."""
    made = Entitlement(
        id=data.id or str(uuid7()),
        buyer_id=data.buyer_id,
        reference=plain(data.reference, "reference") if data.reference else "",
        starts_on=data.starts_on or today,
        ends_on=data.ends_on,
    )
    if made.ends_on is not None and made.ends_on < made.starts_on:
        raise Malformed("The last day lies before the first day.")
    if data.factory_id is None and data.cycle is None:
        return made
    if data.factory_id is None or data.cycle is None or data.starts_on or data.ends_on:
        raise Malformed("A credit is spent on one factory_id and one cycle, and knows no days.")
    return msgspec.structs.replace(made, factory_id=data.factory_id, cycles=(data.cycle,), credits=1)


HANDLERS = (
    book_purchase,
    list_purchases,
    read_statement,
    give_entitlement,
    list_entitlements,
    end_entitlement,
)
