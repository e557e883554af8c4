"""Disclosures that were asked for, as documents; every read takes a ``Scope``."""

from collections.abc import Callable

from contracts.errors import NotFound
from contracts.identity import Scope
from services.access.domain.disclosure import Decision, DisclosureRequest
from services.runtime.aggregates import Aggregates, Found
from services.runtime.documents import Documents, Filter, Index
from services.runtime.relay import Relay


class Disclosures:
    """The programme sees all, a factory what was confirmed about itself, and a buyer none."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        indexes = (
            Index(("state.asked_ms",)),
            Index(("state.factory_id", "state.asked_ms")),
            Index(("state.decision", "state.is_made")),
        )
        collection = documents.collection("disclosures", indexes)
        self._requests = Aggregates(collection, DisclosureRequest, source=source, relay=relay)

    async def get(self, disclosure_id: str, scope: Scope) -> DisclosureRequest:
        """Read one; raises ``NotFound`` for what is absent or out of scope."""
        request = (await self._requests.get(disclosure_id)).state
        is_told = scope.factories is None or request.decision is Decision.CONFIRMED
        if scope.buyer_id is not None or not scope.covers(request.factory_id) or not is_told:
            raise NotFound("There is no such disclosure.")
        return request

    async def find(
        self, scope: Scope, *, factory_id: str | None, limit: int, after: str | None
    ) -> Found[DisclosureRequest]:
        """Read one page of those in scope, newest first; raises ``InvalidCursor``."""
        if scope.buyer_id is not None or not (factory_id is None or scope.covers(factory_id)):
            return Found([], None)
        parts: list[Filter] = [{"state.factory_id": factory_id}] if factory_id is not None else []
        if scope.factories is not None:
            parts.append({"state.factory_id": {"$in": sorted(scope.factories)}})
            parts.append({"state.decision": Decision.CONFIRMED.value})
        where = {"$and": parts} if parts else None
        return await self._requests.find(where, sort=[("state.asked_ms", -1)], limit=limit, after=after)

    async def unfinished(self, scope: Scope, *, limit: int) -> list[DisclosureRequest]:
        """Read what was confirmed and is not known to be on the ledger; the programme alone asks."""
        if scope.factories is not None:
            return []
        where = {"state.decision": Decision.CONFIRMED.value, "state.is_made": False}
        return (await self._requests.find(where, limit=limit)).items

    async def add(self, request: DisclosureRequest, *, body: object) -> None:
        """Store a new one; the same id and body again change nothing; raises ``Conflict`` for a taken id."""
        await self._requests.create(request.id, request, request=body)

    async def change(
        self, disclosure_id: str, decide: Callable[[DisclosureRequest], DisclosureRequest]
    ) -> DisclosureRequest:
        """Store what a pure decision makes of one; raises ``NotFound`` and its refusals."""
        return await self._requests.change(disclosure_id, lambda request: (decide(request), ()))
