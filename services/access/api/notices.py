"""The HTTP routes of notices: what a factory is told that others did about its reports."""

from datetime import UTC, datetime

from litestar import get, post

from contracts.identity import Principal
from contracts.permissions import Permission, scope_for
from services.access.queries import notices as queries
from services.access.queries.notices import NoticePage, NoticeView
from services.access.store.ledger import Ledger
from services.access.store.notices import Readings
from services.access.store.requests import Requests
from services.access.usecases import notices as usecases
from services.runtime.http import Injected, PageSize, requires


@get("/notices", guards=[requires(Permission.NOTICE_READ)])
async def list_notices(
    principal: Injected[Principal],
    ledger: Injected[Ledger],
    kept_requests: Injected[Requests],
    readings: Injected[Readings],
    unread: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    limit: PageSize = 50,
    cursor: str | None = None,
) -> NoticePage:
    """List what the caller's factory is told, newest first: disclosures without consent, consents from paper, and more.

    Requests for access are among them while they wait for the factory's answer, also those it was reminded of.
    """
    return await queries.list_notices(
        ledger,
        kept_requests,
        readings,
        scope_for(principal, Permission.NOTICE_READ),
        now=datetime.now(UTC),
        is_unread=unread,
        limit=limit,
        after=cursor,
    )


@post("/notices/{notice_id:str}/reading", guards=[requires(Permission.NOTICE_READ)])
async def read_notice(
    principal: Injected[Principal],
    ledger: Injected[Ledger],
    kept_requests: Injected[Requests],
    readings: Injected[Readings],
    notice_id: str,
) -> NoticeView:
    """Note that the factory has read a notice; again changes nothing."""
    notice = await usecases.read(ledger, kept_requests, readings, principal, notice_id, now=datetime.now(UTC))
    (shown,) = await queries.views(readings, [notice], scope_for(principal, Permission.NOTICE_READ))
    return shown


HANDLERS = (list_notices, read_notice)
