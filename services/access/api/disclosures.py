"""The HTTP routes of disclosures without consent: parse, authorise, call, answer."""

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
from contracts.vocabulary import ReportKind
from services.access.domain.disclosure import DisclosureRequest
from services.access.domain.disclosure_receipt import DisclosureReceipt
from services.access.queries import disclosures as queries
from services.access.queries.disclosures import DisclosurePage, DisclosureView, Moment
from services.access.store.disclosures import Disclosures
from services.access.store.ledger import Ledger
from services.access.usecases.disclosures import Disclosing, person
from services.runtime.http import Injected, PageSize, requires

Cycle = Annotated[int, msgspec.Meta(ge=1, le=99)]


class NewDisclosure(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be shown to some buyers without the factory's consent, because of zero tolerance.

    NEVER name a victim, nor anything that a victim could be recognised by, in ``case`` and ``reason``: the reason is
    shown to the factory, and both stay on the ledger for ever. ``case`` is the reference of the case, which is kept
    elsewhere. ``ends_on`` is the last day, at most 90 days ahead; without ``cycles`` every cycle is shown.
    """

    id: Id | None = None
    factory_id: Id
    buyer_ids: Annotated[tuple[Id, ...], msgspec.Meta(min_length=1, max_length=50)]
    kinds: Annotated[tuple[ReportKind, ...], msgspec.Meta(min_length=1, max_length=4)]
    cycles: Annotated[tuple[Cycle, ...], msgspec.Meta(max_length=99)] = ()
    ends_on: date
    case: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    reason: Annotated[str, msgspec.Meta(min_length=20, max_length=500)]


class DisclosureRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a disclosure is refused; no victim is named here either."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


@post("/disclosures", guards=[requires(Permission.DISCLOSURE_REQUEST)])
async def request_disclosure(
    principal: Injected[Principal],
    disclosing: Injected[Disclosing],
    ledger: Injected[Ledger],
    programme_zone: Injected[ZoneInfo],
    data: NewDisclosure,
) -> DisclosureView:
    """Ask for a disclosure; it shows nothing before a second person confirms it within 24 hours."""
    now = datetime.now(UTC)
    fields = msgspec.structs.asdict(data) | {"id": data.id or str(uuid7())}
    asked = person(principal, Permission.DISCLOSURE_REQUEST, now)
    wanted = DisclosureRequest(**fields, asked=asked, asked_ms=int(now.timestamp() * 1000))
    request = await disclosing.ask(principal, wanted, body=data, now=now)
    return queries.view(
        request, await ledger.current(), scope_for(principal, Permission.DISCLOSURE_REQUEST), _moment(programme_zone)
    )


@get("/disclosures", guards=[requires(Permission.DISCLOSURE_READ)])
async def list_disclosures(
    principal: Injected[Principal],
    disclosures: Injected[Disclosures],
    ledger: Injected[Ledger],
    programme_zone: Injected[ZoneInfo],
    factory_id: str | None = None,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> DisclosurePage:
    """List disclosures, newest first: the programme all, a factory those about itself, a buyer those made to it.

    A factory sees what was confirmed; a buyer what is in force, as long as it may read what was disclosed.
    """
    return await queries.list_disclosures(
        disclosures,
        ledger,
        scope_for(principal, Permission.DISCLOSURE_READ),
        _moment(programme_zone),
        factory_id=factory_id,
        limit=limit,
        after=cursor,
    )


@get("/disclosures/{disclosure_id:str}", guards=[requires(Permission.DISCLOSURE_READ)])
async def read_disclosure(
    principal: Injected[Principal],
    disclosures: Injected[Disclosures],
    ledger: Injected[Ledger],
    programme_zone: Injected[ZoneInfo],
    disclosure_id: str,
) -> DisclosureView:
    """Read one disclosure."""
    scope = scope_for(principal, Permission.DISCLOSURE_READ)
    return await queries.read_disclosure(disclosures, ledger, disclosure_id, scope, _moment(programme_zone))


@get(
    "/disclosures/{disclosure_id:str}/receipt",
    guards=[requires(Permission.DISCLOSURE_READ)],
    responses={
        200: ResponseSpec(DisclosureReceipt, description="The receipt as canonical JSON", generate_examples=False)
    },
)
async def read_disclosure_receipt(
    principal: Injected[Principal],
    disclosures: Injected[Disclosures],
    ledger: Injected[Ledger],
    programme_zone: Injected[ZoneInfo],
    disclosure_id: str,
) -> Response[bytes]:
    """Read the receipt of one disclosure, which proves offline what was shown to whom without consent; keep it."""
    scope = scope_for(principal, Permission.DISCLOSURE_READ)
    content = await queries.read_receipt(disclosures, ledger, disclosure_id, scope, _moment(programme_zone))
    headers = {"content-disposition": f'attachment; filename="disclosure-{disclosure_id}.json"'}
    return Response(content, media_type=MediaType.JSON, headers=headers)


@post("/disclosures/{disclosure_id:str}/confirmation", guards=[requires(Permission.DISCLOSURE_CONFIRM)])
async def confirm_disclosure(
    principal: Injected[Principal],
    disclosing: Injected[Disclosing],
    ledger: Injected[Ledger],
    programme_zone: Injected[ZoneInfo],
    disclosure_id: str,
) -> DisclosureView:
    """Confirm what somebody else asked for: from now on the buyers see it, and the factory is told."""
    request = await disclosing.confirm(principal, disclosure_id, now=datetime.now(UTC))
    return queries.view(
        request, await ledger.current(), scope_for(principal, Permission.DISCLOSURE_CONFIRM), _moment(programme_zone)
    )


@post("/disclosures/{disclosure_id:str}/refusal", guards=[requires(Permission.DISCLOSURE_CONFIRM)])
async def refuse_disclosure(
    principal: Injected[Principal],
    disclosing: Injected[Disclosing],
    ledger: Injected[Ledger],
    programme_zone: Injected[ZoneInfo],
    disclosure_id: str,
    data: DisclosureRefusal,
) -> DisclosureView:
    """Refuse what somebody else asked for."""
    request = await disclosing.refuse(principal, disclosure_id, data.reason, now=datetime.now(UTC))
    return queries.view(
        request, await ledger.current(), scope_for(principal, Permission.DISCLOSURE_CONFIRM), _moment(programme_zone)
    )


@delete("/disclosures/{disclosure_id:str}", guards=[requires(Permission.DISCLOSURE_END)])
async def end_disclosure(principal: Injected[Principal], disclosing: Injected[Disclosing], disclosure_id: str) -> None:
    """Withdraw what waits, or end what is shown; answered once it is in force at every gateway.

    The programme alone may: what was disclosed because of zero tolerance a factory cannot take back.
    """
    await disclosing.end(principal, disclosure_id, now=datetime.now(UTC))


def _moment(zone: ZoneInfo) -> Moment:
    now = datetime.now(UTC)
    return Moment(now, now.astimezone(zone).date())


HANDLERS = (
    request_disclosure,
    list_disclosures,
    read_disclosure,
    read_disclosure_receipt,
    confirm_disclosure,
    refuse_disclosure,
    end_disclosure,
)
