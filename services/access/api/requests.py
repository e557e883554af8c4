"""The HTTP routes of requests for access: parse, authorise, call, answer; one by one and in bulk."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Annotated, Literal, TypeVar

import msgspec
from litestar import get, post
from uuid_utils.compat import uuid7

from contracts.errors import Malformed, Problem, Refusal
from contracts.identifiers import Id
from contracts.identity import Principal
from contracts.permissions import Permission, scope_for
from contracts.vocabulary import COMPLIANCE_KINDS, ReportKind
from services.access.domain.grant import Approval
from services.access.domain.request import Acceptance, AccessRequest, Reason
from services.access.domain.text import plain
from services.access.queries import requests as queries
from services.access.queries.requests import RequestPage, RequestView
from services.access.store.ledger import Ledger
from services.access.store.requests import Asked, Requests
from services.access.usecases.requests import AccessRequests
from services.runtime.http import Injected, PageSize, problem_of, requires

T = TypeVar("T")
MOST_AT_ONCE = 200
Purpose = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Message = Annotated[str, msgspec.Meta(max_length=2000)]


class NewRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a buyer asks of a factory; by default every kind on compliance, from the answer on, without an end.

    Days are counted in the programme's time zone, the last one is included.
    """

    id: Id | None = None
    factory_id: Id
    kinds: tuple[ReportKind, ...] = COMPLIANCE_KINDS
    starts_on: date | None = None
    ends_on: date | None = None
    purpose: Purpose
    message: Message = ""


class NumberedRequest(NewRequest, frozen=True, kw_only=True):
    """A request with the id that makes it repeatable."""

    id: Id


class NewRequests(msgspec.Struct, frozen=True, kw_only=True):
    """Requests to many factories; sent again after a failure, those that were made before change nothing."""

    requests: Annotated[tuple[NumberedRequest, ...], msgspec.Meta(min_length=1, max_length=MOST_AT_ONCE)]


