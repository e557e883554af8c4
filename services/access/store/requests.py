"""Requests for access as documents; every read takes a ``Scope``."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from contracts.errors import Conflict, NotFound, RuleBroken
from contracts.events import Event
from contracts.identity import Scope
from services.access.domain.request import AccessRequest, Status
from services.runtime.aggregates import Aggregates, Found
from services.runtime.documents import Documents, Filter, Index
from services.runtime.relay import Relay

_WAITING: Final[Filter] = {"state.status": {"$in": [None, Status.PENDING.value]}}

Decision = Callable[[AccessRequest], tuple[AccessRequest, Sequence[Event]]]


class RequestWaits(RuleBroken):
    """The buyer has asked this factory for the same before, and the factory has not answered yet."""

    code = "request_waits"


class Asked(msgspec.Struct, frozen=True):
    """Which requests of a scope are asked for."""

    factory_id: str | None = None
    buyer_id: str | None = None


class Requests:
    """The requests of every buyer; of one buyer and factory only one waits at a time."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        indexes = (
            Index(("state.slot",), unique=True, sparse=True),
            Index(("state.factory_id", "state.asked_at")),
            Index(("state.buyer_id", "state.asked_at")),
            Index(("state.status", "state.asked_at")),
        )
        collection = documents.collection("requests", indexes)
        self._requests = Aggregates(collection, AccessRequest, source=source, relay=relay)

    async def get(self, request_id: str, scope: Scope) -> AccessRequest:
        """Read one; raises ``NotFound`` for what is absent or of other parties."""
        request = (await self._requests.get(request_id)).state
        is_own = request.buyer_id == scope.buyer_id if scope.buyer_id else scope.covers(request.factory_id)
        if not is_own:
            raise NotFound("There is no such request.")
        return request

    async def find(self, scope: Scope, asked: Asked, *, limit: int, after: str | None) -> Found[AccessRequest]:
        """Read one page of the requests in scope, newest first; raises ``InvalidCursor``."""
        where: list[dict[str, object]] = [_within(scope)]
        where += [{f"state.{name}": value} for name, value in msgspec.structs.asdict(asked).items() if value]
        wanted = {"$and": [each for each in where if each]} if any(where) else None
        return await self._requests.find(wanted, sort=[("state.asked_at", -1)], limit=limit, after=after)

    async def find_open(self, scope: Scope, *, limit: int, after: str | None) -> Found[AccessRequest]:
        """Read one page of what waits for an answer, or for its grant, oldest first."""
        settling = {"state.status": Status.ACCEPTED.value, "state.is_settled": {"$ne": True}}
        return await self._find_either(scope, _WAITING, settling, limit=limit, after=after)

    async def find_telling(self, scope: Scope, *, limit: int, after: str | None) -> Found[AccessRequest]:
        """Read one page of what waits for an answer, or was refused on paper, oldest first."""
        on_paper = {"state.status": Status.REFUSED.value, "state.answer.document_sha256": {"$gt": ""}}
        return await self._find_either(scope, _WAITING, on_paper, limit=limit, after=after)

    async def add(self, request: AccessRequest, event: Event, *, body: object, now: datetime) -> None:
        """Store a new request with its event; raises ``Conflict`` for a taken id and ``RequestWaits``."""
        await self._end_expired(request, now)
        try:
            await self._requests.create(request.id, request, (event,), request=body)
        except Conflict:
            if await self._holder(request):
                raise RequestWaits("The factory has not yet answered what was asked before.") from None
            raise

    async def change(self, request_id: str, decide: Decision) -> AccessRequest:
        """Store what a pure decision makes of a request; raises its refusals."""
        return await self._requests.change(request_id, decide)

    async def _find_either(self, scope: Scope, *either: Filter, limit: int, after: str | None) -> Found[AccessRequest]:
        where = {"$and": [each for each in (_within(scope), {"$or": list(either)}) if each]}
        return await self._requests.find(where, sort=[("state.asked_at", 1)], limit=limit, after=after)

    async def _end_expired(self, request: AccessRequest, now: datetime) -> None:
        """Free the slot of a request whose time is over, but which no sweep has noted yet."""
        holder = await self._holder(request)
        if holder is not None and holder.status_at(now) is Status.EXPIRED:
            await self.change(holder.id, lambda present: present.swept(now))

    async def _holder(self, request: AccessRequest) -> AccessRequest | None:
        """The other request that holds the slot."""
        found = await self._requests.find({"state.slot": request.slot}, limit=1)
        return next((each for each in found.items if each.id != request.id), None)


def _within(scope: Scope) -> dict[str, object]:
    """The filter for the requests that the scope's party made or got."""
    if scope.buyer_id is not None:
        return {"state.buyer_id": scope.buyer_id}
    return {} if scope.factories is None else {"state.factory_id": {"$in": sorted(scope.factories)}}
