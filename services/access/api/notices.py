"""The HTTP routes of notices: what a factory is told that others did about its reports."""

from datetime import UTC, datetime

from litestar import get, post

from contracts.identity import Principal
from contracts.permissions import Permission
from services.access.queries import notices as queries
from services.access.queries.notices import NoticePage, NoticeView
from services.access.store.ledger import Ledger
from services.access.store.notices import Readings
from services.access.usecases import notices as usecases
from services.runtime.http import Injected, PageSize, requires


@get("/notices", guards=[requires(Permission.NOTICE_READ)])
async def list_notices(
    principal: Injected[Principal],
    ledger: Injected[Ledger],
    readings: Injected[Readings],
    unread: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    limit: PageSize = 50,
    cursor: str | None = None,
) -> NoticePage:
    """List what the caller's factory is told, newest first: disclosures without consent, consents from paper, and more.

    Requests for access, which wait for an answer, are a list of their own.
    """
    scope = principal.scope()
    return await queries.list_notices(ledger, readings, scope, is_unread=unread, limit=limit, after=cursor)


@post("/notices/{notice_id:str}/reading", guards=[requires(Permission.NOTICE_READ)])
async def read_notice(
    principal: Injected[Principal], ledger: Injected[Ledger], readings: Injected[Readings], notice_id: str
) -> NoticeView:
    """Note that the factory has read a notice; again changes nothing."""
    notice = await usecases.read(ledger, readings, principal, notice_id, now=datetime.now(UTC))
    (shown,) = await queries.views(readings, [notice], principal.scope())
    return shown


HANDLERS = (list_notices, read_notice)