class Refusing(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request is refused, for the buyer to read."""

    reason: Reason


class NewAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one of many requests: an acceptance needs ``approved_by``, a refusal ``reason``."""

    request_id: Id
    decision: Literal["accept", "refuse"]
    kinds: tuple[ReportKind, ...] | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    approved_by: Approval | None = None
    reason: Reason | None = None


class NewAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """Answers to many requests; sent again after a failure, those that were given before change nothing."""

    answers: Annotated[tuple[NewAnswer, ...], msgspec.Meta(min_length=1, max_length=MOST_AT_ONCE)]


class RequestResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one of many: the status and body that it would have been answered with alone."""

    id: str
    status: int
    request: RequestView | None = None
    problem: Problem | None = None


class RequestResults(msgspec.Struct, frozen=True):
    """What became of each, in the order in which they came."""

    items: list[RequestResult]


@post("/access-requests", guards=[requires(Permission.REQUEST_MAKE)])
async def ask(
    principal: Injected[Principal],
    access_requests: Injected[AccessRequests],
    ledger: Injected[Ledger],
    data: NewRequest,
) -> RequestView:
    """Ask a factory for access in the name of the caller's own party; one request for the same waits at a time."""
    now = datetime.now(UTC)
    return queries.view(await _asked(access_requests, principal, data, now), await ledger.current(), now=now)


@post("/access-requests/bulk", guards=[requires(Permission.REQUEST_MAKE)], status_code=200)
async def ask_many(
    principal: Injected[Principal],
    access_requests: Injected[AccessRequests],
    ledger: Injected[Ledger],
    data: NewRequests,
) -> RequestResults:
    """Ask many factories; each request is made or refused by itself."""
    now = datetime.now(UTC)

    async def made(each: NumberedRequest) -> RequestView:
        return queries.view(await _asked(access_requests, principal, each, now), await ledger.current(), now=now)

    return RequestResults([await _result(each.id, made, each, 201) for each in data.requests])


@get("/access-requests", guards=[requires(Permission.REQUEST_READ)])
async def list_requests(
    principal: Injected[Principal],
    kept_requests: Injected[Requests],
    ledger: Injected[Ledger],
    factory_id: str | None = None,
    buyer_id: str | None = None,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> RequestPage:
    """List the requests that the caller's party made or got (administrators: all), newest first."""
    scope, asked = scope_for(principal, Permission.REQUEST_READ), Asked(factory_id, buyer_id)
    return await queries.list_requests(
        kept_requests, ledger, scope, asked, limit=limit, after=cursor, now=datetime.now(UTC)
    )


@get("/access-requests/{request_id:str}", guards=[requires(Permission.REQUEST_READ)])
async def read_request(
    principal: Injected[Principal], kept_requests: Injected[Requests], ledger: Injected[Ledger], request_id: str
) -> RequestView:
    """Read one request."""
    return await queries.read_request(
        kept_requests, ledger, request_id, scope_for(principal, Permission.REQUEST_READ), now=datetime.now(UTC)
    )


@post("/access-requests/{request_id:str}/acceptance", guards=[requires(Permission.REQUEST_ANSWER)])
async def accept(
    principal: Injected[Principal],
    access_requests: Injected[AccessRequests],
    ledger: Injected[Ledger],
    request_id: str,
    data: Acceptance,
) -> RequestView:
    """Accept a request, or fewer kinds and days of it; answered when the grant is on the ledger."""
    now = datetime.now(UTC)
    acceptance = msgspec.structs.replace(data, approved_by=data.approved_by.plain())
    accepted = await access_requests.accept(principal, request_id, acceptance, now=now)
    return queries.view(accepted, await ledger.current(), now=now)


@post("/access-requests/{request_id:str}/refusal", guards=[requires(Permission.REQUEST_ANSWER)])
async def refuse(
    principal: Injected[Principal],
    access_requests: Injected[AccessRequests],
    ledger: Injected[Ledger],
    request_id: str,
    data: Refusing,
) -> RequestView:
    """Refuse a request with a reason."""
    now = datetime.now(UTC)
    refused = await access_requests.refuse(principal, request_id, plain(data.reason, "reason"), now=now)
    return queries.view(refused, await ledger.current(), now=now)


@post("/access-request-answers", guards=[requires(Permission.REQUEST_ANSWER)], status_code=200)
async def answer_many(
    principal: Injected[Principal],
    access_requests: Injected[AccessRequests],
    ledger: Injected[Ledger],
    data: NewAnswers,
) -> RequestResults:
    """Answer many requests; each answer is taken or refused by itself."""
    now = datetime.now(UTC)

    async def answered(each: NewAnswer) -> RequestView:
        request = await _answered(access_requests, principal, each, now)
        return queries.view(request, await ledger.current(), now=now)

    return RequestResults([await _result(each.request_id, answered, each, 201) for each in data.answers])


@post("/access-requests/{request_id:str}/withdrawal", guards=[requires(Permission.REQUEST_WITHDRAW)])
async def withdraw(
    principal: Injected[Principal],
    access_requests: Injected[AccessRequests],
    ledger: Injected[Ledger],
    request_id: str,
) -> RequestView:
    """Ask no longer for what was not answered yet."""
    now = datetime.now(UTC)
    withdrawn = await access_requests.withdraw(principal, request_id, now=now)
    return queries.view(withdrawn, await ledger.current(), now=now)


async def _asked(
    access_requests: AccessRequests, principal: Principal, data: NewRequest, now: datetime
) -> AccessRequest:
    """Make a request of what was sent."""
    request = AccessRequest(
        id=data.id or str(uuid7()),
        factory_id=data.factory_id,
        buyer_id="",
        kinds=data.kinds,
        starts_on=data.starts_on,
        ends_on=data.ends_on,
        purpose=plain(data.purpose, "purpose"),
        message=plain(data.message.replace("\r\n", "\n").replace("\n", " "), "message") if data.message else "",
        asked_by=principal.subject,
        asked_at=now,
        expires_at=now,
    )
    return await access_requests.ask(principal, request, body=data, now=now)


async def _answered(
    access_requests: AccessRequests, principal: Principal, data: NewAnswer, now: datetime
) -> AccessRequest:
    """Give the answer that was sent."""
    if data.decision == "refuse":
        if data.reason is None:
            raise Malformed("A refusal tells in reason why.")
        return await access_requests.refuse(principal, data.request_id, plain(data.reason, "reason"), now=now)
    if data.approved_by is None:
        raise Malformed("An acceptance names in approved_by who of the factory approved.")
    acceptance = Acceptance(
        kinds=data.kinds, starts_on=data.starts_on, ends_on=data.ends_on, approved_by=data.approved_by.plain()
    )
    return await access_requests.accept(principal, data.request_id, acceptance, now=now)


async def _result(item_id: str, act: Callable[[T], Awaitable[RequestView]], item: T, done: int) -> RequestResult:
    """What became of one of many."""
    try:
        return RequestResult(id=item_id, status=done, request=await act(item))
    except Refusal as refusal:
        told = problem_of(refusal.status, refusal.code, str(refusal))
        return RequestResult(id=item_id, status=refusal.status, problem=told)


HANDLERS = (ask, ask_many, list_requests, read_request, accept, refuse, answer_many, withdraw)
