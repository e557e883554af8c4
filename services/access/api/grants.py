"""The HTTP routes of grants and their receipts: parse, authorise, call, answer."""

from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from litestar import MediaType, Response, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from uuid_utils.compat import uuid7

from contracts.identifiers import Id
from contracts.identity import Principal
from contracts.permissions import Permission, scope_for
from contracts.vocabulary import COMPLIANCE_KINDS, ReportKind
from services.access.domain.grant import Approval, Grant
from services.access.domain.receipt import Receipt
from services.access.domain.text import plain
from services.access.queries import grants as queries
from services.access.queries.grants import GrantPage, GrantView
from services.access.store.ledger import Ledger
from services.access.usecases import grants as usecases
from services.access.usecases.consent import Consent
from services.access.usecases.grants import Parties
from services.runtime.http import Injected, PageSize, requires

Purpose = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
"""What for: consent to nothing in particular is none."""


class NewGrant(msgspec.Struct, frozen=True, kw_only=True):
    """A factory's approval; by default of every kind of report on compliance, from today on and without an end.

    Quality and productivity are approved by a grant of their own only. One that names an agreement of the two must
    lie within it. Days are counted in the programme's time zone, the last one is included.
    """

    id: Id | None = None
    factory_id: Id
    buyer_id: Id
    kinds: tuple[ReportKind, ...] = COMPLIANCE_KINDS
    starts_on: date | None = None
    ends_on: date | None = None
    purpose: Purpose
    approved_by: Approval | None = None
    agreement_id: Annotated[str, msgspec.Meta(max_length=64)] = ""


def day_in(zone: ZoneInfo) -> usecases.UsualDay:
    """The day of a time where the programme is."""
    return lambda at: at.astimezone(zone).date()


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
    today = day_in(programme_zone)(now)
    fields = msgspec.structs.asdict(data)
    fields |= {"id": data.id or str(uuid7()), "starts_on": data.starts_on or today}
    fields["purpose"] = plain(data.purpose, "purpose")
    grant = Grant(**fields)
    usual_day = None if data.starts_on else day_in(programme_zone)
    record = await usecases.give(ledger, consent, parties, principal, grant, now=now, today=today, usual_day=usual_day)
    return queries.view(record, scope_for(principal, Permission.GRANT_GIVE))


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
    scope = scope_for(principal, Permission.GRANT_READ)
    return await queries.list_grants(ledger, scope, factory_id=factory_id, buyer_id=buyer_id, limit=limit, after=cursor)


@get("/grants/{grant_id:str}", guards=[requires(Permission.GRANT_READ)])
async def read_grant(principal: Injected[Principal], ledger: Injected[Ledger], grant_id: str) -> GrantView:
    """Read one grant."""
    return await queries.read_grant(ledger, grant_id, scope_for(principal, Permission.GRANT_READ))


@get(
    "/grants/{grant_id:str}/receipt",
    guards=[requires(Permission.GRANT_READ)],
    responses={200: ResponseSpec(Receipt, description="The receipt as canonical JSON", generate_examples=False)},
)
async def read_receipt(principal: Injected[Principal], ledger: Injected[Ledger], grant_id: str) -> Response[bytes]:
    """Read the receipt of one grant, which proves offline what was approved and withdrawn; keep it."""
    content = await queries.read_receipt(ledger, grant_id, scope_for(principal, Permission.GRANT_READ))
    headers = {"content-disposition": f'attachment; filename="receipt-{grant_id}.json"'}
    return Response(content, media_type=MediaType.JSON, headers=headers)


@delete("/grants/{grant_id:str}", guards=[requires(Permission.GRANT_REVOKE)])
async def revoke_grant(
    principal: Injected[Principal],
    ledger: Injected[Ledger],
    parties: Injected[Parties],
    consent: Injected[Consent],
    grant_id: str,
) -> None:
    """Withdraw an approval; answered once it is in force at every gateway, at most one lease later."""
    await usecases.revoke(ledger, parties, consent, principal, grant_id, now=datetime.now(UTC))


HANDLERS = (give_grant, list_grants, read_grant, read_receipt, revoke_grant)
