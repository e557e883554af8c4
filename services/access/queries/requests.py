"""What people see of requests for access; whether one was accepted is told by the ledger."""

from datetime import date, datetime

import msgspec

from contracts.identity import Scope
from contracts.vocabulary import ReportKind
from services.access.domain.consent.fold import Fold
from services.access.domain.request import AccessRequest, Status
from services.access.store.ledger import Ledger
from services.access.store.requests import Asked, Requests


class RequestView(msgspec.Struct, frozen=True, kw_only=True):
    """A request as both of its parties see it; ``grant_id`` is there once it was accepted.

    ``reason`` is why it was refused; ``message`` is what the buyer wrote to the factory.
    """

    id: str
    factory_id: str
    buyer_id: str
    kinds: tuple[ReportKind, ...]
    starts_on: date | None
    ends_on: date | None
    purpose: str
    message: str
    asked_at: datetime
    expires_at: datetime
    status: Status
    answered_at: datetime | None
    reason: str
    grant_id: str | None


class RequestPage(msgspec.Struct, frozen=True):
    """One page of requests and the cursor of the next."""

    items: list[RequestView]
    next_cursor: str | None


async def read_request(
    requests: Requests, ledger: Ledger, request_id: str, scope: Scope, *, now: datetime
) -> RequestView:
    """Read one request; raises ``NotFound``."""
    request = await requests.get(request_id, scope)
    return view(request, await ledger.current(), now=now)


async def list_requests(
    requests: Requests, ledger: Ledger, scope: Scope, asked: Asked, *, limit: int, after: str | None, now: datetime
) -> RequestPage:
    """List the requests in scope, newest first; raises ``InvalidCursor``."""
    page = await requests.find(scope, asked, limit=limit, after=after)
    fold = await ledger.current()
    return RequestPage([view(request, fold, now=now) for request in page.items], page.next_cursor)


def view(request: AccessRequest, fold: Fold, *, now: datetime) -> RequestView:
    """The request as its parties see it just now."""
    status = _status(request, fold, now)
    is_answered = status in {Status.ACCEPTED, Status.REFUSED, Status.WITHDRAWN} and request.answer is not None
    return RequestView(
        id=request.id,
        factory_id=request.factory_id,
        buyer_id=request.buyer_id,
        kinds=request.kinds,
        starts_on=request.starts_on,
        ends_on=request.ends_on,
        purpose=request.purpose,
        message=request.message,
        asked_at=request.asked_at,
        expires_at=request.expires_at,
        status=status,
        answered_at=request.answer.at if is_answered and request.answer else None,
        reason=request.answer.reason if is_answered and request.answer else "",
        grant_id=request.grant_id if status is Status.ACCEPTED else None,
    )


def _status(request: AccessRequest, fold: Fold, now: datetime) -> Status:
    """What became of a request: accepted is what the ledger holds a grant for, whatever a crash left in documents."""
    if request.status not in {Status.PENDING, Status.ACCEPTED}:
        return request.status
    if fold.record(request.grant_id) is not None:
        return Status.ACCEPTED
    return Status.PENDING if request.status is Status.ACCEPTED else request.status_at(now)
